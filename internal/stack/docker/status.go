package docker

import (
	"context"
	"sync"

	"github.com/nself-org/nself/internal/compose"
	"github.com/nself-org/nself/internal/stack"
)

// Status reports every service; see [stack.Driver].
func (d *driver) Status(ctx context.Context) (stack.Status, error) {
	st := stack.Status{Project: d.config().ProjectName, Driver: driverName}
	e, err := d.open(ctx)
	if err != nil {
		return st, err
	}
	all, err := e.containers(ctx, d.config().ProjectName)
	if err != nil {
		return st, err
	}
	names, err := chosen(compose.Project(d.config()), nil)
	if err != nil {
		return st, err
	}
	st.Services = make([]stack.ServiceStatus, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		f := stack.FactsOf(d.config(), name)
		s := &st.Services[i]
		*s = stack.ServiceStatus{Name: name, State: stack.StateStopped, URL: f.URL, Port: f.Port}
		c, ok := all[name]
		if !ok {
			continue
		}
		s.Restarts = c.RestartCount
		if running(c) {
			st.Running = true
			s.PID, s.Started = c.State.Pid, started(c)
		}
		wg.Go(func() { s.State, s.Detail = e.stateOf(ctx, d.config(), name, c) })
	}
	wg.Wait()
	return st, ctx.Err()
}
