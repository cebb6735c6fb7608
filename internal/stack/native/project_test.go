package native_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nself-org/nself/internal/stack"
	"github.com/nself-org/nself/internal/stack/native"
	"github.com/nself-org/nself/internal/testneeds"
	"github.com/nself-org/nself/internal/testports"
)

// project is a project on disk for one test.
type project struct {
	dir     string
	environ []string
	ports   map[string]int

	mu     sync.Mutex
	events []stack.Event
}

// requirePrograms skips a test where Postgres is not installed.
func requirePrograms(t *testing.T) {
	t.Helper()
	matches, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if _, err := exec.LookPath("initdb"); err != nil && len(matches) == 0 {
		testneeds.Missing(t, "PostgreSQL is not installed")
	}
}

// newProject writes a project with a Go function service and free ports. It is taken down when the test ends.
func newProject(t *testing.T) *project {
	t.Helper()
	requirePrograms(t)
	dir, err := os.MkdirTemp("", "nself-test-") //nolint:usetesting // its path is short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	// A database that runs as another user must be able to pass through.
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	p := &project{dir: filepath.Join(dir, "shop"), environ: os.Environ(), ports: freePorts(t,
		"POSTGRES_PORT", "REDIS_PORT", "HASURA_PORT", "MAILPIT_SMTP_PORT", "MAILPIT_UI_PORT", "GOLANG_PORT")}
	if err := os.CopyFS(filepath.Join(p.dir, "functions", "golang"), os.DirFS(filepath.Join("testdata", "service"))); err != nil {
		t.Fatal(err)
	}
	p.set(t, nil)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		p.set(t, nil) // a configuration that a failed test left broken must not keep its services alive
		if err := p.driver(t).Down(ctx, stack.DownOptions{Volumes: true}); err != nil {
			t.Errorf("down: %v", err)
		}
		if t.Failed() {
			b, _ := os.ReadFile(filepath.Join(p.dir, ".nself", "logs", "supervisor.log"))
			t.Logf("supervisor.log:\n%s", b)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove the project: %v", err)
		}
	})
	return p
}

// set writes the env file: the ports and the project's constants, under the given settings.
func (p *project) set(t *testing.T, settings map[string]string) {
	t.Helper()
	vars := map[string]string{
		"PROJECT_NAME": "shop", "GOLANG_ENABLED": "true", "POSTGRES_PASSWORD": "pg'pass\"word-of-enough-length",
		"HASURA_GRAPHQL_ADMIN_SECRET": "admin-secret-of-enough-length-0123456789", "REDIS_PASSWORD": "redis-pass-word-0123456789",
	}
	for k, v := range p.ports {
		vars[k] = strconv.Itoa(v)
	}
	maps.Copy(vars, settings)
	var b strings.Builder
	for k, v := range vars {
		fmt.Fprintf(&b, "%s='%s'\n", k, strings.ReplaceAll(v, "'", ""))
	}
	if err := os.WriteFile(filepath.Join(p.dir, ".env"), []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// write writes a file of the project.
func (p *project) write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, filepath.FromSlash(path)), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (p *project) driver(t *testing.T) stack.Driver {
	t.Helper()
	cfg, err := loadConfig(p.dir, p.environ)
	if err != nil {
		t.Fatalf("load the configuration: %v", err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return native.New(native.Options{
		Config: cfg, Supervise: native.SuperviseCommand(exe, p.dir), Environ: p.environ, FunctionEnv: functionEnv,
		Log: slog.New(slog.DiscardHandler),
	})
}

func (p *project) report(e stack.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events = append(p.events, e)
}

// taken returns the events reported since the last call.
func (p *project) taken() []stack.Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	events := p.events
	p.events = nil
	return events
}

func (p *project) up(t *testing.T, services ...string) error {
	t.Helper()
	return p.driver(t).Up(t.Context(), stack.UpOptions{Services: services, WaitTimeout: time.Minute, Report: p.report})
}

func (p *project) mustUp(t *testing.T, services ...string) {
	t.Helper()
	if err := p.up(t, services...); err != nil {
		t.Fatalf("up: %v\nevents: %s", err, eventText(p.taken()))
	}
}

func (p *project) mustDown(t *testing.T) {
	t.Helper()
	if err := p.driver(t).Down(t.Context(), stack.DownOptions{}); err != nil {
		t.Fatalf("down: %v", err)
	}
}

func (p *project) state(t *testing.T, service string) stack.ServiceStatus {
	t.Helper()
	st, err := p.driver(t).Status(t.Context())
	if err != nil {
		t.Fatalf("status: %v", err)
	}
	for _, s := range st.Services {
		if s.Name == service {
			return s
		}
	}
	t.Fatalf("status has no %s: %+v", service, st)
	return stack.ServiceStatus{}
}

// psql runs one statement and returns its output.
func (p *project) psql(t *testing.T, sql string) string {
	t.Helper()
	var out, errs strings.Builder
	code, err := p.driver(t).Exec(t.Context(), stack.ExecOptions{
		Service: stack.Postgres, Command: []string{"psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", sql}, Stdout: &out, Stderr: &errs,
	})
	if err != nil || code != 0 {
		t.Fatalf("psql %q: exit code %d, %v\n%s", sql, code, err, errs.String())
	}
	return strings.TrimSpace(out.String())
}

// get asks the function service.
func (p *project) get(t *testing.T, path string) string {
	t.Helper()
	return httpText(t, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d%s", p.ports["GOLANG_PORT"], path))
}

func httpText(t *testing.T, method, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func freePorts(t *testing.T, keys ...string) map[string]int {
	t.Helper()
	ports := map[string]int{}
	for _, key := range keys {
		ports[key] = testports.Port(t)
	}
	return ports
}

func eventText(events []stack.Event) string {
	var b strings.Builder
	for _, e := range events {
		fmt.Fprintf(&b, "\n%s %s %s %s", e.Service, e.Kind, e.Detail, e.Elapsed)
		for _, line := range e.Log {
			fmt.Fprintf(&b, "\n    | %s", line)
		}
		if e.Hint != "" {
			fmt.Fprintf(&b, "\n    hint: %s", e.Hint)
		}
	}
	return b.String()
}

// eventually polls until ok holds, and fails the test when it does not within a minute; a loaded machine needs it.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
		<-tick.C
	}
}
