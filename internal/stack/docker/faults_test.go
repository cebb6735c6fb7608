package docker_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/metadata"
	"github.com/nself-org/nself/internal/stack"
	"github.com/nself-org/nself/internal/stack/docker"
	"github.com/nself-org/nself/internal/testneeds"
)

func (p *project) override(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, "docker-compose.override.yml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// wantFailure checks an error's class, its text, and that the failed event of a service has a hint with words in it.
func (p *project) wantFailure(t *testing.T, err, class error, service, hint string) {
	t.Helper()
	events := p.taken()
	if !errors.Is(err, class) {
		t.Errorf("up: %v, want class %v", err, class)
	}
	for _, e := range events {
		if e.Service == service && e.Kind == stack.EventFailed {
			if !strings.Contains(e.Hint, hint) {
				t.Errorf("the hint for %s is %q, want %q in it; detail %q, log %q", service, e.Hint, hint, e.Detail, e.Log)
			}
			return
		}
	}
	t.Errorf("no failed event of %s in %+v", service, events)
}

func TestPortOfAnotherProject(t *testing.T) {
	t.Parallel()
	first, second := newProject(t), newProject(t)
	if err := first.up(t, stack.Redis); err != nil {
		t.Fatal(err)
	}
	second.set(t, map[string]string{"REDIS_PORT": strconv.Itoa(first.ports["REDIS_PORT"])})
	err := second.up(t, stack.Redis)
	for _, want := range []string{strconv.Itoa(first.ports["REDIS_PORT"]), first.name + "-redis-1", "of the project " + first.name} {
		if !errors.Is(err, errdefs.ErrUnavailable) || !strings.Contains(err.Error(), want) {
			t.Errorf("up: %v, want class unavailable and %q", err, want)
		}
	}
}

func TestEndsAtOnce(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.override(t, "services:\n  extra:\n    image: nself-test/redis\n    command: [sh, -c, 'echo no licence; exit 3']\n")
	err := p.up(t, "extra")
	p.wantFailure(t, err, errdefs.ErrUnhealthy, "extra", "nself logs extra")
	if err != nil && !strings.Contains(err.Error(), "exit code 3") {
		t.Errorf("up: %v, want the exit code", err)
	}
}

func TestWrongDatabasePassword(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	if err := p.up(t, stack.Postgres); err != nil {
		t.Fatal(err)
	}
	if err := p.driver(t).Down(t.Context(), stack.DownOptions{}); err != nil {
		t.Fatal(err)
	}
	p.set(t, map[string]string{"POSTGRES_PASSWORD": "another-password-of-enough-length"})
	err := p.driver(t).Up(t.Context(), stack.UpOptions{
		Services: []string{stack.Hasura}, WaitTimeout: 20 * time.Second, Report: p.report,
	})
	p.wantFailure(t, err, errdefs.ErrUnhealthy, stack.Hasura, "made with another password")
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.override(
		t,
		"services:\n  postgres:\n    volumes: !reset []\n    tmpfs: [/tmp, /var/run/postgresql, '/var/lib/postgresql/data:size=10m']\n",
	)
	err := p.up(t, stack.Postgres)
	p.wantFailure(t, err, errdefs.ErrUnhealthy, stack.Postgres, "the disk is full")
}

// TestImageThatDoesNotBuild keeps what runs, says what the builder said, and knows a full disk from a fault in the code.
func TestImageThatDoesNotBuild(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	if err := p.up(t, "golang"); err != nil {
		t.Fatal(err)
	}
	p.taken()
	path := filepath.Join(p.dir, "functions", "golang", "Dockerfile")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		step, hint, log string
		class           error
	}{
		{"echo main.go:7: undefined: answer; exit 1", "mend what the build says", "undefined: answer", errdefs.ErrInvalid},
		{"dd if=/dev/zero of=/dev/shm/full bs=1M count=200", "the disk is full", "No space left on device", errdefs.ErrUnavailable},
	} {
		step := strings.Replace(string(good), "COPY server", "RUN "+c.step+"\nCOPY server", 1)
		if err := os.WriteFile(path, []byte(step), 0o600); err != nil {
			t.Fatal(err)
		}
		err := p.up(t, "golang")
		events := p.taken()
		i := slices.IndexFunc(events, func(e stack.Event) bool { return e.Service == "golang" && e.Kind == stack.EventFailed })
		if !errors.Is(err, c.class) || i < 0 {
			t.Fatalf("up with %q: %v, want class %v; events %+v", c.step, err, c.class, events)
		}
		if e := events[i]; !strings.Contains(e.Hint, c.hint) || !strings.Contains(strings.Join(e.Log, "\n"), c.log) {
			t.Errorf("up with %q: hint %q and log %q, want %q and %q", c.step, e.Hint, e.Log, c.hint, c.log)
		}
		st, err := p.driver(t).Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range st.Services {
			if s.Name == "golang" && s.State != stack.StateHealthy {
				t.Errorf("golang is %s, want the version that was running", s.State)
			}
		}
	}
}

