// Package queue runs work in the background with River, whose queue is in Postgres: work is queued in the transaction
// that it belongs to, and outlives the process. River's tables are in the schema "river"; the service makes them itself.
package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"

	"github.com/nself-org/nself/templates/golang/internal/config"
	"github.com/nself-org/nself/templates/golang/internal/lifecycle"
	"github.com/nself-org/nself/templates/golang/internal/store"
)

// Schema is where River's tables are.
const Schema = "river"

const (
	// startWait bounds how long [Queue.Insert] waits for a queue that is just starting.
	startWait = 10 * time.Second
	// retryWait is the pause between attempts to start, while Postgres is down.
	retryWait = time.Second
	// stopWait bounds the end: work is told to stop, and goes on after the next start.
	stopWait = 10 * time.Second
	// workTimeout bounds one attempt of work that does not set a limit of its own.
	workTimeout = 30 * time.Second
	// rescueAfter is when work whose process has died begins anew. It must be longer than workTimeout.
	rescueAfter = 40 * time.Second
	// ownConns is how many connections River takes for itself, beside two for each piece of work: one to read with, and one
	// to note the progress with.
	ownConns = 4
	// maxBackoff bounds the pause between two attempts.
	maxBackoff = 5 * time.Minute
	// migrationLock lets one instance at a time make the tables. The number is arbitrary; it must not change.
	migrationLock = 7_226_914_801
)

// Options say how work is done.
type Options struct {
	Concurrency int           // how much at the same time
	MaxAttempts int           // how often before it is given up
	Backoff     time.Duration // the pause before the second attempt; it doubles with each further one
}

// Queue queues work and does it. It is safe for concurrent use.
type Queue struct {
	Options
	// Pool is for work that is done: it has connections for all that may be done at once, so that work neither waits for
	// itself nor keeps requests waiting.
	Pool    *pgxpool.Pool
	log     *slog.Logger
	workers *river.Workers
	working bool // whether there is a worker at all
	client  *river.Client[pgx.Tx]
	ready   chan struct{} // closed when client is set
}

// Of returns the service's queue. It reads JOB_CONCURRENCY (2), JOB_MAX_ATTEMPTS (5) and JOB_BACKOFF_SECONDS (1).
func Of(parts *lifecycle.Group, cfg config.Config, env *config.Reader, log *slog.Logger) *Queue {
	return lifecycle.Shared(parts, func() *Queue {
		opts := Options{
			Concurrency: env.Integer("JOB_CONCURRENCY", 2, 1, 100),
			MaxAttempts: env.Integer("JOB_MAX_ATTEMPTS", 5, 1, 100),
			Backoff:     time.Duration(env.Integer("JOB_BACKOFF_SECONDS", 1, 1, 3600)) * time.Second,
		}
		pool, err := store.OpenPool(context.Background(), cfg.DatabaseURL, 2*opts.Concurrency+ownConns)
		if err != nil {
			env.Problem("%w", err)
		}
		q := New(pool, log, opts)
		parts.Go("queue", func(ctx context.Context) error {
			defer pool.Close()
			return q.Run(ctx)
		})
		return q
	})
}

// New makes a Queue on a pool, which [Queue.Run] starts.
func New(pool *pgxpool.Pool, log *slog.Logger, opts Options) *Queue {
	return &Queue{Options: opts, Pool: pool, log: log, workers: river.NewWorkers(), ready: make(chan struct{})}
}

// Add adds the worker for one kind of work. All must be there before [Queue.Run].
func Add[T river.JobArgs](q *Queue, w river.Worker[T]) {
	river.AddWorker(q.workers, w)
	q.working = true
}

