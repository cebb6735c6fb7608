package cli

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nself-org/nself/internal/auth"
	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/gateway"
)

// engineSettings is what the engine is built from: Hasura's variables, read.
type engineSettings struct {
	Vars             env.Variables // what metadata may name
	Auth             auth.Config
	Gateway          gateway.Options // as far as variables decide
	Database         env.Secret      // of the source "default"
	MetadataDatabase env.Secret      // of the metadata and the log of asynchronous actions
	FetchInterval    time.Duration   // 0: asynchronous actions are not run
	FetchBatch       int             // 0: the worker's default
	SyncInterval     time.Duration   // 0: the metadata API's default
	Drain            time.Duration   // how long requests under way may take at the end
	LogLevel         slog.Level
	Startup          bool     // write the startup lines
	Metrics          bool     // serve them
	Ignored          []string // variables that are set and have no effect
}

// hasuraTypes are Hasura's kinds of log lines. Those that the gateway has no lines of are accepted.
func hasuraTypes() []string {
	return []string{
		"startup", "http-log", "webhook-log", "websocket-log", "query-log", "execution-log", "livequery-poller-log",
		"action-handler-log", "data-connector-log", "jwk-refresh-log", "validate-input-log", "query-complexity-log",
	}
}

// readEngineSettings reads Hasura's variables. All faults are reported at once, each of class [errdefs.ErrInvalid]; none
// shows a secret's value.
func readEngineSettings(vars map[string]string) (*engineSettings, error) {
	r := &settingsReader{vars: vars}
	s := &engineSettings{Vars: vars}
	authConfig, err := auth.ConfigFromEnv(func(key string) string { return vars[key] })
	r.fault(err)
	s.Auth = authConfig
	s.Database = env.Secret(vars["HASURA_GRAPHQL_DATABASE_URL"])
	s.MetadataDatabase = env.Secret(vars["HASURA_GRAPHQL_METADATA_DATABASE_URL"])
	if s.MetadataDatabase == "" {
		s.MetadataDatabase = s.Database
	}
	s.FetchInterval = r.duration("HASURA_GRAPHQL_ASYNC_ACTIONS_FETCH_INTERVAL", time.Millisecond, 1000)
	s.FetchBatch = r.number("HASURA_GRAPHQL_ASYNC_ACTIONS_FETCH_BATCH_SIZE", 0)
	s.SyncInterval = r.duration("HASURA_GRAPHQL_SCHEMA_SYNC_POLL_INTERVAL", time.Millisecond, 1000)
	s.Drain = r.duration("HASURA_GRAPHQL_GRACEFUL_SHUTDOWN_TIMEOUT", time.Second, 60)
	s.Gateway = gateway.Options{
		Version: engineVersion(),
		Lookup:  func(name string) (string, bool) { value, ok := vars[name]; return value, ok },

		DevMode:                r.bool("HASURA_GRAPHQL_DEV_MODE", false),
		HideAdminInternals:     !r.bool("HASURA_GRAPHQL_ADMIN_INTERNAL_ERRORS", true),
		Preserve401:            r.bool("HASURA_GRAPHQL_PRESERVE_401_ERRORS", false),
		ConfiguredHeadersFirst: r.bool("HASURA_GRAPHQL_CONFIGURED_HEADER_PRECEDENCE", false),
		CORSDomains:            vars["HASURA_GRAPHQL_CORS_DOMAIN"],
		DisableCORS:            r.bool("HASURA_GRAPHQL_DISABLE_CORS", false),
		MetricsSecret:          env.Secret(vars["HASURA_GRAPHQL_METRICS_SECRET"]),
		Config: gateway.ConfigFacts{
			AdminSecretSet: len(authConfig.AdminSecrets) > 0, AuthHookSet: authConfig.Hook.URL != "",
			JWTSet: len(authConfig.JWTSecrets) > 0,
		},
	}
	r.fault(socketSettings(vars, &s.Gateway))
	r.logs(s)
	r.apis(s)
	for _, key := range []string{
		"HASURA_GRAPHQL_ENABLE_CONSOLE", "HASURA_GRAPHQL_ENABLE_ALLOWLIST", "HASURA_GRAPHQL_ENABLE_APOLLO_FEDERATION",
	} {
		if r.bool(key, false) {
			s.Ignored = append(s.Ignored, key)
		}
	}
	if err := errors.Join(r.errs...); err != nil {
		return nil, errdefs.As(errdefs.ErrInvalid, err)
	}
	return s, nil
}

