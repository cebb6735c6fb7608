package native_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nself-org/nself/internal/stack"
)

// supervisorPID reads the process id of the project's supervisor; 0 when there is none.
func (p *project) supervisorPID() int {
	b, err := os.ReadFile(filepath.Join(p.dir, ".nself", "run", "state.json"))
	if err != nil {
		return 0
	}
	var st struct{ PID int }
	if json.Unmarshal(b, &st) != nil {
		return 0
	}
	return st.PID
}

func (p *project) killSupervisor(t *testing.T) {
	t.Helper()
	pid := p.supervisorPID()
	if pid <= 1 {
		t.Fatal("there is no supervisor to kill")
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatalf("kill the supervisor: %v", err)
	}
}

// processes lists the running processes of the project: those with its mark, and the servers on its data.
func (p *project) processes(t *testing.T) []string {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc")
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		env, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
		cmd, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		cwd, _ := os.Readlink(filepath.Join("/proc", e.Name(), "cwd"))
		args := strings.ReplaceAll(string(bytes.TrimRight(cmd, "\x00")), "\x00", " ")
		if bytes.Contains(env, []byte("NSELF_PROJECT_DIR="+p.dir+"\x00")) || strings.Contains(args, p.dir+"/") ||
			strings.HasSuffix(args, p.dir) || strings.HasPrefix(cwd, p.dir+"/") {
			list = append(list, fmt.Sprintf("%s: %s", e.Name(), args))
		}
	}
	return list
}

// TestKilledSupervisor kills the supervisor at random moments of up, of service and of down. The next up must succeed,
// nothing may be left of the time before, and no row that was committed may be lost. NSELF_STRESS sets the number of
// moments, 20 being what a release is checked with.
func TestKilledSupervisor(t *testing.T) {
	t.Parallel()
	rounds := 6
	if n, err := strconv.Atoi(os.Getenv("NSELF_STRESS")); err == nil {
		rounds = n
	}
	p := newProject(t)
	if err := os.WriteFile(filepath.Join(p.dir, "migration.sql"),
		[]byte("CREATE TABLE IF NOT EXISTS rounds (n int)"), 0o600); err != nil {
		t.Fatal(err)
	}
	committed := 0
	var slowest time.Duration
	for round := range rounds {
		moment := []string{"up", "serve", "down"}[round%3]
		delay := time.Duration(rand.Int64N(int64(400 * time.Millisecond)))
		if round == 0 {
			delay += 300 * time.Millisecond // into initdb
		}
		done := make(chan error, 1)
		ctx, cancel := context.WithCancel(t.Context())
		switch moment {
		case "up":
			go func() { done <- p.driver(t).Up(ctx, stack.UpOptions{WaitTimeout: time.Minute}) }()
		case "down":
			go func() { done <- p.driver(t).Down(ctx, stack.DownOptions{}) }()
			delay /= 2
		default:
			done <- nil
		}
		<-time.After(delay)
		if pid := p.supervisorPID(); pid > 1 {
			_ = syscall.Kill(pid, syscall.SIGKILL) // `down` may be done
		}
		<-done
		cancel()

		begin := time.Now()
		if err := p.up(t); err != nil {
			t.Fatalf("round %d: up after the kill %s into %s: %v%s", round, delay, moment, err, eventText(p.taken()))
		}
		slowest = max(slowest, time.Since(begin))
		t.Logf("round %d: killed %s into %s, up took %s", round, delay, moment, time.Since(begin))
		p.taken()
		p.psql(t, fmt.Sprintf("INSERT INTO rounds VALUES (%d)", round))
		committed++
		if got := p.psql(t, "SELECT count(*) FROM rounds"); got != strconv.Itoa(committed) {
			t.Fatalf("round %d: %s rows, want %d", round, got, committed)
		}
		var functions, servers, supervisors int
		for _, line := range p.processes(t) {
			switch {
			case strings.Contains(line, "supervise"):
				supervisors++
			case strings.Contains(line, "/cache/bin/golang-"):
				functions++
			case strings.Contains(line, "postgres -D"):
				servers++
			}
		}
		if functions != 1 || servers != 1 || supervisors != 1 {
			t.Fatalf("round %d: %d functions, %d servers, %d supervisors, want one each:\n%s",
				round, functions, servers, supervisors, strings.Join(p.processes(t), "\n"))
		}
	}
	t.Logf("the slowest up after a kill took %s", slowest)
	p.mustDown(t)
	if left := p.processes(t); len(left) > 0 {
		t.Errorf("left after down:\n%s", strings.Join(left, "\n"))
	}
}

func TestDownWithoutSupervisor(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.mustUp(t)
	p.killSupervisor(t)
	p.mustDown(t)
	if left := p.processes(t); len(left) > 0 {
		t.Errorf("left after down:\n%s", strings.Join(left, "\n"))
	}
	for _, name := range []string{"nself.sock", "state.json", "endpoint"} {
		if _, err := os.Stat(filepath.Join(p.dir, ".nself", "run", name)); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", name, err)
		}
	}
	if s := p.state(t, "golang"); s.State != stack.StateStopped {
		t.Errorf("golang is %s", s.State)
	}
}