func TestChangedServicesAreAskedFor(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	var asked [][]string
	up := func(answer bool) {
		t.Helper()
		asked = nil
		err := p.driver(t).Up(t.Context(), stack.UpOptions{
			Services: []string{"golang"}, WaitTimeout: time.Minute, Report: p.report,
			Renew: func(changed []string) bool { asked = append(asked, changed); return answer },
		})
		if err != nil {
			t.Fatalf("up: %v", err)
		}
	}
	started := func() time.Time {
		t.Helper()
		st, err := p.driver(t).Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(st.Services, func(s stack.ServiceStatus) bool { return s.Name == "golang" })
		return st.Services[i].Started
	}
	up(false)
	first := started()
	up(false)
	if len(asked) > 0 {
		t.Errorf("asked for %v, though nothing has changed", asked)
	}
	p.set(t, map[string]string{"GREETING": "salut"})
	up(false)
	if len(asked) != 1 || !slices.Equal(asked[0], []string{"golang"}) {
		t.Errorf("asked for %v, want golang", asked)
	}
	if !started().Equal(first) {
		t.Error("the service was started anew against the answer")
	}
	up(true)
	if started().Equal(first) {
		t.Error("the service was not started anew")
	}
	if err := os.WriteFile(filepath.Join(p.dir, "functions", "golang", "more.txt"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	up(false)
	if len(asked) != 1 || !slices.Equal(asked[0], []string{"golang"}) {
		t.Errorf("asked for %v after a change of the sources, want golang", asked)
	}
}

func TestOrphansAreRemoved(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.set(t, map[string]string{"GOLANG_ENABLED": "false", "REDIS_ENABLED": "true"})
	if err := p.up(t); err != nil {
		t.Fatal(err)
	}
	p.set(t, map[string]string{"GOLANG_ENABLED": "false", "REDIS_ENABLED": "false"})
	p.taken()
	if err := p.up(t); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(
		p.taken(),
		func(e stack.Event) bool { return e.Service == stack.Redis && e.Kind == stack.EventStopped },
	) {
		t.Error("no event tells that redis was removed")
	}
	out, err := exec.CommandContext(t.Context(), "docker", "ps", "-aq", "--filter", "name="+p.name+"-redis").CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("the container of redis is still there: %s %v", out, err)
	}
}

// TestUnreachableEngine is not parallel: the engine is found through the environment.
func TestUnreachableEngine(t *testing.T) {
	dir := t.TempDir()
	dead := filepath.Join(dir, "dead.sock")
	ln, err := net.Listen("unix", dead)
	if err != nil {
		t.Fatal(err)
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
	_ = ln.Close()
	for name, c := range map[string]struct{ host, text, hint string }{
		"no socket":     {"unix://" + filepath.Join(dir, "none.sock"), "there is no socket", "start the engine"},
		"stopped":       {"unix://" + dead, "nothing answers at", "start the engine"},
		"other machine": {"tcp://127.0.0.1:1", "tcp://127.0.0.1:1", "DOCKER_HOST is set to tcp://127.0.0.1:1"},
		"nonsense":      {"gopher://x", "gopher://x", "correct DOCKER_HOST"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("DOCKER_HOST", c.host)
			d := docker.New(docker.Options{Config: &env.Config{Dir: dir}, Log: slog.New(slog.DiscardHandler)})
			_, err := d.Status(t.Context())
			if !errors.Is(err, errdefs.ErrUnavailable) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("status: %v, want class unavailable and %q", err, c.text)
			}
			if hints := strings.Join(errdefs.Hints(err), " "); !strings.Contains(hints, c.hint) {
				t.Errorf("hints %q, want %q", hints, c.hint)
			}
			if _, err := docker.Available(t.Context()); err == nil {
				t.Error("an engine is said to answer")
			}
		})
	}
}

// TestNoPermission runs itself as a user who may not talk to the socket.
func TestNoPermission(t *testing.T) {
	if os.Getenv("NSELF_TEST_SOCKET") != "" {
		_, err := docker.New(docker.Options{Config: &env.Config{}, Log: slog.New(slog.DiscardHandler)}).Status(t.Context())
		t.Log(err, errdefs.Hints(err), errors.Is(err, errdefs.ErrUnavailable))
		return
	}
	dir, err := os.MkdirTemp("", "nself-test-socket-") //nolint:usetesting // its path is short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "docker.sock")
	ln, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	self, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "test")
	testneeds.WriteProgram(t, program, self)
	if err := errors.Join(os.Chmod(dir, 0o755), os.Chmod(socket, 0)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "-test.run", "^TestNoPermission$", "-test.v")
	cmd.Dir = dir
	cmd.Env = []string{"NSELF_TEST_SOCKET=yes", "DOCKER_HOST=unix://" + socket, "HOME=" + dir}
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	out, err := cmd.CombinedOutput()
	for _, want := range []string{"permission denied on " + socket, "usermod -aG docker", "--driver native", " true"} {
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%v: the output lacks %q:\n%s", err, want, out)
		}
	}
}

