package worker

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/nself-org/nself/internal/actionlog"
)

// errStopped ends calls that outlive the grace.
var errStopped = errors.New("the worker stops")

// session is the life of one claimant, from Join to Leave. A worker whose lease has ended begins another session under a
// new name: what the old one still has in flight can then never be mistaken for the new one's.
type session struct {
	Options

	claimant string
	lease    time.Duration
	expires  time.Time // see until

	slots   chan struct{} // holds a value per entry that is claimed and not yet recorded or given up
	results chan actionlog.Result
	calls   sync.WaitGroup

	mu   sync.Mutex
	held map[string]struct{} // ids of claimed entries, until they are recorded or given up
}

// join begins a session.
func (w *Worker) join(ctx context.Context) (*session, error) {
	s := &session{
		Options:  w.opt,
		claimant: uuid.NewString(),
		slots:    make(chan struct{}, w.opt.Concurrency),
		results:  make(chan actionlog.Result, w.opt.Concurrency), // a call never waits to hand in its result
		held:     map[string]struct{}{},
	}
	ctx, cancel := context.WithTimeout(ctx, maxPause)
	defer cancel()
	began := time.Now()
	lease, err := s.Queue.Join(ctx, s.claimant)
	s.lease = lease
	s.expires = s.until(began)
	return s, err
}

// until is when a lease that was asked for at began counts as over here. That is earlier than for the store, which began
// to count later: calls need a moment to end.
func (s *session) until(began time.Time) time.Time { return began.Add(s.lease - s.lease/10) }

// run works until ctx ends or the lease is lost.
func (s *session) run(ctx context.Context) {
	// alive ends when the lease does; what stops does not end it.
	alive, lose := context.WithCancelCause(context.WithoutCancel(ctx))
	defer lose(nil)
	calling, cancelCalls := context.WithCancelCause(alive)
	defer cancelCalls(nil)
	claiming, stopClaiming := context.WithCancel(ctx)
	defer stopClaiming()
	defer context.AfterFunc(alive, stopClaiming)()
	recording, stopRecording := context.WithCancel(context.WithoutCancel(ctx))
	defer stopRecording()

	var background sync.WaitGroup
	background.Go(func() { s.renew(alive, lose) })
	recorded := make(chan struct{})
	go func() {
		defer close(recorded)
		s.record(alive, recording)
	}()

	s.claim(claiming, calling)
	s.settle(ctx, alive, cancelCalls)
	stopRecording()
	awaitClosed(recorded, endTimeout)
	s.leave(context.WithoutCancel(ctx))
	lose(nil)
	background.Wait()
	<-recorded
}

// settle waits for the calls under way: for the grace, then, cancelled, as long as it takes them to notice.
func (s *session) settle(ctx, alive context.Context, cancelCalls context.CancelCauseFunc) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.calls.Wait()
	}()
	grace := time.NewTimer(max(s.Grace, 0))
	defer grace.Stop()
	select {
	case <-ended:
		return
	case <-alive.Done():
	case <-grace.C:
	}
	cancelCalls(errStopped)
	if !awaitClosed(ended, endTimeout) {
		s.Log.WarnContext(ctx, "calls of handlers do not end", slog.Int("calls", len(s.holding())))
	}
}

// awaitClosed waits for c to be closed, for d at most.
func awaitClosed(c <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-c:
		return true
	case <-timer.C:
		return false
	}
}

// leave requeues what is left and ends the lease. Whoever rescues does both if this fails.
func (s *session) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, endTimeout)
	defer cancel()
	if err := s.Queue.Leave(ctx, s.claimant); err != nil {
		s.Log.WarnContext(ctx, "action log not left in order; its entries are requeued when the lease has ended",
			slog.String("error", err.Error()), slog.Duration("lease", s.lease))
	} else if left := len(s.holding()); left > 0 {
		s.Log.InfoContext(ctx, "asynchronous actions requeued", slog.Int("entries", left))
	}
}

// renew keeps the lease alive. When that fails for the length of the lease, or somebody has ended it, it ends alive.
func (s *session) renew(alive context.Context, lose context.CancelCauseFunc) {
	expires := s.expires
	for {
		pause(alive, min(s.period(), time.Until(expires)))
		if alive.Err() != nil {
			return
		}
		began := time.Now()
		ctx, cancel := context.WithDeadline(alive, minTime(expires, began.Add(s.period())))
		err := s.Queue.Renew(ctx, s.claimant)
		cancel()
		switch {
		case alive.Err() != nil:
			return
		case err == nil:
			expires = s.until(began)
			continue
		case !errors.Is(err, actionlog.ErrLost) && time.Now().Before(expires):
			s.Log.WarnContext(alive, "lease not renewed", slog.String("error", err.Error()))
			pause(alive, min(s.period()/4, time.Until(expires)))
			continue
		}
		s.Log.WarnContext(alive, "lease lost; calls under way are given up and run again",
			slog.Int("calls", len(s.holding())))
		lose(actionlog.ErrLost)
		return
	}
}

// period is how often the lease is renewed and the dead are looked for: often enough that two failures in a row harm
// nothing.
func (s *session) period() time.Duration { return s.lease / 4 }

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// hold notes claimed entries.
func (s *session) hold(claims []actionlog.Claim) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range claims {
		s.held[c.ID] = struct{}{}
	}
}

// drop forgets an entry and frees its slot.
func (s *session) drop(id string) {
	s.mu.Lock()
	delete(s.held, id)
	s.mu.Unlock()
	<-s.slots
}

func (s *session) holding() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.held))
}
