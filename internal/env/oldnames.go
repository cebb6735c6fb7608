package env

import (
	"fmt"
	"slices"
	"strings"
)

// oldName says why a name that the original nself reads has no effect here, and what has. It gives "" for other names.
func (c *Config) oldName(key, text string) (problem, hint string) {
	switch key {
	case "SERVICES_ENABLED":
		return "not read: there is no master switch, each runtime has its own; enabled now: " + c.enabledRuntimes(),
			"remove it; set NESTJS_ENABLED, PYTHON_ENABLED or GOLANG_ENABLED"
	case "NESTJS_SERVICES", "PYTHON_SERVICES", "GOLANG_SERVICES":
		return c.oldServiceList(key, text)
	case "NESTJS_PORT_START", "PYTHON_PORT_START", "GOLANG_PORT_START":
		return "not read: each runtime is one service with one port", "set " + strings.TrimSuffix(key, "_START")
	case "ENVIRONMENT", "NSELF_ENV":
		problem = "not read: ENV names the environment, which is now " + c.Env
		if checkEnvName(text) != "" {
			return problem, "set ENV to dev, staging or prod"
		}
		return problem, "set ENV=" + normalEnv(text)
	case "PYTHON_FRAMEWORK", "NESTJS_USE_TYPESCRIPT", "NESTJS_RUN_ENABLED", "NESTJS_RUN_PORT":
		return "not read: the service in functions/ is yours to change", "remove it"
	}
	if n, field, ok := customService(key); ok {
		return oldCustomService(n, field, text)
	}
	for _, old := range c.table.old {
		if slices.Contains(old.names, key) ||
			slices.ContainsFunc(old.prefixes, func(p string) bool { return strings.HasPrefix(key, p) }) {
			return "not read: " + old.why, old.hint
		}
	}
	return "", ""
}

