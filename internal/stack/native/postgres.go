package native

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/stack"
)

// How long Postgres may take for a fast shutdown, which ends with a checkpoint, and then for an immediate one, after
// which the next start replays the log. No row is lost either way. The first takes a tenth of a second, more where the
// disk is busy: cutting it short would make the next start pay, which then syncs every file.
const (
	pgFastStop      = 8 * time.Second
	pgImmediateStop = time.Second
)

// postgres is the project's database server.
type postgres struct {
	sup     *supervisor
	cfg     *env.Config
	out     *logFile
	environ []string

	install pgInstall
	account *account
	place   pgPlace
}

var _ program = (*postgres)(nil)

func newPostgres(s *supervisor, cfg *env.Config, out *logFile) program {
	return &postgres{sup: s, cfg: cfg, out: out, environ: s.env()}
}

func (p *postgres) fingerprint() string {
	c := p.cfg.Postgres
	return fingerprint("postgres", strconv.Itoa(c.Port), c.DB, c.User, c.Password.Reveal(), p.cfg.Postgres.BinDir)
}

func (p *postgres) info() stack.Facts {
	f := stack.FactsOf(p.cfg, stack.Postgres)
	if p.install.version != "" {
		f.Detail = "PostgreSQL " + p.install.version
	}
	return f
}

func (p *postgres) prepare(ctx context.Context, report func(stack.Event)) error {
	var err error
	if p.account, err = unprivileged(); err != nil {
		return err
	}
	if p.place, err = placePostgres(p.sup.lay, p.account); err != nil {
		return err
	}
	have, err := dataVersion(p.place.data())
	if err != nil {
		return err
	}
	if p.place.note != "" && have == "" {
		report(stack.Event{Kind: stack.EventNote, Detail: p.place.note})
	}
	if p.install, err = p.findInstall(ctx, have, report); err != nil {
		return err
	}
	if have != "" {
		if err := p.account.takeBack(p.place.data()); err != nil {
			return err
		}
	}
	if have == "" {
		report(stack.Event{Kind: stack.EventBuilding, Detail: "creating the database with PostgreSQL " + p.install.version})
		return p.initialize(ctx)
	}
	return nil
}

// findInstall takes the installation that matches the data, else the one that is there, else fetches one.
func (p *postgres) findInstall(ctx context.Context, have string, report func(stack.Event)) (pgInstall, error) {
	found, seen, err := findPostgres(ctx, p.environ, p.cfg.Postgres.BinDir, have)
	if err != nil || found.bin != "" {
		return found, err
	}
	major := have
	if major == "" {
		major = imageMajor(p.cfg.Postgres.Image)
	}
	if have != "" && p.cfg.Postgres.BinDir != "" {
		return pgInstall{}, wrongVersion(have, seen)
	}
	found, err = fetchPostgres(ctx, p.repository(), major, p.account, report)
	if err != nil && len(seen) > 0 {
		return pgInstall{}, errors.Join(wrongVersion(have, seen), err)
	}
	return found, err
}

func (p *postgres) repository() string {
	if url := lookupEnv(p.environ, envPGRepository); url != "" {
		return url
	}
	return p.cfg.Functions[envPGRepository]
}

func wrongVersion(have string, seen []string) error {
	return errdefs.As(errdefs.ErrUnavailable, errdefs.WithHint(
		fmt.Errorf("start postgres: the project's data was written by version %s, installed is %s",
			have, strings.Join(seen, ", ")),
		fmt.Sprintf("install PostgreSQL %s and set %s to its programs, or remove the data with nself down --volumes",
			have, envPGBin)))
}

// imageMajor reads the version from an image name, so that both drivers run the same: "postgres:16-alpine" is 16.
func imageMajor(image string) string {
	_, tag, ok := strings.Cut(filepath.Base(image), ":")
	if ok {
		if major, _, _ := strings.Cut(versionNumber.FindString(tag), "."); strings.HasPrefix(tag, major) && major != "" {
			return major
		}
	}
	return defaultMajor
}

