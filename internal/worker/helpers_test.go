package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/nself-org/nself/internal/actionlog"
	"github.com/nself-org/nself/internal/worker"
)

// patience bounds the waits of tests on real time; a loaded machine needs it.
const patience = 60 * time.Second

type call = func(ctx context.Context, c actionlog.Claim) actionlog.Outcome

func newWorker(t *testing.T, o worker.Options) *worker.Worker {
	t.Helper()
	o.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	w, err := worker.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// start runs a worker and returns what stops it and waits for its end. It is stopped with the test.
func start(t *testing.T, o worker.Options) (stop func()) {
	t.Helper()
	w := newWorker(t, o)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := w.Run(ctx); err != nil {
			t.Errorf("run: %v", err)
		}
	})
	stop = func() {
		cancel()
		wg.Wait()
	}
	t.Cleanup(stop)
	return stop
}

func create(t *testing.T, s actionlog.Log) string {
	t.Helper()
	id, err := s.Create(t.Context(), actionlog.NewEntry{Action: "report", Input: json.RawMessage(`{}`)})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func get(t *testing.T, s actionlog.Log, id string) actionlog.Entry {
	t.Helper()
	e, err := s.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func wantStatus(t *testing.T, s actionlog.Log, id string, want actionlog.Status) {
	t.Helper()
	if got := get(t, s, id).Status; got != want {
		t.Errorf("the entry is %s, want %s", got, want)
	}
}

// succeed is a handler that is done at once.
func succeed(context.Context, actionlog.Claim) actionlog.Outcome {
	return actionlog.Complete(json.RawMessage(`{"ok":true}`))
}

// block is a handler that works until it is cancelled, and then reports the failure that the cancelling has caused.
func block(ctx context.Context, _ actionlog.Claim) actionlog.Outcome {
	<-ctx.Done()
	return actionlog.Fail(json.RawMessage(`{"error":"cancelled"}`))
}

// faulty is a queue whose operations can be made to fail.
type faulty struct {
	actionlog.Queue

	mu   sync.Mutex
	down map[string]error // by operation
	lose map[string]bool  // operations that happen and whose answer gets lost, once
	deaf bool             // no arrivals
}

var errDown = errors.New("connection refused")

func (f *faulty) set(err error, operations ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = map[string]error{}
	for _, operation := range operations {
		f.down[operation] = err
	}
}

func (f *faulty) err(operation string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.down[operation]
}

// lost tells whether the answer of operation gets lost.
func (f *faulty) lost(operation string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	lost := f.lose[operation]
	delete(f.lose, operation)
	return lost
}

func (f *faulty) Join(ctx context.Context, claimant string) (time.Duration, error) {
	if err := f.err("join"); err != nil {
		return 0, err
	}
	return f.Queue.Join(ctx, claimant)
}

func (f *faulty) Renew(ctx context.Context, claimant string) error {
	if err := f.err("renew"); err != nil {
		return err
	}
	return f.Queue.Renew(ctx, claimant)
}

func (f *faulty) Leave(ctx context.Context, claimant string) error {
	if err := f.err("leave"); err != nil {
		return err
	}
	return f.Queue.Leave(ctx, claimant)
}

func (f *faulty) Claim(ctx context.Context, claimant string, limit int) ([]actionlog.Claim, error) {
	if err := f.err("claim"); err != nil {
		return nil, err
	}
	claims, err := f.Queue.Claim(ctx, claimant, limit)
	if len(claims) > 0 && f.lost("claim") {
		return nil, errDown
	}
	return claims, err
}

func (f *faulty) Record(ctx context.Context, results []actionlog.Result) []error {
	err := f.err("record")
	if err == nil {
		errs := f.Queue.Record(ctx, results)
		if !f.lost("record") {
			return errs
		}
		err = errDown
	}
	errs := make([]error, len(results))
	for i := range errs {
		errs[i] = err
	}
	return errs
}

func (f *faulty) Rescue(ctx context.Context) (int, error) {
	if err := f.err("rescue"); err != nil {
		return 0, err
	}
	return f.Queue.Rescue(ctx)
}

func (f *faulty) Arrivals() (arrived <-chan struct{}, stop func()) {
	if f.deaf {
		return nil, func() {}
	}
	return f.Queue.Arrivals()
}
