package e2e

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nself-org/nself/internal/testports"
)

var kills = flag.Int("kills", 4, "how often TestKillSupervisor kills") //nolint:gochecknoglobals // a test flag

// TestKillSupervisor ends the supervisor with SIGKILL at random moments of up, serving and down. Whatever the moment: the
// next up succeeds, no process is left behind, and every user whose registration was answered is in the database.
func TestKillSupervisor(t *testing.T) {
	requireServers(t)
	if runtime.GOOS != "linux" {
		t.Skip("finds processes through /proc")
	}
	p := newProject(t)
	p.mustRun("up", "--driver", "native")

	var acknowledged []string
	for i := range *kills {
		phase := []string{"up", "serve", "down"}[i%3]
		delay := time.Duration(rand.IntN(700)) * time.Millisecond
		if phase == "down" {
			delay = time.Duration(rand.IntN(250)) * time.Millisecond
		}
		t.Logf("kill %d: %s after %s", i+1, phase, delay)
		switch phase {
		case "serve":
			acknowledged = append(acknowledged, p.registerUntilKilled(fmt.Sprintf("kill%d", i), delay)...)
		default:
			if phase == "up" {
				p.mustRun("down", "--driver", "native")
			}
			cmd := p.command(phase, "--driver", "native")
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			wait(delay)
			p.killSupervisor()
			_ = cmd.Wait() // it may have failed or not: both are right when the supervisor dies under it
		}
		p.mustRun("up", "--driver", "native")
	}
	if len(acknowledged) == 0 && *kills > 1 {
		t.Error("no registration was acknowledged: the test has not tested what it says")
	}
	rows := p.mustRun("exec", "postgres", "--", "psql", "-At", "-c", "select email from users")
	for _, email := range acknowledged {
		if !strings.Contains(rows, email+"\n") && !strings.HasSuffix(rows, email) {
			t.Errorf("%s was answered success and is not in the database", email)
		}
	}
	t.Logf("%d kills, %d registrations acknowledged, all found", *kills, len(acknowledged))
	p.mustRun("down", "--driver", "native")
	if left := p.processes(); len(left) > 0 {
		t.Errorf("left after down: %v", left)
	}
}

// project is a project in a folder of its own, with free ports.
type project struct {
	t     *testing.T
	dir   string
	ports map[string]int
}

func newProject(t *testing.T) *project {
	t.Helper()
	return newProjectIn(t, "golang")
}

// newProjectIn makes a project whose registerUser is written for that runtime.
func newProjectIn(t *testing.T, runtime string) *project {
	t.Helper()
	root := t.TempDir()
	p := &project{t: t, dir: filepath.Join(root, "shop"), ports: map[string]int{}}
	for dir := root; dir != "/" && dir != os.TempDir(); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil { // Postgres runs as another user when the test runs as root
			t.Fatal(err)
		}
	}
	if out, err := nself(t, "init", p.dir, "--runtime", runtime).CombinedOutput(); err != nil {
		t.Fatalf("init: %v\n%s", err, out)
	}
	var lines strings.Builder
	for _, key := range append([]string{"RATE_LIMIT_POINTS"}, portKeys...) {
		p.ports[key] = testports.Port(t)
		fmt.Fprintf(&lines, "%s=%d\n", key, p.ports[key])
	}
	env := filepath.Join(p.dir, ".env.local")
	f, err := os.OpenFile(env, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("\n" + lines.String()); err != nil {
		t.Fatal(err)
	}
	f.Close()
	p.mustRun("action", "new", "registerUser", "--runtime", runtime)
	p.mustRun("build")
	t.Cleanup(func() { _ = p.commandContext(context.Background(), "down", "--driver", "native", "--volumes").Run() })
	return p
}

func nself(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	return exec.CommandContext(t.Context(), filepath.Join(binDir, "nself"), args...)
}

func (p *project) command(args ...string) *exec.Cmd { return p.commandContext(p.t.Context(), args...) }

func (p *project) commandContext(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(binDir, "nself"), args...)
	cmd.Dir = p.dir
	return cmd
}

// mustRun runs nself in the project and returns what it printed to standard output.
func (p *project) mustRun(args ...string) string {
	p.t.Helper()
	cmd := p.command(args...)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		supervisor, _ := os.ReadFile(filepath.Join(p.dir, ".nself", "logs", "supervisor.log"))
		p.t.Fatalf("nself %s: %v\n%s%s\nsupervisor.log:\n%s", strings.Join(args, " "), err, out.String(), errs.String(), tail(supervisor))
	}
	return out.String()
}

func tail(log []byte) []byte {
	const limit = 4000
	return log[max(0, len(log)-limit):]
}

// registerUntilKilled registers users from several callers, kills the supervisor delay after the first success, and returns
// the addresses whose registration was answered with success.
func (p *project) registerUntilKilled(prefix string, delay time.Duration) []string {
	var (
		mu   sync.Mutex
		done []string
		wg   sync.WaitGroup
	)
	ctx, cancel := context.WithCancel(p.t.Context())
	for caller := range 4 {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil && n < 200; n++ {
				email := fmt.Sprintf("%s-%d-%d@example.com", prefix, caller, n)
				input := fmt.Sprintf(`{"input":{"email":%q,"password":"password123","name":"Kill Test"}}`, email)
				out, err := p.commandContext(ctx, "action", "test", "registerUser", "--input", input).Output()
				var answer struct {
					Data struct{ RegisterUser struct{ Success bool } }
				}
				if err == nil && json.Unmarshal(out, &answer) == nil && answer.Data.RegisterUser.Success {
					mu.Lock()
					done = append(done, email)
					mu.Unlock()
				}
			}
		})
	}
	registered := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(done) > 0
	}
	for deadline := time.Now().Add(time.Minute); !registered() && time.Now().Before(deadline); {
		wait(10 * time.Millisecond)
	}
	wait(delay)
	p.killSupervisor()
	cancel()
	wg.Wait()
	return done
}

// killSupervisor ends the project's supervisor with SIGKILL, if one runs.
func (p *project) killSupervisor() {
	for pid, cmdline := range p.processes() {
		if strings.Contains(cmdline, "supervise") {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// processes lists the processes that belong to the project: its folder stands in their command line or is their working
// folder or the one that their program was started from.
func (p *project) processes() map[int]string {
	found := map[int]string{}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		p.t.Fatal(err)
	}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		cwd, _ := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
		exe, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
		text := strings.ReplaceAll(string(cmdline), "\x00", " ")
		if strings.Contains(text, p.dir) || strings.HasPrefix(cwd, p.dir) || strings.HasPrefix(exe, p.dir) {
			found[pid] = text
		}
	}
	return found
}

// wait lets a random moment pass: the moment itself is what is tested, so there is nothing to wait for.
func wait(d time.Duration) { <-time.After(d) }