// Insert queues work in a transaction: it is done after the commit, or never. While the queue starts, it waits.
func (q *Queue) Insert(ctx context.Context, tx pgx.Tx, work ...river.JobArgs) error {
	ctx, cancel := context.WithTimeout(ctx, startWait)
	defer cancel()
	select {
	case <-q.ready:
	case <-ctx.Done():
		return errors.New("queue work: the queue has not started")
	}
	if len(work) == 0 {
		return nil
	}
	params := make([]river.InsertManyParams, len(work))
	for i, args := range work {
		params[i] = river.InsertManyParams{Args: args, InsertOpts: &river.InsertOpts{MaxAttempts: q.MaxAttempts}}
	}
	if _, err := q.client.InsertManyFastTx(ctx, tx, params); err != nil {
		return fmt.Errorf("queue work: %w", err)
	}
	return nil
}

// Ready returns when the queue has started, or with an error when ctx ends.
func (q *Queue) Ready(ctx context.Context) error {
	select {
	case <-q.ready:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Run does work until ctx ends, and waits for Postgres when it is down. Work that is under way when ctx ends has its own
// context ended; it begins anew with the next start.
func (q *Queue) Run(ctx context.Context) error {
	if !q.working { // nothing is queued by who has no workers either
		<-ctx.Done()
		return nil
	}
	client, err := q.newClient()
	if err != nil {
		return fmt.Errorf("set up the queue: %w", err)
	}
	tick := time.NewTicker(retryWait)
	defer tick.Stop()
	for {
		// River would end with the context; it is stopped below.
		err := q.migrate(ctx)
		if err == nil {
			err = client.Start(context.WithoutCancel(ctx))
		}
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return nil
		}
		q.log.WarnContext(ctx, "the queue has not started", slog.Any("error", err))
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
	q.client = client
	close(q.ready)
	<-ctx.Done()
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWait)
	defer cancel()
	if err := client.StopAndCancel(stop); err != nil {
		return fmt.Errorf("stop the queue: %w", err)
	}
	return nil
}

func (q *Queue) newClient() (*river.Client[pgx.Tx], error) {
	return river.NewClient(riverpgxv5.New(q.Pool), &river.Config{
		Schema:               Schema,
		Queues:               map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: q.Concurrency}},
		Workers:              q.workers,
		MaxAttempts:          q.MaxAttempts,
		RetryPolicy:          backoff(q.Backoff),
		JobTimeout:           workTimeout,
		RescueStuckJobsAfter: rescueAfter,
		Logger:               slog.New(warnings{q.log.Handler()}),
	})
}

// migrate makes River's tables, or brings them to the version that this River needs.
func (q *Queue) migrate(ctx context.Context) error {
	conn, err := q.Pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", migrationLock); err != nil {
		return fmt.Errorf("lock the queue's tables: %w", err)
	}
	defer func() {
		// A connection that is lost has lost its lock with it.
		_, _ = conn.Exec(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", migrationLock)
	}()
	if _, err := conn.Exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+Schema); err != nil {
		return fmt.Errorf("make the schema %s: %w", Schema, err)
	}
	migrator, err := rivermigrate.New(riverpgxv5.New(q.Pool), &rivermigrate.Config{
		Schema: Schema, Logger: slog.New(warnings{q.log.Handler()}),
	})
	if err != nil {
		return err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("migrate the queue's tables: %w", err)
	}
	return nil
}

// backoff is the pause before the second attempt; it doubles with each further one.
type backoff time.Duration

// NextRetry implements [river.ClientRetryPolicy].
func (b backoff) NextRetry(job *rivertype.JobRow) time.Time {
	return time.Now().Add(Pause(time.Duration(b), job.Attempt))
}

// Pause is how long to wait after the given attempt, from 1, has failed.
func Pause(base time.Duration, attempt int) time.Duration {
	pause := base
	for ; attempt > 1 && pause < maxBackoff; attempt-- {
		pause *= 2
	}
	return min(pause, maxBackoff)
}

// warnings leaves out what River tells about its own doings.
type warnings struct{ slog.Handler }

func (h warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && h.Handler.Enabled(ctx, level)
}

func (h warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return warnings{h.Handler.WithAttrs(attrs)}
}

func (h warnings) WithGroup(name string) slog.Handler { return warnings{h.Handler.WithGroup(name)} }