// initialize makes the database in a folder of its own and moves it into place when it is whole, so that an interrupted
// run leaves nothing that looks like a database.
func (p *postgres) initialize(ctx context.Context) error {
	fresh := p.place.fresh()
	if err := os.RemoveAll(fresh); err != nil {
		return fmt.Errorf("create the database: %w", err)
	}
	if err := os.Mkdir(fresh, 0o700); err != nil {
		return fmt.Errorf("create the database: %w", err)
	}
	defer func() { _ = os.RemoveAll(fresh) }()
	if err := p.account.own(fresh); err != nil {
		return err
	}
	pw := filepath.Join(fresh, "password")
	if err := os.WriteFile(pw, []byte(p.cfg.Postgres.Password.Reveal()+"\n"), 0o600); err != nil {
		return fmt.Errorf("create the database: %w", err)
	}
	if err := p.account.own(pw); err != nil {
		return err
	}
	data := filepath.Join(fresh, "data")
	err := p.sup.helper(ctx, "initdb", command{
		path: p.install.program("initdb"),
		args: []string{
			"--pgdata", data, "--username", p.cfg.Postgres.User, "--pwfile", pw, "--auth", "scram-sha-256",
			"--encoding", "UTF8", "--locale", "C", "--no-sync",
		},
		env: p.processEnv(), dir: fresh, user: p.account, out: p.out,
	})
	p.out.flush()
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return errdefs.As(errdefs.ErrUnavailable, errdefs.WithHint(
			fmt.Errorf("create the database: initdb: %s", exitText(err)), "see nself logs postgres"))
	}
	if name := p.cfg.Postgres.DB; name != "postgres" {
		// Made here, where nothing waits for the disk yet: made later, the first shutdown would have to sync its files.
		if err := p.single(ctx, data, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize()+";\n", "-F"); err != nil {
			return fmt.Errorf("create the database %s: %w", name, err)
		}
	}
	if err := p.recordAuth(); err != nil {
		return err
	}
	if err := os.Rename(data, p.place.data()); err != nil {
		return fmt.Errorf("create the database: %w", err)
	}
	// initdb was told not to wait for the disk; what it wrote is synced here, beside the start.
	go syncFolder(p.place.data())
	return nil
}

func (p *postgres) processEnv() []string {
	list := append(p.sup.marks(stack.Postgres), "LC_ALL=C", "TZ=UTC")
	for _, key := range []string{"PATH", "TMPDIR", "LD_LIBRARY_PATH"} {
		if v := lookupEnv(p.environ, key); v != "" {
			list = append(list, key+"="+v)
		}
	}
	return list
}

func (p *postgres) beforeStart(ctx context.Context) error {
	if err := clearPostmaster(p.place.data()); err != nil {
		return permanent(err)
	}
	return p.adoptAuth(ctx)
}

func (p *postgres) run(ctx context.Context, started func(int)) error {
	args := []string{"-D", p.place.data()}
	for _, setting := range []string{
		"listen_addresses=127.0.0.1", "port=" + strconv.Itoa(p.cfg.Postgres.Port), "unix_socket_directories=",
		"logging_collector=off", "log_destination=stderr", "log_line_prefix=",
	} {
		args = append(args, "-c", setting)
	}
	proc, err := p.sup.spawn.start(command{
		path: p.install.program("postgres"), args: args, env: p.processEnv(), dir: p.place.data(),
		user: p.account, out: p.out,
		deathSignal: syscall.SIGINT, // a clean shutdown, even when the supervisor is killed
	})
	if err != nil {
		return permanent(errdefs.As(errdefs.ErrUnavailable, err))
	}
	p.sup.ledger.add(child{PID: proc.pid, Service: stack.Postgres, Port: p.cfg.Postgres.Port, DataDir: p.place.data()})
	defer p.sup.ledger.remove(stack.Postgres, proc.pid)
	started(proc.pid)
	select {
	case <-ctx.Done():
		proc.stop(stopStep{syscall.SIGINT, pgFastStop}, stopStep{syscall.SIGQUIT, pgImmediateStop})
		return ctx.Err()
	case <-proc.done:
		return proc.err
	}
}

// Errors of the server that this file acts upon.
const (
	codeInvalidPassword = "28P01"
	codeInvalidAuth     = "28000"
	codeNoDatabase      = "3D000"
	codeDuplicate       = "42P04"
)

func (p *postgres) probe(ctx context.Context) (string, error) {
	err := ping(ctx, p.dsn(p.cfg.Postgres.DB))
	if err == nil {
		return "accepting connections", nil
	}
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return "", shortConnectError(err)
	}
	switch pgErr.Code {
	case codeNoDatabase:
		if err := p.createDatabase(ctx); err != nil {
			return "", err
		}
		return "accepting connections", ping(ctx, p.dsn(p.cfg.Postgres.DB))
	case codeInvalidPassword, codeInvalidAuth:
		if err := p.sup.lay.taken(ctx, p.info().Ports); err != nil {
			return "", permanent(err) // it is another's database
		}
		return "", permanent(errdefs.As(errdefs.ErrUnhealthy, errdefs.WithHint(
			fmt.Errorf("log in as %s: %s", p.cfg.Postgres.User, pgErr.Message),
			"the role's password was changed inside the database: set POSTGRES_PASSWORD to it in .env.local")))
	}
	return "", errors.New(pgErr.Message)
}

