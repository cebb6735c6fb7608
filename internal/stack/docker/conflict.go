package docker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/docker/compose/v5/pkg/api"
	"github.com/moby/moby/client"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/ports"
	"github.com/nself-org/nself/internal/stack"
)

// conflict is a port that a service needs and another program or container holds.
type conflict struct {
	service, key string
	port, free   int
	holder       string
}

// conflicts checks the ports of all that will start, before anything does. On an engine elsewhere only its containers can
// be asked.
func (a *ascent) conflicts(ctx context.Context) ([]conflict, error) {
	list, err := a.engine.api.ContainerList(ctx, client.ContainerListOptions{})
	if err != nil {
		return nil, engineFailed(fmt.Errorf("list the engine's containers: %w", err))
	}
	ours := map[int]bool{}
	others := map[int]string{}
	for _, c := range list.Items {
		for _, p := range c.Ports {
			switch {
			case p.PublicPort == 0:
			case c.Labels[api.ProjectLabel] == a.project.Name:
				ours[int(p.PublicPort)] = true
			default:
				others[int(p.PublicPort)] = containerName(c.Names, c.Labels)
			}
		}
	}
	var found []conflict
	wanted := map[int]bool{}
	for _, name := range a.order {
		for _, port := range stack.FactsOf(a.cfg, name).Ports {
			wanted[port] = true
		}
	}
	taken := map[int]string{}
	for _, name := range a.order {
		own := stack.FactsOf(a.cfg, name).Ports
		for _, key := range slices.Sorted(maps.Keys(own)) {
			port := own[key]
			twice, isTwice := taken[port]
			taken[port] = key
			holder := others[port]
			switch {
			case isTwice:
				holder = twice + " of this project"
			case holder != "":
			case ours[port] || !a.engine.local() || !ports.InUse(ctx, port):
				continue
			default:
				holder = "another program"
				if h, err := ports.Find(ctx, port); err == nil && h != nil {
					holder = h.String()
				}
			}
			c := conflict{service: name, key: key, port: port, holder: holder}
			c.free, _ = ports.Free(ctx, port, wanted) // 0: no advice
			wanted[c.free] = true
			found = append(found, c)
		}
	}
	return found, nil
}

func containerName(names []string, labels map[string]string) string {
	name := "a container"
	if len(names) > 0 {
		name = "the container " + strings.TrimPrefix(names[0], "/")
	}
	if project := labels[api.ProjectLabel]; project != "" {
		name += " of the project " + project
	}
	return name
}

func conflictError(conflicts []conflict) error {
	errs := make([]error, len(conflicts))
	for i, c := range conflicts {
		err := fmt.Errorf("%s: port %d is held by %s", c.service, c.port, c.holder)
		errs[i] = errdefs.WithHint(err, fmt.Sprintf(
			"set %s=%d in .env.local, or run nself up --auto-ports", c.key, c.free))
	}
	return errdefs.As(errdefs.ErrUnavailable, errors.Join(errs...))
}