// TestEngineElsewhere reaches the engine over TCP, as one of another machine, whose published ports are not here.
func TestEngineElsewhere(t *testing.T) {
	requireEngine(t)
	t.Setenv("DOCKER_HOST", "tcp://"+overTCP(t))
	p := newProject(t)
	p.set(t, map[string]string{"GOLANG_ENABLED": "false", "REDIS_ENABLED": "false"})
	cfg, err := p.load()
	if err != nil {
		t.Fatal(err)
	}
	var answer string
	d := docker.New(docker.Options{
		Config: cfg, Load: p.load, Log: slog.New(slog.DiscardHandler),
		Migrate: func(ctx context.Context, there *env.Config, _ func(string)) error {
			if there.Postgres.Port == cfg.Postgres.Port {
				t.Error("the published port is used, which is not on this machine")
			}
			conn, err := pgx.Connect(ctx, there.DatabaseURL(there.LocalEndpoints().Postgres).Reveal())
			if err != nil {
				return err
			}
			defer func() { _ = conn.Close(ctx) }()
			return conn.QueryRow(ctx, "SELECT repeat('x', 100000)").Scan(&answer)
		},
		Metadata: func(string) (*metadata.Metadata, error) {
			return metadata.ParseDocument([]byte(`{"version": 3, "sources": [], "cron_triggers": []}`), "$")
		},
	})
	if err := d.Up(t.Context(), stack.UpOptions{WaitTimeout: time.Minute, Report: p.report}); err != nil {
		t.Fatalf("up: %v; %+v", err, p.taken())
	}
	if len(answer) != 100000 {
		t.Errorf("the database has answered with %d bytes", len(answer))
	}
}

// overTCP carries connections from a free port to the engine's socket.
func overTCP(t *testing.T) string {
	t.Helper()
	socket := strings.TrimPrefix(os.Getenv("DOCKER_HOST"), "unix://")
	if socket == "" {
		socket = "/var/run/docker.sock"
	}
	if _, err := os.Stat(socket); err != nil {
		testneeds.Missing(t, "the engine has no socket here: %v", err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				there, err := net.Dial("unix", socket)
				if err != nil {
					return
				}
				defer func() { _ = there.Close() }()
				var wg sync.WaitGroup
				wg.Go(func() {
					_, _ = io.Copy(there, conn)
					_ = there.(*net.UnixConn).CloseWrite()
				})
				_, _ = io.Copy(conn, there)
				_ = conn.(*net.TCPConn).CloseWrite()
				wg.Wait()
			}()
		}
	}()
	return ln.Addr().String()
}

// TestKeptDriver holds what watching files needs: a driver that reads changed settings, notices that the project is
// stopped, and does not start a part of it then.
func TestKeptDriver(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.set(t, map[string]string{"REDIS_ENABLED": "true"})
	kept := p.driver(t)
	alone := stack.UpOptions{Services: []string{stack.Redis}, Alone: true, WaitTimeout: time.Minute, Report: p.report}
	ready, ok := kept.(stack.KeptReady)
	if !ok {
		t.Fatal("the driver does not notice that a project is stopped")
	}
	if err := ready.KeepReady(t.Context()); err == nil {
		t.Error("a stopped project is kept ready")
	}
	if err := kept.Up(t.Context(), alone); !errors.Is(err, errdefs.ErrUnavailable) {
		t.Errorf("a part of a stopped project: %v, want class unavailable", err)
	}
	if err := p.up(t, stack.Redis); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- ready.KeepReady(t.Context()) }()
	p.set(t, map[string]string{"REDIS_ENABLED": "true", "REDIS_PASSWORD": "another-password-of-enough-length"})
	if err := kept.Up(t.Context(), alone); err != nil {
		t.Fatal(err)
	}
	if changed, err := p.driver(t).Changed(t.Context()); err != nil || len(changed) > 0 {
		t.Errorf("changed after the settings were taken up: %v, %v", changed, err)
	}
	if err := p.driver(t).Down(t.Context(), stack.DownOptions{}); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err == nil {
			t.Error("no error tells that the project was stopped")
		}
	case <-time.After(time.Minute):
		t.Error("that the project was stopped went unnoticed")
	}
}
