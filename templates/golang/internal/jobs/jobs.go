// Package jobs keeps jobs in the table public.jobs, which is the truth about them, and does them in the background. The
// queue carries their ids only.
package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nself-org/nself/templates/golang/internal/action"
	"github.com/nself-org/nself/templates/golang/internal/config"
	"github.com/nself-org/nself/templates/golang/internal/lifecycle"
	"github.com/nself-org/nself/templates/golang/internal/queue"
	"github.com/nself-org/nself/templates/golang/internal/store"
	"github.com/nself-org/nself/templates/golang/internal/tracing"
)

// runtime marks our jobs among those of the project's other function services.
const runtime = "golang"

// Errors that callers tell apart.
var (
	ErrNotFound = errors.New("no such job")
	// ErrFinished says that a job cannot be cancelled any more.
	ErrFinished = errors.New("the job has already finished")
)

// Status is the state of a job.
type Status string

// The states of a job. A failed attempt that is followed by another leaves the job Queued.
const (
	Queued    Status = "QUEUED"
	Running   Status = "RUNNING"
	Succeeded Status = "SUCCEEDED"
	Failed    Status = "FAILED"
	Cancelled Status = "CANCELLED"
)

// Job is a row of public.jobs.
type Job struct {
	ID          string
	Kind        string
	UserID      *string // whose it is; nil: the admin's
	Payload     json.RawMessage
	Status      Status
	Progress    int // percent
	Attempts    int
	MaxAttempts int
	ResultKey   *string // where the result lies in the storage
	Error       *string // for the user
	CreatedAt   time.Time
	FinishedAt  *time.Time
}

const columns = `id::text, kind, user_id, payload, status, progress, attempts, max_attempts, result_key, error, created_at,
	finished_at`

// Service queues jobs and does them. It is safe for concurrent use.
type Service struct {
	pool  store.DB // for requests; work has the queue's
	queue *queue.Queue
	log   *slog.Logger
	kinds map[string]Func
}

// Of returns the service's jobs. The pool is for requests about them.
func Of(
	parts *lifecycle.Group, cfg config.Config, pool store.DB, env *config.Reader, log *slog.Logger,
) *Service {
	return lifecycle.Shared(parts, func() *Service {
		s := New(pool, queue.Of(parts, cfg, env, log), log)
		parts.Go("jobs", s.Run)
		return s
	})
}

// New makes a Service on a queue. [Service.Run] must run beside it.
func New(pool store.DB, q *queue.Queue, log *slog.Logger) *Service {
	return &Service{pool: pool, queue: q, log: log, kinds: map[string]Func{}}
}

// Handle says how jobs of a kind are done. All kinds must be known before the queue runs.
func (s *Service) Handle(kind string, fn Func) {
	if len(s.kinds) == 0 {
		queue.Add(s.queue, &worker{service: s})
	}
	s.kinds[kind] = fn
}

// Enqueue makes a job of a kind and queues it in the same transaction. An empty userID means that it is the admin's.
func (s *Service) Enqueue(ctx context.Context, tx pgx.Tx, kind, userID string, payload any) (Job, error) {
	data, err := json.Marshal(payload)
	if err != nil {
		return Job{}, fmt.Errorf("encode the job: %w", err)
	}
	j, err := one(tx.Query(ctx, `INSERT INTO public.jobs (kind, user_id, payload, max_attempts, runtime)
		VALUES ($1, nullif($2, ''), $3, $4, $5) RETURNING `+columns, kind, userID, data, s.queue.MaxAttempts, runtime))
	if err != nil {
		return Job{}, fmt.Errorf("make the job: %w", err)
	}
	return j, s.queue.Insert(ctx, tx, args{ID: j.ID, Traceparent: tracing.Traceparent(ctx)})
}

// Find returns the job with this id, or [ErrNotFound].
func (s *Service) Find(ctx context.Context, id string) (Job, error) {
	j, err := one(s.pool.Query(ctx, "SELECT "+columns+" FROM public.jobs WHERE id = $1", id))
	if err != nil && !errors.Is(err, ErrNotFound) {
		err = fmt.Errorf("find job %s: %w", id, err)
	}
	return j, err
}

