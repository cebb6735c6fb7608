package docker

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/docker/compose/v5/pkg/api"
	"github.com/docker/compose/v5/pkg/compose"
	"github.com/moby/moby/api/types/container"

	"github.com/nself-org/nself/internal/stack"
)

// Changed names the running services that have changed since they started; see [stack.Driver].
func (d *driver) Changed(ctx context.Context) ([]string, error) {
	e, err := d.open(ctx)
	if err != nil {
		return nil, err
	}
	project, err := load(ctx, d.config())
	if err != nil {
		return nil, err
	}
	order, err := chosen(project, nil)
	if err != nil {
		return nil, err
	}
	all, err := e.containers(ctx, project.Name)
	if err != nil {
		return nil, err
	}
	return changed(project, order, all)
}

// changed names the running services whose configuration or sources are not those that their containers were made from, by
// the labels that Compose and the build leave.
func changed(project *types.Project, order []string, all map[string]container.InspectResponse) ([]string, error) {
	var names []string
	for _, name := range order {
		c := all[name]
		if !running(c) || c.Config == nil {
			continue
		}
		differ, err := differs(project.Services[name], c)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if differ {
			names = append(names, name)
		}
	}
	return names, nil
}

// unchanged names the running services that are not among the changed.
func unchanged(project *types.Project, order []string, all map[string]container.InspectResponse) ([]string, error) {
	differ, err := changed(project, order, all)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, name := range order {
		if running(all[name]) && !slices.Contains(differ, name) {
			names = append(names, name)
		}
	}
	return names, nil
}

func differs(s types.ServiceConfig, c container.InspectResponse) (bool, error) {
	hash, err := compose.ServiceHash(s)
	if err != nil {
		return false, fmt.Errorf("hash the configuration: %w", err)
	}
	if hash != c.Config.Labels[api.ConfigHashLabel] {
		return true, nil
	}
	if s.Build == nil {
		return false, nil
	}
	sources, err := hashSources(s.Build)
	if err != nil {
		return false, nil //nolint:nilerr // the build says what is wrong with them
	}
	return sources != c.Config.Labels[sourcesLabel], nil
}

// settle asks, where there is somebody to ask, what becomes of running services that have changed, and notes those that
// stay as they are.
func (a *ascent) settle(ctx context.Context, ask func(changed []string) bool) error {
	names, err := changed(a.project, a.order, a.before)
	if err != nil || len(names) == 0 || ctx.Err() != nil {
		return err
	}
	if ask == nil || ask(names) {
		a.report(stack.Event{
			Kind: stack.EventNote, Detail: "changed since they started, so started anew: " + strings.Join(names, ", "),
		})
		return nil
	}
	a.kept = names
	a.report(stack.Event{
		Kind: stack.EventWarning, Detail: "left as they are, although changed since they started: " + strings.Join(names, ", "),
		Hint: "nself restart " + strings.Join(names, " "),
	})
	return nil
}

func (a *ascent) keeps(name string) bool { return slices.Contains(a.kept, name) }
