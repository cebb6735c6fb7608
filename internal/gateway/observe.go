package gateway

import (
	"crypto/subtle"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/nself-org/nself/internal/action"
)

// Observer is told what happens, from many goroutines at once and while clients wait: it must not block.
type Observer interface {
	// Request is told after each answer, and for each operation on a WebSocket. failed tells that a GraphQL answer is an
	// error, which has status 200 as a rule.
	Request(at Endpoint, status int, failed bool, took time.Duration)
	// Action returns what observes the calls of an action's handler. It is asked when metadata comes into force, not for
	// each call.
	Action(name string) CallObserver
	// Loaded is told when metadata has come into force, with the names of all actions that are served.
	Loaded(actions []string, inconsistencies int)
}

// CallObserver is told how each call of a handler ended. A status of 0 is no answer: no connection, a timeout, or an
// answer that is too long.
type CallObserver interface {
	Call(status int, took time.Duration)
}

// Endpoint is a kind of request.
type Endpoint uint8

// The endpoints. Everything else is OtherEndpoint.
const (
	OtherEndpoint Endpoint = iota
	GraphQLEndpoint
	WebSocketEndpoint
	MetadataEndpoint
	HealthEndpoint
	MetricsEndpoint
	// Endpoints is how many there are.
	Endpoints
)

// String is the name of the endpoint in metrics.
func (at Endpoint) String() string {
	switch at {
	case GraphQLEndpoint:
		return "graphql"
	case WebSocketEndpoint:
		return "websocket"
	case MetadataEndpoint:
		return "metadata"
	case HealthEndpoint:
		return "health"
	case MetricsEndpoint:
		return "metrics"
	}
	return "other"
}

func endpointOf(path string) Endpoint {
	switch {
	case isAPI(path):
		return MetadataEndpoint
	case isHealth(path):
		return HealthEndpoint
	case isMetrics(path):
		return MetricsEndpoint
	}
	return OtherEndpoint
}

// unobserved is the Observer of an engine that has none.
type unobserved struct{}

func (unobserved) Request(Endpoint, int, bool, time.Duration) {}
func (unobserved) Action(string) CallObserver                 { return unobserved{} }
func (unobserved) Loaded([]string, int)                       {}
func (unobserved) Call(int, time.Duration)                    {}

// LogTypes chooses lines of the log (HASURA_GRAPHQL_ENABLED_LOG_TYPES). The zero value is Hasura's default.
type LogTypes struct {
	// NoHTTP, NoWebhook and NoWebSocket leave out a line per request, per call of a handler, and per event on a WebSocket.
	NoHTTP, NoWebhook, NoWebSocket bool
	// Query adds a line per GraphQL request with its text. Values of variables are never written, since passwords are
	// among them.
	Query bool
}

// DisabledAPIs are answered as if they did not exist (what HASURA_GRAPHQL_ENABLED_APIS leaves out).
type DisabledAPIs struct {
	GraphQL, Metadata, Config bool
}

// has tells whether a path belongs to a disabled API.
func (d DisabledAPIs) has(path string) bool {
	switch {
	case d == DisabledAPIs{}:
		return false
	case isAPI(path):
		return d.Metadata
	case path == "/v1alpha1/config":
		return d.Config
	}
	return d.GraphQL && (strings.HasPrefix(path, "/v1/graphql") || strings.HasPrefix(path, "/v1alpha1/graphql"))
}

func isHealth(path string) bool  { return path == "/healthz" || path == "/hasura/healthz" }
func isMetrics(path string) bool { return path == "/metrics" || path == "/v1/metrics" }

// serveMetrics lets callers with the metrics secret in, and administrators where there is none.
func (e *Engine) serveMetrics(w http.ResponseWriter, r *http.Request) {
	secret := e.opt.MetricsSecret.Reveal()
	if secret == "" {
		if e.adminOnly(w, r) {
			e.opt.Metrics.ServeHTTP(w, r)
		}
		return
	}
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !bearer || subtle.ConstantTimeCompare([]byte(token), []byte(secret)) != 1 {
		e.fail(w, &action.Error{
			Status: http.StatusUnauthorized, Code: action.CodeAccessDenied, Message: "invalid metrics secret",
		})
		return
	}
	e.opt.Metrics.ServeHTTP(w, r)
}

// observe assigns the observers of the calls before a snapshot is served.
func (e *Engine) observe(s *snapshot) {
	names := make([]string, 0, len(s.actions))
	for _, a := range s.actions {
		names = append(names, a.Name)
	}
	e.opt.Observer.Loaded(names, len(s.inconsistencies))
	for _, a := range s.actions {
		if a.observer == nil { // a snapshot that is served already is not written to
			a.observer = e.opt.Observer.Action(a.Name)
		}
	}
}

// WebSockets counts the open connections.
func (e *Engine) WebSockets() int {
	e.sockets.mu.Lock()
	defer e.sockets.mu.Unlock()
	return len(e.sockets.open)
}

// logQuery writes the text of a request, where that was asked for.
func (x *exchange) logQuery(req *graphqlRequest) {
	attrs := []slog.Attr{
		slog.String("request_id", x.requestID), slog.String("role", x.session.Role),
		slog.String("query", action.Unquote(req.query)),
	}
	if req.operationName != "" {
		attrs = append(attrs, slog.String("operation", action.Unquote(req.operationName)))
	}
	x.engine.log.LogAttrs(x.ctx, slog.LevelInfo, "query-log", attrs...)
}

// plainRequest answers what is not GraphQL, with a line in the log.
func (e *Engine) plainRequest(
	w http.ResponseWriter, r *http.Request, requestID string, answer func(http.ResponseWriter, *http.Request),
) {
	began := e.opt.now()
	rec := &recorder{ResponseWriter: w, status: http.StatusInternalServerError} // unless something is answered
	defer func() {
		took := e.opt.now().Sub(began)
		e.opt.Observer.Request(endpointOf(r.URL.Path), rec.status, rec.status >= http.StatusBadRequest, took)
		e.logHTTP(r, &httpLine{
			requestID: requestID, status: rec.status, requestBytes: max(r.ContentLength, 0),
			responseBytes: rec.bytes, took: took,
		})
	}()
	answer(rec, r)
}

// recorder notes what an answer was.
type recorder struct {
	http.ResponseWriter
	status int
	wrote  bool
	bytes  int64
}

// Unwrap lets [http.ResponseController] find what the writer underneath can do.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// WriteHeader implements [http.ResponseWriter].
func (r *recorder) WriteHeader(status int) {
	r.status, r.wrote = status, true
	r.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (r *recorder) Write(p []byte) (int, error) {
	if !r.wrote {
		r.status, r.wrote = http.StatusOK, true
	}
	n, err := r.ResponseWriter.Write(p)
	r.bytes += int64(n)
	return n, err
}