// TestStrangersAreLeftAlone gives the next start a state whose process ids belong to others by now.
func TestStrangersAreLeftAlone(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.mustUp(t, stack.Postgres)
	p.killSupervisor(t)
	stranger := exec.Command("sleep", "600")
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = stranger.Wait(); close(ended) }()
	defer func() { _ = stranger.Process.Kill(); <-ended }()

	pid := strconv.Itoa(stranger.Process.Pid)
	state := filepath.Join(p.dir, ".nself", "run", "state.json")
	forged := fmt.Sprintf(`{"dir":%q,"run":"x","pid":%s,"start":"then","children":{`+
		`"golang":{"pid":%s,"start":"then","service":"golang"},"postgres":{"pid":%s,"start":"then","service":"postgres"}}}`,
		p.dir, pid, pid, pid)
	eventually(t, "postgres ends after its supervisor", func() bool {
		_, err := os.Stat(filepath.Join(p.dir, ".nself", "data", "postgres", "postmaster.pid"))
		return os.IsNotExist(err)
	})
	if err := os.WriteFile(state, []byte(forged), 0o600); err != nil {
		t.Fatal(err)
	}
	lock := filepath.Join(p.dir, ".nself", "data", "postgres", "postmaster.pid")
	if err := os.WriteFile(lock, []byte(pid+"\n"+p.dir+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if s := p.state(t, "golang"); s.State != stack.StateStopped {
		t.Errorf("golang is %s with a forged state", s.State)
	}
	p.mustUp(t)
	select {
	case <-ended:
		t.Error("up has killed a stranger")
	default:
	}
	p.mustDown(t)
	select {
	case <-ended:
		t.Error("down has killed a stranger")
	default:
	}
}

// TestKilledPostmaster kills the database server under a query that goes on for long in its own process. The server must
// come back, with its data, and the old process must be gone by then.
func TestKilledPostmaster(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.mustUp(t, stack.Postgres)
	p.psql(t, "CREATE TABLE kept (id int); INSERT INTO kept VALUES (7)")
	busy := make(chan struct{})
	go func() {
		defer close(busy)
		_, _ = p.driver(t).Exec(context.WithoutCancel(t.Context()), stack.ExecOptions{
			Service: stack.Postgres, Command: []string{"psql", "-XAtqc", "SELECT count(*) FROM generate_series(1, 10000000000)"},
		})
	}()
	eventually(t, "the long query runs", func() bool {
		return p.psql(t, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT count(*) FROM generate%'") == "1"
	})
	if err := syscall.Kill(p.state(t, stack.Postgres).PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-busy
	eventually(t, "postgres is back", func() bool {
		s := p.state(t, stack.Postgres)
		return s.State == stack.StateHealthy && s.Restarts > 0
	})
	if got := p.psql(t, "SELECT id FROM kept"); got != "7" {
		t.Errorf("the row is %q, want 7", got)
	}
	if s := p.state(t, stack.Postgres); s.Restarts != 1 {
		t.Errorf("postgres was started %d times more, want once", s.Restarts)
	}
}

func TestBrokenStateFile(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.mustUp(t, stack.Postgres)
	p.psql(t, "CREATE TABLE kept (id int)")
	p.killSupervisor(t)
	run := filepath.Join(p.dir, ".nself", "run")
	for _, name := range []string{"state.json", "endpoint"} {
		if err := os.WriteFile(filepath.Join(run, name), []byte("{\x00"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p.mustUp(t, stack.Postgres)
	p.psql(t, "SELECT * FROM kept")
}

func TestInterruptedInitdbIsDoneAgain(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	half := filepath.Join(p.dir, ".nself", "data", "postgres.new", "data")
	if err := os.MkdirAll(half, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(half, "PG_VERSION"), []byte("15\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.mustUp(t, stack.Postgres)
	p.psql(t, "SELECT 1")
	if _, err := os.Stat(filepath.Dir(half)); !os.IsNotExist(err) {
		t.Errorf("the half-made database is still there: %v", err)
	}
}

func TestMovedProject(t *testing.T) {
	t.Parallel()
	for _, running := range []bool{true, false} {
		t.Run(fmt.Sprintf("running=%v", running), func(t *testing.T) {
			t.Parallel()
			p := newProject(t)
			p.mustUp(t)
			p.psql(t, "CREATE TABLE kept (id int)")
			if !running {
				p.killSupervisor(t)
			}
			moved := p.dir + "-moved"
			if err := os.Rename(p.dir, moved); err != nil {
				t.Fatal(err)
			}
			p.dir = moved
			p.mustUp(t)
			p.psql(t, "SELECT * FROM kept")
			if got := p.get(t, "/env?key=NSELF_PROJECT_DIR"); got != moved {
				t.Errorf("the service believes to be in %s", got)
			}
		})
	}
}

// TestCopiedProject makes sure that a copy, with the run state and the pid files of its running original, leaves the
// original alone.
func TestCopiedProject(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.mustUp(t)
	pid := p.get(t, "/pid")
	q := newProject(t)
	if out, err := exec.Command("cp", "-a", filepath.Join(p.dir, ".nself"), q.dir).CombinedOutput(); err != nil {
		t.Fatalf("copy: %v\n%s", err, out)
	}
	if s := q.state(t, "golang"); s.State != stack.StateStopped {
		t.Errorf("the copy's golang is %s", s.State)
	}
	q.mustDown(t)
	if err := q.up(t); err != nil {
		t.Fatalf("up of the copy: %v%s", err, eventText(q.taken()))
	}
	if got := p.get(t, "/pid"); got != pid {
		t.Errorf("the original's service was restarted")
	}
	if s := p.state(t, stack.Postgres); s.State != stack.StateHealthy || s.Restarts != 0 {
		t.Errorf("the original's postgres is %+v", s)
	}
}

func TestStatusAfterKill(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.mustUp(t)
	p.killSupervisor(t)
	eventually(t, "services end with their supervisor", func() bool {
		return p.state(t, "golang").State == stack.StateStopped && p.state(t, stack.Postgres).State == stack.StateStopped
	})
}

// TestSlowSupervisor stops the supervisor for longer than an answer ever takes, as a machine does that has no time for it:
// what asks meanwhile waits, and takes it neither for dead nor for one that does not end.
func TestSlowSupervisor(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.mustUp(t, stack.Redis)
	pid := p.supervisorPID()
	for what, ask := range map[string]func() error{
		"status": func() error {
			st, err := p.driver(t).Status(t.Context())
			if err == nil && !st.Running {
				return fmt.Errorf("it does not run: %+v", st.Services)
			}
			return err
		},
		"up": func() error { return p.up(t, stack.Redis) },
	} {
		if err := asked(t, pid, ask); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if now := p.supervisorPID(); now != pid {
			t.Fatalf("after %s the supervisor is %d, it was %d", what, now, pid)
		}
	}
	if err := asked(t, pid, func() error { return p.driver(t).Down(t.Context(), stack.DownOptions{}) }); err != nil {
		t.Errorf("down: %v", err)
	}
	if left := p.processes(t); len(left) > 0 {
		t.Errorf("left after down:\n%s", strings.Join(left, "\n"))
	}
}

// TestSlowService does the same with a service: status waits for its answer.
func TestSlowService(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.mustUp(t, "golang")
	err := asked(t, p.state(t, "golang").PID, func() error {
		if s := p.state(t, "golang"); s.State != stack.StateHealthy {
			return fmt.Errorf("it is %s: %s", s.State, s.Detail)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// asked asks while the process stands still for some seconds.
func asked(t *testing.T, pid int, ask func() error) error {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	goesOn := make(chan struct{})
	time.AfterFunc(3*time.Second, func() {
		_ = syscall.Kill(pid, syscall.SIGCONT)
		close(goesOn)
	})
	defer func() { <-goesOn }()
	return ask()
}

// TestRunFolderRemoved removes what a supervisor goes by while it serves. The next up takes the services over.
func TestRunFolderRemoved(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc")
	}
	p := newProject(t)
	p.mustUp(t)
	old := p.supervisorPID()
	if err := os.RemoveAll(filepath.Join(p.dir, ".nself", "run")); err != nil {
		t.Fatal(err)
	}
	p.mustUp(t)
	if now := p.supervisorPID(); now == old || syscall.Kill(old, 0) == nil && !zombie(old) {
		t.Errorf("the supervisor %d is still there, the project's is %d", old, now)
	}
	if s := p.state(t, stack.Postgres); s.State != stack.StateHealthy {
		t.Errorf("postgres is %s: %s", s.State, s.Detail)
	}
	p.mustDown(t)
	if left := p.processes(t); len(left) > 0 {
		t.Errorf("left after down:\n%s", strings.Join(left, "\n"))
	}
}

// TestProjectGone takes a project away while it runs: nobody can stop its services there any more, so they end by
// themselves, in good order.
func TestProjectGone(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.mustUp(t)
	p.psql(t, "CREATE TABLE kept (id int)")
	if len(p.processes(t)) == 0 {
		t.Fatal("nothing runs")
	}
	away := p.dir + ".away"
	if err := os.Rename(p.dir, away); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the services of a project that is gone end", func() bool { return len(p.processes(t)) == 0 })
	if err := os.Rename(away, p.dir); err != nil {
		t.Fatal(err)
	}
	p.mustUp(t)
	p.psql(t, "INSERT INTO kept VALUES (1)")
}

func zombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && bytes.Contains(stat, []byte(") Z "))
}
