package server

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// checkTimeout bounds each look at a dependency: a probe that hangs tells its caller nothing.
const checkTimeout = 2 * time.Second

// Check looks at one dependency.
type Check struct {
	// Name is the key in the answer, such as "postgres".
	Name string
	// Required: the service is not ready without it. Otherwise it is only degraded.
	Required bool
	// Probe returns nil when the dependency answers. A nil Probe means that the dependency is turned off.
	Probe func(context.Context) error
}

type readiness struct {
	Status string            `json:"status"` // ready, degraded, unready or stopping
	Checks map[string]string `json:"checks"` // up, down or disabled
}

// healthz says that the process answers at all; it looks at nothing else, so that a database that is down does not get
// the service restarted in vain.
func (s *Server) healthz(w http.ResponseWriter, r *http.Request) {
	s.write(w, r, http.StatusOK, map[string]string{"status": "ok"})
}

// readyz says whether requests should be sent here.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	results := make([]string, len(s.opts.Checks))
	var wg sync.WaitGroup
	for i, c := range s.opts.Checks {
		if c.Probe == nil {
			results[i] = "disabled"
			continue
		}
		wg.Go(func() { //nolint:contextcheck // it is the request's
			ctx, cancel := context.WithTimeout(r.Context(), checkTimeout)
			defer cancel()
			results[i] = "up"
			if err := c.Probe(ctx); err != nil {
				results[i] = "down"
				s.opts.Log.WarnContext(ctx, "dependency is down", slog.String("dependency", c.Name), slog.Any("error", err))
			}
		})
	}
	wg.Wait()

	answer := readiness{Status: "ready", Checks: make(map[string]string, len(results))}
	status := http.StatusOK
	for i, c := range s.opts.Checks {
		answer.Checks[c.Name] = results[i]
		switch {
		case results[i] != "down":
		case c.Required:
			answer.Status, status = "unready", http.StatusServiceUnavailable
		case status == http.StatusOK:
			answer.Status = "degraded"
		}
	}
	if s.draining.Load() {
		answer.Status, status = "stopping", http.StatusServiceUnavailable
	}
	s.write(w, r, status, answer)
}
