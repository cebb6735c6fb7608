package worker_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nself-org/nself/internal/actionlog"
	"github.com/nself-org/nself/internal/actionlog/postgres"
	"github.com/nself-org/nself/internal/pgtest"
	"github.com/nself-org/nself/internal/worker"
)

var rows = flag.Int("rows", 1000, "entries in the test with killed processes; 10000 is the full test")

func openStore(t *testing.T, o postgres.Options) *postgres.Store {
	t.Helper()
	o.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	s, err := postgres.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// process is a worker in a process of its own. What it says is shown when the test fails.
func process(t *testing.T, database, handler string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0]) // not CommandContext: the tests end it themselves
	cmd.Env = append(os.Environ(), databaseKey+"="+database, handlerKey+"="+handler)
	var said bytes.Buffer
	cmd.Stderr = &said
	lifeline, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = lifeline.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("process %d said:\n%s", cmd.Process.Pid, said.String())
		}
	})
	return cmd
}

// kill ends a process as a power cut would.
func kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
}

// waitFor polls until done says so.
func waitFor(t *testing.T, limit time.Duration, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(limit); !done(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s", what, limit)
		}
	}
}

// left counts the entries that have not completed.
func left(t *testing.T, s actionlog.Log) (n int64) {
	t.Helper()
	depths, err := s.Depth(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range depths {
		if d.Status == actionlog.StatusError {
			t.Fatalf("%d entries failed", d.Rows)
		}
		if d.Status != actionlog.StatusCompleted {
			n += d.Rows
		}
	}
	return n
}

func TestKilledProcessLosesNothing(t *testing.T) {
	t.Parallel()
	url := pgtest.Start(t)
	calls := make(chan string, 10)
	release := make(chan struct{})
	handler := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // before this the server does not notice that the caller is gone
		calls <- r.Header.Get(actionlog.IDHeader)
		select {
		case <-release:
		case <-r.Context().Done(): // the caller is dead
			return
		}
		_, _ = w.Write([]byte(`"done"`))
	}))
	defer handler.Close()
	s := openStore(t, postgres.Options{URL: url})
	id := create(t, s)
	changed, stop := s.Watch(id)
	defer stop()
	first := process(t, url, handler.URL)
	if got := <-calls; got != id {
		t.Errorf("the handler saw the id %s, want %s", got, id)
	}
	wantStatus(t, s, id, actionlog.StatusProcessing)
	kill(t, first)
	close(release)
	began := time.Now()
	process(t, url, handler.URL)
	if got := <-calls; got != id {
		t.Errorf("in the second call the handler saw the id %s, want %s", got, id)
	}
	<-changed
	wantStatus(t, s, id, actionlog.StatusCompleted)
	t.Logf("completed %s after the kill, with a lease of %s", time.Since(began), processLease)
}

func TestStoppedProcessRequeues(t *testing.T) {
	t.Parallel()
	url := pgtest.Start(t)
	called := make(chan struct{}, 10)
	handler := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // before this the server does not notice that the caller is gone
		called <- struct{}{}
		<-r.Context().Done()
	}))
	defer handler.Close()
	s := openStore(t, postgres.Options{URL: url})
	id := create(t, s)
	cmd := process(t, url, handler.URL)
	<-called
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the process ended with %v", err)
	}
	wantStatus(t, s, id, actionlog.StatusCreated)
}

