//go:build unix

package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nself-org/nself/internal/testports"
)

const (
	superuser = "postgres"
	// startTimeout bounds one start of the server; a loaded machine needs many seconds.
	startTimeout = 2 * time.Minute
	// startAttempts is how often another port is tried: a free port can be taken between asking and listening.
	startAttempts = 3
)

// supervise runs the server beside a reader of its standard input. When the input ends, which happens when the test
// binary is gone for whatever reason, it stops the server at once and removes the folder, unless it got the line keep.
// $1 is the postgres program, $2 the folder, $3 the port, $4 on or off: a commit outlives the server.
const supervise = `
"$1" -D "$2/data" -p "$3" -c listen_addresses=127.0.0.1 -c unix_socket_directories="$2" \
  -c fsync=off -c synchronous_commit="$4" -c full_page_writes=off -c max_connections=200 \
  </dev/null >"$2/log" 2>&1 &
server=$!
read -r word
kill -QUIT "$server" 2>/dev/null
wait "$server"
[ "$word" = keep ] || rm -rf "$2"
`

func startServer() (*server, error) {
	bin, err := findBin()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startAttempts*startTimeout)
	defer cancel()
	var errs []error
	for range startAttempts {
		srv, err := attempt(ctx, bin)
		if err == nil {
			return srv, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// attempt creates a cluster in a new folder and launches it. A failed one leaves nothing behind.
func attempt(ctx context.Context, bin string) (*server, error) {
	dir, attr, err := newCluster(ctx, bin)
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	srv, err := launch(ctx, filepath.Join(bin, "postgres"), dir, port, "off", attr)
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	return srv, nil
}

// newCluster creates a cluster in a new folder, to be served with attr.
func newCluster(ctx context.Context, bin string) (dir string, attr *syscall.SysProcAttr, err error) {
	attr, uid, gid, err := unprivileged()
	if err != nil {
		return "", nil, err
	}
	dir, err = makeFolder(uid, gid)
	if err != nil {
		return "", nil, err
	}
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "-D", filepath.Join(dir, "data"),
		"-U", superuser, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	initdb.SysProcAttr = attr
	initdb.Dir = dir
	if out, err := initdb.CombinedOutput(); err != nil {
		_ = os.RemoveAll(dir)
		return "", nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return dir, attr, nil
}

// launch starts the server and waits until it answers.
func launch(
	ctx context.Context, postgres, dir string, port int, durable string, attr *syscall.SysProcAttr,
) (*server, error) {
	stdin, lifeline, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer func() { _ = stdin.Close() }()
	// Not CommandContext: the process outlives this function.
	//nolint:noctx // see above
	cmd := exec.Command("/bin/sh", "-c", supervise, "pgtest", postgres, dir, strconv.Itoa(port), durable)
	cmd.SysProcAttr = attr
	cmd.Dir = dir
	cmd.Stdin = stdin
	if err := cmd.Start(); err != nil {
		_ = lifeline.Close()
		return nil, err
	}
	srv := &server{port: port, lifeline: lifeline, ended: cmd.Wait}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := srv.awaitReady(ctx, dir); err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "log"))
		_ = lifeline.Close()
		return nil, fmt.Errorf("postgres on port %d: %w\n%s", port, err, log)
	}
	return srv, nil
}

// awaitReady polls until the server answers. It asks for the data folder, so that the server of another test binary,
// which took the port in the meantime, is not mistaken for this one.
func (s *server) awaitReady(ctx context.Context, dir string) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		data, err := s.dataFolder(ctx)
		if err == nil {
			if data != filepath.Join(dir, "data") {
				return fmt.Errorf("the port belongs to the server of %s", data)
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-tick.C:
		}
	}
}

func (s *server) dataFolder(ctx context.Context) (string, error) {
	conn, err := pgx.Connect(ctx, s.url("postgres"))
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var dir string
	err = conn.QueryRow(ctx, "SHOW data_directory").Scan(&dir)
	return dir, err
}

// findBin looks for the server programs where distributions put them; Debian keeps them off PATH.
func findBin() (string, error) {
	var dirs []string
	if dir := os.Getenv("NSELF_PG_BIN"); dir != "" {
		dirs = append(dirs, dir)
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(path))
		}
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin",
		"/opt/homebrew/opt/postgresql@*/bin", "/usr/local/opt/postgresql@*/bin",
	} {
		found, _ := filepath.Glob(pattern)
		slices.Reverse(found) // the newest version first
		dirs = append(dirs, found...)
	}
	for _, dir := range dirs {
		if isProgram(filepath.Join(dir, "initdb")) && isProgram(filepath.Join(dir, "postgres")) {
			return dir, nil
		}
	}
	return "", errors.New("no initdb and postgres programs found; install the Postgres server or set NSELF_PG_BIN")
}

func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// unprivileged returns the process attributes to run Postgres with. Postgres refuses to run as root, so root lends it
// the identity of another user. A process group of its own keeps Ctrl-C from ending the supervision before its
// clean-up.
func unprivileged() (attr *syscall.SysProcAttr, uid, gid int, err error) {
	attr = &syscall.SysProcAttr{Setpgid: true}
	if os.Geteuid() != 0 {
		return attr, os.Getuid(), os.Getgid(), nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			continue
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			continue
		}
		attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		return attr, int(uid), int(gid), nil
	}
	return nil, 0, 0, errors.New("running as root and there is no user postgres or nobody to run the server as")
}

// makeFolder creates the server's folder where the other user can reach it. The path stays short: a socket's path
// must fit into about 100 bytes.
func makeFolder(uid, gid int) (string, error) {
	base := os.TempDir()
	if os.Geteuid() == 0 && !reachable(base) || len(base) > 60 {
		base = "/tmp"
	}
	dir, err := os.MkdirTemp(base, "pgtest")
	if err != nil {
		return "", err
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(dir, uid, gid); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// reachable says whether everyone may pass through every folder on the way to dir, and write into it.
func reachable(dir string) bool {
	info, err := os.Stat(dir)
	if err != nil || info.Mode()&0o002 == 0 {
		return false
	}
	for ; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil || info.Mode()&0o001 == 0 {
			return false
		}
		if dir == filepath.Dir(dir) {
			return true
		}
	}
}

func freePort() (int, error) {
	ports, err := testports.Free(1)
	if err != nil {
		return 0, err
	}
	return ports[0], nil
}