// settingsReader reads variables and collects what is wrong with them. An empty one counts as not set.
type settingsReader struct {
	vars map[string]string
	errs []error
}

func (r *settingsReader) fault(err error) {
	if err != nil {
		r.errs = append(r.errs, err)
	}
}

func (r *settingsReader) faultf(key, format string, args ...any) {
	r.errs = append(r.errs, fmt.Errorf("%s: "+format, append([]any{key}, args...)...))
}

// bool reads a boolean as Hasura does.
func (r *settingsReader) bool(key string, otherwise bool) bool {
	switch strings.ToLower(r.vars[key]) {
	case "":
		return otherwise
	case "true", "t", "yes", "y":
		return true
	case "false", "f", "no", "n":
		return false
	}
	r.faultf(key, "expected true or false, got %q", r.vars[key])
	return otherwise
}

// isFalse reads a boolean as Hasura does.
func isFalse(text string) bool {
	return slices.Contains([]string{"false", "f", "no", "n"}, strings.ToLower(text))
}

// number reads a natural number.
func (r *settingsReader) number(key string, otherwise int) int {
	text := r.vars[key]
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		r.faultf(key, "expected a number of at least 0, got %q", text)
		return otherwise
	}
	return n
}

// duration reads a number of units, whole or not.
func (r *settingsReader) duration(key string, unit time.Duration, otherwise float64) time.Duration {
	n := otherwise
	if text := r.vars[key]; text != "" {
		var err error
		n, err = strconv.ParseFloat(text, 64)
		if err != nil || !(n >= 0 && n <= float64(math.MaxInt64/unit)) {
			r.faultf(key, "expected a number of at least 0 in units of %s, got %q", unit, text)
			n = otherwise
		}
	}
	return time.Duration(n * float64(unit))
}

// list reads words separated by commas.
func (r *settingsReader) list(key string) []string {
	var words []string
	for word := range strings.SplitSeq(r.vars[key], ",") {
		if word = strings.TrimSpace(word); word != "" {
			words = append(words, word)
		}
	}
	return words
}

func (r *settingsReader) logs(s *engineSettings) {
	s.Startup = true
	switch level := r.vars["HASURA_GRAPHQL_LOG_LEVEL"]; level {
	case "", "info":
	case "debug":
		s.LogLevel = slog.LevelDebug
	case "warn":
		s.LogLevel = slog.LevelWarn
	case "error":
		s.LogLevel = slog.LevelError
	default:
		r.faultf("HASURA_GRAPHQL_LOG_LEVEL", "expected debug, info, warn or error, got %q", level)
	}
	types := r.list("HASURA_GRAPHQL_ENABLED_LOG_TYPES")
	if len(types) == 0 {
		return
	}
	for _, t := range types {
		if !slices.Contains(hasuraTypes(), t) {
			r.faultf("HASURA_GRAPHQL_ENABLED_LOG_TYPES", "%q is none of %s", t, strings.Join(hasuraTypes(), ", "))
		}
	}
	s.Startup = slices.Contains(types, "startup")
	s.Gateway.Logs = gateway.LogTypes{
		NoHTTP:      !slices.Contains(types, "http-log"),
		NoWebhook:   !slices.Contains(types, "webhook-log") && !slices.Contains(types, "action-handler-log"),
		NoWebSocket: !slices.Contains(types, "websocket-log"),
		Query:       slices.Contains(types, "query-log"),
	}
}

func (r *settingsReader) apis(s *engineSettings) {
	const key = "HASURA_GRAPHQL_ENABLED_APIS"
	apis := r.list(key)
	s.Metrics = len(apis) == 0 || slices.Contains(apis, "metrics")
	if len(apis) == 0 {
		return
	}
	known := []string{"metadata", "graphql", "pgdump", "config", "developer", "metrics"}
	for _, api := range apis {
		if !slices.Contains(known, api) {
			r.faultf(key, "%q is none of %s", api, strings.Join(known, ", "))
		}
	}
	s.Gateway.Disabled = gateway.DisabledAPIs{
		GraphQL: !slices.Contains(apis, "graphql"), Metadata: !slices.Contains(apis, "metadata"),
		Config: !slices.Contains(apis, "config"),
	}
}
