package gateway

import (
	"log/slog"
	"net/http"
	"slices"

	"github.com/coder/websocket"

	"github.com/nself-org/nself/internal/metadata"
)

// Staged is metadata that is ready to serve and not yet served: what a change would lead to can be looked at before it
// is made.
type Staged struct{ snapshot *snapshot }

// Stage prepares metadata. What cannot be served is left out and reported. facts are what consistency depends on outside
// of the metadata; its LookupEnv is not used, variables come from Options. The metadata must not be changed afterwards.
func (e *Engine) Stage(md *metadata.Metadata, facts metadata.Facts) (*Staged, error) {
	s, err := e.build(md, facts)
	if err != nil {
		return nil, err
	}
	return &Staged{snapshot: s}, nil
}

// Inconsistencies returns what is left out, and why.
func (s *Staged) Inconsistencies() []metadata.Inconsistency {
	return slices.Clone(s.snapshot.inconsistencies)
}

// Report adds inconsistencies that are known to the caller only, in front of the others. It may be called before Swap only.
func (s *Staged) Report(more ...metadata.Inconsistency) {
	s.snapshot.inconsistencies = append(slices.Clone(more), s.snapshot.inconsistencies...)
}

// Swap serves staged metadata from now on. Requests under way end with the metadata they began with. WebSockets are closed,
// so that their clients come back to the new schema, unless nothing has changed.
func (e *Engine) Swap(staged *Staged) {
	s := staged.snapshot
	e.observe(s)
	before := e.current.Swap(s)
	if !e.opt.KeepWebSockets && e.WebSockets() > 0 && !s.serves(before) {
		e.sockets.restart(socketClose{websocket.StatusServiceRestart, "the metadata has changed"}, socketDrain)
	}
	if s.async() {
		e.wanted.Do(func() { close(e.async) })
	}
	e.log.Info("metadata loaded", slog.Int("actions", len(s.actions)), slog.Int("roles", len(s.roles)),
		slog.Int("inconsistencies", len(s.inconsistencies)))
	for _, i := range s.inconsistencies {
		e.log.Warn("metadata is inconsistent", slog.String("object", i.Name), slog.String("reason", i.Reason))
	}
}

// MountAPI lets h answer POST on /v1/metadata, /v1/query and /v2/query. Without it they do not exist.
func (e *Engine) MountAPI(h http.Handler) { e.api.Store(&h) }

// isAPI tells whether a path is one of the metadata API's.
func isAPI(path string) bool {
	return path == "/v1/metadata" || path == "/v1/query" || path == "/v2/query"
}
