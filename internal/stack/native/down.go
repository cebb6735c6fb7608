package native

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/nself-org/nself/internal/stack"
)

// stopAll stops every service.
func (s *supervisor) stopAll(ctx context.Context, report func(stack.Event)) {
	s.mu.Lock()
	all := make([]*unit, 0, len(s.units))
	for _, u := range s.units {
		all = append(all, u)
	}
	s.mu.Unlock()
	s.stopUnits(ctx, all, report)
}

// stopUnits stops services in the reverse of the order in which they start: first what uses others, at once, then the
// others, at once.
func (s *supervisor) stopUnits(_ context.Context, units []*unit, report func(stack.Event)) {
	base := func(u *unit) bool { return u.name == stack.Postgres || u.name == stack.Redis || u.name == stack.Mail }
	for _, wave := range []func(*unit) bool{func(u *unit) bool { return !base(u) }, base} {
		var all sync.WaitGroup
		for _, u := range units {
			if wave(u) {
				all.Go(func() { s.stopUnit(u, report) })
			}
		}
		all.Wait()
	}
}

func (s *supervisor) stopUnit(u *unit, report func(stack.Event)) {
	if u.active() {
		begin := time.Now()
		report(stack.Event{Service: u.name, Kind: stack.EventStopping})
		_ = s.tree.Remove(u.token) // fails only when the tree has ended, and the unit with it
		<-u.done
		report(stack.Event{Service: u.name, Kind: stack.EventStopped, Elapsed: time.Since(begin)})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.units[u.name] == u {
		delete(s.units, u.name)
	}
}

// notIn lists the units that are no part of the plan: their services are not enabled any more.
func (s *supervisor) notIn(plan []*step) []*unit {
	s.mu.Lock()
	defer s.mu.Unlock()
	var rest []*unit
	for name, u := range s.units {
		if !slices.ContainsFunc(plan, func(st *step) bool { return st.name == name }) {
			rest = append(rest, u)
		}
	}
	return rest
}

// restart stops the named services, or all that run, and starts them again with what they depend on. A service whose new
// version cannot be prepared is not stopped: what runs goes on.
func (s *supervisor) restart(ctx context.Context, req upRequest, report func(stack.Event)) error {
	cfg, err := s.load()
	if err != nil {
		return err
	}
	all := enabled(cfg)
	if _, err := selectServices(all, req.Services); err != nil {
		return err
	}
	if len(req.Services) == 0 {
		var disabled []*unit
		s.mu.Lock()
		for name, u := range s.units {
			if slices.ContainsFunc(all, func(sv service) bool { return sv.name == name }) {
				req.Services = append(req.Services, name)
			} else {
				disabled = append(disabled, u)
			}
		}
		s.mu.Unlock()
		s.stopUnits(ctx, disabled, report)
	}
	return s.ascend(ctx, req, report)
}

// renew prepares the services that are to be started again while they still run, and stops those that can be.
func (a *ascent) renew(ctx context.Context) {
	var all sync.WaitGroup
	for _, st := range a.plan {
		if st.renew {
			all.Go(func() {
				st.err = a.prepare(ctx, st)
				st.prepared = true
			})
		}
	}
	all.Wait()
	var units []*unit
	for _, st := range a.plan {
		if u := a.unit(st.name); u != nil && st.renew && st.err == nil {
			units = append(units, u)
		}
	}
	if ctx.Err() == nil {
		a.stopUnits(ctx, units, a.report)
	}
}

// removeData deletes what the services have stored.
func removeData(l layout) error {
	var errs []error
	if outside := outsideDataDir(l); outside != "" {
		errs = append(errs, os.RemoveAll(outside))
	}
	errs = append(errs, os.RemoveAll(l.data()), os.RemoveAll(l.calls()))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("remove the data: %w", err)
	}
	return nil
}

// status reports every service of the project.
func (s *supervisor) status(ctx context.Context) stack.Status {
	cfg, err := s.load()
	s.mu.Lock()
	units := make(map[string]*unit, len(s.units))
	maps.Copy(units, s.units)
	s.mu.Unlock()
	st := stack.Status{Driver: driverName, Running: true}
	var names []string
	if err == nil {
		st.Project = cfg.ProjectName
		for _, sv := range enabled(cfg) {
			names = append(names, sv.name)
		}
	}
	for name := range units {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	st.Services = make([]stack.ServiceStatus, len(names))
	var all sync.WaitGroup
	for i, name := range names {
		all.Go(func() {
			if u := units[name]; u != nil {
				st.Services[i] = u.status(ctx)
				return
			}
			st.Services[i] = stoppedStatus(cfg, name)
		})
	}
	all.Wait()
	return st
}

// changed names the running services that the next up would start anew.
func (s *supervisor) changed() ([]string, error) {
	cfg, err := s.load()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, sv := range enabled(cfg) {
		u := s.unit(sv.name)
		if u == nil || !u.active() {
			continue
		}
		out, err := s.logFor(sv.name)
		if err != nil {
			return nil, err
		}
		if u.print != sv.build(s, cfg, out).fingerprint() {
			names = append(names, sv.name)
		}
	}
	return names, nil
}
