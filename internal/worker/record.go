package worker

import (
	"context"
	"errors"
	"log/slog"

	"github.com/nself-org/nself/internal/actionlog"
)

// record records outcomes until stopping ends and none is left. Outcomes that come in while others are being recorded go
// together in the next statement. After alive has ended outcomes are dropped: their claims do not stand.
func (s *session) record(alive, stopping context.Context) {
	for {
		var batch []actionlog.Result
		select {
		case r := <-s.results:
			batch = append(batch, r)
		case <-stopping.Done():
			select {
			case r := <-s.results:
				batch = append(batch, r)
			default:
				return
			}
		}
		for bytes := len(batch[0].Outcome.Payload); bytes < maxRecordBytes; {
			select {
			case r := <-s.results:
				batch = append(batch, r)
				bytes += len(r.Outcome.Payload)
				continue
			default:
			}
			break
		}
		s.recordBatch(alive, stopping, s.finished(batch))
	}
}

// finished keeps the results that have an outcome. The others stay held: Leave requeues them.
func (s *session) finished(batch []actionlog.Result) []actionlog.Result {
	kept := batch[:0]
	for _, r := range batch {
		if r.Outcome.Status.Final() {
			kept = append(kept, r)
		} else {
			<-s.slots
		}
	}
	return kept
}

// recordBatch records results, again and again while the store cannot be reached and the claims stand. A worker that is
// stopping gives up after endTimeout.
func (s *session) recordBatch(alive, stopping context.Context, batch []actionlog.Result) {
	ctx, cancel := context.WithCancel(alive)
	defer cancel()
	defer context.AfterFunc(stopping, func() {
		pause(ctx, endTimeout)
		cancel()
	})()
	var failed backoff
	for again := false; len(batch) > 0 && ctx.Err() == nil; again = true {
		within, cancel := context.WithTimeout(ctx, s.lease)
		errs := s.Queue.Record(within, batch)
		cancel()
		var retry []actionlog.Result
		var cause error
		for i, r := range batch {
			next, err := s.judge(ctx, r, errs[i], again)
			if next != nil {
				retry, cause = append(retry, *next), errors.Join(cause, err)
			}
		}
		batch = retry
		if cause != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "outcomes not recorded", slog.Int("entries", len(batch)),
				slog.String("error", firstOf(cause).Error()))
			failed.wait(ctx)
		}
	}
}

// judge reads what became of one result and returns what to record next for it, if anything, and why.
func (s *session) judge(ctx context.Context, r actionlog.Result, err error, again bool) (*actionlog.Result, error) {
	attrs := []any{slog.String("action", r.Claim.Action), slog.String("action_id", r.Claim.ID)}
	switch {
	case err == nil:
		s.drop(r.Claim.ID)
		return nil, nil
	case errors.Is(err, actionlog.ErrFenced):
		// After an attempt whose answer was lost this is usually our own success.
		if !again {
			s.Log.WarnContext(ctx, "outcome dropped, the claim does not stand any more", attrs...)
		}
		s.drop(r.Claim.ID)
		return nil, nil
	case errors.Is(err, actionlog.ErrUnstorable):
		s.Log.ErrorContext(ctx, "the handler's answer cannot be stored", append(attrs, slog.String("error", err.Error()))...)
		r.Outcome = failure("the response of the webhook cannot be stored")
		return &r, nil
	}
	return &r, err
}

// firstOf returns the first of joined errors: when the store is away all say the same.
func firstOf(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()[0]
	}
	return err
}
