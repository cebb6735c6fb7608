// Package config reads the service's configuration from the environment. It reports every problem at once, so that one
// failed start is enough to fix them all.
package config

import (
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// Config is everything the service reads from its environment. It does not change after [Load].
type Config struct {
	// ListenHost is the address to listen on (LISTEN_HOST); empty: all of the machine's.
	ListenHost string
	// Port is the TCP port to listen on (PORT, 3003).
	Port int
	// Env is "dev", "staging", "prod" or a name of your own (ENV, dev).
	Env string
	// LogLevel is the least severe level that is logged (LOG_LEVEL, info).
	LogLevel slog.Level
	// ProjectName prefixes the keys in Redis, so that projects can share one (PROJECT_NAME, app).
	ProjectName string
	// PublicURL is where browsers reach this service, without a slash at the end (PUBLIC_URL, http://localhost:PORT).
	PublicURL string

	// AdminSecret is what the GraphQL engine proves itself with (HASURA_ADMIN_SECRET, else HASURA_GRAPHQL_ADMIN_SECRET).
	AdminSecret Secret
	// GraphQLEndpoint is the engine's API, for handlers that call back (HASURA_GRAPHQL_ENDPOINT); may be empty.
	GraphQLEndpoint string
	// UnauthorizedRole is the role of visitors who did not sign in (HASURA_GRAPHQL_UNAUTHORIZED_ROLE, public). The engine
	// lets such visitors invent session variables, so nothing but the role is to be believed of them.
	UnauthorizedRole string

	// DatabaseURL is the Postgres connection string (DATABASE_URL).
	DatabaseURL Secret
	// RedisURL is the Redis connection string (REDIS_URL); empty: no cache and no rate limit.
	RedisURL Secret

	SMTP      SMTP
	RateLimit RateLimit
}

// SMTP says how to send mail.
type SMTP struct {
	Host     string // SMTP_HOST; empty: mail cannot be sent, and every attempt is an error
	Port     int    // SMTP_PORT, 1025; 465 means TLS from the first byte
	User     string // SMTP_USER; empty: no authentication
	Password Secret // SMTP_PASS
	From     string // EMAIL_FROM, such as "Shop <no-reply@shop.example>"
}

// RateLimit bounds how often an action may be called.
type RateLimit struct {
	Points     int           // RATE_LIMIT_POINTS, 5: calls of one action by one user per Duration
	RolePoints int           // RATE_LIMIT_ROLE_POINTS, 300: calls by all callers of one role that have no user id, together
	Duration   time.Duration // RATE_LIMIT_DURATION, 60 (whole seconds)
}

// Load reads the configuration through getenv, usually os.Getenv. An empty variable counts as absent. The error joins
// all problems, one a line, and names variables but never prints a secret value.
func Load(getenv func(string) string) (Config, error) {
	r := NewReader(getenv)
	c := Config{
		ListenHost:       r.Text("LISTEN_HOST", ""),
		Port:             r.Integer("PORT", 3003, 1, 65535),
		Env:              r.Text("ENV", "dev"),
		LogLevel:         r.level("LOG_LEVEL"),
		ProjectName:      r.Text("PROJECT_NAME", "app"),
		AdminSecret:      r.secret("HASURA_ADMIN_SECRET", "HASURA_GRAPHQL_ADMIN_SECRET"),
		GraphQLEndpoint:  r.URL("HASURA_GRAPHQL_ENDPOINT", "", "http", "https"),
		UnauthorizedRole: r.Text("HASURA_GRAPHQL_UNAUTHORIZED_ROLE", "public"),
		DatabaseURL:      Secret(r.URL("DATABASE_URL", required, "postgres", "postgresql")),
		RedisURL:         Secret(r.URL("REDIS_URL", "", "redis", "rediss", "unix")),
		SMTP: SMTP{
			Host:     r.Text("SMTP_HOST", ""),
			Port:     r.Integer("SMTP_PORT", 1025, 1, 65535),
			User:     r.Text("SMTP_USER", ""),
			Password: Secret(r.Text("SMTP_PASS", "")),
			From:     r.address("EMAIL_FROM", "no-reply@localhost"),
		},
		RateLimit: RateLimit{
			Points:     r.Integer("RATE_LIMIT_POINTS", 5, 1, 1_000_000),
			RolePoints: r.Integer("RATE_LIMIT_ROLE_POINTS", 300, 1, 1_000_000),
			Duration:   time.Duration(r.Integer("RATE_LIMIT_DURATION", 60, 1, 86_400)) * time.Second,
		},
	}
	c.PublicURL = strings.TrimRight(r.URL("PUBLIC_URL", fmt.Sprintf("http://localhost:%d", c.Port), "http", "https"), "/")
	if err := r.Err(); err != nil {
		return Config{}, err
	}
	return c, nil
}
