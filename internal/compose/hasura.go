package compose

import (
	"cmp"
	"maps"
	"strconv"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/nself-org/nself/internal/env"
)

const hasuraPort = 8080

func hasura(cfg *env.Config) service {
	c := harden(hasuraName, limits{cpus: 2, memoryMB: 1024, pids: 512})
	c.Image = cfg.Hasura.Image
	c.User = "1001:1001" // the user hasura, which the image creates and does not switch to
	vars := map[string]string{
		"HASURA_GRAPHQL_ENABLE_CONSOLE":    strconv.FormatBool(cfg.Hasura.EnableConsole),
		"HASURA_GRAPHQL_DEV_MODE":          strconv.FormatBool(cfg.Hasura.DevMode),
		"HASURA_GRAPHQL_ENABLE_TELEMETRY":  strconv.FormatBool(cfg.Hasura.EnableTelemetry),
		"HASURA_GRAPHQL_ENABLED_LOG_TYPES": "startup, http-log, webhook-log, websocket-log, query-log",
		"HASURA_GRAPHQL_SERVER_PORT":       strconv.Itoa(hasuraPort),
	}
	if cfg.Hasura.CORSDomain != "" {
		vars["HASURA_GRAPHQL_CORS_DOMAIN"] = cfg.Hasura.CORSDomain
	}
	if cfg.Hasura.UnauthorizedRole != "" {
		vars["HASURA_GRAPHQL_UNAUTHORIZED_ROLE"] = cfg.Hasura.UnauthorizedRole
	}
	for _, rt := range cfg.Runtimes() {
		if rt.Enabled || rt.URL != "" {
			vars[URLVariable(rt.Name)] = cmp.Or(rt.URL, address(rt.Name, rt.Port))
		}
	}
	c.Environment = public(vars)
	c.ExtraHosts = hostGateway() // for handlers that a developer runs outside the containers
	c.Ports = []types.ServicePortConfig{published(cfg.Hasura.Port, hasuraPort)}
	// The image's own check uses curl too (since 2.18).
	c.HealthCheck = check(serverProbe, time.Minute,
		"CMD", "curl", "-fsS", "-o", "/dev/null", address("127.0.0.1", hasuraPort)+"/healthz")
	c.DependsOn = needs(postgresName)
	c.StopGracePeriod = duration(70 * time.Second) // Hasura itself waits up to 60 s for asynchronous actions
	return service{config: c, private: hasuraPrivate(cfg)}
}

// hasuraPrivate returns what metadata may refer to (the user's own variables) and what Hasura must keep to itself.
func hasuraPrivate(cfg *env.Config) map[string]string {
	vars := map[string]string{}
	maps.Copy(vars, cfg.Functions)
	maps.Copy(vars, cfg.Hasura.Extra)
	vars["HASURA_GRAPHQL_DATABASE_URL"] = databaseURL(cfg)
	vars["HASURA_GRAPHQL_METADATA_DATABASE_URL"] = databaseURL(cfg)
	vars["HASURA_GRAPHQL_ADMIN_SECRET"] = cfg.Hasura.AdminSecret.Reveal()
	// The same under a second name: Hasura refuses value_from_env for names that begin with HASURA_GRAPHQL_.
	vars["HASURA_ADMIN_SECRET"] = cfg.Hasura.AdminSecret.Reveal()
	if jwt := cfg.Hasura.JWTSecret.Reveal(); jwt != "" {
		vars["HASURA_GRAPHQL_JWT_SECRET"] = jwt
	}
	return vars
}
