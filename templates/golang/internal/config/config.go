// Package config reads the service's configuration from the environment. It reports every problem at once, so that one
// failed start is enough to fix them all.
package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net/mail"
	"net/url"
	"slices"
	"strconv"
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
	r := reader{getenv: getenv}
	c := Config{
		ListenHost:       r.text("LISTEN_HOST", ""),
		Port:             r.integer("PORT", 3003, 1, 65535),
		Env:              r.text("ENV", "dev"),
		LogLevel:         r.level("LOG_LEVEL"),
		ProjectName:      r.text("PROJECT_NAME", "app"),
		AdminSecret:      r.secret("HASURA_ADMIN_SECRET", "HASURA_GRAPHQL_ADMIN_SECRET"),
		GraphQLEndpoint:  r.url("HASURA_GRAPHQL_ENDPOINT", "", "http", "https"),
		UnauthorizedRole: r.text("HASURA_GRAPHQL_UNAUTHORIZED_ROLE", "public"),
		DatabaseURL:      Secret(r.url("DATABASE_URL", required, "postgres", "postgresql")),
		RedisURL:         Secret(r.url("REDIS_URL", "", "redis", "rediss", "unix")),
		SMTP: SMTP{
			Host:     r.text("SMTP_HOST", ""),
			Port:     r.integer("SMTP_PORT", 1025, 1, 65535),
			User:     r.text("SMTP_USER", ""),
			Password: Secret(r.text("SMTP_PASS", "")),
			From:     r.address("EMAIL_FROM", "no-reply@localhost"),
		},
		RateLimit: RateLimit{
			Points:     r.integer("RATE_LIMIT_POINTS", 5, 1, 1_000_000),
			RolePoints: r.integer("RATE_LIMIT_ROLE_POINTS", 300, 1, 1_000_000),
			Duration:   time.Duration(r.integer("RATE_LIMIT_DURATION", 60, 1, 86_400)) * time.Second,
		},
	}
	c.PublicURL = strings.TrimRight(r.url("PUBLIC_URL", fmt.Sprintf("http://localhost:%d", c.Port), "http", "https"), "/")
	if len(r.problems) > 0 {
		return Config{}, fmt.Errorf("read the environment: %w", errors.Join(r.problems...))
	}
	return c, nil
}

// required as a default means that there is none.
const required = "\x00required"

// reader turns variables into values and collects what is wrong with them.
type reader struct {
	getenv   func(string) string
	problems []error
}

func (r *reader) problem(format string, args ...any) {
	r.problems = append(r.problems, fmt.Errorf(format, args...))
}

func (r *reader) text(key, fallback string) string {
	if v := strings.TrimSpace(r.getenv(key)); v != "" {
		return v
	}
	return fallback
}

func (r *reader) secret(keys ...string) Secret {
	for _, key := range keys {
		if v := r.getenv(key); v != "" {
			return Secret(v)
		}
	}
	r.problem("%s is not set", keys[0])
	return ""
}

func (r *reader) integer(key string, fallback, least, most int) int {
	v := r.text(key, "")
	if v == "" {
		return fallback
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < least || n > most {
		r.problem("%s must be a whole number from %d to %d, got %q", key, least, most, v)
		return fallback
	}
	return n
}

func (r *reader) level(key string) slog.Level {
	v := r.text(key, "info")
	var level slog.Level
	if err := level.UnmarshalText([]byte(v)); err != nil {
		r.problem("%s must be debug, info, warn or error, got %q", key, v)
	}
	return level
}

// url checks a connection string without ever printing it: it may hold a password.
func (r *reader) url(key, fallback string, schemes ...string) string {
	v := r.text(key, fallback)
	switch v {
	case "":
		return ""
	case required:
		r.problem("%s is not set", key)
		return ""
	}
	u, err := url.Parse(v)
	if err != nil {
		r.problem("%s is not a valid URL", key)
		return ""
	}
	if slices.Contains(schemes, u.Scheme) {
		return v
	}
	r.problem("%s must begin with %s://", key, strings.Join(schemes, ":// or "))
	return ""
}

func (r *reader) address(key, fallback string) string {
	v := r.text(key, fallback)
	if _, err := mail.ParseAddress(v); err != nil {
		r.problem("%s must be an email address, got %q", key, v)
	}
	return v
}
