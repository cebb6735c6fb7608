package native

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/stack"
)

// defaultWait is how long a service may take to become healthy when the caller does not say.
const defaultWait = 2 * time.Minute

// ascent is one `up` under way.
type ascent struct {
	*supervisor
	cfg    *env.Config
	wait   time.Duration
	alone  bool // nothing but the named services, and no migrations
	report func(stack.Event)
	plan   []*step

	mu      sync.Mutex
	started []*unit // by this ascent, to be taken back when it is cancelled
}

// step is what an ascent does about one service.
type step struct {
	service
	prog    program
	out     *logFile
	keep    bool          // runs as it should
	renew   bool          // is to be started again although it does
	settled chan struct{} // closed when dependents may go on
	err     error         // read after settled

	prepared bool // prepare was called already, with err
}

// ascend is what up and restart have in common.
func (s *supervisor) ascend(ctx context.Context, req upRequest, report func(stack.Event)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	a := &ascent{supervisor: s, wait: req.WaitTimeout, alone: req.Alone, report: report}
	if a.wait <= 0 {
		a.wait = defaultWait
	}
	if err := a.decide(ctx, req); err != nil {
		return err
	}
	if len(req.Services) == 0 {
		s.stopUnits(ctx, s.notIn(a.plan), report)
	}
	if req.Restart {
		a.renew(ctx)
	}
	err := a.execute(ctx)
	if ctx.Err() != nil {
		s.stopUnits(context.WithoutCancel(ctx), a.started, report)
		return ctx.Err()
	}
	return err
}

// decide compares what is asked for with what runs, and checks the ports of all that will start.
func (a *ascent) decide(ctx context.Context, req upRequest) error {
	for attempt := 0; ; attempt++ {
		cfg, err := a.load()
		if err != nil {
			return err
		}
		a.cfg = cfg
		chosen, err := selectServices(enabled(cfg), req.Services)
		if err != nil {
			return err
		}
		a.plan = nil
		for _, sv := range chosen {
			if req.Alone && len(req.Services) > 0 && !slices.Contains(req.Services, sv.name) {
				continue
			}
			out, err := a.logFor(sv.name)
			if err != nil {
				return err
			}
			st := &step{service: sv, out: out, prog: sv.build(a.supervisor, cfg, out), settled: make(chan struct{})}
			u := a.unit(sv.name)
			st.renew = req.Restart && slices.Contains(req.Services, sv.name)
			st.keep = !st.renew && u != nil && u.active() && u.print == st.prog.fingerprint()
			a.plan = append(a.plan, st)
		}
		conflicts := a.conflicts(ctx)
		if len(conflicts) == 0 {
			return nil
		}
		if !req.AutoPorts || a.SavePorts == nil || attempt > 0 {
			return conflictError(conflicts)
		}
		free := map[string]int{}
		for _, c := range conflicts {
			free[c.key] = c.free
			a.report(stack.Event{
				Service: c.service, Kind: stack.EventNote,
				Detail: fmt.Sprintf("port %d is held by %s, saved %s=%d", c.port, c.holder, c.key, c.free),
			})
		}
		if err := a.SavePorts(a.lay.dir, free); err != nil {
			return fmt.Errorf("save the free ports: %w", err)
		}
	}
}

