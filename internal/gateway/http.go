package gateway

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/nself-org/nself/internal/action"
	"github.com/nself-org/nself/internal/auth"
)

// Handler serves all endpoints.
func (e *Engine) Handler() http.Handler { return http.HandlerFunc(e.serve) }

func (e *Engine) serve(w http.ResponseWriter, r *http.Request) {
	requestID := r.Header.Get("X-Request-Id")
	if requestID == "" {
		requestID = newRequestID()
		r.Header["X-Request-Id"] = []string{requestID} // handlers get it with the client's headers
	}
	w.Header()["X-Request-Id"] = []string{requestID}
	if !e.enter() {
		w.Header().Set("Connection", "close")
		e.fail(w, &action.Error{
			Status: http.StatusServiceUnavailable, Code: action.CodeUnexpected, Message: "the server is shutting down",
		})
		return
	}
	defer e.leave()
	defer e.recovered(w, r, requestID)
	if e.cors.answer(w, r) {
		return
	}
	e.route(w, r, requestID)
}

// recovered turns a panic into an answer: one broken request must not take others with it.
func (e *Engine) recovered(w http.ResponseWriter, r *http.Request, requestID string) {
	cause := recover()
	if cause == nil {
		return
	}
	if cause == http.ErrAbortHandler { //nolint:errorlint // the sentinel is thrown as it is
		panic(cause)
	}
	e.log.ErrorContext(r.Context(), "request panicked", slog.Any("cause", cause), slog.String("request_id", requestID),
		slog.String("stack", string(debug.Stack())))
	e.fail(w, &action.Error{
		Status: http.StatusInternalServerError, Code: action.CodeUnexpected, Message: "internal error",
	})
}

func (e *Engine) route(w http.ResponseWriter, r *http.Request, requestID string) {
	post, path := r.Method == http.MethodPost, r.URL.Path
	switch {
	case e.opt.Disabled.has(path):
		e.plainRequest(w, r, requestID, e.notFound)
	case post && path == "/v1/graphql":
		e.serveGraphQL(w, r, requestID, false)
	case post && path == "/v1alpha1/graphql":
		e.serveGraphQL(w, r, requestID, true)
	case r.Method == http.MethodGet && upgrades(r) && (path == "/v1/graphql" || path == "/v1alpha1/graphql"):
		e.serveSocket(w, r, requestID)
	default:
		e.plainRequest(w, r, requestID, e.routePlain)
	}
}

// routePlain answers what is not GraphQL.
func (e *Engine) routePlain(w http.ResponseWriter, r *http.Request) {
	post, get := r.Method == http.MethodPost, r.Method == http.MethodGet || r.Method == http.MethodHead
	switch path := r.URL.Path; {
	case get && isHealth(path):
		e.serveHealth(w, r)
	case get && path == "/v1/version":
		e.serveVersion(w)
	case get && path == "/v1alpha1/config":
		e.serveConfig(w, r)
	case get && isMetrics(path) && e.opt.Metrics != nil:
		e.serveMetrics(w, r)
	case post && (path == "/v1/graphql/explain" || path == "/v1alpha1/graphql/explain"):
		e.serveExplain(w, r)
	case get && path == "/v1/graphql":
		err := &action.Error{Code: action.CodeNotSupported, Message: "PersistedQueryNotSupported"}
		writeJSON(w, http.StatusOK, err.AppendGraphQL(nil, false))
	case post && isAPI(path) && e.api.Load() != nil:
		(*e.api.Load()).ServeHTTP(w, r)
	case get && path == "/":
		e.serveLanding(w)
	default:
		e.notFound(w, r)
	}
}

func (e *Engine) notFound(w http.ResponseWriter, _ *http.Request) {
	e.fail(w, &action.Error{Status: http.StatusNotFound, Code: action.CodeNotFound, Message: "resource does not exist"})
}

// fail answers with the flat error envelope.
func (e *Engine) fail(w http.ResponseWriter, err *action.Error) {
	writeJSON(w, err.HTTPStatus(), err.AppendFlat(nil, false))
}

// healthTimeout bounds the question whether the metadata can be read.
const healthTimeout = 3 * time.Second

// CheckHealth makes the answers to /healthz depend on healthy, which asks for the place that the metadata is kept in.
// Without it they depend on the metadata alone.
func (e *Engine) CheckHealth(healthy func(context.Context) error) { e.healthy.Store(&healthy) }

// storeAway tells whether the place of the metadata does not answer.
func (e *Engine) storeAway(ctx context.Context) bool {
	healthy := e.healthy.Load()
	if healthy == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	err := (*healthy)(ctx)
	if err != nil {
		e.log.WarnContext(ctx, "not healthy", slog.String("error", err.Error()))
	}
	return err != nil
}