// shortConnectError keeps what a person needs of pgx's message: not the connection string.
func shortConnectError(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return fmt.Errorf("connect to %s: %w", op.Addr, op.Err)
	}
	return err
}

func ping(ctx context.Context, dsn string) error {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return fmt.Errorf("connect to postgres: %w", err)
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

func (p *postgres) createDatabase(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, p.dsn("postgres"))
	if err != nil {
		return shortConnectError(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	_, err = conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{p.cfg.Postgres.DB}.Sanitize())
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && pgErr.Code == codeDuplicate {
		return nil
	}
	return err
}

func (p *postgres) dsn(db string) string {
	c := p.cfg.Postgres
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(c.User, c.Password.Reveal()),
		Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(c.Port)), Path: "/" + db, RawQuery: "sslmode=disable",
	}
	return u.String()
}

// recordAuth remembers, as a salted hash beside the database, for which user and password it is set up.
func (p *postgres) recordAuth() error {
	salt := rand.Text()
	line := salt + " " + p.authSum(salt)
	if err := os.WriteFile(p.place.auth(), []byte(line), 0o600); err != nil {
		return fmt.Errorf("record the database's login: %w", err)
	}
	return nil
}

func (p *postgres) authSum(salt string) string {
	c := p.cfg.Postgres
	sum := sha256.Sum256([]byte(salt + "\x00" + c.User + "\x00" + c.Password.Reveal()))
	return hex.EncodeToString(sum[:])
}

// adoptAuth makes the database accept the configured user and password when they have changed since it was created. The
// server is down, so its single-user mode can do that without a way in that would stay open.
func (p *postgres) adoptAuth(ctx context.Context) error {
	b, err := os.ReadFile(p.place.auth())
	if err == nil {
		salt, sum, _ := strings.Cut(string(b), " ")
		if subtle.ConstantTimeCompare([]byte(sum), []byte(p.authSum(salt))) == 1 {
			return nil
		}
	}
	role, password := pgx.Identifier{p.cfg.Postgres.User}.Sanitize(), quoteLiteral(p.cfg.Postgres.Password.Reveal())
	// Single-user mode goes on after an error: creating a role that exists fails, altering it works in both cases.
	script := fmt.Sprintf("CREATE ROLE %[1]s;\nALTER ROLE %[1]s WITH SUPERUSER LOGIN PASSWORD %[2]s;\n", role, password)
	if err := p.single(ctx, p.place.data(), script); err != nil {
		return fmt.Errorf("set the database's login: %w", err)
	}
	return p.recordAuth()
}

// single runs statements, each ended by a semicolon and a line end, in the single-user mode of a server that is down. It
// tells nothing of a statement's failure. When the server itself fails, what it printed goes to the log, save for lines
// that hold the password.
func (p *postgres) single(ctx context.Context, data, script string, flags ...string) error {
	args := append([]string{
		"--single", "-D", data, "-c", "log_min_error_statement=panic", "-c", "log_min_messages=fatal",
		"-c", "log_line_prefix=",
	}, flags...)
	var printed lastBytes
	err := p.sup.helper(ctx, "postgres-single", command{
		path: p.install.program("postgres"), args: append(args, "postgres"), env: p.processEnv(), dir: data,
		user: p.account, stdin: strings.NewReader(script), out: &printed,
	})
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		for line := range strings.Lines(printed.String()) {
			if !strings.Contains(line, p.cfg.Postgres.Password.Reveal()) {
				_, _ = io.WriteString(p.out, line)
			}
		}
		p.out.flush()
		return errors.New("postgres --single: " + exitText(err))
	}
	return nil
}

// maxPrinted bounds what is kept of a tool's output; the cause of a failure stands in its last lines.
const maxPrinted = 8 << 10

// lastBytes keeps the end of what is written to it.
type lastBytes struct{ b []byte }

// Write never fails.
func (l *lastBytes) Write(b []byte) (int, error) {
	l.b = append(l.b, b...)
	if over := len(l.b) - maxPrinted; over > 0 {
		l.b = l.b[over:]
	}
	return len(b), nil
}

// String returns whole lines: the first may have lost its begin, and with it a part of a secret.
func (l *lastBytes) String() string {
	text := string(l.b)
	if len(text) == maxPrinted {
		_, text, _ = strings.Cut(text, "\n")
	}
	return text
}

func quoteLiteral(s string) string {
	s = strings.ReplaceAll(s, "'", "''")
	if strings.Contains(s, `\`) {
		return "E'" + strings.ReplaceAll(s, `\`, `\\`) + "'"
	}
	return "'" + s + "'"
}
