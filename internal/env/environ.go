package env

import (
	"maps"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// Endpoints are the addresses, each host:port, at which a service reaches the others.
type Endpoints struct {
	Postgres, Redis, Hasura, SMTP, Minio string
	Golang, NestJS, Python               string
}

// LocalEndpoints are the addresses on this machine, as the native driver and a person's own programs use them.
func (c *Config) LocalEndpoints() Endpoints {
	at := func(port int) string { return "localhost:" + strconv.Itoa(port) }
	return Endpoints{
		Postgres: at(c.Postgres.Port), Redis: at(c.Redis.Port), Hasura: at(c.Hasura.Port), SMTP: at(c.Mail.SMTPPort),
		Minio: at(c.Minio.Port), Golang: at(c.Golang.Port), NestJS: at(c.NestJS.Port), Python: at(c.Python.Port),
	}
}

// ContainerEndpoints are the addresses inside the Compose network: service names, with the ports that the images
// listen on. A function service listens on the same port inside and outside.
func (c *Config) ContainerEndpoints() Endpoints {
	at := func(host string, port int) string { return host + ":" + strconv.Itoa(port) }
	return Endpoints{
		Postgres: "postgres:5432", Redis: "redis:6379", Hasura: "hasura:8080", SMTP: "mailpit:1025", Minio: "minio:9000",
		Golang: at("golang", c.Golang.Port), NestJS: at("nestjs", c.NestJS.Port), Python: at("python", c.Python.Port),
	}
}

// DatabaseURL is the connection string of the project's database at address, host:port. It holds the password.
func (c *Config) DatabaseURL(address string) Secret {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(c.Postgres.User, c.Postgres.Password.Reveal()), Host: address,
		Path: "/" + c.Postgres.DB, RawQuery: "sslmode=disable",
	}
	return Secret(u.String())
}

// RedisURL is the connection string of Redis at address, host:port, with the password where there is one; empty when
// Redis is off.
func (c *Config) RedisURL(address string) Secret {
	if !c.Redis.Enabled {
		return ""
	}
	u := url.URL{Scheme: "redis", Host: address, Path: "/0"}
	if c.Redis.Password != "" {
		u.User = url.UserPassword("", c.Redis.Password.Reveal())
	}
	return Secret(u.String())
}

// FunctionEnv is the environment of a function service as sorted KEY=value lines. What nself works out wins over a
// user's own key of the same name.
func (c *Config) FunctionEnv(rt Runtime, ep Endpoints) []string {
	vars := maps.Clone(map[string]string(c.Functions))
	if vars == nil {
		vars = map[string]string{}
	}
	c.addMail(vars, ep)
	c.addStorage(vars, ep)
	publicURL := rt.PublicURL
	if publicURL == "" {
		publicURL = "http://localhost:" + strconv.Itoa(rt.Port)
	}
	maps.Copy(vars, map[string]string{
		"PORT":                        strconv.Itoa(rt.Port),
		"DATABASE_URL":                c.DatabaseURL(ep.Postgres).Reveal(),
		"REDIS_URL":                   c.RedisURL(ep.Redis).Reveal(),
		"HASURA_ADMIN_SECRET":         c.Hasura.AdminSecret.Reveal(),
		"HASURA_GRAPHQL_ADMIN_SECRET": c.Hasura.AdminSecret.Reveal(),
		"HASURA_GRAPHQL_ENDPOINT":     "http://" + ep.Hasura + "/v1/graphql",
		"EMAIL_FROM":                  c.Mail.From,
		"PUBLIC_URL":                  publicURL,
		"ENV":                         c.Env,
		"LOG_LEVEL":                   c.LogLevel,
		"PROJECT_NAME":                c.ProjectName,
		"RATE_LIMIT_POINTS":           strconv.Itoa(c.RateLimit.Points),
		"RATE_LIMIT_DURATION":         strconv.Itoa(int(c.RateLimit.Duration.Seconds())),
	})
	lines := make([]string, 0, len(vars))
	for _, key := range sortedKeys(vars) {
		lines = append(lines, key+"="+vars[key])
	}
	return lines
}

