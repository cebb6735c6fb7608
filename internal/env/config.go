// Package env reads a project's configuration: the cascade of the process environment and the .env files, resolved into
// a typed Config in which every value knows the file and line that it came from.
package env

import (
	"fmt"
	"log/slog"
)

// Secret is text that must not be printed. Its String, LogValue and MarshalText give "[redacted]"; Reveal gives the text.
type Secret string

// String returns "[redacted]", or "" for an empty secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "[redacted]"
}

// LogValue keeps the secret out of structured logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText keeps the secret out of JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// GoString keeps the secret out of %#v.
func (s Secret) GoString() string { return fmt.Sprintf("env.Secret(%q)", s.String()) }

// Reveal returns the text itself, for the one place that must use it.
func (s Secret) Reveal() string { return string(s) }

// Source tells where a value came from.
type Source struct {
	// Kind says which layer of the cascade gave the value.
	Kind SourceKind
	// File is the path relative to the project, for a value from a file.
	File string
	// Line counts from 1, for a value from a file.
	Line int
}

// SourceKind is a layer of the cascade.
type SourceKind string

// The layers, strongest first.
const (
	FromEnvironment SourceKind = "environment"
	FromFile        SourceKind = "file"
	FromDefault     SourceKind = "default"
)

// String prints the source as a person would look it up: ".env.local:3", "environment" or "default".
func (s Source) String() string {
	if s.Kind == FromFile {
		return fmt.Sprintf("%s:%d", s.File, s.Line)
	}
	return string(s.Kind)
}

// Config is the effective configuration of one project. It is read once and not changed afterwards.
type Config struct {
	// Dir is the project's folder, absolute.
	Dir string
	// Env is "dev", "staging", "prod" or the user's own name (ENV).
	Env string
	// ProjectName names containers, volumes and networks (PROJECT_NAME).
	ProjectName string

	Postgres Postgres
	Redis    Redis
	Hasura   Hasura
	Mail     Mail
	Minio    Minio

	Golang, NestJS, Python Runtime

	// Functions holds what function services and the gateway read and nself itself does not: every other key of the
	// cascade's files (STRIPE_SECRET_KEY, API_KEY, SMTP_HOST, ...).
	Functions map[string]string

	values map[string]Value
}

// Postgres configures the database server.
type Postgres struct {
	Port     int // POSTGRES_PORT, on the host
	DB, User string
	Password Secret
	Image    string
}

// Redis configures the cache and queue server. It is on by default when a function runtime is enabled.
type Redis struct {
	Enabled  bool
	Port     int // REDIS_PORT, on the host
	Password Secret
	Image    string
}

// Hasura configures the GraphQL engine, or the gateway that stands in for it.
type Hasura struct {
	Port             int // HASURA_PORT, on the host
	AdminSecret      Secret
	JWTSecret        Secret // HASURA_GRAPHQL_JWT_SECRET, JSON; empty when JWT is off
	UnauthorizedRole string // HASURA_GRAPHQL_UNAUTHORIZED_ROLE; empty when not set
	CORSDomain       string
	EnableConsole    bool
	DevMode          bool
	Image            string
}

// Mail configures the mail catcher: MAILPIT_* variables.
type Mail struct {
	Enabled  bool
	SMTPPort int // MAILPIT_SMTP_PORT
	UIPort   int // MAILPIT_UI_PORT
	From     string
	Image    string
}

// Minio configures S3-compatible storage; off by default.
type Minio struct {
	Enabled      bool
	Port         int
	ConsolePort  int
	RootUser     string
	RootPassword Secret
	Image        string
}

// Runtime configures one function service: GOLANG_*, NESTJS_* or PYTHON_*.
type Runtime struct {
	Name    string // "golang", "nestjs", "python": folder under functions/ and service name
	Enabled bool
	Port    int
	Image   string // base image override
}

// Value is one resolved variable.
type Value struct {
	Key    string
	Text   string // reveal only where the user asked for this key
	Secret bool
	Source Source
}
