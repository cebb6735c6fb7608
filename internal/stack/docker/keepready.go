package docker

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/docker/compose/v5/pkg/api"
	"github.com/gofrs/flock"
	"github.com/moby/moby/client"

	"github.com/nself-org/nself/internal/stack"
)

// lookInterval is how often a driver that is kept looks whether the project still runs.
const lookInterval = time.Second

var errStopped = errors.New("none of the project's containers runs")

var _ stack.KeptReady = (*driver)(nil)

// KeepReady ends when the project is stopped; see [stack.KeptReady]. Containers need nothing to be held ready: what an image
// is built from is kept by the engine.
func (d *driver) KeepReady(ctx context.Context) error {
	e, err := d.open(ctx)
	if err != nil {
		return err
	}
	tick := time.NewTicker(lookInterval)
	defer tick.Stop()
	misses := 1 // the first look decides at once, a later one may come in the middle of a restart
	for {
		list, err := e.api.ContainerList(ctx, client.ContainerListOptions{
			Filters: client.Filters{}.Add("label", api.ProjectLabel+"="+d.config().ProjectName),
		})
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil: // an engine that is away for a moment
		case len(list.Items) > 0 || d.busy():
			misses = 0
		default:
			if misses++; misses > 1 {
				return fmt.Errorf("keep the tools ready: %w", errStopped)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// busy reports whether a command changes the project just now.
func (d *driver) busy() bool {
	lock := flock.New(filepath.Join(d.config().Dir, ".nself", "run", "docker.lock"), flock.SetPermissions(0o600))
	free, err := lock.TryLock()
	if err == nil && free {
		_ = lock.Close()
	}
	return err == nil && !free
}
