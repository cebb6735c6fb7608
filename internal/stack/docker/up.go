package docker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/docker/compose/v5/pkg/api"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/stack"
)

// defaultWait is how long a service may take to become healthy when the caller does not say.
const defaultWait = 2 * time.Minute

// lateWait is how long a service is waited for that lacks another: it is up, and unlikely to become healthy.
const lateWait = 5 * time.Second

// waitingInterval keeps a report of every probe from drowning the rest.
const waitingInterval = time.Second

// Up starts services; see [stack.Driver].
func (d *driver) Up(ctx context.Context, opts stack.UpOptions) error {
	return d.ascend(ctx, opts, nil)
}

// Restart stops and starts services; see [stack.Driver]. Their containers are made anew where the configuration has
// changed. On a stopped stack it starts them.
func (d *driver) Restart(ctx context.Context, services []string, opts stack.UpOptions) error {
	if err := known(d.config(), services); err != nil {
		return err
	}
	opts.Services = services
	return d.ascend(ctx, opts, func(ctx context.Context, a *ascent) error {
		var stop []string
		for _, name := range slices.Backward(a.order) {
			if running(a.before[name]) && (len(services) == 0 || slices.Contains(services, name)) {
				stop = append(stop, name)
			}
		}
		return a.stop(ctx, a.before, stop)
	})
}

// ascent is one `up` under way.
type ascent struct {
	*driver
	engine  *engine
	cfg     *env.Config
	wait    time.Duration
	project *types.Project
	order   []string                             // the services, in the order in which they start
	before  map[string]container.InspectResponse // what there was
	now     map[string]container.InspectResponse // what there is after Compose has created containers

	mu      sync.Mutex
	alone   bool     // what is named, without what it depends on and without migrations
	kept    []string // running services that have changed and stay as they are
	sink    func(stack.Event)
	started []string // by this ascent, to be taken back when it is cancelled
	steps   map[string]*step
}

// step is one service of an ascent.
type step struct {
	name    string
	settled chan struct{} // closed when dependents may go on
	err     error         // read after settled
}

func (a *ascent) report(e stack.Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sink == nil {
		return
	}
	e.Time = time.Now()
	a.sink(e)
}

