package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// faultPatience bounds how long a service may take to notice that something is down, or up again.
const faultPatience = 2 * time.Minute

// faults breaks what the service runs on, and the service itself. What it runs on goes first: the service that is killed
// comes back as another process.
func (c *contract) faults(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Log("finding processes needs /proc: no faults are tested")
		return
	}
	t.Run("body of 20 MB", c.largeBody)
	t.Run("Redis down", c.redisDown)
	t.Run("Postgres down", c.postgresDown)
	t.Run("SIGTERM in the middle of a request", c.terminated)
	t.Run("kill in the middle of a job", c.killed)
	t.Run("down in the middle of a request", c.takenDown)
}

// register asks the service to register a user.
func (c *contract) register(ctx context.Context, email, user string) (int, string, error) {
	body := contractCase{
		Action: "registerUser", User: user,
		Input: json.RawMessage(fmt.Sprintf(`{"input":{"email":%q,"password":"password123","name":"Fault"}}`, email)),
	}.body()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/actions/register-user", strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Hasura-Admin-Secret", c.secret)
	return roundTrip(req)
}

func (c *contract) largeBody(t *testing.T) {
	body := `{"input":{"input":{"name":"` + strings.Repeat("x", 20_000_000) + `"}}}`
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.base+"/actions/register-user", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Hasura-Admin-Secret", c.secret)
	defer http.DefaultClient.CloseIdleConnections()
	// A server that hangs up on what it has not read may do so before its answer is read.
	status, data, err := roundTrip(req)
	if err != nil && !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) || err == nil && status != http.StatusRequestEntityTooLarge {
		t.Errorf("got status %d, %s, %v", status, data, err)
	}
	if status, data, err := c.register(t.Context(), "after-large@example.com", "admin"); status != http.StatusOK {
		t.Errorf("after it: got status %d, %s, %v", status, data, err)
	}
}

// pids lists the project's processes whose command line or environment has the text.
func (c *contract) pids(text string) []int {
	var found []int
	for pid, cmdline := range c.processes() {
		environ, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if strings.Contains(cmdline, text) || strings.Contains("\x00"+string(environ), "\x00"+text+"\x00") {
			found = append(found, pid)
		}
	}
	return found
}

// service lists the processes of the function service.
func (c *contract) service() []int {
	return c.pids("PORT=" + strconv.Itoa(c.ports[strings.ToUpper(c.runtime)+"_PORT"]))
}

// roots leaves out the processes that another one of the list has started.
func roots(pids []int) []int {
	return slices.DeleteFunc(slices.Clone(pids), func(pid int) bool {
		_, rest, _ := strings.Cut(stat(pid), ") ")
		fields := strings.Fields(rest) // the state, the parent's id, ...
		parent, _ := strconv.Atoi(append(fields, "", "")[1])
		return slices.Contains(pids, parent)
	})
}

func signal(pids []int, sig syscall.Signal) {
	for _, pid := range pids {
		_ = syscall.Kill(pid, sig) // it may have ended with its parent
	}
}

// down kills a program of the project and keeps the supervisor from starting it again until up is called.
func (c *contract) down(t *testing.T, program string) (up func()) {
	t.Helper()
	supervisor, victims := c.pids("supervise"), c.pids(program)
	if len(supervisor) == 0 || len(victims) == 0 {
		t.Fatalf("supervisor %v, %s %v", supervisor, program, victims)
	}
	signal(supervisor, syscall.SIGSTOP)
	signal(victims, syscall.SIGKILL)
	up = func() { signal(supervisor, syscall.SIGCONT) }
	t.Cleanup(up)
	return up
}

// ready returns what the service says about its readiness.
func (c *contract) ready(t *testing.T) (status int, checks map[string]string) {
	t.Helper()
	status, data := c.get(t, c.base+"/readyz")
	var answer struct{ Checks map[string]string }
	if err := json.Unmarshal([]byte(data), &answer); err != nil {
		t.Fatalf("readyz: %d %s: %v", status, data, err)
	}
	return status, answer.Checks
}