func (c *Config) enabledRuntimes() string {
	var names []string
	for _, r := range c.Runtimes() {
		if r.Enabled {
			names = append(names, fmt.Sprintf("%s on port %d", r.Name, r.Port))
		}
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// oldServiceList explains the lists of service names: what one service is here, and what becomes of the names.
func (c *Config) oldServiceList(key, text string) (problem, hint string) {
	prefix := strings.TrimSuffix(key, "_SERVICES")
	name := strings.ToLower(prefix)
	i := slices.IndexFunc(c.Runtimes(), func(r Runtime) bool { return r.Name == name })
	r := c.Runtimes()[i]
	what := fmt.Sprintf("one %s service, on port %d, serves all its actions", name, r.Port)
	if !r.Enabled {
		what += " when " + prefix + "_ENABLED is true"
	}
	if text != "" && len(text) <= 80 {
		names := strings.Fields(strings.ReplaceAll(text, ",", " "))
		what += fmt.Sprintf("; %s: no service of its own", strings.Join(names, ", "))
	}
	return "not read: " + what, "add an action with nself action new NAME --runtime " + name + ", and remove this line"
}

// customService splits CS_1 and CS_1_PORT.
func customService(key string) (number, field string, ok bool) {
	rest, ok := strings.CutPrefix(key, "CS_")
	if !ok {
		return "", "", false
	}
	number, field, _ = strings.Cut(rest, "_")
	return number, field, number != "" && strings.Trim(number, "0123456789") == ""
}

// oldCustomService explains CS_n=name:template:port.
func oldCustomService(number, field, text string) (problem, hint string) {
	if field != "" {
		return "not read: it belongs to CS_" + number + ", which is not read either", "remove it"
	}
	parts := strings.Split(text, ":")
	problem = "not read: there are no custom services, one service per runtime serves all its actions"
	prefix := ""
	if len(parts) > 1 {
		prefix = templateRuntime(parts[1])
	}
	if prefix == "" {
		return problem, "set NESTJS_ENABLED, PYTHON_ENABLED or GOLANG_ENABLED, or run the service from " +
			"docker-compose.override.yml"
	}
	hint = "set " + prefix + "_ENABLED=true"
	if len(parts) > 2 && validPort(parts[2]) {
		hint += " and " + prefix + "_PORT=" + parts[2]
	}
	return problem, hint
}

func validPort(text string) bool { n := number(text); return n >= 1 && n <= 65535 }

// templateRuntime is the prefix of the runtime that an old template comes closest to, or "".
func templateRuntime(template string) string {
	switch template, _, _ = strings.Cut(template, "-"); template {
	case "nest", "nestjs", "node", "express", "fastify", "hono", "bullmq":
		return "NESTJS"
	case "flask", "fastapi", "django", "python", "py", "celery":
		return "PYTHON"
	case "gin", "echo", "fiber", "go", "golang", "grpc":
		return "GOLANG"
	}
	return ""
}

// oldGroup is a group of names of the original nself with one answer.
type oldGroup struct {
	names, prefixes []string
	why, hint       string
}

func oldNames() []oldGroup {
	return []oldGroup{
		{
			names: []string{"HASURA_DEV_MODE", "HASURA_ENABLE_CONSOLE"}, why: "Hasura's own name is read",
			hint: "set HASURA_GRAPHQL_DEV_MODE or HASURA_GRAPHQL_ENABLE_CONSOLE",
		},
		{
			names: []string{"HASURA_CONSOLE_PORT", "HASURA_ROUTE"}, why: "the console is at HASURA_PORT", hint: "remove it",
		},
		{
			names: []string{"POSTGRES_ENABLED", "HASURA_ENABLED"}, why: "Postgres and the GraphQL engine always run",
			hint: "remove it",
		},
		{
			names: []string{"POSTGRES_HOST", "REDIS_HOST", "POSTGRES_EXPOSE_PORT", "HASURA_METADATA_DATABASE_URL"},
			why:   "nself gives services the addresses of its own Postgres and Redis", hint: "remove it",
		},
		{
			names: []string{"POSTGRES_EXTENSIONS"}, why: "extensions belong to the database's migrations",
			hint: "add a migration with nself db new that says CREATE EXTENSION",
		},
		{
			prefixes: []string{"AUTH_SMTP_"}, why: "there is no auth service",
			hint: "set SMTP_HOST, SMTP_PORT, SMTP_USER, SMTP_PASS and EMAIL_FROM",
		},
		{
			names: []string{"EMAIL_PROVIDER"}, why: "mail goes to SMTP_HOST, or to the mail catcher",
			hint: "set SMTP_HOST, or MAILPIT_ENABLED=true",
		},
		{
			names: []string{"SMTP_PASSWORD", "SMTP_USERNAME"}, why: "nself gives services SMTP_USER and SMTP_PASS",
			hint: "set SMTP_USER and SMTP_PASS",
		},
		{
			names: []string{"STORAGE_ENABLED"}, why: "storage is MinIO or the local disk", hint: "set MINIO_ENABLED=true",
		},
		{
			names: []string{"GO_ENABLED", "GO_PORT"}, why: "the Go service is called golang",
			hint: "set GOLANG_ENABLED and GOLANG_PORT",
		},
		{
			names: []string{
				"AUTO_FIX", "ALWAYS_AUTOFIX", "DB_ENV_SEEDS", "DOCKER_NETWORK", "PROJECT_DESCRIPTION", "ADMIN_EMAIL",
				"SERVICES_NETWORK", "NSELF_TEST_MODE", "NSELF_START_MODE", "NSELF_CLEANUP_ON_START",
			},
			why: "nself has nothing that it would change", hint: "remove it",
		},
		{names: []string{"SERVICES_LOG_LEVEL"}, why: "there is one log level", hint: "set LOG_LEVEL"},
		{
			names: []string{"NSELF_HEALTH_CHECK_TIMEOUT"}, prefixes: []string{"NSELF_HEALTH_CHECK_", "NSELF_SKIP_HEALTH"},
			why: "nself up waits until every service is healthy", hint: "use nself up --wait-timeout",
		},
		{
			prefixes: []string{"AUTH_"}, why: "there is no auth service; the engine checks JSON web tokens itself",
			hint: "set HASURA_GRAPHQL_JWT_SECRET; only code of your own can read this name",
		},
		{
			prefixes: []string{"BULLMQ_"}, why: "each function service has a job queue of its own", hint: "remove it",
		},
		{
			prefixes: []string{"MAILHOG_"}, why: "the mail catcher is Mailpit",
			hint: "set MAILPIT_ENABLED, MAILPIT_SMTP_PORT or MAILPIT_UI_PORT",
		},
		{
			names:    []string{"MAILPIT_ROUTE", "SSL_MODE"},
			prefixes: []string{"NGINX_", "SSL_"}, why: "there is no proxy in front of the services; they listen on localhost",
			hint: "remove it",
		},
		{
			prefixes: []string{"FUNCTIONS_"}, why: "function services are per runtime",
			hint: "set NESTJS_ENABLED, PYTHON_ENABLED or GOLANG_ENABLED",
		},
	}
}
