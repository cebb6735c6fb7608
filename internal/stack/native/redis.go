package native

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/stack"
)

// redisStop is how long Redis may take to write its file before it is killed.
const redisStop = time.Second

// redisServer is the project's cache and queue: redis-server where it is installed, miniredis inside the supervisor else.
type redisServer struct {
	sup    *supervisor
	cfg    *env.Config
	out    *logFile
	binary string // empty: miniredis
	dir    string
}

var _ program = (*redisServer)(nil)

func newRedis(s *supervisor, cfg *env.Config, out *logFile) program {
	return &redisServer{
		sup: s, cfg: cfg, out: out, binary: lookPath(s.env(), "redis-server"), dir: filepath.Join(s.lay.data(), "redis"),
	}
}

// lookPath finds a program on the PATH of environ.
func lookPath(environ []string, name string) string {
	for _, dir := range filepath.SplitList(lookupEnv(environ, "PATH")) {
		path := filepath.Join(dir, name)
		if !filepath.IsAbs(path) {
			continue // a relative entry would run whatever the project holds
		}
		if found, err := exec.LookPath(path); err == nil {
			return found
		}
	}
	return ""
}

func (r *redisServer) fingerprint() string {
	return fingerprint("redis", strconv.Itoa(r.cfg.Redis.Port), r.cfg.Redis.Password.Reveal(), r.binary)
}

func (r *redisServer) info() stack.Facts {
	f := stack.FactsOf(r.cfg, stack.Redis)
	if r.binary == "" {
		f.Detail = "miniredis: in memory, emptied by every stop"
	}
	return f
}

func (r *redisServer) prepare(_ context.Context, report func(stack.Event)) error {
	if r.binary == "" {
		report(stack.Event{
			Kind:   stack.EventNote,
			Detail: "redis-server is not installed: an in-memory stand-in runs, which forgets its data at a stop",
			Hint:   "install Redis to keep queued jobs across restarts",
		})
		return nil
	}
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		return fmt.Errorf("create the folder of redis: %w", err)
	}
	return nil
}

func (r *redisServer) beforeStart(context.Context) error { return nil }

func (r *redisServer) run(ctx context.Context, started func(int)) error {
	if r.binary == "" {
		return r.runInMemory(ctx, started)
	}
	proc, err := r.sup.spawn.start(command{
		path: r.binary, args: []string{"-"}, stdin: strings.NewReader(r.settings()), dir: r.dir, out: r.out,
		env:         append(r.sup.marks(stack.Redis), "PATH="+lookupEnv(r.sup.env(), "PATH"), "LC_ALL=C"),
		deathSignal: syscall.SIGTERM, // writes its file and ends
	})
	if err != nil {
		return permanent(errdefs.As(errdefs.ErrUnavailable, err))
	}
	r.sup.ledger.add(child{PID: proc.pid, Service: stack.Redis, Port: r.cfg.Redis.Port, DataDir: r.dir})
	defer r.sup.ledger.remove(stack.Redis, proc.pid)
	started(proc.pid)
	select {
	case <-ctx.Done():
		proc.stop(stopStep{syscall.SIGTERM, redisStop})
		return ctx.Err()
	case <-proc.done:
		return proc.err
	}
}

// settings go to the server's standard input, so that the password shows in no process list.
func (r *redisServer) settings() string {
	lines := []string{
		"bind 127.0.0.1", "port " + strconv.Itoa(r.cfg.Redis.Port), "protected-mode yes", "daemonize no",
		"dir " + strconv.Quote(r.dir), "appendonly yes", "appendfsync everysec", `save ""`, `logfile ""`,
		"set-proc-title no", "always-show-logo no",
	}
	if pw := r.cfg.Redis.Password.Reveal(); pw != "" {
		lines = append(lines, "requirepass "+quoteRedis(pw))
	}
	return strings.Join(lines, "\n") + "\n"
}

// quoteRedis quotes text as Redis's configuration reads it.
func quoteRedis(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < 0x20 || c >= 0x7f:
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// memoryClock is how often the stand-in, whose clock stands still by itself, is told that time has passed.
const memoryClock = 100 * time.Millisecond

func (r *redisServer) runInMemory(ctx context.Context, started func(int)) (err error) {
	defer recovered(stack.Redis, &err)
	m := miniredis.NewMiniRedis()
	if pw := r.cfg.Redis.Password.Reveal(); pw != "" {
		m.RequireAuth(pw)
	}
	if err := m.StartAddr(net.JoinHostPort("127.0.0.1", strconv.Itoa(r.cfg.Redis.Port))); err != nil {
		return fmt.Errorf("start the in-memory redis: %w", err)
	}
	defer m.Close()
	started(0)
	tick := time.NewTicker(memoryClock)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case now := <-tick.C:
			m.FastForward(now.Sub(last))
			last = now
		}
	}
}

func (r *redisServer) probe(ctx context.Context) (string, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(r.cfg.Redis.Port)))
	if err != nil {
		return "", shortConnectError(err)
	}
	defer func() { _ = conn.Close() }()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return "", fmt.Errorf("ask redis: %w", err)
		}
	}
	in := bufio.NewReader(conn)
	commands := [][]string{{"PING"}}
	if pw := r.cfg.Redis.Password.Reveal(); pw != "" {
		commands = [][]string{{"AUTH", pw}, {"PING"}}
	}
	answer := ""
	for _, c := range commands {
		if _, err := conn.Write(respCommand(c)); err != nil {
			return "", fmt.Errorf("ask redis: %w", err)
		}
		line, err := in.ReadString('\n')
		if err != nil {
			return "", fmt.Errorf("ask redis: %w", err)
		}
		if answer = strings.TrimSpace(line); !strings.HasPrefix(answer, "+") {
			return "", errors.New(c[0] + ": " + answer)
		}
	}
	return strings.TrimPrefix(answer, "+"), nil
}

func respCommand(words []string) []byte {
	b := fmt.Appendf(nil, "*%d\r\n", len(words))
	for _, w := range words {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(w), w)
	}
	return b
}