func (d *driver) ascend(ctx context.Context, opts stack.UpOptions, first func(context.Context, *ascent) error) error {
	e, err := d.open(ctx)
	if err != nil {
		return err
	}
	unlock, err := d.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	cfg, err := d.reload()
	if err != nil {
		return err
	}
	a := &ascent{
		driver: d,
		engine: e,
		cfg:    cfg,
		wait:   opts.WaitTimeout,
		sink:   opts.Report,
		steps:  map[string]*step{},
		alone:  opts.Alone,
	}
	if a.wait <= 0 {
		a.wait = defaultWait
	}
	if err := a.decide(ctx, opts); err != nil {
		return err
	}
	if first != nil {
		if err := first(ctx, a); err != nil {
			return err
		}
	} else if err := a.settle(ctx, opts.Renew); err != nil {
		return err
	}
	failed := a.images(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	err = a.create(ctx, failed, len(opts.Services) == 0)
	if err == nil {
		err = a.execute(ctx, failed)
	}
	if ctx.Err() != nil {
		a.takeBack(context.WithoutCancel(ctx))
		return ctx.Err()
	}
	return err
}

// takeBack stops what an interrupted ascent has started.
func (a *ascent) takeBack(ctx context.Context) {
	all, err := a.engine.containers(ctx, a.project.Name)
	if err != nil {
		a.Log.ErrorContext(ctx, "interrupted, containers not stopped", slog.Any("error", err))
		return
	}
	slices.Reverse(a.started)
	_ = a.stop(ctx, all, a.started)
}

// decide reads the project, checks the names and the ports.
func (a *ascent) decide(ctx context.Context, opts stack.UpOptions) error {
	for attempt := 0; ; attempt++ {
		project, err := load(ctx, a.cfg)
		if err != nil {
			return err
		}
		order, err := chosen(project, opts.Services)
		if err != nil {
			return err
		}
		if opts.Alone && len(opts.Services) > 0 {
			order = slices.DeleteFunc(order, func(name string) bool { return !slices.Contains(opts.Services, name) })
		}
		if a.project, err = project.WithSelectedServices(order, types.IgnoreDependencies); err != nil {
			return fmt.Errorf("read the Compose model: %w", err)
		}
		a.order = order
		if a.before, err = a.engine.containers(ctx, project.Name); err != nil {
			return err
		}
		if opts.Alone && !runningAny(a.before) { // stopped by another command while this one waited for it
			return errdefs.As(errdefs.ErrUnavailable, errdefs.WithHint(
				fmt.Errorf("start %s: %w", strings.Join(order, ", "), errStopped), "run nself up"))
		}
		conflicts, err := a.conflicts(ctx)
		if err != nil || len(conflicts) == 0 {
			return err
		}
		if !opts.AutoPorts || a.SavePorts == nil || a.Load == nil || attempt > 0 {
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
		if err := a.SavePorts(a.cfg.Dir, free); err != nil {
			return fmt.Errorf("save the free ports: %w", err)
		}
		if a.cfg, err = a.Load(); err != nil {
			return err
		}
		a.use(a.cfg)
	}
}

// create has Compose make the network, the volumes and the containers, new ones where the configuration has changed.
// Services whose image is missing are left out; one that runs is left as it is.
func (a *ascent) create(ctx context.Context, failed map[string]error, all bool) error {
	// Podman lists networks and volumes of a container in ways in which Compose does not find them again, so that it would
	// make every container anew. Those that run as they should are not shown to it.
	var right []string
	if a.engine.podman(ctx) {
		var err error
		if right, err = unchanged(a.project, a.order, a.before); err != nil {
			return err
		}
	}
	var names []string
	for _, name := range a.order {
		if failed[name] == nil && !a.keeps(name) && !slices.Contains(right, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		var err error
		a.now, err = a.engine.containers(ctx, a.project.Name)
		return err
	}
	part, err := a.project.WithSelectedServices(names, types.IgnoreDependencies)
	if err != nil {
		return fmt.Errorf("read the Compose model: %w", err)
	}
	sdk, err := a.engine.compose(nil)
	if err != nil {
		return err
	}
	orphans := all && len(failed) == 0 && len(a.kept) == 0 && len(right) == 0
	err = sdk.Create(ctx, part, api.CreateOptions{
		RemoveOrphans: orphans, IgnoreOrphans: !orphans, Inherit: true, QuietPull: true,
		Recreate: api.RecreateDiverged, RecreateDependencies: api.RecreateDiverged,
	})
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return engineFailed(fmt.Errorf("create the containers: %w", err))
	}
	if orphans {
		for name := range a.before {
			if !slices.Contains(a.order, name) {
				a.report(
					stack.Event{Service: name, Kind: stack.EventStopped, Detail: "no longer part of the project, removed"},
				)
			}
		}
	}
	a.now, err = a.engine.containers(ctx, a.project.Name)
	return err
}

// execute starts everything that does not run, each as soon as what it needs is healthy.
func (a *ascent) execute(ctx context.Context, failed map[string]error) error {
	for _, name := range a.order {
		a.steps[name] = &step{name: name, settled: make(chan struct{}), err: failed[name]}
	}
	var wg sync.WaitGroup
	for _, name := range a.order {
		st := a.steps[name]
		wg.Go(func() {
			defer close(st.settled)
			if st.err != nil {
				return
			}
			st.err = a.raise(ctx, st)
			if st.err == nil {
				st.err = a.furnish(ctx, name)
			}
		})
	}
	wg.Wait()
	var errs []error
	for _, name := range a.order {
		if err := a.steps[name].err; err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// furnish gives a healthy service what the project has for it: the database its migrations, Hasura its metadata.
func (a *ascent) furnish(ctx context.Context, name string) error {
	note := func(detail string) { a.report(stack.Event{Service: name, Kind: stack.EventNote, Detail: detail}) }
	var give func(*env.Config) error
	switch {
	case name == stack.Postgres && a.Migrate != nil && !a.alone:
		give = func(cfg *env.Config) error { return a.Migrate(ctx, cfg, note) }
	case name == stack.Hasura && a.Metadata != nil:
		give = func(cfg *env.Config) error { return a.applyMetadata(ctx, cfg) }
	default:
		return nil
	}
	cfg, stop, err := a.engine.reached(ctx, a.cfg, name, a.now[name].ID)
	if err == nil {
		err = give(cfg)
		stop()
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	if hint := knownCause(err.Error()); hint != "" && firstHint(err) == "" {
		err = errdefs.WithHint(err, hint)
	}
	a.report(stack.Event{Service: name, Kind: stack.EventFailed, Detail: err.Error(), Hint: firstHint(err)})
	return fmt.Errorf("%s: %w", name, err)
}

// raise brings one service to health, or says why it cannot.
func (a *ascent) raise(ctx context.Context, st *step) error {
	begin := time.Now()
	c, ok := a.now[st.name]
	if !ok {
		return engineFailed(fmt.Errorf("%s: Compose has made no container", st.name))
	}
	keep, late := running(c) && c.RestartCount < crashLimit, ""
	if !keep {
		if late = a.awaitDeps(ctx, st.name); ctx.Err() != nil {
			return ctx.Err()
		}
		if err := a.start(ctx, st.name, c); err != nil {
			return err
		}
		if late != "" {
			a.report(stack.Event{
				Service: st.name, Kind: stack.EventWarning, Detail: "started without " + late + ", which is not healthy",
			})
		}
	}
	limit := a.wait
	if late != "" {
		limit = min(limit, lateWait)
	}
	waitCtx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	answer, err := a.engine.await(waitCtx, a.cfg, st.name, c.ID, a.progress(st.name))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return a.unhealthy(ctx, st.name, c.ID, limit, answer, err)
	}
	detail := ""
	if keep {
		detail = "already running"
	}
	a.report(stack.Event{Service: st.name, Kind: stack.EventHealthy, Detail: detail, Elapsed: time.Since(begin)})
	return nil
}

// start starts a container, or one that the engine starts again and again anew.
func (a *ascent) start(ctx context.Context, name string, c container.InspectResponse) error {
	a.mu.Lock()
	a.started = append(a.started, name)
	a.mu.Unlock()
	a.report(stack.Event{Service: name, Kind: stack.EventStarting})
	if running(c) {
		_, _ = a.engine.api.ContainerStop(ctx, c.ID, client.ContainerStopOptions{})
	}
	_, err := a.engine.api.ContainerStart(ctx, c.ID, client.ContainerStartOptions{})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		hint := cmp.Or(knownCause(err.Error()), "see nself doctor")
		if text := err.Error(); strings.Contains(text, "address already in use") || strings.Contains(text, "port is already allocated") {
			hint = "something has taken the port since it was looked at: nself up names it, nself up --auto-ports takes another"
		}
		err = errdefs.As(errdefs.ErrUnavailable, errdefs.WithHint(fmt.Errorf("%s: start the container: %w", name, err), hint))
		a.report(stack.Event{Service: name, Kind: stack.EventFailed, Detail: err.Error(), Hint: hint})
	}
	return err
}

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

// awaitDeps waits until the services that name needs have settled. It returns the name of one that is not healthy.
func (a *ascent) awaitDeps(ctx context.Context, name string) string {
	late := ""
	for dep := range a.project.Services[name].DependsOn {
		st, ok := a.steps[dep]
		if !ok {
			continue
		}
		select {
		case <-st.settled:
			if st.err != nil {
				late = dep
			}
		case <-ctx.Done():
			return ""
		}
	}
	return late
}

// unhealthy reports a service that runs and is not well. One that ends again and again is stopped, so that it does not
// spin.
func (a *ascent) unhealthy(
	ctx context.Context, name, id string, limit time.Duration, answer string, err error,
) error {
	reason := err.Error()
	if errors.Is(err, context.DeadlineExceeded) {
		reason = fmt.Sprintf("not healthy after %s, last answer: %s", limit, answer)
	}
	if errors.Is(err, errCrashing) {
		_, _ = a.engine.api.ContainerStop(ctx, id, client.ContainerStopOptions{})
	}
	log := a.engine.lastWords(ctx, name, id)
	hint := hintFor(name, log)
	a.report(stack.Event{Service: name, Kind: stack.EventFailed, Detail: reason, Log: log, Hint: hint})
	return errdefs.As(errdefs.ErrUnhealthy, errdefs.WithHint(fmt.Errorf("%s: %s", name, reason), hint))
}