// TestKillerDrains lets processes drain a backlog while one after another is killed. Every entry completes, none is run
// by two living processes at the same time, and only those that a kill interrupted are run again.
func TestKillerDrains(t *testing.T) {
	t.Parallel()
	const processes = 3
	url := pgtest.Start(t)
	var mu sync.Mutex
	dead := map[string]bool{}          // pids
	running := map[string]string{}     // entry to pid
	calls, done := map[string]int{}, 0 // by entry
	handler := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, pid := r.Header.Get(actionlog.IDHeader), r.Header.Get("X-Test-Pid")
		mu.Lock()
		if other, ok := running[id]; ok && !dead[other] && !dead[pid] {
			t.Errorf("%s is run by %s and %s at the same time", id, other, pid)
		}
		running[id] = pid
		calls[id]++
		mu.Unlock()
		timer := time.NewTimer(time.Duration(rand.IntN(20)) * time.Millisecond)
		defer timer.Stop()
		<-timer.C
		mu.Lock()
		if running[id] == pid {
			delete(running, id)
		}
		done++
		mu.Unlock()
		_, _ = w.Write([]byte(`"done"`))
	}))
	defer handler.Close()
	s := openStore(t, postgres.Options{URL: url})
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range *rows / 8 {
				create(t, s)
			}
		})
	}
	group.Wait()
	entries := *rows / 8 * 8

	living := make([]*exec.Cmd, processes)
	for i := range living {
		living[i] = process(t, url, handler.URL)
	}
	began := time.Now()
	kills := 0
	progress := func() int {
		mu.Lock()
		defer mu.Unlock()
		return done
	}
	for next := entries / 10; next < entries; next += entries / 10 {
		waitFor(t, patience, "progress", func() bool { return progress() >= next })
		victim := rand.IntN(processes)
		kill(t, living[victim])
		mu.Lock()
		dead[strconv.Itoa(living[victim].Process.Pid)] = true
		mu.Unlock()
		living[victim] = process(t, url, handler.URL)
		kills++
	}
	waitFor(t, patience+time.Duration(entries)*10*time.Millisecond, "drained", func() bool { return left(t, s) == 0 })
	mu.Lock()
	defer mu.Unlock()
	again := 0
	for _, n := range calls {
		again += n - 1
	}
	if len(calls) != entries {
		t.Errorf("%d of %d entries reached the handler", len(calls), entries)
	}
	// A kill interrupts at most as many as a process runs at once, and those whose outcome was on its way.
	if again > kills*50 {
		t.Errorf("%d calls were repeated after %d kills", again, kills)
	}
	t.Logf("%d entries in %s, %d kills, %d calls repeated", entries, time.Since(began), kills, again)
}

// TestTwoWorkersShare: without failures every entry is run exactly once.
func TestTwoWorkersShare(t *testing.T) {
	t.Parallel()
	url := pgtest.Start(t)
	a, b := openStore(t, postgres.Options{URL: url}), openStore(t, postgres.Options{URL: url})
	const entries = 500
	for range entries {
		create(t, a)
	}
	var mu sync.Mutex
	calls := map[string]int{}
	by := map[actionlog.Queue]int{}
	began := time.Now()
	for _, s := range []*postgres.Store{a, b} {
		start(t, worker.Options{
			Queue: s, Interval: 50 * time.Millisecond, Concurrency: 8,
			Call: func(ctx context.Context, c actionlog.Claim) actionlog.Outcome {
				mu.Lock()
				defer mu.Unlock()
				calls[c.ID]++
				by[s]++
				return succeed(ctx, c)
			},
		})
	}
	waitFor(t, patience, "drained", func() bool { return left(t, a) == 0 })
	mu.Lock()
	defer mu.Unlock()
	for id, n := range calls {
		if n != 1 {
			t.Errorf("%s was run %d times", id, n)
		}
	}
	if len(calls) != entries || by[a] == 0 || by[b] == 0 {
		t.Errorf("%d entries were run, %d by the one and %d by the other worker", len(calls), by[a], by[b])
	}
	t.Logf("%d entries in %s", entries, time.Since(began))
}

// TestDatabaseComesAndGoes cuts the connections of a worker again and again, and everything once for longer than the
// lease.
func TestDatabaseComesAndGoes(t *testing.T) {
	t.Parallel()
	const entries = 300
	line := newLine(t, pgtest.Start(t))
	direct := openStore(t, postgres.Options{URL: line.target})
	s := openStore(t, postgres.Options{URL: line.url, Lease: time.Second})
	for range entries {
		create(t, direct)
	}
	var mu sync.Mutex
	running := map[string]bool{}
	start(t, worker.Options{
		Queue: s, Interval: 50 * time.Millisecond, Concurrency: 10,
		Call: func(ctx context.Context, c actionlog.Claim) actionlog.Outcome {
			mu.Lock()
			if running[c.ID] {
				t.Errorf("%s is run twice at the same time", c.ID)
			}
			running[c.ID] = true
			mu.Unlock()
			defer func() {
				mu.Lock()
				defer mu.Unlock()
				delete(running, c.ID)
			}()
			timer := time.NewTimer(20 * time.Millisecond)
			defer timer.Stop()
			select {
			case <-timer.C:
				return actionlog.Complete(json.RawMessage(`1`))
			case <-ctx.Done():
				return actionlog.Fail(json.RawMessage(`{"error":"cancelled"}`))
			}
		},
	})
	for i := int64(1); i <= 5; i++ {
		waitFor(t, patience, "progress", func() bool { return left(t, direct) <= entries-20*i })
		line.cut()
		if i == 3 {
			off := time.NewTimer(2 * time.Second)
			<-off.C
		}
		line.mend()
	}
	waitFor(t, patience, "drained", func() bool { return left(t, direct) == 0 })
}
