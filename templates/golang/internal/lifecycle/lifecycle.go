// Package lifecycle holds what the handlers of a service share, and runs what goes on beside its requests.
package lifecycle

import (
	"context"
	"log/slog"
	"net/http"
	"reflect"
	"sync"

	"github.com/nself-org/nself/templates/golang/internal/server"
)

// Group collects parts of the service while its handlers are made, one after the other; nothing may be added after
// [Group.Start].
type Group struct {
	log    *slog.Logger
	shared map[reflect.Type]any
	tasks  []task
	checks []server.Check
	routes []route
}

type task struct {
	name string
	run  func(context.Context) error
}

type route struct {
	pattern string
	handler http.Handler
}

// New makes an empty Group.
func New(log *slog.Logger) *Group { return &Group{log: log, shared: map[reflect.Type]any{}} }

// Shared returns the group's one value of type T, which make makes when it is first asked for.
func Shared[T any](g *Group, make func() T) T {
	key := reflect.TypeFor[T]()
	if v, ok := g.shared[key].(T); ok {
		return v
	}
	v := make()
	g.shared[key] = v
	return v
}

// Go adds work that begins when the service serves and ends when ctx does. Its error is logged; the service goes on.
func (g *Group) Go(name string, run func(ctx context.Context) error) {
	g.tasks = append(g.tasks, task{name, run})
}

// Check adds a dependency that GET /readyz looks at.
func (g *Group) Check(c server.Check) { g.checks = append(g.checks, c) }

// Route adds an HTTP route, with a pattern of [http.ServeMux].
func (g *Group) Route(pattern string, h http.Handler) { g.routes = append(g.routes, route{pattern, h}) }

// Checks returns what was added with [Group.Check].
func (g *Group) Checks() []server.Check { return g.checks }

// Routes adds the routes to mux.
func (g *Group) Routes(mux *http.ServeMux) {
	for _, r := range g.routes {
		mux.Handle(r.pattern, r.handler)
	}
}

// Start begins all work. It ends with ctx, or when stop is called; stop returns when all of it has ended.
func (g *Group) Start(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for _, t := range g.tasks {
		wg.Go(func() {
			if err := t.run(ctx); err != nil && ctx.Err() == nil {
				g.log.ErrorContext(ctx, "background work ended", slog.String("work", t.name), slog.Any("error", err))
			}
		})
	}
	return func() {
		cancel()
		wg.Wait()
	}
}
