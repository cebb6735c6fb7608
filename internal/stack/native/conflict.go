package native

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/ports"
)

// conflict is a port that a service needs and another program holds.
type conflict struct {
	service, key string
	port, free   int
	holder       string
}

// conflicts checks the ports of all that will start, before anything does.
func (a *ascent) conflicts(ctx context.Context) []conflict {
	held := map[int]bool{}   // by our own services, which give them back or keep them
	wanted := map[int]bool{} // by this configuration: no free port for another
	a.supervisor.mu.Lock()
	for _, u := range a.units {
		if u.active() {
			for _, p := range u.prog.info().Ports {
				held[p] = true
			}
		}
	}
	a.supervisor.mu.Unlock()
	for _, st := range a.plan {
		for _, p := range st.prog.info().Ports {
			wanted[p] = true
		}
	}
	var found []conflict
	taken := map[int]string{}
	for _, st := range a.plan {
		own := st.prog.info().Ports
		for _, key := range slices.Sorted(maps.Keys(own)) {
			port := own[key]
			other, twice := taken[port]
			taken[port] = key
			if !twice && (st.keep || held[port] || !a.occupied(ctx, port)) {
				continue
			}
			c := conflict{service: st.name, key: key, port: port}
			c.free, _ = ports.Free(ctx, port, wanted) // 0: no advice
			wanted[c.free] = true
			if twice {
				c.holder = other + " of this project"
			} else if h, err := ports.Find(ctx, port); err == nil && h != nil {
				c.holder = h.String()
			} else {
				c.holder = "another program"
			}
			found = append(found, c)
		}
	}
	return found
}

// A port that is in use while nobody holds it belongs to a process that is just ending. One that this very project holds,
// and not by us, belongs to a supervisor whose files are gone: it notices that within two looks and stops its services.
const (
	endingPatience = time.Second
	lostPatience   = 2*lookInterval + 5*time.Second
	endingRetry    = 20 * time.Millisecond
)

func (a *ascent) occupied(ctx context.Context, port int) bool {
	begin := time.Now()
	for ports.InUse(ctx, port) {
		h, err := ports.Find(ctx, port)
		patience := endingPatience
		if h != nil && h.PID != 0 { // without a pid the holder changed while it was looked for: look again
			if h.Project != a.lay.dir {
				return true
			}
			patience = lostPatience
		}
		if err != nil || time.Since(begin) > patience {
			return true
		}
		timer := time.NewTimer(endingRetry)
		select {
		case <-ctx.Done():
			timer.Stop()
			return true
		case <-timer.C:
		}
	}
	return false
}

// taken is the error of a service that runs, or ought to, while another program holds a port of its: most likely another
// project that was started in the same moment. Nil: nobody else is known to hold one.
func (l layout) taken(ctx context.Context, own map[string]int) error {
	for _, key := range slices.Sorted(maps.Keys(own)) {
		port := own[key]
		h, err := ports.Find(ctx, port)
		if err != nil || h == nil || h.PID == 0 || h.Project == l.dir {
			continue
		}
		free, _ := ports.Free(ctx, port, nil) // 0: no advice
		return errdefs.As(errdefs.ErrUnavailable, conflict{key: key, port: port, free: free, holder: h.String()}.err())
	}
	return nil
}

func (c conflict) err() error {
	return errdefs.WithHint(fmt.Errorf("port %d is held by %s", c.port, c.holder),
		fmt.Sprintf("set %s=%d in .env.local, or run nself up --auto-ports", c.key, c.free))
}

func conflictError(conflicts []conflict) error {
	errs := make([]error, len(conflicts))
	for i, c := range conflicts {
		errs[i] = fmt.Errorf("%s: %w", c.service, c.err())
	}
	return errdefs.As(errdefs.ErrUnavailable, errors.Join(errs...))
}
