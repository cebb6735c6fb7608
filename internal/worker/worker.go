// Package worker runs asynchronous actions: it claims entries of the action log, has their handlers called, and records
// how that ended. Any number of workers, in one process or several, share a log.
package worker

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/nself-org/nself/internal/actionlog"
)

const (
	// defaultBatch is Hasura's.
	defaultBatch = 10
	// defaultConcurrency is more than Hasura's batch, so that a backlog drains at the speed of the handlers.
	defaultConcurrency = 64
	// defaultGrace is Hasura's.
	defaultGrace = 60 * time.Second
	// minPause and maxPause bound the wait before another attempt to reach the store. It doubles in between.
	minPause = 100 * time.Millisecond
	maxPause = 5 * time.Second
	// endTimeout is how long calls may take to return after they were cancelled, and how long the last messages to the
	// store may take.
	endTimeout = 5 * time.Second
	// maxRecordBytes bounds the answers that are recorded together.
	maxRecordBytes = 4 << 20
)

// Options configure a [Worker]. Queue, Call and Log are required.
type Options struct {
	Queue actionlog.Queue
	// Call calls the handler of an entry and returns how that ended: [actionlog.Complete] or [actionlog.Fail]. When ctx
	// ends, the entry is no longer the worker's, or is about to be requeued: Call must return soon, and a failure it
	// then returns is not recorded. It is called from many goroutines. A panic is recorded as a failure.
	Call func(ctx context.Context, c actionlog.Claim) actionlog.Outcome
	Log  *slog.Logger

	// Interval is how often entries of other processes are looked for when there is nothing to do
	// (HASURA_GRAPHQL_ASYNC_ACTIONS_FETCH_INTERVAL). Those of this process are found at once. Zero: the worker is off.
	Interval time.Duration
	// BatchSize is how many entries are claimed at once at most (HASURA_GRAPHQL_ASYNC_ACTIONS_FETCH_BATCH_SIZE). Zero:
	// 10.
	BatchSize int
	// Concurrency bounds the calls at any time. Zero: BatchSize if that is set, since a Hasura of that batch size has
	// no more calls under way; otherwise 64.
	Concurrency int
	// Grace is how long a stopping worker waits for calls under way (HASURA_GRAPHQL_GRACEFUL_SHUTDOWN_TIMEOUT). Zero:
	// 60 s. Below zero: not at all.
	Grace time.Duration
}

// Worker runs entries. Make it with [New].
type Worker struct {
	opt Options
}

// New makes a Worker.
func New(o Options) (*Worker, error) {
	switch {
	case o.Queue == nil || o.Call == nil || o.Log == nil:
		return nil, errors.New("worker: Options.Queue, Options.Call and Options.Log are required")
	case o.Interval < 0 || o.BatchSize < 0 || o.Concurrency < 0:
		return nil, errors.New("worker: Options.Interval, BatchSize and Concurrency must not be negative")
	}
	if o.Concurrency == 0 {
		o.Concurrency = cmp.Or(o.BatchSize, defaultConcurrency)
	}
	o.BatchSize = cmp.Or(o.BatchSize, defaultBatch)
	o.Grace = cmp.Or(o.Grace, defaultGrace)
	return &Worker{opt: o}, nil
}

// Run works until ctx ends. Then it claims no more, lets calls under way end within the grace, cancels and requeues the
// others, and returns nil. A store that cannot be reached is tried again and again.
func (w *Worker) Run(ctx context.Context) error {
	if w.opt.Interval == 0 {
		<-ctx.Done()
		return nil
	}
	pause := backoff{}
	for ctx.Err() == nil {
		s, err := w.join(ctx)
		if err != nil {
			if ctx.Err() == nil && pause.next == 0 { // once per outage
				w.opt.Log.WarnContext(ctx, "action log not reached", slog.String("error", err.Error()))
			}
			pause.wait(ctx)
			continue
		}
		pause.reset()
		s.run(ctx)
	}
	return nil
}

// backoff is the growing pause between attempts. The zero value begins with minPause.
type backoff struct{ next time.Duration }

func (b *backoff) reset() { b.next = 0 }

// wait waits, or until ctx ends.
func (b *backoff) wait(ctx context.Context) {
	b.next = min(max(b.next, minPause), maxPause)
	pause(ctx, b.next)
	b.next *= 2
}

// pause waits for d or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