func (e *Engine) serveHealth(w http.ResponseWriter, r *http.Request) {
	status, text := http.StatusOK, "OK"
	switch {
	case e.storeAway(r.Context()):
		status, text = http.StatusInternalServerError, "ERROR"
	case len(e.current.Load().inconsistencies) > 0:
		text = "WARN: inconsistent objects in schema"
		if r.URL.Query().Get("strict") == "true" {
			status, text = http.StatusInternalServerError, "ERROR: inconsistent objects in schema"
		}
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}

func (e *Engine) serveVersion(w http.ResponseWriter) {
	body := action.AppendString([]byte(`{"version":`), e.opt.Version)
	writeJSON(w, http.StatusOK, append(body, `,"server_type":"ce"}`...))
}

// configAnswer is the body of /v1alpha1/config. What this server does not have is reported as switched off.
type configAnswer struct {
	Version                string   `json:"version"`
	FunctionPermissions    bool     `json:"is_function_permissions_inferred"`
	RemotePermissions      bool     `json:"is_remote_schema_permissions_enabled"`
	AdminSecretSet         bool     `json:"is_admin_secret_set"`
	AuthHookSet            bool     `json:"is_auth_hook_set"`
	JWTSet                 bool     `json:"is_jwt_set"`
	JWT                    []any    `json:"jwt"`
	AllowList              bool     `json:"is_allow_list_enabled"`
	LiveQueries            struct{} `json:"live_queries"`
	StreamingQueries       struct{} `json:"streaming_queries"`
	ConsoleAssetsDir       *string  `json:"console_assets_dir"`
	ExperimentalFeatures   []string `json:"experimental_features"`
	PrometheusEnabled      bool     `json:"is_prometheus_metrics_enabled"`
	DefaultNaming          string   `json:"default_naming_convention"`
	FeatureFlags           []string `json:"feature_flags"`
	ApolloFederationEnable bool     `json:"is_apollo_federation_enabled"`
}

// adminOnly refuses everybody else.
func (e *Engine) adminOnly(w http.ResponseWriter, r *http.Request) bool {
	session, refused := e.opt.Auth.Authenticate(r.Context(),
		auth.Request{Headers: auth.HTTPHeaders(r.Header), Host: r.Host})
	switch {
	case refused != nil:
		e.fail(w, authError(refused))
	case !session.Admin:
		e.fail(w, &action.Error{
			Code: action.CodeAccessDenied, Message: "You have to be an admin to access this endpoint",
		})
	default:
		return true
	}
	return false
}

func (e *Engine) serveConfig(w http.ResponseWriter, r *http.Request) {
	if !e.adminOnly(w, r) {
		return
	}
	experimental := []string{}
	if e.opt.OmitUnboundVariables {
		experimental = append(experimental, "no_null_unbound_variable_default")
	}
	body, err := json.Marshal(configAnswer{
		Version:              e.opt.Version,
		FunctionPermissions:  true,
		AdminSecretSet:       e.opt.Config.AdminSecretSet,
		AuthHookSet:          e.opt.Config.AuthHookSet,
		JWTSet:               e.opt.Config.JWTSet,
		JWT:                  []any{},
		ExperimentalFeatures: experimental,
		DefaultNaming:        "hasura-default",
		FeatureFlags:         []string{},
	})
	if err != nil {
		e.fail(w, &action.Error{Status: http.StatusInternalServerError, Code: action.CodeUnexpected, Message: err.Error()})
		return
	}
	writeJSON(w, http.StatusOK, body)
}

// httpLine is what the log tells about a request.
type httpLine struct {
	requestID                   string
	status                      int
	role                        string // "" where a request has none or was refused
	failed                      *action.Error
	took                        time.Duration
	requestBytes, responseBytes int64 // of the bodies, before compression
}

// logHTTP writes one line per request: who asked for what and how it went, nothing of the content.
func (e *Engine) logHTTP(r *http.Request, line *httpLine) {
	ctx := r.Context()
	level := slog.LevelInfo
	if e.opt.Logs.NoHTTP || !e.log.Enabled(ctx, level) {
		return
	}
	attrs := make([]slog.Attr, 0, 10)
	attrs = append(attrs, slog.String("request_id", line.requestID), slog.String("method", r.Method),
		slog.String("path", r.URL.Path), slog.Int("status", line.status), slog.String("role", line.role),
		slog.Duration("duration", line.took), slog.Int64("request_bytes", line.requestBytes),
		slog.Int64("response_bytes", line.responseBytes))
	if line.failed != nil {
		attrs = append(attrs, slog.String("error_code", line.failed.Code), slog.String("error", line.failed.Message))
	}
	e.line(ctx, level, "http-log", attrs)
}

// line writes a line of which there are many. Unlike the logger's methods it does not look for its caller.
func (e *Engine) line(ctx context.Context, level slog.Level, message string, attrs []slog.Attr) {
	record := slog.NewRecord(e.opt.now(), level, message, 0)
	record.AddAttrs(attrs...)
	_ = e.log.Handler().Handle(ctx, record) // as the logger, which has nobody to tell either
}
