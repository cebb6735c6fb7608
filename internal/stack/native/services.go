package native

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/stack"
)

// service is one enabled service of a configuration: its name and what has to be healthy before it starts.
type service struct {
	name string
	deps []string
	// build makes the program; called on the supervisor's side only.
	build func(s *supervisor, cfg *env.Config, out *logFile) program
}

// enabled lists the services that the configuration asks for, in the order in which they start.
func enabled(cfg *env.Config) []service {
	list := []service{{name: stack.Postgres, build: newPostgres}}
	functionDeps := []string{stack.Postgres}
	if cfg.Redis.Enabled {
		list = append(list, service{name: stack.Redis, build: newRedis})
		functionDeps = append(functionDeps, stack.Redis)
	}
	if cfg.Mail.Enabled {
		list = append(list, service{name: stack.Mail, build: newMail})
	}
	list = append(list, service{name: stack.Hasura, build: newEngine})
	for _, rt := range cfg.Runtimes() {
		if !rt.Enabled {
			continue
		}
		list = append(list, service{
			name: rt.Name, deps: functionDeps,
			build: func(s *supervisor, cfg *env.Config, out *logFile) program { return newFunction(s, cfg, rt, out) },
		})
	}
	return list
}

// selectServices picks the named services and what they depend on; all, when none is named. The engine keeps its
// asynchronous actions in Postgres, but starts without it, so the dependency counts here and not for the order.
func selectServices(all []service, names []string) ([]service, error) {
	if len(names) == 0 {
		return all, nil
	}
	wanted := map[string]bool{}
	for _, n := range names {
		i := slices.IndexFunc(all, func(s service) bool { return s.name == n })
		if i < 0 {
			return nil, unknownService(n, all)
		}
		wanted[n] = true
		for _, d := range all[i].deps {
			wanted[d] = true
		}
		if n == stack.Hasura {
			wanted[stack.Postgres] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(s service) bool { return !wanted[s.name] }), nil
}

func unknownService(name string, all []service) error {
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = s.name
	}
	hint := "the services of this project are " + strings.Join(names, ", ")
	switch name {
	case "golang", "nestjs", "python", stack.Redis:
		hint += fmt.Sprintf("; set %s_ENABLED=true in .env to have %s", strings.ToUpper(name), name)
	case stack.Mail:
		hint += "; set MAILPIT_ENABLED=true in .env to have mailpit"
	}
	return errdefs.WithHint(fmt.Errorf("%w: the project has no service %q", errdefs.ErrUsage, name), hint)
}
