package native_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/stack"
	"github.com/nself-org/nself/internal/testneeds"
)

// TestQuick holds the times that a person waits. They are for an idle machine: the limits are checked where NSELF_TIMES
// is set, and logged elsewhere.
func TestQuick(t *testing.T) {
	p := newProject(t)
	limit := func(what string, begin time.Time, want time.Duration) {
		took := time.Since(begin)
		t.Logf("%s: %s", what, took)
		if os.Getenv("NSELF_TIMES") != "" && took > want {
			t.Errorf("%s took %s, want at most %s", what, took, want)
		}
	}
	begin := time.Now()
	p.mustUp(t)
	limit("first up", begin, 5*time.Second)
	begin = time.Now()
	p.mustDown(t)
	limit("down", begin, 2*time.Second)
	begin = time.Now()
	p.mustUp(t)
	limit("warm up", begin, time.Second)
}

func TestPortConflict(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p.ports["GOLANG_PORT"]))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	err = p.up(t)
	if !errors.Is(err, errdefs.ErrUnavailable) {
		t.Fatalf("up: %v, want class unavailable", err)
	}
	for _, want := range []string{strconv.Itoa(p.ports["GOLANG_PORT"]), "golang", fmt.Sprintf("pid %d", os.Getpid())} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error %q lacks %q", err, want)
		}
	}
	hints := strings.Join(errdefs.Hints(err), "\n")
	if !strings.Contains(hints, "set GOLANG_PORT=") || !strings.Contains(hints, "--auto-ports") {
		t.Errorf("hints are %q, want the variable with a free port", hints)
	}
	eventually(t, "the supervisor ends, as nothing has started", func() bool { return p.supervisorPID() == 0 })

	err = p.driver(t).Up(t.Context(), stack.UpOptions{AutoPorts: true, WaitTimeout: time.Minute, Report: p.report})
	if err != nil {
		t.Fatalf("up with free ports: %v", err)
	}
	cfg, err := loadConfig(p.dir, p.environ)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Golang.Port == p.ports["GOLANG_PORT"] {
		t.Error("the new port was not saved")
	}
	if s := p.state(t, "golang"); s.State != stack.StateHealthy || s.Port != cfg.Golang.Port {
		t.Errorf("golang is %+v, want healthy at %d", s, cfg.Golang.Port)
	}
}

func TestPortOfOtherProject(t *testing.T) {
	t.Parallel()
	p, q := newProject(t), newProject(t)
	p.mustUp(t)
	for _, key := range []string{"POSTGRES_PORT", "REDIS_PORT", "GOLANG_PORT", "HASURA_PORT"} {
		q.ports[key] = p.ports[key]
	}
	q.set(t, nil)
	err := q.up(t)
	if err == nil {
		t.Fatal("up of the second project has succeeded on the first one's ports")
	}
	for _, want := range []string{
		"postgres of the nself project " + p.dir, "redis of the nself project " + p.dir, "golang of the nself project " + p.dir,
		"held by the nself project " + p.dir,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q:\n%v", want, err)
		}
	}
}

