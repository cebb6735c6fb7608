package docker

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/docker/compose/v5/pkg/api"
	"github.com/docker/compose/v5/pkg/compose"
	"github.com/moby/moby/api/types/container"

	"github.com/nself-org/nself/internal/stack"
)

// changed names the running services whose configuration or sources are not those that their containers were made from, by
// the labels that Compose and the build leave.
func (a *ascent) changed() ([]string, error) {
	var names []string
	for _, name := range a.order {
		c := a.before[name]
		if !running(c) || c.Config == nil {
			continue
		}
		differs, err := a.differs(name, c)
		if err != nil {
			return nil, err
		}
		if differs {
			names = append(names, name)
		}
	}
	return names, nil
}

func (a *ascent) differs(name string, c container.InspectResponse) (bool, error) {
	s := a.project.Services[name]
	hash, err := compose.ServiceHash(s)
	if err != nil {
		return false, fmt.Errorf("%s: hash the configuration: %w", name, err)
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
	names, err := a.changed()
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
