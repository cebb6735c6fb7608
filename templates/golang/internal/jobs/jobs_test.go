package jobs

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nself-org/nself/templates/golang/internal/config"
	"github.com/nself-org/nself/templates/golang/internal/queue"
	"github.com/nself-org/nself/templates/golang/internal/store"
	"github.com/nself-org/nself/templates/golang/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

const patience = time.Minute

func openPool(t *testing.T) *pgxpool.Pool {
	t.Helper()
	pool, err := store.OpenPool(t.Context(), config.Secret(testenv.Database(t)), 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// start runs a service whose jobs of kind "test" are done by fn, until stop is called.
func start(t *testing.T, pool *pgxpool.Pool, fn Func) (s *Service, stop func()) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	q := queue.New(pool, log, queue.Options{Concurrency: 2, MaxAttempts: 3, Backoff: 10 * time.Millisecond})
	s = New(pool, q, log)
	s.Handle("test", fn)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 2)
	go func() { ended <- q.Run(ctx) }()
	go func() { ended <- s.Run(ctx) }()
	done := false
	stop = func() {
		if done {
			return
		}
		done = true
		cancel()
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(stop)
	return s, stop
}

func enqueue(t *testing.T, s *Service) Job {
	t.Helper()
	return enqueueIn(t.Context(), t, s)
}

func enqueueIn(ctx context.Context, t *testing.T, s *Service) Job {
	t.Helper()
	var j Job
	if err := store.InTx(ctx, s.pool, func(tx pgx.Tx) (err error) {
		j, err = s.Enqueue(ctx, tx, "test", "7", map[string]int{"n": 1})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if j.Status != Queued || j.MaxAttempts != 3 || *j.UserID != "7" {
		t.Errorf("a new job is %+v", j)
	}
	return j
}

// await waits until the job has this status.
func await(t *testing.T, s *Service, id string, want Status) Job {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		j, err := s.Find(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if j.Status == want {
			return j
		}
		if time.Now().After(deadline) {
			t.Fatalf("the job is %+v, want %s", j, want)
		}
	}
}

func TestJob(t *testing.T) {
	t.Parallel()
	s, _ := start(t, openPool(t), func(ctx context.Context, r *Run) (string, error) {
		var payload struct{ N int }
		if err := r.Decode(&payload); err != nil || payload.N != 1 {
			t.Errorf("payload %+v, %v", payload, err)
		}
		return r.ID + "/out", r.Progress(ctx, 50)
	})
	j := await(t, s, enqueue(t, s).ID, Succeeded)
	if j.Progress != 100 || j.Attempts != 1 || *j.ResultKey != j.ID+"/out" || j.Error != nil || j.FinishedAt == nil {
		t.Errorf("got %+v", j)
	}
	if _, err := s.Cancel(t.Context(), j.ID); !errors.Is(err, ErrFinished) {
		t.Errorf("cancelling a finished job: %v", err)
	}
}

func TestRetry(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		fn       func(attempt int) error
		status   Status
		attempts int
		message  string
	}{
		{"second attempt", func(n int) error {
			if n == 1 {
				return errors.New("down")
			}
			return nil
		}, Succeeded, 2, ""},
		{"dead letter", func(int) error { return errors.New("down") }, Failed, 3, "The job failed"},
		{"public message", func(int) error { return &Error{Message: "No luck", Err: errors.New("down")} }, Failed, 3, "No luck"},
		{"final", func(int) error { return &Error{Message: "Never", Final: true} }, Failed, 1, "Never"},
		{"panic", func(int) error { panic("out of range") }, Failed, 3, "The job failed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, _ := start(t, openPool(t), func(_ context.Context, r *Run) (string, error) { return "", tt.fn(r.Attempts) })
			j := await(t, s, enqueue(t, s).ID, tt.status)
			message := ""
			if j.Error != nil {
				message = *j.Error
			}
			if j.Attempts != tt.attempts || message != tt.message {
				t.Errorf("%d attempts with message %q, want %d with %q", j.Attempts, message, tt.attempts, tt.message)
			}
		})
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	running, stopped := make(chan struct{}, 1), make(chan error, 1)
	cancelled := make(chan struct{})
	s, _ := start(t, openPool(t), func(ctx context.Context, r *Run) (string, error) {
		running <- struct{}{}
		<-cancelled
		err := r.Progress(ctx, 10)
		stopped <- err
		return "", err
	})
	id := enqueue(t, s).ID
	<-running
	if j, err := s.Cancel(t.Context(), id); err != nil || j.Status != Cancelled || j.FinishedAt == nil {
		t.Fatalf("got %+v, %v", j, err)
	}
	close(cancelled)
	if err := <-stopped; err == nil {
		t.Error("the worker was not told")
	}
	if j, err := s.Find(t.Context(), id); err != nil || j.Status != Cancelled {
		t.Errorf("later the job is %+v, %v", j, err)
	}
}

// A service that is told to stop gives its jobs back; the next one does them, as if there had been no attempt before.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	pool := openPool(t)
	running := make(chan struct{}, 1)
	s, stop := start(t, pool, func(ctx context.Context, _ *Run) (string, error) {
		running <- struct{}{}
		<-ctx.Done()
		return "", ctx.Err()
	})
	id := enqueue(t, s).ID
	<-running
	stop()
	if j, err := s.Find(t.Context(), id); err != nil || j.Status != Queued || j.Attempts != 0 {
		t.Fatalf("after the stop the job is %+v, %v", j, err)
	}
	s, _ = start(t, pool, func(context.Context, *Run) (string, error) { return "", nil })
	if j := await(t, s, id, Succeeded); j.Attempts != 1 {
		t.Errorf("%d attempts were counted", j.Attempts)
	}
}

// A process that is killed leaves its jobs RUNNING and the queue without a word; both are found, however the kill fell.
func TestAbandoned(t *testing.T) {
	t.Parallel()
	pool := openPool(t)
	s, stop := start(t, pool, func(context.Context, *Run) (string, error) { return "", nil })
	enqueue(t, s) // the queue's tables are there from now on
	stop()
	abandon := func(status Status, attempts int, age string) (id string) {
		t.Helper()
		if err := pool.QueryRow(t.Context(), `INSERT INTO jobs (kind, status, attempts, max_attempts, runtime, updated_at)
			VALUES ('test', $1, $2, 3, 'golang', now() - $3::text::interval) RETURNING id::text`, status, attempts, age).Scan(&id); err != nil {
			t.Fatal(err)
		}
		return id
	}
	killed, unqueued := abandon(Running, 1, "1 minute"), abandon(Queued, 0, "1 minute")
	hopeless, alive := abandon(Running, 3, "1 minute"), abandon(Running, 1, "1 second")
	ctx, die := context.WithCancel(t.Context())
	var worker sync.WaitGroup // of the living job: on a busy machine this test takes longer than lostAfter
	worker.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			_, err := pool.Exec(ctx, "UPDATE jobs SET updated_at = now() - interval '1 second' WHERE id = $1", alive)
			if err != nil && ctx.Err() == nil {
				t.Error(err)
			}
			<-tick.C
		}
	})
	defer worker.Wait()
	defer die()
	s, stop = start(t, pool, func(context.Context, *Run) (string, error) { return "", nil })
	if j := await(t, s, killed, Succeeded); j.Attempts != 2 {
		t.Errorf("%d attempts", j.Attempts)
	}
	await(t, s, unqueued, Succeeded)
	if j := await(t, s, hopeless, Failed); *j.Error != interrupted {
		t.Errorf("the user reads %q", *j.Error)
	}
	stop()
	die()
	worker.Wait()
	if j, err := s.Find(t.Context(), alive); err != nil || j.Status != Running {
		t.Errorf("a job with a fresh heartbeat is %+v, %v", j, err)
	}
}

func TestFindOwn(t *testing.T) {
	t.Parallel()
	pool := openPool(t)
	s, _ := start(t, pool, func(context.Context, *Run) (string, error) { return "", nil })
	id := enqueue(t, s).ID
	for _, tt := range []struct {
		id, user string
		any      bool
		found    bool
	}{
		{id, "7", false, true},
		{id, "8", false, false},
		{id, "", true, true},
		{id, "", false, false},
		{"00000000-0000-0000-0000-000000000000", "7", false, false},
		{"' OR 1=1", "7", true, false},
		{"", "7", true, false},
	} {
		if _, err := s.FindOwn(t.Context(), tt.id, tt.user, tt.any); (err == nil) != tt.found {
			t.Errorf("job %q for user %q, any %t: %v", tt.id, tt.user, tt.any, err)
		}
	}
}
