package docker

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/docker/compose/v5/pkg/api"
	"github.com/gofrs/flock"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/nself-org/nself/internal/compose"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/stack"
)

// lockPatience is how long a command waits for another one of the same project.
const (
	lockPatience = 5 * time.Minute
	lockRetry    = 50 * time.Millisecond
)

// lock keeps two commands from changing the same project at once.
func (d *driver) lock(ctx context.Context) (unlock func(), err error) {
	dir := filepath.Join(d.config().Dir, ".nself", "run")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create the project's runtime folder: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	lock := flock.New(filepath.Join(dir, "docker.lock"), flock.SetPermissions(0o600))
	ok, err := lock.TryLockContext(ctx, lockRetry)
	if err != nil || !ok {
		return nil, errdefs.As(errdefs.ErrUnavailable, errdefs.WithHint(
			fmt.Errorf("another nself command works on this project: %w", err), "wait for it, or end it"))
	}
	return func() { _ = lock.Close() }, nil
}

// Down stops and removes every container of the project, also those of services that it no longer has; see
// [stack.Driver].
func (d *driver) Down(ctx context.Context, opts stack.DownOptions) error {
	e, err := d.open(ctx)
	if err != nil {
		return err
	}
	unlock, err := d.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	all, err := e.containers(ctx, d.config().ProjectName)
	if err != nil {
		return err
	}
	a := &ascent{driver: d, engine: e, cfg: d.config(), sink: opts.Report}
	order, err := chosen(compose.Project(d.config()), nil)
	if err != nil {
		return err
	}
	for name := range all {
		if !slices.Contains(order, name) {
			order = append(order, name)
		}
	}
	slices.Reverse(order)
	if err := a.stop(ctx, all, order); err != nil {
		return err
	}
	sdk, err := e.compose(nil)
	if err != nil {
		return err
	}
	err = sdk.Down(ctx, d.config().ProjectName, api.DownOptions{RemoveOrphans: true, Volumes: opts.Volumes})
	if err != nil && ctx.Err() == nil {
		return engineFailed(fmt.Errorf("remove the containers: %w", err))
	}
	if opts.Volumes && ctx.Err() == nil { // the calls that were kept are data too
		if err := os.RemoveAll(filepath.Join(d.config().Dir, ".nself", "calls")); err != nil {
			return fmt.Errorf("remove the kept calls: %w", err)
		}
	}
	return ctx.Err()
}

// stop stops containers, those that use others first: functions and the engine, then the databases.
func (a *ascent) stop(ctx context.Context, all map[string]container.InspectResponse, names []string) error {
	for _, name := range names {
		c, ok := all[name]
		if !ok || !running(c) {
			continue
		}
		begin := time.Now()
		a.report(stack.Event{Service: name, Kind: stack.EventStopping})
		if _, err := a.engine.api.ContainerStop(ctx, c.ID, client.ContainerStopOptions{}); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return engineFailed(fmt.Errorf("%s: stop the container: %w", name, err))
		}
		a.report(stack.Event{Service: name, Kind: stack.EventStopped, Elapsed: time.Since(begin)})
	}
	return nil
}