// FindOwn is [Service.Find] for a user: the job of someone else is not found, unless any says that all may be seen. Text
// that is no id is not found either.
func (s *Service) FindOwn(ctx context.Context, id, userID string, any bool) (Job, error) {
	if id = action.UUID(id); id == "" {
		return Job{}, ErrNotFound
	}
	j, err := s.Find(ctx, id)
	if err == nil && !any && (j.UserID == nil || *j.UserID != userID) {
		return Job{}, ErrNotFound
	}
	return j, err
}

// Cancel ends a job that has not finished; a worker that is at it stops at its next step. It returns [ErrFinished] with
// the job, or [ErrNotFound].
func (s *Service) Cancel(ctx context.Context, id string) (Job, error) {
	j, err := one(s.pool.Query(ctx, `UPDATE public.jobs SET status = 'CANCELLED', finished_at = now(), updated_at = now()
		WHERE id = $1 AND status IN ('QUEUED', 'RUNNING') RETURNING `+columns, id))
	if !errors.Is(err, ErrNotFound) {
		return j, err
	}
	if j, err = s.Find(ctx, id); err != nil {
		return j, err
	}
	return j, ErrFinished
}

// one reads the only row of a query, or returns [ErrNotFound].
func one(rows pgx.Rows, err error) (Job, error) {
	if err != nil {
		return Job{}, err
	}
	j, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Job])
	if errors.Is(err, pgx.ErrNoRows) {
		return Job{}, ErrNotFound
	}
	return j, err
}

const (
	// heartbeat is how often a worker says that it is still at a job, and sees whether it was cancelled.
	heartbeat = 3 * time.Second
	// lostAfter is when a job without a heartbeat counts as abandoned. It is several heartbeats, so that a database that is
	// slow for a moment does not get work done twice.
	lostAfter = 15 * time.Second
	// sweepEvery is how often abandoned jobs are looked for.
	sweepEvery = 5 * time.Second
)

// Run looks for jobs that nobody works on though they are not finished, because the process that did was killed, and
// queues them again. It blocks until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	if len(s.kinds) == 0 || s.queue.Ready(ctx) != nil {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if n, err := s.sweep(ctx); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "abandoned jobs not looked for", slog.Any("error", err))
		} else if n > 0 {
			s.log.WarnContext(ctx, "abandoned jobs queued again", slog.Int("jobs", n))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// sweep queues abandoned jobs again, or gives them up when that was their last attempt.
func (s *Service) sweep(ctx context.Context) (n int, err error) {
	err = store.InTx(ctx, s.queue.Pool, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `UPDATE public.jobs SET updated_at = now(),
				status = CASE WHEN status = 'RUNNING' AND attempts >= max_attempts THEN 'FAILED' ELSE 'QUEUED' END,
				error = CASE WHEN status = 'RUNNING' AND attempts >= max_attempts THEN $3 ELSE error END,
				finished_at = CASE WHEN status = 'RUNNING' AND attempts >= max_attempts THEN now() END
			WHERE id IN (
				SELECT id FROM public.jobs WHERE runtime = $1 AND updated_at < now() - $2::interval AND (status = 'RUNNING'
					OR status = 'QUEUED' AND NOT EXISTS (
						SELECT FROM `+queue.Schema+`.river_job r WHERE r.kind = $4 AND r.args ->> 'id' = public.jobs.id::text
							AND r.state IN ('available', 'pending', 'retryable', 'scheduled')))
				FOR UPDATE SKIP LOCKED)
			RETURNING id::text, status`, runtime, lostAfter, interrupted, args{}.Kind())
		if err != nil {
			return err
		}
		type row struct {
			ID     string
			Status Status
		}
		lost, err := pgx.CollectRows(rows, pgx.RowToStructByPos[row])
		if err != nil {
			return err
		}
		for _, j := range lost {
			if j.Status != Queued {
				continue
			}
			n++
			if err := s.queue.Insert(ctx, tx, args{ID: j.ID}); err != nil {
				return err
			}
		}
		return nil
	})
	return n, err
}
