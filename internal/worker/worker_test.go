package worker_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nself-org/nself/internal/actionlog"
	"github.com/nself-org/nself/internal/worker"
)

const lease = 10 * time.Second

// pass lets time pass.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestOwnEntriesRunAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := actionlog.NewMemory(lease)
		start(t, worker.Options{Queue: m, Call: succeed, Interval: time.Hour})
		synctest.Wait()
		began := time.Now()
		id := create(t, m)
		changed, stop := m.Watch(id)
		defer stop()
		<-changed
		wantStatus(t, m, id, actionlog.StatusCompleted)
		if took := time.Since(began); took != 0 {
			t.Errorf("it took %s", took)
		}
	})
}

func TestOthersEntriesAreFoundByAsking(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := actionlog.NewMemory(lease)
		start(t, worker.Options{Queue: &faulty{Queue: m, deaf: true}, Call: succeed, Interval: time.Second})
		synctest.Wait()
		id := create(t, m)
		pass(time.Second - time.Millisecond)
		wantStatus(t, m, id, actionlog.StatusCreated)
		pass(time.Millisecond)
		wantStatus(t, m, id, actionlog.StatusCompleted)
	})
}

func TestIntervalZeroIsOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := actionlog.NewMemory(lease)
		start(t, worker.Options{Queue: m, Call: succeed})
		id := create(t, m)
		pass(time.Hour)
		wantStatus(t, m, id, actionlog.StatusCreated)
	})
}