// addMail points mail at the user's server, else at the catcher, else nowhere.
func (c *Config) addMail(vars map[string]string, ep Endpoints) {
	host, port, user, password := c.Mail.SMTP.Host, strconv.Itoa(c.Mail.SMTP.Port), c.Mail.SMTP.User, c.Mail.SMTP.Password
	if host == "" {
		user, password, port = "", "", ""
		if c.Mail.Enabled {
			host, port = splitAddress(ep.SMTP)
		}
	}
	maps.Copy(vars, map[string]string{
		"SMTP_HOST": host, "SMTP_PORT": port, "SMTP_USER": user, "SMTP_PASS": password.Reveal(),
	})
}

func splitAddress(address string) (host, port string) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address, ""
	}
	return host, port
}

// addStorage points storage at MinIO when that runs and the user names no store.
func (c *Config) addStorage(vars map[string]string, ep Endpoints) {
	if !c.Minio.Enabled || vars["S3_ENDPOINT"] != "" {
		return
	}
	vars["S3_ENDPOINT"] = "http://" + ep.Minio
	vars["S3_ACCESS_KEY"], vars["S3_SECRET_KEY"] = c.Minio.RootUser, c.Minio.RootPassword.Reveal()
	for key, fallback := range map[string]string{"S3_BUCKET": c.ProjectName, "S3_REGION": "us-east-1"} {
		if vars[key] == "" {
			vars[key] = fallback
		}
	}
}

// EngineEnv is what the GraphQL engine, Hasura or the gateway, sees: its own settings, where the handlers are, the
// secret that it shows them, and the user's keys, which metadata may name. What nself works out wins over a user's
// own key.
func (c *Config) EngineEnv(ep Endpoints) map[string]string {
	vars := map[string]string{}
	maps.Copy(vars, c.Functions)
	maps.Copy(vars, c.Hasura.Extra)
	delete(vars, "PORT")
	delete(vars, "ENCRYPTION_KEY") // metadata has no use for it, and a header that named it would give it away
	database := c.DatabaseURL(ep.Postgres).Reveal()
	maps.Copy(vars, map[string]string{
		"HASURA_ADMIN_SECRET":                  c.Hasura.AdminSecret.Reveal(),
		"HASURA_GRAPHQL_ADMIN_SECRET":          c.Hasura.AdminSecret.Reveal(),
		"HASURA_GRAPHQL_DATABASE_URL":          database,
		"HASURA_GRAPHQL_METADATA_DATABASE_URL": database,
		"PG_DATABASE_URL":                      database,
		"HASURA_GRAPHQL_CORS_DOMAIN":           c.Hasura.CORSDomain,
		"HASURA_GRAPHQL_ENABLE_CONSOLE":        strconv.FormatBool(c.Hasura.EnableConsole),
		"HASURA_GRAPHQL_DEV_MODE":              strconv.FormatBool(c.Hasura.DevMode),
		"HASURA_GRAPHQL_ENABLE_TELEMETRY":      strconv.FormatBool(c.Hasura.EnableTelemetry),
		"GOLANG_URL":                           handlerURL(c.Golang, ep.Golang),
		"NESTJS_URL":                           handlerURL(c.NestJS, ep.NestJS),
		"PYTHON_URL":                           handlerURL(c.Python, ep.Python),
	})
	for key, text := range map[string]string{
		"HASURA_GRAPHQL_JWT_SECRET":        c.Hasura.JWTSecret.Reveal(),
		"HASURA_GRAPHQL_UNAUTHORIZED_ROLE": c.Hasura.UnauthorizedRole,
	} {
		if text != "" { // Hasura refuses to start with an empty one
			vars[key] = text
		}
	}
	return vars
}

// handlerURL is where the engine calls a runtime's handlers. A disabled runtime has its address too, so that one
// action of it does not make the metadata of the others unusable.
func handlerURL(r Runtime, address string) string {
	if r.URL != "" {
		return r.URL
	}
	return "http://" + strings.TrimSuffix(address, "/")
}
