package gateway

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/nself-org/nself/internal/actionlog"
	"github.com/nself-org/nself/internal/auth"
	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/webhook"
)

// Authenticator finds out who asks. [*auth.Authenticator] is one.
type Authenticator interface {
	Authenticate(ctx context.Context, r auth.Request) (auth.Session, *auth.Error)
}

// Options configure an [Engine]. Auth and Log are required; the zero value of everything else is Hasura's default.
type Options struct {
	Auth Authenticator
	Log  *slog.Logger
	// Version is what /v1/version and the User-Agent of calls report.
	Version string
	// Lookup finds the environment variables that handlers and headers name. Nil: none is set.
	Lookup webhook.Lookup
	// TLS is the configuration of https handlers. Nil: the system's roots.
	TLS *tls.Config

	// ActionLog keeps the entries of asynchronous actions; [Engine.RunAsync] is what a worker on it calls. Nil:
	// asynchronous actions are inconsistent.
	ActionLog actionlog.Log

	// DevMode shows internal details of errors to every role (HASURA_GRAPHQL_DEV_MODE).
	DevMode bool
	// HideAdminInternals keeps internal details from the admin role too, unless DevMode is set
	// (HASURA_GRAPHQL_ADMIN_INTERNAL_ERRORS=false).
	HideAdminInternals bool
	// Preserve401 keeps the status of refused requests on /v1/graphql (HASURA_GRAPHQL_PRESERVE_401_ERRORS).
	Preserve401 bool
	// ConfiguredHeadersFirst is HASURA_GRAPHQL_CONFIGURED_HEADER_PRECEDENCE.
	ConfiguredHeadersFirst bool
	// CORSDomains is HASURA_GRAPHQL_CORS_DOMAIN: origins separated by commas, "*" for all, "https://*.example.com" for
	// subdomains. Empty: all.
	CORSDomains string
	// DisableCORS is HASURA_GRAPHQL_DISABLE_CORS.
	DisableCORS bool
	// OmitUnboundVariables leaves out what a declared variable without a value stands for, which is null otherwise
	// (no_null_unbound_variable_default in HASURA_GRAPHQL_EXPERIMENTAL_FEATURES).
	OmitUnboundVariables bool

	// WebSocketKeepAlive is how often a WebSocket gets a sign of life (HASURA_GRAPHQL_WEBSOCKET_KEEPALIVE). Zero: 5 s.
	WebSocketKeepAlive time.Duration
	// WebSocketInitTimeout is how long a new WebSocket may take to say who it is
	// (HASURA_GRAPHQL_WEBSOCKET_CONNECTION_INIT_TIMEOUT). Zero: 3 s.
	WebSocketInitTimeout time.Duration
	// KeepWebSockets leaves WebSockets open when metadata changes
	// (HASURA_GRAPHQL_CLOSE_WEBSOCKETS_ON_METADATA_CHANGE=false).
	KeepWebSockets bool

	// Config is what /v1alpha1/config tells beyond what the Engine knows itself.
	Config ConfigFacts

	// Observer is told about requests and calls. Nil: nobody is.
	Observer Observer
	// Recorder is told of calls with what was said. Nil: nobody is, at no cost.
	Recorder Recorder
	// Tracer makes a span for each GraphQL request and each call of a handler. Nil: none; traces of clients are passed on
	// to handlers all the same.
	Tracer trace.Tracer
	// Logs chooses lines of the log.
	Logs LogTypes
	// Disabled are APIs that do not exist.
	Disabled DisabledAPIs
	// Metrics answers GET on /metrics and /v1/metrics. Nil: they do not exist.
	Metrics http.Handler
	// MetricsSecret is the bearer token of whoever reads the metrics (HASURA_GRAPHQL_METRICS_SECRET). Empty: only
	// administrators may.
	MetricsSecret env.Secret

	// MaxRequestBytes bounds the body of a request and a message on a WebSocket. Zero: 2 MiB.
	MaxRequestBytes int64
	// MaxResponseBytes bounds the answer of a handler. Zero: 10 MiB.
	MaxResponseBytes int
	// MaxDepth bounds how deep selections nest, fragments included. Zero: 100.
	MaxDepth int
	// MaxCachedOperations bounds the operations remembered for each role. Zero: 1000.
	MaxCachedOperations int

	// now is replaced by tests.
	now func() time.Time
}

// ConfigFacts are settings that a console reads from /v1alpha1/config.
type ConfigFacts struct {
	AdminSecretSet bool
	AuthHookSet    bool
	JWTSet         bool
}

// withDefaults fills in what is not set.
func (o Options) withDefaults() Options {
	if o.Lookup == nil {
		o.Lookup = func(string) (string, bool) { return "", false }
	}
	if o.Version == "" {
		o.Version = "dev"
	}
	if o.MaxRequestBytes == 0 {
		o.MaxRequestBytes = 2 << 20
	}
	if o.MaxResponseBytes == 0 {
		o.MaxResponseBytes = webhook.DefaultMaxResponseBytes
	}
	if o.WebSocketKeepAlive == 0 {
		o.WebSocketKeepAlive = 5 * time.Second
	}
	if o.WebSocketInitTimeout == 0 {
		o.WebSocketInitTimeout = 3 * time.Second
	}
	if o.MaxDepth == 0 {
		o.MaxDepth = 100
	}
	if o.MaxCachedOperations == 0 {
		o.MaxCachedOperations = 1000
	}
	if o.Observer == nil {
		o.Observer = unobserved{}
	}
	if o.now == nil {
		o.now = time.Now
	}
	return o
}
