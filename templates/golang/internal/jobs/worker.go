package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/nself-org/nself/templates/golang/internal/store"
	"github.com/nself-org/nself/templates/golang/internal/tracing"
)

// Func does a job and returns where its result lies. It must bear being run again from the start: a process can be killed
// in the middle of it. An [*Error] goes to the user; of any other error the user learns nothing.
type Func func(ctx context.Context, r *Run) (resultKey string, err error)

// Error is why a job failed, as its user may read it.
type Error struct {
	Message string
	Final   bool // another attempt would fail too
	Err     error
}

// Error returns the message and the cause.
func (e *Error) Error() string {
	if e.Err != nil {
		return e.Message + ": " + e.Err.Error()
	}
	return e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

const (
	failed      = "The job failed"
	interrupted = "The job was interrupted too often"
	// maxRun bounds one attempt.
	maxRun = 6 * time.Hour
	// writeTimeout bounds the last word about an attempt, which is written even when the service is stopping.
	writeTimeout = 5 * time.Second
)

// errLost ends the work on a job that was cancelled, or that another worker has taken over.
var errLost = errors.New("the job is not ours any more")

// Run is one attempt at a job.
type Run struct {
	Job
	service *Service
}

// DB is for what the job reads and writes. It has a connection for each job beside those for the bookkeeping.
func (r *Run) DB() store.DB { return r.service.queue.Pool }

// Decode reads the job's payload into v.
func (r *Run) Decode(v any) error {
	if err := json.Unmarshal(r.Payload, v); err != nil {
		return fmt.Errorf("read the job: %w", err)
	}
	return nil
}

// Progress tells how much is done, in percent. Its error must end the work: the job may have been cancelled.
func (r *Run) Progress(ctx context.Context, percent int) error {
	tag, err := r.service.queue.Pool.Exec(ctx, `UPDATE public.jobs SET progress = $3, updated_at = now()
		WHERE id = $1 AND status = 'RUNNING' AND attempts = $2`, r.ID, r.Attempts, min(max(percent, 0), 100))
	if err != nil {
		return fmt.Errorf("note the progress: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return errLost
	}
	return nil
}

// args is what the queue carries.
type args struct {
	ID string `json:"id"`
	// Traceparent is the trace of the request that has queued the job. A job that was abandoned is not part of one any more.
	Traceparent string `json:"traceparent,omitempty"`
}

// Kind implements [river.JobArgs].
func (args) Kind() string { return "job" }

type worker struct {
	river.WorkerDefaults[args]
	service *Service
}

// Timeout keeps River from rescuing a job that takes long: heartbeats tell better whether its worker lives.
func (w *worker) Timeout(*river.Job[args]) time.Duration { return maxRun }

// Work claims the job, does it, and writes what came of it in one transaction with the queue's own record.
func (w *worker) Work(ctx context.Context, entry *river.Job[args]) error {
	s := w.service
	// The number of attempts marks a claim: whoever comes later has a higher one.
	j, err := one(s.queue.Pool.Query(ctx, `UPDATE public.jobs SET status = 'RUNNING', attempts = attempts + 1,
			started_at = coalesce(started_at, now()), updated_at = now()
		WHERE id = $1 AND status = 'QUEUED' RETURNING `+columns, entry.Args.ID))
	if errors.Is(err, ErrNotFound) {
		return nil // done, cancelled, or in other hands
	}
	if err != nil {
		return fmt.Errorf("claim job %s: %w", entry.Args.ID, err)
	}
	log := s.log.With(slog.String("job_id", j.ID), slog.String("kind", j.Kind), slog.Int("attempt", j.Attempts))
	start := time.Now()
	traced, end := tracing.Job(ctx, entry.Args.Traceparent, j.Kind, j.ID, j.Attempts)
	key, err := s.do(traced, &Run{Job: j, service: s})
	end(err)
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	switch {
	case err == nil:
		return s.succeed(last, log, start, j, key, entry)
	case errors.Is(err, errLost):
		log.InfoContext(ctx, "job stopped: it was cancelled")
		return nil
	case ctx.Err() != nil:
		log.InfoContext(last, "job interrupted: it goes on after the next start")
		return s.giveBack(last, j)
	default:
		return s.fail(last, log, j, err)
	}
}

// do runs the job's function with a heartbeat beside it.
func (s *Service) do(ctx context.Context, r *Run) (key string, err error) {
	fn, ok := s.kinds[r.Kind]
	if !ok {
		return "", fmt.Errorf("there is no worker for jobs of kind %q", r.Kind)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	var beat sync.WaitGroup
	beat.Go(func() { s.heartbeat(ctx, r, cancel) })
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
		if errors.Is(context.Cause(ctx), errLost) {
			err = errLost
		}
		cancel(nil)
		beat.Wait()
	}()
	return fn(ctx, r)
}

func (s *Service) heartbeat(ctx context.Context, r *Run, lost context.CancelCauseFunc) {
	tick := time.NewTicker(heartbeat)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		tag, err := s.queue.Pool.Exec(ctx, `UPDATE public.jobs SET updated_at = now()
			WHERE id = $1 AND status = 'RUNNING' AND attempts = $2`, r.ID, r.Attempts)
		switch {
		case err != nil:
			s.log.DebugContext(ctx, "no heartbeat", slog.String("job_id", r.ID), slog.Any("error", err))
		case tag.RowsAffected() == 0:
			lost(errLost)
			return
		}
	}
}

func (s *Service) succeed(
	ctx context.Context, log *slog.Logger, start time.Time, j Job, key string, entry *river.Job[args],
) error {
	done := false
	err := store.InTx(ctx, s.queue.Pool, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE public.jobs SET status = 'SUCCEEDED', progress = 100, result_key = nullif($3, ''),
				error = NULL, finished_at = now(), updated_at = now()
			WHERE id = $1 AND status = 'RUNNING' AND attempts = $2`, j.ID, j.Attempts, key)
		if err != nil {
			return err
		}
		done = tag.RowsAffected() > 0
		_, err = river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, entry)
		return err
	})
	if err != nil {
		return fmt.Errorf("finish job %s: %w", j.ID, err)
	}
	if done {
		log.InfoContext(ctx, "job succeeded", slog.Float64("duration_ms", float64(time.Since(start).Microseconds())/1000))
	}
	return nil
}

// giveBack makes the interrupted attempt count for nothing.
func (s *Service) giveBack(ctx context.Context, j Job) error {
	if _, err := s.queue.Pool.Exec(ctx, `UPDATE public.jobs SET status = 'QUEUED', attempts = attempts - 1, updated_at = now()
		WHERE id = $1 AND status = 'RUNNING' AND attempts = $2`, j.ID, j.Attempts); err != nil {
		return fmt.Errorf("give back job %s: %w", j.ID, err)
	}
	return river.JobSnooze(0)
}

func (s *Service) fail(ctx context.Context, log *slog.Logger, j Job, cause error) error {
	message, final := failed, j.Attempts >= j.MaxAttempts
	if public, ok := errors.AsType[*Error](cause); ok {
		message, final = public.Message, final || public.Final
	}
	log.ErrorContext(ctx, "job attempt failed", slog.Bool("final", final), slog.Any("error", cause))
	if _, err := s.queue.Pool.Exec(ctx, `UPDATE public.jobs SET error = $3, updated_at = now(),
			status = CASE WHEN $4 THEN 'FAILED' ELSE 'QUEUED' END, finished_at = CASE WHEN $4 THEN now() END
		WHERE id = $1 AND status = 'RUNNING' AND attempts = $2`, j.ID, j.Attempts, message, final); err != nil {
		return fmt.Errorf("note the failure of job %s: %w", j.ID, err)
	}
	if final {
		return river.JobCancel(cause)
	}
	return cause
}