func TestCompileError(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.mustUp(t)
	pid := p.get(t, "/pid")
	bad := filepath.Join(p.dir, "functions", "golang", "bad.go")
	if err := os.WriteFile(bad, []byte("package main\n\nvar x int = \"text\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	check := func() {
		t.Helper()
		p.taken()
		err := p.up(t)
		if !errors.Is(err, errdefs.ErrInvalid) {
			t.Errorf("up: %v, want class invalid", err)
		}
		found := false
		for _, e := range p.taken() {
			if e.Kind == stack.EventFailed && e.Service == "golang" {
				found = strings.Contains(strings.Join(e.Log, "\n"), "bad.go:3")
			}
		}
		if !found {
			t.Error("no failed event with the compiler's output")
		}
		if s := p.state(t, stack.Postgres); s.State != stack.StateHealthy {
			t.Errorf("postgres is %s", s.State)
		}
	}
	check()
	if got := p.get(t, "/pid"); got != pid {
		t.Error("the version that compiled does not run any more")
	}
	for _, services := range [][]string{{"golang"}, nil} {
		err := p.driver(t).Restart(t.Context(), services, stack.UpOptions{WaitTimeout: time.Minute, Report: p.report})
		if !errors.Is(err, errdefs.ErrInvalid) {
			t.Errorf("restart %q: %v, want class invalid", services, err)
		}
		if got := p.get(t, "/pid"); got != pid {
			t.Errorf("restart %q took down the version that compiled", services)
		}
	}
	p.mustDown(t)
	check()
	if s := p.state(t, "golang"); s.State != stack.StateFailed {
		t.Errorf("golang is %s, want failed", s.State)
	}
	if err := os.Remove(bad); err != nil {
		t.Fatal(err)
	}
	p.mustUp(t)
}

// TestUpAlone renews one service: what it depends on is left alone, and so are migrations.
func TestUpAlone(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.mustUp(t)
	pid, postgres := p.get(t, "/pid"), p.state(t, stack.Postgres)
	p.write(t, "migration.sql", "CREATE TABLE too_early (id int)")
	p.write(t, "functions/golang/more.go", "package main\n\nfunc init() { println(\"more\") }\n")
	p.taken()
	err := p.driver(t).Up(t.Context(), stack.UpOptions{
		Services: []string{"golang"}, Alone: true, WaitTimeout: time.Minute, Report: p.report,
	})
	if err != nil {
		t.Fatalf("up: %v", err)
	}
	for _, e := range p.taken() {
		if e.Service != "golang" {
			t.Errorf("%s was touched: %s %s", e.Service, e.Kind, e.Detail)
		}
	}
	if p.get(t, "/pid") == pid {
		t.Error("the service is the old one")
	}
	if s := p.state(t, stack.Postgres); s.PID != postgres.PID {
		t.Errorf("postgres was %+v and is %+v", postgres, s)
	}
	if got := p.psql(t, "SELECT to_regclass('too_early') IS NULL"); got != "t" {
		t.Error("a migration was applied")
	}
}

func TestMissingFolder(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	if err := os.RemoveAll(filepath.Join(p.dir, "functions", "golang")); err != nil {
		t.Fatal(err)
	}
	err := p.up(t)
	if !errors.Is(err, errdefs.ErrInvalid) || !strings.Contains(strings.Join(errdefs.Hints(err), " "), "nself build") {
		t.Errorf("up: %v with hints %q, want class invalid and nself build", err, errdefs.Hints(err))
	}
}

func TestChangedPassword(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.mustUp(t, stack.Postgres)
	p.psql(t, "CREATE TABLE kept (id int)")
	p.set(t, map[string]string{"POSTGRES_PASSWORD": `another \ "pass" word`, "POSTGRES_DB": "second_db"})
	p.mustUp(t, stack.Postgres)
	if got := p.psql(t, "SELECT current_database()"); got != "second_db" {
		t.Errorf("the database is %q", got)
	}
	p.set(t, map[string]string{"POSTGRES_USER": "owner", "POSTGRES_PASSWORD": "third password of some length"})
	p.mustUp(t, stack.Postgres)
	if got := p.psql(t, "SELECT current_user"); got != "owner" {
		t.Errorf("the user is %q", got)
	}
	p.psql(t, "SELECT * FROM kept")

	p.psql(t, "ALTER ROLE owner PASSWORD 'changed behind our back'; SELECT 1")
	p.mustDown(t)
	err := p.up(t, stack.Postgres)
	if !errors.Is(err, errdefs.ErrUnhealthy) || !strings.Contains(strings.Join(errdefs.Hints(err), " "), "POSTGRES_PASSWORD") {
		t.Errorf("up: %v with hints %q, want class unhealthy and POSTGRES_PASSWORD", err, errdefs.Hints(err))
	}
}

func TestWrongVersion(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	data := filepath.Join(p.dir, ".nself", "data", "postgres")
	if err := os.MkdirAll(data, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "PG_VERSION"), []byte("9.1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	err := p.up(t, stack.Postgres)
	if !errors.Is(err, errdefs.ErrUnavailable) || !strings.Contains(err.Error(), "written by version 9.1") {
		t.Errorf("up: %v, want class unavailable and both versions", err)
	}
}

func TestMigrationFault(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	file := filepath.Join(p.dir, "migration.sql")
	if err := os.WriteFile(file, []byte("CREATE TABEL x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.up(t); err == nil || !strings.Contains(err.Error(), "migration.sql") {
		t.Errorf("up: %v, want the migration's error", err)
	}
	if err := os.WriteFile(file, []byte("CREATE TABLE IF NOT EXISTS x (id int)"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.mustUp(t)
	p.psql(t, "SELECT * FROM x")
}

func TestReload(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.mustUp(t)
	before := p.state(t, stack.Hasura)
	if err := os.WriteFile(filepath.Join(p.dir, "broken-metadata"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.up(t); err == nil || !strings.Contains(err.Error(), "actions.yaml:3") {
		t.Errorf("up: %v, want the engine's error", err)
	}
	if s := p.state(t, stack.Hasura); s.State != stack.StateHealthy || !s.Started.Equal(before.Started) {
		t.Errorf("the engine was %+v and is %+v", before, s)
	}
}

func TestConcurrentUps(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if err := p.driver(t).Up(t.Context(), stack.UpOptions{WaitTimeout: time.Minute, Report: p.report}); err != nil {
				t.Errorf("up: %v", err)
			}
		})
	}
	all.Wait()
	starts := 0
	for _, e := range p.taken() {
		if e.Service == "golang" && e.Kind == stack.EventStarting {
			starts++
		}
	}
	if starts != 1 {
		t.Errorf("four ups at once have started the service %d times", starts)
	}
}

// A request that runs is answered, though its service was told to stop.
func TestDownFinishesRequests(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.mustUp(t, "golang")
	answer := make(chan string, 1)
	go func() {
		resp, err := http.Post(fmt.Sprintf("http://127.0.0.1:%d/slow", p.ports["GOLANG_PORT"]), "", nil)
		if err != nil {
			answer <- err.Error()
			return
		}
		defer func() { _ = resp.Body.Close() }()
		text, err := io.ReadAll(resp.Body)
		answer <- fmt.Sprint(string(text), err)
	}()
	log := filepath.Join(p.dir, ".nself", "logs", "golang.log")
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); ; <-tick.C {
		if b, _ := os.ReadFile(log); strings.Contains(string(b), "slow request begun") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the request did not begin")
		}
	}
	p.mustDown(t)
	if got := <-answer; got != "finished<nil>" {
		t.Errorf("the request was answered with %q", got)
	}
}

func TestDownDuringUp(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.set(t, map[string]string{"NOT_READY": "never"})
	result := make(chan error, 1)
	started := make(chan struct{})
	go func() {
		result <- p.driver(t).Up(t.Context(), stack.UpOptions{Report: func(e stack.Event) {
			if e.Service == "golang" && e.Kind == stack.EventStarting {
				close(started)
			}
		}})
	}()
	<-started
	p.mustDown(t)
	if err := <-result; err == nil || !strings.Contains(err.Error(), "stopped the services") {
		t.Errorf("the interrupted up says %v", err)
	}
	if left := p.processes(t); len(left) > 0 {
		t.Errorf("left after down:\n%s", strings.Join(left, "\n"))
	}
}

func TestInterruptedFirstUpLeavesNothing(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := p.driver(t).Up(ctx, stack.UpOptions{Report: func(e stack.Event) {
		if e.Kind == stack.EventBuilding {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("up: %v, want canceled", err)
	}
	eventually(t, "the supervisor ends", func() bool { return len(p.processes(t)) == 0 })
	p.mustUp(t)
}

func TestWithoutRedisServer(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	bin := t.TempDir()
	for _, name := range []string{"go", "psql", "sh"} {
		for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
			if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
				_ = os.Symlink(filepath.Join(dir, name), filepath.Join(bin, name)) // the first wins
			}
		}
	}
	p.environ = append(p.environ, "PATH="+bin)
	p.mustUp(t)
	noted := false
	for _, e := range p.taken() {
		noted = noted || e.Service == stack.Redis && e.Kind == stack.EventNote
	}
	if s := p.state(t, stack.Redis); s.State != stack.StateHealthy || !strings.Contains(s.Detail, "in memory") || !noted {
		t.Errorf("redis is %+v, noted %v; want the stand-in, and a note", s, noted)
	}
}

func TestExecRedis(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.mustUp(t, stack.Redis)
	if s := p.state(t, stack.Redis); s.PID == 0 {
		testneeds.Missing(t, "redis-server is not installed")
	}
	redis := func(args ...string) string {
		t.Helper()
		var out strings.Builder
		code, err := p.driver(t).Exec(t.Context(), stack.ExecOptions{
			Service: stack.Redis, Command: append([]string{"redis-cli"}, args...), Stdout: &out, Stderr: &out,
		})
		if err != nil || code != 0 {
			t.Fatalf("redis-cli %v: code %d, %v: %s", args, code, err, out.String())
		}
		return strings.TrimSpace(out.String())
	}
	if got := redis("SET", "kept", "7"); got != "OK" {
		t.Fatalf("SET says %q", got)
	}
	p.mustDown(t)
	p.mustUp(t, stack.Redis)
	if got := redis("GET", "kept"); got != "7" {
		t.Errorf("after a restart the key is %q", got)
	}
}

func TestDeepProjectHasSocketElsewhere(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	deep := filepath.Join(filepath.Dir(p.dir), strings.Repeat("deep-", 20), "shop")
	if err := os.MkdirAll(filepath.Dir(deep), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(p.dir, deep); err != nil {
		t.Fatal(err)
	}
	p.dir = deep
	p.mustUp(t)
	b, err := os.ReadFile(filepath.Join(p.dir, ".nself", "run", "endpoint"))
	if err != nil {
		t.Fatal(err)
	}
	p.mustDown(t)
	if _, err := os.Stat(string(b)); !os.IsNotExist(err) {
		t.Errorf("the socket %s is still there: %v", b, err)
	}
}

func TestSecretsStayOut(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	const secret = "very-secret-pass-word-0123456789"
	p.set(t, map[string]string{"POSTGRES_PASSWORD": secret, "REDIS_PASSWORD": secret + "r"})
	p.mustUp(t)
	p.set(t, map[string]string{"POSTGRES_PASSWORD": secret + "2", "REDIS_PASSWORD": secret + "r"})
	p.mustUp(t)
	for _, folder := range []string{"logs", "run"} {
		root := filepath.Join(p.dir, ".nself", folder)
		entries, err := os.ReadDir(root)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			b, _ := os.ReadFile(filepath.Join(root, e.Name())) // sockets cannot be read
			if strings.Contains(string(b), secret) {
				t.Errorf("%s/%s holds the password", folder, e.Name())
			}
		}
	}
	for _, line := range p.processes(t) {
		if strings.Contains(line, secret) {
			t.Errorf("a command line holds the password: %s", line)
		}
	}
}

// TestProjectOutOfReach is for root only: the account of Postgres cannot pass through the project's folder.
func TestProjectOutOfReach(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root steps down to another user")
	}
	p := newProject(t)
	outer := filepath.Dir(p.dir)
	p.mustUp(t, stack.Postgres)
	p.psql(t, "CREATE TABLE kept (id int)")
	p.mustDown(t)
	if err := os.Chmod(outer, 0o700); err != nil {
		t.Fatal(err)
	}
	p.mustUp(t, stack.Postgres)
	p.psql(t, "SELECT * FROM kept")
	moved := p.dir + "-moved"
	p.mustDown(t)
	if err := os.Rename(p.dir, moved); err != nil {
		t.Fatal(err)
	}
	p.dir = moved
	p.mustUp(t, stack.Postgres)
	p.psql(t, "SELECT * FROM kept")
	p.mustDown(t)
	id, err := os.ReadFile(filepath.Join(p.dir, ".nself", "id"))
	if err != nil {
		t.Fatal(err)
	}
	outside := filepath.Join("/var/lib/nself", string(id))
	if _, err := os.Stat(filepath.Join(outside, "postgres", "PG_VERSION")); err != nil {
		t.Errorf("the database is not in %s: %v", outside, err)
	}
	if err := p.driver(t).Down(t.Context(), stack.DownOptions{Volumes: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(outside); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", outside, err)
	}
}

func TestFunctionSeesItsEnvironment(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.environ = append(p.environ, "FROM_SHELL=yes", "GOLANG_PORT="+strconv.Itoa(p.ports["GOLANG_PORT"]))
	p.mustUp(t)
	for key, want := range map[string]string{
		"FROM_SHELL": "yes", "PORT": strconv.Itoa(p.ports["GOLANG_PORT"]), "PROJECT_NAME": "shop",
	} {
		if got := httpText(t, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/env?key=%s", p.ports["GOLANG_PORT"], key)); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
}