// execute carries the plan out, everything at once that may be.
func (a *ascent) execute(ctx context.Context) error {
	var all sync.WaitGroup
	for _, st := range a.plan {
		all.Go(func() {
			defer close(st.settled)
			st.err = a.raise(ctx, st)
			if st.name == stack.Postgres && st.err == nil && !a.alone {
				st.err = a.migrate(ctx)
			}
		})
	}
	all.Wait()
	var errs []error
	for _, st := range a.plan {
		if st.err != nil {
			errs = append(errs, st.err)
		}
	}
	if err := a.reload(ctx); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// raise brings one service to health, or says why it cannot.
func (a *ascent) raise(ctx context.Context, st *step) error {
	begin := time.Now()
	u := a.unit(st.name)
	late := ""
	if !st.keep {
		if err := a.prepare(ctx, st); err != nil {
			return err
		}
		late = a.awaitDeps(ctx, st)
		if err := ctx.Err(); err != nil {
			return err
		}
		if u != nil {
			a.stopUnits(ctx, []*unit{u}, a.report)
		}
		a.report(stack.Event{Service: st.name, Kind: stack.EventStarting})
		u = a.launch(st)
		if late != "" {
			a.report(stack.Event{
				Service: st.name, Kind: stack.EventWarning, Detail: "started, although " + late + " is not ready",
			})
		}
	} else if s, _ := u.snapshot(); s.State != stack.StateHealthy {
		late = a.awaitDeps(ctx, st)
	}
	limit := a.wait
	if late != "" {
		limit = min(limit, lateWait)
	}
	waitCtx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := u.wait(waitCtx, a.progress(st.name))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if late != "" && errors.Is(err, context.DeadlineExceeded) {
		return a.lacking(u, late)
	}
	if err != nil {
		return a.unhealthy(u, limit, err)
	}
	if fn, ok := u.prog.(*function); ok {
		a.ready.fill(fn, fn.inv)
	}
	f := st.prog.info()
	detail := f.Detail
	if st.keep {
		detail = "already running"
	}
	a.report(stack.Event{Service: st.name, Kind: stack.EventHealthy, Detail: detail, Elapsed: time.Since(begin)})
	return nil
}

// prepare builds a service, once for each step, and reports it where that fails.
func (a *ascent) prepare(ctx context.Context, st *step) error {
	if st.prepared {
		return st.err
	}
	if err := st.prog.prepare(ctx, a.named(st.name)); err != nil {
		return a.failed(ctx, st, err)
	}
	return nil
}

func (a *ascent) named(name string) func(stack.Event) {
	return func(e stack.Event) {
		e.Service = name
		a.report(e)
	}
}

// lateWait is how long a service is waited for that lacks another: it is up, and unlikely to become healthy.
const lateWait = 5 * time.Second

// waitingInterval keeps a report of every probe from drowning the rest.
const waitingInterval = time.Second

func (a *ascent) progress(name string) func(string) {
	last := time.Now()
	return func(detail string) {
		if time.Since(last) < waitingInterval {
			return
		}
		last = time.Now()
		a.report(stack.Event{Service: name, Kind: stack.EventWaiting, Detail: detail})
	}
}

// awaitDeps waits until the services that st needs have settled. It returns the name of one that is not healthy.
func (a *ascent) awaitDeps(ctx context.Context, st *step) string {
	late := ""
	for _, dep := range a.plan {
		if !slices.Contains(st.deps, dep.name) {
			continue
		}
		select {
		case <-dep.settled:
			if dep.err != nil {
				late = dep.name
			}
		case <-ctx.Done():
			return ""
		}
	}
	return late
}

// launch puts the service under supervision.
func (a *ascent) launch(st *step) *unit {
	st.out.mark()
	u := newUnit(st.name, a.lay, st.prog, st.out, a.Log)
	a.supervisor.mu.Lock()
	a.units[st.name] = u
	a.supervisor.mu.Unlock()
	a.mu.Lock()
	a.started = append(a.started, u)
	a.mu.Unlock()
	u.token = a.tree.Add(u)
	return u
}

// failed reports a service that could not be built. A running older version is left alone.
func (a *ascent) failed(ctx context.Context, st *step, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	a.Log.ErrorContext(ctx, "service could not be prepared", slog.String("service", st.name), slog.Any("error", err))
	e := stack.Event{
		Service: st.name, Kind: stack.EventFailed, Detail: err.Error(), Log: st.out.last(), Hint: firstHint(err),
	}
	u := a.unit(st.name)
	if u != nil && u.active() {
		e.Detail += "; the version that was running goes on"
	} else {
		u = newUnit(st.name, a.lay, st.prog, st.out, a.Log)
		_ = u.finish(stack.StateFailed, err.Error(), err)
		a.supervisor.mu.Lock()
		a.units[st.name] = u
		a.supervisor.mu.Unlock()
	}
	a.report(e)
	return fmt.Errorf("%s: %w", st.name, err)
}

// unhealthy reports a service that runs and is not well.
func (a *ascent) unhealthy(u *unit, limit time.Duration, err error) error {
	s, _ := u.snapshot()
	reason := err.Error()
	if errors.Is(err, context.DeadlineExceeded) {
		reason = fmt.Sprintf("not healthy after %s, last answer: %s", limit, cmp.Or(s.Detail, "none"))
	}
	hint := firstHint(err)
	if hint == "" {
		hint = "see nself logs " + u.name
	}
	a.report(stack.Event{Service: u.name, Kind: stack.EventFailed, Detail: reason, Log: u.out.last(), Hint: hint})
	if !errors.Is(err, errdefs.ErrUnavailable) && !errors.Is(err, errdefs.ErrInvalid) {
		err = errdefs.As(errdefs.ErrUnhealthy, errors.New(reason))
	}
	return errdefs.WithHint(fmt.Errorf("%s: %w", u.name, err), hint)
}

// lacking reports a service that runs and waits for another. Its log tells nothing that the other's report has not said.
func (a *ascent) lacking(u *unit, dep string) error {
	reason := fmt.Sprintf("it runs, and becomes healthy once %s is", dep)
	a.report(stack.Event{Service: u.name, Kind: stack.EventFailed, Detail: reason})
	return errdefs.As(errdefs.ErrUnhealthy, fmt.Errorf("%s: %s", u.name, reason))
}

func firstHint(err error) string {
	if hints := errdefs.Hints(err); len(hints) > 0 {
		return hints[0]
	}
	return ""
}

// migrate applies pending migrations; functions wait for it.
func (a *ascent) migrate(ctx context.Context) error {
	if a.Migrate == nil {
		return nil
	}
	err := a.Migrate(ctx, a.cfg, func(detail string) {
		a.report(stack.Event{Service: stack.Postgres, Kind: stack.EventNote, Detail: detail})
	})
	if err == nil || ctx.Err() != nil {
		return err
	}
	a.report(stack.Event{Service: stack.Postgres, Kind: stack.EventFailed, Detail: err.Error(), Hint: firstHint(err)})
	return err
}

// reload makes an engine that went on running read the metadata again.
func (a *ascent) reload(ctx context.Context) error {
	for _, st := range a.plan {
		e, ok := st.prog.(*engineProgram)
		if !ok || !st.keep {
			continue
		}
		if u := a.unit(st.name); u != nil {
			if running, ok := u.prog.(*engineProgram); ok {
				e = running
			}
		}
		if err := e.reload(ctx); err != nil {
			a.report(stack.Event{Service: st.name, Kind: stack.EventFailed, Detail: err.Error(), Hint: firstHint(err)})
			return fmt.Errorf("reload the metadata: %w", err)
		}
	}
	return nil
}
