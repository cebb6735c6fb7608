package cli

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// hasuraFlag is a flag of Hasura's serve command, which sets a variable.
type hasuraFlag struct {
	name     string
	variable string // without HASURA_GRAPHQL_
	value    string // what the value is called; "" for a switch
	usage    string
	effect   string // what giving a switch sets; "" is "true"
}

const hasuraPrefix = "HASURA_GRAPHQL_"

// hasuraFlags are the flags by topic. Those marked so are accepted and have no effect, so that a command line of Hasura's
// can be used as it is.
func hasuraFlags() []hasuraFlag {
	return []hasuraFlag{
		{"server-port", "SERVER_PORT", "port", "Listen on this port (default 8080)", ""},
		{"server-host", "SERVER_HOST", "host", "Listen on this address; * is every one (default *)", ""},
		{"database-url", "DATABASE_URL", "url", "Database of the source default, and of the metadata unless told otherwise", ""},
		{"metadata-database-url", "METADATA_DATABASE_URL", "url", "Database of the metadata and of asynchronous actions", ""},
		{"metadata-dir", "METADATA_DIR", "dir", "Serve the metadata in this folder, or in a project of nself or the Hasura CLI; follow its changes", ""},
		{"retries", "NO_OF_RETRIES", "number", "Try to reach the database so often more (default 1)", ""},
		{"schema-sync-poll-interval", "SCHEMA_SYNC_POLL_INTERVAL", "ms", "Look for metadata that others change (default 1000)", ""},

		{"admin-secret", "ADMIN_SECRET", "secret", "Secret of administrators; the variable keeps it out of ps", ""},
		{"access-key", "ACCESS_KEY", "secret", "Old name of --admin-secret", ""},
		{"jwt-secret", "JWT_SECRET", "json", "How to check JSON Web Tokens", ""},
		{"unauthorized-role", "UNAUTHORIZED_ROLE", "role", "Role of callers without credentials", ""},
		{"auth-hook", "AUTH_HOOK", "url", "Webhook that says who a caller is", ""},
		{"auth-hook-mode", "AUTH_HOOK_MODE", "mode", "How to call the webhook: GET or POST (default GET)", ""},
		{
			"auth-hook-send-request-body", "AUTH_HOOK_SEND_REQUEST_BODY", "true|false",
			"Send the request to a POST webhook (default true)", "",
		},

		{"cors-domain", "CORS_DOMAIN", "origins", "Origins that browsers may ask from, separated by commas (default *)", ""},
		{"disable-cors", "DISABLE_CORS", "", "Send no CORS headers", ""},
		{"enabled-apis", "ENABLED_APIS", "list", "APIs that exist: metadata, graphql, pgdump, config, developer, metrics", ""},
		{"metrics-secret", "METRICS_SECRET", "secret", "Bearer token for /metrics (default: administrators only)", ""},
		{"experimental-features", "EXPERIMENTAL_FEATURES", "list", "no_null_unbound_variable_default is known", ""},
		{"configured-header-precedence", "CONFIGURED_HEADER_PRECEDENCE", "", "Headers of the metadata win over the client's", ""},
		{"preserve-401-errors", "PRESERVE_401_ERRORS", "", "Answer refused GraphQL requests with status 401", ""},

		{"dev-mode", "DEV_MODE", "", "Show internal details of errors to every role", ""},
		{"admin-internal-errors", "ADMIN_INTERNAL_ERRORS", "true|false", "Show them to administrators (default true)", ""},
		{"log-level", "LOG_LEVEL", "level", "debug, info, warn or error (default info)", ""},
		{
			"enabled-log-types", "ENABLED_LOG_TYPES", "list",
			"Lines to write (default startup,http-log,webhook-log,websocket-log,jwk-refresh-log); query-log is one more", "",
		},

		{
			"async-actions-fetch-interval", "ASYNC_ACTIONS_FETCH_INTERVAL", "ms",
			"Look for asynchronous actions to run; 0 runs none (default 1000)", "",
		},
		{"async-actions-fetch-batch-size", "ASYNC_ACTIONS_FETCH_BATCH_SIZE", "number", "How many to take at once", ""},
		{"graceful-shutdown-timeout", "GRACEFUL_SHUTDOWN_TIMEOUT", "s", "What is under way may take so long at the end (default 60)", ""},
		{"websocket-keepalive", "WEBSOCKET_KEEPALIVE", "s", "Send a sign of life on WebSockets (default 5)", ""},
		{
			"websocket-connection-init-timeout", "WEBSOCKET_CONNECTION_INIT_TIMEOUT", "s",
			"How long a new WebSocket may take to say who it is (default 3)", "",
		},
		{
			"disable-close-websockets-on-metadata-change", "CLOSE_WEBSOCKETS_ON_METADATA_CHANGE", "",
			"Leave WebSockets open when metadata changes", "false",
		},

		{"enable-console", "ENABLE_CONSOLE", "", "Accepted; there is no console", ""},
		{"console-assets-dir", "CONSOLE_ASSETS_DIR", "dir", "Accepted; there is no console", ""},
		{"enable-telemetry", "ENABLE_TELEMETRY", "true|false", "Accepted; nothing is sent anywhere", ""},
		{"enable-allowlist", "ENABLE_ALLOWLIST", "", "Accepted; no list is enforced", ""},
		{"stringify-numeric-types", "STRINGIFY_NUMERIC_TYPES", "", "Accepted; there are no tables", ""},
	}
}

// addHasuraFlags declares the flags. What they are given is read from the command by hasuraVariables.
func addHasuraFlags(cmd *cobra.Command) {
	for _, f := range hasuraFlags() {
		usage := f.usage + " [$" + hasuraPrefix + f.variable + "]"
		if f.value == "" {
			cmd.Flags().Bool(f.name, false, usage)
		} else {
			cmd.Flags().Var(&namedString{kind: f.value}, f.name, usage)
		}
	}
}

// namedString is a string flag that help shows with the name of what it takes.
type namedString struct{ kind, text string }

func (n *namedString) String() string        { return n.text }
func (n *namedString) Set(text string) error { n.text = text; return nil }
func (n *namedString) Type() string          { return n.kind }

// hasuraVariables returns the environment with the flags that were given in place of their variables.
func hasuraVariables(flags *pflag.FlagSet, environ []string) map[string]string {
	vars := map[string]string{}
	for _, pair := range environ {
		if key, value, ok := strings.Cut(pair, "="); ok {
			vars[key] = value
		}
	}
	for _, f := range hasuraFlags() {
		given := flags.Lookup(f.name)
		if given == nil || !given.Changed {
			continue
		}
		value := given.Value.String()
		if f.effect != "" {
			value = map[string]string{"true": f.effect, "false": "true"}[value]
		}
		vars[hasuraPrefix+f.variable] = value
	}
	return vars
}