// serviceLog is what the service has logged.
func (c *contract) serviceLog(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(c.dir, ".nself", "logs", c.runtime+".log"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// The cache and the rate limit give way: to be reachable matters more.
func (c *contract) redisDown(t *testing.T) {
	before := len(c.serviceLog(t))
	up := c.down(t, "redis-server")
	// An input that is refused: a registration would wait for the mail catcher, which is in the supervisor.
	for i := range 8 { // more than the limit lets through
		if status, data, err := c.register(t.Context(), "", "without-redis"); status != http.StatusOK ||
			!strings.Contains(data, "Validation failed") {
			t.Fatalf("call %d: got status %d, %s, %v", i+1, status, data, err)
		}
	}
	if status, checks := c.ready(t); status != http.StatusOK || checks["redis"] != "down" {
		t.Errorf("readyz: %d %v", status, checks)
	}
	up()
	within(t, faultPatience, "the service has Redis again", func() bool {
		_, checks := c.ready(t)
		return checks["redis"] == "up"
	})
	// Only now: the supervisor, which was stopped, writes the log.
	within(t, faultPatience, "the log says that the rate limit is off", func() bool {
		return strings.Contains(c.serviceLog(t)[before:], "rate limit is off")
	})
}

func (c *contract) postgresDown(t *testing.T) {
	up := c.down(t, filepath.Join("bin", "postgres"))
	status, data, err := c.register(t.Context(), "no-postgres@example.com", "admin")
	if status != http.StatusInternalServerError || !strings.Contains(data, "Internal server error") || strings.Contains(data, "connect") {
		t.Errorf("got status %d, %s, %v", status, data, err)
	}
	if status, checks := c.ready(t); status != http.StatusServiceUnavailable || checks["postgres"] != "down" {
		t.Errorf("readyz: %d %v", status, checks)
	}
	before := c.service()
	up()
	within(t, faultPatience, "the service has Postgres again", func() bool {
		status, _, _ := c.register(t.Context(), "postgres-again@example.com", "admin")
		return status == http.StatusOK
	})
	if after := c.service(); fmt.Sprint(sorted(before)) != fmt.Sprint(sorted(after)) {
		t.Errorf("the service was started anew: it was %v and is %v", before, after)
	}
	c.awaitJob(t, c.startReport(t, "admin", 2017), "SUCCEEDED") // the queue is back too
}

// A request that has begun comes to its end, though the service was told to stop.
func (c *contract) terminated(t *testing.T) {
	unlock := c.lockUsers(t)
	type answer struct {
		status int
		data   string
		err    error
	}
	answered := make(chan answer, 1)
	go func() {
		status, data, err := c.register(t.Context(), "terminated@example.com", "admin")
		answered <- answer{status, data, err}
	}()
	c.awaitHeld(t, 1)
	before := c.service()
	signal(roots(before), syscall.SIGTERM)
	c.awaitStopping(t)
	unlock()
	if got := <-answered; got.err != nil || got.status != http.StatusOK || !strings.Contains(got.data, "registered successfully") {
		t.Errorf("got status %d, %s, %v", got.status, got.data, got.err)
	}
	c.awaitService(t, before)
}

// A request that has begun comes to its end, though the whole project is taken down.
func (c *contract) takenDown(t *testing.T) {
	unlock := c.lockUsers(t)
	type answer struct {
		status int
		data   string
		err    error
	}
	answered := make(chan answer, 1)
	go func() {
		status, data, err := c.register(t.Context(), "taken-down@example.com", "admin")
		answered <- answer{status, data, err}
	}()
	c.awaitHeld(t, 1)
	down := c.command("down")
	if err := down.Start(); err != nil {
		t.Fatal(err)
	}
	c.awaitStopping(t)
	// Longer than a service was ever given that had nothing to do.
	time.Sleep(3 * time.Second)
	unlock()
	if got := <-answered; got.err != nil || got.status != http.StatusOK || !strings.Contains(got.data, "registered successfully") {
		t.Errorf("got status %d, %s, %v", got.status, got.data, got.err)
	}
	if err := down.Wait(); err != nil {
		t.Errorf("nself down: %v", err)
	}
	begin := time.Now()
	c.mustRun("up", "--driver", "native", "--wait-timeout", "5m")
	up := time.Now()
	c.mustRun("down")
	t.Logf("up took %s, down of an idle stack %s", up.Sub(begin).Round(time.Millisecond), time.Since(up).Round(time.Millisecond))
}

// awaitStopping waits until the service takes no more connections, or says that it stops: some servers leave the port open
// and answer nothing there.
func (c *contract) awaitStopping(t *testing.T) {
	t.Helper()
	within(t, faultPatience, "the service takes no more connections, or says that it stops", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/readyz", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Close = true
		status, _, err := roundTrip(req)
		return err != nil || status == http.StatusServiceUnavailable
	})
}

// awaitService waits until other processes serve than those.
func (c *contract) awaitService(t *testing.T, before []int) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("before: %v, now: %v, of the project: %v", before, c.service(), c.processes())
		}
	}()
	within(t, jobPatience, "the service is back", func() bool {
		for _, pid := range before {
			if syscall.Kill(pid, 0) == nil && !strings.Contains(stat(pid), ") Z ") {
				return false
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/readyz", nil)
		if err != nil {
			t.Fatal(err)
		}
		status, _, err := roundTrip(req)
		return err == nil && status == http.StatusOK
	})
}

func stat(pid int) string {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return string(data)
}

// A job whose process is killed in the middle is begun again, and done once.
func (c *contract) killed(t *testing.T) {
	c.fillReport(2016)
	release := c.holdJobs(t)
	id := c.startReport(t, "admin", 2016)
	c.awaitHeld(t, 1)
	before := c.service()
	signal(roots(before), syscall.SIGKILL) // first, or it would replace the others, and what it starts would live on
	signal(before, syscall.SIGKILL)
	release()
	start := time.Now()
	c.awaitService(t, before)
	done := c.awaitJob(t, id, "SUCCEEDED")
	t.Logf("done %s after the kill, attempts: %v", time.Since(start).Round(time.Second), done["attempts"])
	if done["attempts"] != 2.0 {
		t.Errorf("attempts: %v", done["attempts"])
	}
	link, _ := done["result_url"].(string)
	if status, csv := c.get(t, link); status != http.StatusOK || strings.Count(csv, "\r\n") != reportRows+1 {
		t.Errorf("%s: got status %d, %d lines", link, status, strings.Count(csv, "\r\n"))
	}
	// What the killed worker left in the queue changes nothing any more.
	finished := done["finished_at"]
	c.awaitJob(t, c.startReport(t, "admin", 2017), "SUCCEEDED")
	if again := c.awaitJob(t, id, "SUCCEEDED"); again["finished_at"] != finished || again["attempts"] != 2.0 {
		t.Errorf("the job was done again: %v", again)
	}
}

// lockUsers makes every query on the users wait until unlock is called.
func (c *contract) lockUsers(t *testing.T) (unlock func()) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), c.databaseURL())
	if err != nil {
		t.Fatal(err)
	}
	tx, err := conn.Begin(t.Context())
	if err == nil {
		_, err = tx.Exec(t.Context(), "LOCK TABLE public.users IN ACCESS EXCLUSIVE MODE")
	}
	if err != nil {
		t.Fatal(err)
	}
	closed := false
	unlock = func() {
		if !closed {
			closed = true
			_ = conn.Close(t.Context()) // which also rolls back
		}
	}
	t.Cleanup(unlock)
	return unlock
}

func sorted(list []int) []int {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}