func TestOptions(t *testing.T) {
	t.Parallel()
	log, queue := slog.New(slog.DiscardHandler), actionlog.NewMemory(0)
	for name, o := range map[string]worker.Options{
		"no queue":             {Call: succeed, Log: log},
		"no call":              {Queue: queue, Log: log},
		"no log":               {Queue: queue, Call: succeed},
		"negative interval":    {Queue: queue, Call: succeed, Log: log, Interval: -1},
		"negative batch":       {Queue: queue, Call: succeed, Log: log, BatchSize: -1},
		"negative concurrency": {Queue: queue, Call: succeed, Log: log, Concurrency: -1},
	} {
		if _, err := worker.New(o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestConcurrencyIsBoundedAndBatchesAreNotWaitedFor(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options worker.Options
		want    int64
	}{
		"default":     {worker.Options{}, 64},
		"batch size":  {worker.Options{BatchSize: 3}, 3},
		"concurrency": {worker.Options{BatchSize: 3, Concurrency: 20}, 20},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := actionlog.NewMemory(lease)
				var now, most, total atomic.Int64
				c.options.Queue, c.options.Interval = m, time.Hour
				c.options.Call = func(context.Context, actionlog.Claim) actionlog.Outcome {
					if n := now.Add(1); n > most.Load() {
						most.Store(n)
					}
					<-time.After(time.Second)
					now.Add(-1)
					total.Add(1)
					return actionlog.Complete(json.RawMessage(`1`))
				}
				entries := 5 * c.want
				for range entries {
					create(t, m)
				}
				start(t, c.options)
				pass(5*time.Second + time.Millisecond)
				if most.Load() != c.want {
					t.Errorf("%d calls at once, want %d", most.Load(), c.want)
				}
				if total.Load() != entries {
					t.Errorf("%d of %d entries ended within the time that they need", total.Load(), entries)
				}
			})
		})
	}
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	const internal = `{"error":"internal error","path":"$","code":"unexpected"}`
	for name, c := range map[string]struct {
		call   call
		status actionlog.Status
		errors string
	}{
		"completed": {succeed, actionlog.StatusCompleted, ``},
		"failed": {func(context.Context, actionlog.Claim) actionlog.Outcome {
			return actionlog.Fail(json.RawMessage(`{"error":"e"}`))
		}, actionlog.StatusError, `{"error":"e"}`},
		"panicked": {func(context.Context, actionlog.Claim) actionlog.Outcome { panic("oh") }, actionlog.StatusError, internal},
		"none": {func(context.Context, actionlog.Claim) actionlog.Outcome {
			return actionlog.Outcome{}
		}, actionlog.StatusError, internal},
		"not storable": {func(context.Context, actionlog.Claim) actionlog.Outcome {
			return actionlog.Complete(json.RawMessage(`"\u0000"`))
		}, actionlog.StatusError, `{"error":"the response of the webhook cannot be stored","path":"$","code":"unexpected"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := actionlog.NewMemory(lease)
				start(t, worker.Options{Queue: m, Call: c.call, Interval: time.Second})
				id := create(t, m)
				synctest.Wait()
				e := get(t, m, id)
				if e.Status != c.status || string(e.Errors) != c.errors {
					t.Errorf("got %s, %s, want %s, %s", e.Status, e.Errors, c.status, c.errors)
				}
			})
		})
	}
}

func TestStoppingWaitsForCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := actionlog.NewMemory(lease)
		quick := func(context.Context, actionlog.Claim) actionlog.Outcome {
			<-time.After(time.Minute - time.Second) // longer than the lease: it must be renewed meanwhile
			return actionlog.Complete(json.RawMessage(`1`))
		}
		stop := start(t, worker.Options{Queue: m, Call: quick, Interval: time.Second, Grace: time.Minute})
		id := create(t, m)
		synctest.Wait()
		began := time.Now()
		go func() {
			<-time.After(time.Second)
			create(t, m) // comes too late
		}()
		stop()
		wantStatus(t, m, id, actionlog.StatusCompleted)
		if took := time.Since(began); took != time.Minute-time.Second {
			t.Errorf("stopping took %s", took)
		}
		depths, _ := m.Depth(t.Context())
		if len(depths) != 2 || depths[1].Status != actionlog.StatusCreated {
			t.Errorf("after stopping: %v", depths)
		}
	})
}

func TestStoppingRequeuesAfterTheGrace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := actionlog.NewMemory(lease)
		stop := start(t, worker.Options{Queue: m, Call: block, Interval: time.Second, Grace: 7 * time.Second})
		id := create(t, m)
		synctest.Wait()
		wantStatus(t, m, id, actionlog.StatusProcessing)
		began := time.Now()
		stop()
		if took := time.Since(began); took != 7*time.Second {
			t.Errorf("stopping took %s, want the grace", took)
		}
		wantStatus(t, m, id, actionlog.StatusCreated)
		start(t, worker.Options{Queue: m, Call: func(ctx context.Context, c actionlog.Claim) actionlog.Outcome {
			if c.Attempt != 2 {
				t.Errorf("attempt is %d, want 2", c.Attempt)
			}
			return succeed(ctx, c)
		}, Interval: time.Second})
		synctest.Wait()
		wantStatus(t, m, id, actionlog.StatusCompleted)
	})
}

// TestStoppingEndsThoughCallsDoNot: a call that does not notice its end keeps neither the process nor the entry.
func TestStoppingEndsThoughCallsDoNot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := actionlog.NewMemory(lease)
		deaf := func(context.Context, actionlog.Claim) actionlog.Outcome {
			<-time.After(time.Hour)
			return actionlog.Complete(json.RawMessage(`"late"`))
		}
		stop := start(t, worker.Options{Queue: m, Call: deaf, Interval: time.Second, Grace: time.Second})
		id := create(t, m)
		synctest.Wait()
		began := time.Now()
		stop()
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("stopping took %s", took)
		}
		wantStatus(t, m, id, actionlog.StatusCreated)
		pass(time.Hour)
		wantStatus(t, m, id, actionlog.StatusCreated)
	})
}

// TestCutOff cuts a worker off from the log while it calls a handler. It must have given the call up before another
// worker may take the entry over, and what it says later must not count.
func TestCutOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := actionlog.NewMemory(lease)
		var running atomic.Int64
		handler := func(answer string, took time.Duration) call {
			return func(ctx context.Context, _ actionlog.Claim) actionlog.Outcome {
				if running.Add(1) > 1 {
					t.Error("two workers run the entry")
				}
				defer running.Add(-1)
				select {
				case <-ctx.Done():
				case <-time.After(took):
				}
				return actionlog.Complete(json.RawMessage(answer)) // also when it was cancelled
			}
		}
		cut := &faulty{Queue: m}
		start(t, worker.Options{Queue: cut, Call: handler(`"first"`, time.Hour), Interval: time.Second})
		id := create(t, m)
		synctest.Wait()
		start(t, worker.Options{Queue: m, Call: handler(`"second"`, time.Minute), Interval: time.Second})
		pass(time.Minute)
		wantStatus(t, m, id, actionlog.StatusProcessing) // the first renews, the second waits
		began := time.Now()
		cut.set(errDown, "join", "renew", "claim", "record", "rescue", "leave")
		for running.Load() == 1 && time.Since(began) < lease {
			pass(time.Millisecond)
		}
		if took := time.Since(began); took >= lease {
			t.Errorf("the call was given up only after %s", took)
		}
		pass(lease/4 + time.Minute)
		if got := string(get(t, m, id).Response); got != `"second"` {
			t.Errorf("the response is %s", got)
		}
		cut.set(nil)
		pass(time.Minute)
		if got := string(get(t, m, id).Response); got != `"second"` {
			t.Errorf("later the response is %s", got)
		}
	})
}

func TestShortOutageHarmsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := actionlog.NewMemory(lease)
		var calls atomic.Int64
		queue := &faulty{Queue: m}
		start(t, worker.Options{Queue: queue, Interval: time.Second, Call: func(context.Context, actionlog.Claim) actionlog.Outcome {
			calls.Add(1)
			<-time.After(2 * time.Second)
			return actionlog.Complete(json.RawMessage(`1`))
		}})
		id := create(t, m)
		synctest.Wait()
		queue.set(errDown, "join", "renew", "claim", "record", "rescue", "leave")
		pass(lease / 2)
		wantStatus(t, m, id, actionlog.StatusProcessing)
		queue.set(nil)
		pass(5 * time.Second)
		wantStatus(t, m, id, actionlog.StatusCompleted)
		if calls.Load() != 1 {
			t.Errorf("the handler was called %d times", calls.Load())
		}
	})
}

func TestLongOutageIsSurvived(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := actionlog.NewMemory(lease)
		queue := &faulty{Queue: m}
		queue.set(errDown, "join")
		start(t, worker.Options{Queue: queue, Call: succeed, Interval: time.Second})
		first := create(t, m)
		pass(time.Hour)
		queue.set(nil)
		pass(5 * time.Second)
		wantStatus(t, m, first, actionlog.StatusCompleted)
		queue.set(errDown, "join", "renew", "claim", "record", "rescue", "leave")
		second := create(t, m)
		pass(time.Hour)
		wantStatus(t, m, second, actionlog.StatusCreated)
		queue.set(nil)
		pass(5 * time.Second)
		wantStatus(t, m, second, actionlog.StatusCompleted)
	})
}

// TestLostAnswers: what the store has done without the worker knowing is neither lost nor done twice.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := actionlog.NewMemory(lease)
		var calls atomic.Int64
		queue := &faulty{Queue: m, lose: map[string]bool{"claim": true, "record": true}}
		start(t, worker.Options{Queue: queue, Interval: time.Second, Call: func(context.Context, actionlog.Claim) actionlog.Outcome {
			return actionlog.Complete(json.RawMessage(string('0' + rune(calls.Add(1)))))
		}})
		id := create(t, m)
		pass(5 * time.Second)
		if got := string(get(t, m, id).Response); got != `1` || calls.Load() != 1 {
			t.Errorf("the response is %s after %d calls", got, calls.Load())
		}
	})
}

func TestManyWatchersGetOneSignalEach(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := actionlog.NewMemory(lease)
		start(t, worker.Options{Queue: m, Call: succeed, Interval: time.Hour})
		synctest.Wait()
		var wg sync.WaitGroup
		ids := make([]string, 1000)
		for i := range ids {
			ids[i] = create(t, m)
			changed, stop := m.Watch(ids[i])
			wg.Go(func() {
				defer stop()
				if !get(t, m, ids[i]).Status.Final() {
					<-changed
				}
			})
		}
		wg.Wait()
		if left := m.Pending(); len(left) != 0 {
			t.Errorf("%d entries are still watched", len(left))
		}
	})
}
