package native

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/thejerf/suture/v4"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/stack"
)

// A service that ends maxEnds times within crashWindow is in a crash loop and is not started again. With the pauses
// between starts that takes about a second and a half for a program that ends at once: soon enough for `up` to say so.
const (
	maxEnds     = 5
	crashWindow = time.Minute
	firstPause  = 100 * time.Millisecond
	lastPause   = 5 * time.Second
)

// How often a starting service is asked, and how long one question may take.
const (
	firstProbe    = 3 * time.Millisecond
	probeInterval = 20 * time.Millisecond
	slowProbe     = 250 * time.Millisecond
	probeTimeout  = 2 * time.Second
)

// unit is one service under supervision. Its methods are safe for concurrent use.
type unit struct {
	name  string
	lay   layout
	prog  program
	print string
	out   *logFile
	log   *slog.Logger

	done chan struct{} // closed when it will not run again

	mu       sync.Mutex
	state    stack.State
	detail   string // why it is where it is, or the last probe's answer
	err      error  // set with StateFailed
	pid      int
	started  time.Time
	restarts int
	ends     []time.Time
	changed  chan struct{} // closed, and replaced, at each change

	token suture.ServiceToken
}

var _ suture.Service = (*unit)(nil)

func newUnit(name string, lay layout, prog program, out *logFile, log *slog.Logger) *unit {
	return &unit{
		name: name, lay: lay, prog: prog, print: prog.fingerprint(), out: out, log: log.With(slog.String("service", name)),
		done: make(chan struct{}), state: stack.StateStarting, changed: make(chan struct{}),
	}
}

// String names the unit in suture's events.
func (u *unit) String() string { return u.name }

func (u *unit) set(f func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	f()
	close(u.changed)
	u.changed = make(chan struct{})
}

// Serve runs the service once. It returns an error to be started again, suture.ErrDoNotRestart when that is pointless.
func (u *unit) Serve(ctx context.Context) error {
	if err := u.pause(ctx); err != nil {
		return u.finish(stack.StateStopped, "", nil)
	}
	runCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	var watch sync.WaitGroup
	defer watch.Wait()
	defer cancel()

	u.out.mark() // a report shows what this start has written, not the same words of those before
	err := u.prog.beforeStart(runCtx)
	if err == nil {
		err = u.prog.run(runCtx, func(pid int) {
			u.set(func() { u.pid, u.started, u.state, u.detail = pid, time.Now(), stack.StateStarting, "started" })
			watch.Go(func() { u.watch(runCtx) })
		})
	}
	u.out.flush()
	if ctx.Err() != nil {
		return u.finish(stack.StateStopped, "", nil)
	}
	if isPermanent(err) {
		return u.finish(stack.StateFailed, err.Error(), err)
	}
	return u.ended(ctx, err)
}

// pause waits before a restart: not at the first start, then twice as long each time.
func (u *unit) pause(ctx context.Context) error {
	u.mu.Lock()
	n := len(u.ends)
	u.mu.Unlock()
	if n == 0 {
		return ctx.Err()
	}
	d := min(firstPause<<(n-1), lastPause)
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// ended counts an end that nobody asked for, and tells a crash loop from an accident.
func (u *unit) ended(ctx context.Context, err error) error {
	now := time.Now()
	u.mu.Lock()
	u.ends = slices.DeleteFunc(u.ends, func(at time.Time) bool { return now.Sub(at) >= crashWindow })
	u.ends = append(u.ends, now)
	n := len(u.ends)
	u.mu.Unlock()
	why := exitText(err)
	if n >= maxEnds {
		u.log.ErrorContext(ctx, "service crashed too often", slog.Int("ends", n), slog.String("reason", why))
		if err := u.lay.taken(ctx, u.prog.info().Ports); err != nil {
			return u.finish(stack.StateCrashed, err.Error(), err)
		}
		return u.finish(stack.StateCrashed, fmt.Sprintf("ended %d times within %s, last: %s", n, crashWindow, why), nil)
	}
	u.log.WarnContext(ctx, "service ended, starting it again", slog.String("reason", why))
	u.set(func() {
		u.state, u.detail, u.pid = stack.StateStarting, "restarting: "+why, 0
		u.restarts++
	})
	return fmt.Errorf("%s: %s", u.name, why)
}

func (u *unit) finish(state stack.State, detail string, err error) error {
	u.set(func() { u.state, u.detail, u.err, u.pid = state, detail, err, 0 })
	close(u.done)
	return suture.ErrDoNotRestart
}

// watch asks the started service until it is well.
func (u *unit) watch(ctx context.Context) {
	timer := time.NewTimer(firstProbe)
	defer timer.Stop()
	begin := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		answer, err := u.ask(ctx, probeTimeout)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			u.set(func() { u.state, u.detail = stack.StateHealthy, answer })
			return
		}
		u.set(func() {
			u.detail = answer
			if isPermanent(err) {
				u.state, u.err = stack.StateUnhealthy, err
			}
		})
		interval := probeInterval
		if isPermanent(err) || time.Since(begin) > 10*time.Second {
			interval = slowProbe
		}
		timer.Reset(interval)
	}
}

// ask probes once. The text says what the service answered, or why it did not.
func (u *unit) ask(ctx context.Context, timeout time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	answer, err := u.prog.probe(ctx)
	if err != nil {
		return err.Error(), err
	}
	return answer, nil
}

// wait blocks until the service is healthy, is beyond hope, or ctx ends. onChange receives each new detail.
func (u *unit) wait(ctx context.Context, onChange func(detail string)) error {
	last := ""
	for {
		u.mu.Lock()
		state, detail, err, changed := u.state, u.detail, u.err, u.changed
		u.mu.Unlock()
		switch state {
		case stack.StateHealthy:
			return nil
		case stack.StateCrashed, stack.StateFailed, stack.StateUnhealthy:
			if err != nil {
				return err
			}
			return errdefs.As(errdefs.ErrUnhealthy, errors.New(detail))
		case stack.StateStopped:
			return errdefs.As(errdefs.ErrUnhealthy, errors.New("it was stopped"))
		case stack.StateStarting:
		}
		if detail != last && onChange != nil {
			onChange(detail)
			last = detail
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

// active reports whether the service runs or will run again.
func (u *unit) active() bool {
	select {
	case <-u.done:
		return false
	default:
		return true
	}
}

func (u *unit) snapshot() (stack.ServiceStatus, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	f := u.prog.info()
	return stack.ServiceStatus{
		Name: u.name, State: u.state, Detail: u.detail, URL: f.URL, Port: f.Port, PID: u.pid, Started: u.started,
		Restarts: u.restarts,
	}, u.err
}

// status is the snapshot with a fresh answer of a running service.
func (u *unit) status(ctx context.Context) stack.ServiceStatus {
	s, _ := u.snapshot()
	if s.State != stack.StateHealthy && s.State != stack.StateUnhealthy {
		return s
	}
	answer, err := u.ask(ctx, statusTimeout)
	if err != nil {
		s.State, s.Detail = stack.StateUnhealthy, answer
		return s
	}
	s.State, s.Detail = stack.StateHealthy, answer
	if d := u.prog.info().Detail; d != "" {
		s.Detail = d
	}
	return s
}

// statusTimeout bounds the probe behind `status`. A service that is gone is noticed at once; one that does not answer for this
// long hangs, and is not just on a machine that is busy.
const statusTimeout = 5 * time.Second
