package worker

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/nself-org/nself/internal/action"
	"github.com/nself-org/nself/internal/actionlog"
)

// claim claims entries and starts their calls until ctx ends. While batches come back full it does not wait.
func (s *session) claim(ctx, calling context.Context) {
	arrived, stop := s.Queue.Arrivals()
	defer stop()
	upkeep := time.NewTicker(s.period())
	defer upkeep.Stop()
	poll := time.NewTicker(s.Interval)
	defer poll.Stop()
	var failed backoff
	// The first look at the dead comes before the first claim: after a crash the dead is often this program itself.
	due := true
	for ctx.Err() == nil {
		if due {
			due = !s.upkeep(ctx)
		}
		full, err := s.batch(ctx, calling)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			s.Log.WarnContext(ctx, "no entries claimed", slog.String("error", err.Error()))
			due = true // entries may have been claimed without our knowing
			failed.wait(ctx)
			continue
		}
		failed.reset()
		if full {
			select {
			case <-upkeep.C:
				due = true
			default:
			}
			continue
		}
		select {
		case <-ctx.Done():
		case <-arrived:
		case <-poll.C:
		case <-upkeep.C:
			due = true
		}
	}
}

// upkeep gives back entries that the store counts as ours and we know nothing of, after an answer was lost, and rescues
// those of the dead. It tells whether that was done.
func (s *session) upkeep(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, s.lease)
	defer cancel()
	unknown, err := s.Queue.Requeue(ctx, s.claimant, s.holding())
	rescued := 0
	if err == nil {
		rescued, err = s.Queue.Rescue(ctx)
	}
	if unknown+rescued > 0 {
		s.Log.InfoContext(ctx, "asynchronous actions requeued", slog.Int("of_dead_gateways", rescued),
			slog.Int("of_lost_answers", unknown))
	}
	if err != nil && ctx.Err() == nil {
		s.Log.WarnContext(ctx, "no entries rescued", slog.String("error", err.Error()))
	}
	return err == nil
}

// batch claims as many entries as there are free slots, up to the batch size, and starts their calls. full tells that
// there may be more.
func (s *session) batch(ctx, calling context.Context) (full bool, err error) {
	limit := s.reserve(ctx)
	if limit == 0 {
		return false, nil
	}
	within, cancel := context.WithTimeout(ctx, s.lease)
	claims, err := s.Queue.Claim(within, s.claimant, limit)
	cancel()
	for range limit - len(claims) {
		<-s.slots
	}
	s.hold(claims)
	for _, c := range claims {
		s.calls.Go(func() { s.results <- actionlog.Result{Claim: c, Outcome: s.call(calling, c)} })
	}
	return len(claims) == limit, err
}

// reserve takes one slot, waiting for it, and further free ones up to the batch size. It returns how many; 0 when ctx
// has ended.
func (s *session) reserve(ctx context.Context) int {
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return 0
	}
	for n := 1; n < s.BatchSize; n++ {
		select {
		case s.slots <- struct{}{}:
		default:
			return n
		}
	}
	return s.BatchSize
}

// call runs one entry.
func (s *session) call(ctx context.Context, c actionlog.Claim) (outcome actionlog.Outcome) {
	if c.Attempt > 1 {
		s.Log.InfoContext(ctx, "asynchronous action runs again", slog.String("action", c.Action),
			slog.String("action_id", c.ID), slog.Int("attempt", c.Attempt))
	}
	began := time.Now()
	defer func() {
		if cause := recover(); cause != nil {
			s.Log.ErrorContext(ctx, "asynchronous action panicked", slog.String("action", c.Action),
				slog.String("action_id", c.ID), slog.String("cause", fmt.Sprint(cause)),
				slog.String("stack", string(debug.Stack())))
			outcome = failure("internal error")
		}
		s.Log.DebugContext(ctx, "asynchronous action ended", slog.String("action", c.Action),
			slog.String("action_id", c.ID), slog.String("status", string(outcome.Status)),
			slog.Duration("duration", time.Since(began)))
	}()
	outcome = s.Call(ctx, c)
	if ctx.Err() != nil && outcome.Status != actionlog.StatusCompleted {
		return actionlog.Outcome{} // cancelled by us, which is no failure of the action
	}
	if !outcome.Status.Final() {
		s.Log.ErrorContext(ctx, "asynchronous action ended without an outcome", slog.String("action", c.Action),
			slog.String("action_id", c.ID))
		outcome = failure("internal error")
	}
	return outcome
}

// failure is an outcome of our own making.
func failure(message string) actionlog.Outcome {
	err := action.Error{Message: message, Code: action.CodeUnexpected}
	return actionlog.Fail(err.AppendFlat(nil, false))
}
