package docker

import (
	"context"
	"fmt"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/compose/v5/pkg/api"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// containers returns the project's containers by service, inspected. Only the first of a scaled service is in it.
func (e *engine) containers(ctx context.Context, project string) (map[string]container.InspectResponse, error) {
	list, err := e.api.ContainerList(ctx, client.ContainerListOptions{
		All: true,
		Filters: client.Filters{}.Add("label", api.ProjectLabel+"="+project).
			Add("label", api.OneoffLabel+"=False"),
	})
	if err != nil {
		return nil, engineFailed(fmt.Errorf("list the project's containers: %w", err))
	}
	found := map[string]container.InspectResponse{}
	for _, c := range list.Items {
		name := c.Labels[api.ServiceLabel]
		if _, twice := found[name]; twice || name == "" {
			continue
		}
		r, err := e.inspect(ctx, c.ID)
		if cerrdefs.IsNotFound(err) {
			continue // removed while we looked
		}
		if err != nil {
			return nil, err
		}
		found[name] = r
	}
	return found, nil
}

func (e *engine) inspect(ctx context.Context, id string) (container.InspectResponse, error) {
	r, err := e.api.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	if err != nil {
		return container.InspectResponse{}, engineFailed(fmt.Errorf("inspect a container: %w", err))
	}
	return r.Container, nil
}

func running(c container.InspectResponse) bool {
	return c.State != nil && (c.State.Running || c.State.Restarting)
}

func runningAny(all map[string]container.InspectResponse) bool {
	for _, c := range all {
		if running(c) {
			return true
		}
	}
	return false
}

func started(c container.InspectResponse) time.Time {
	t, err := time.Parse(time.RFC3339Nano, c.State.StartedAt)
	if err != nil {
		return time.Time{}
	}
	return t
}
