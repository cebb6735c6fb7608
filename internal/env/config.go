// Package env reads a project's configuration: the cascade of the process environment and the .env files, resolved into
// a typed Config in which every value knows the file and line that it came from.
//
// From strongest to weakest: the process environment (only names that nself knows or that a file sets), .env.local,
// .env.$ENV, .env, defaults. Values are decoded by godotenv: single quotes are literal, double quotes know \n, \r and
// \", and $NAME or ${NAME} outside single quotes stands for a value set above or in a weaker file. Commands are never
// run. A name that is set to no text hides the weaker layers and then counts as not set: its default applies.
package env

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"time"
)

// Source tells where a value came from.
type Source struct {
	// Kind says which layer of the cascade gave the value.
	Kind SourceKind
	// File is the path relative to the project, for a value from a file.
	File string
	// Line counts from 1, for a value from a file. Zero: the file as a whole.
	Line int
}

// SourceKind is a layer of the cascade.
type SourceKind string

// The layers, strongest first.
const (
	FromOption      SourceKind = "--env"
	FromEnvironment SourceKind = "environment"
	FromFile        SourceKind = "file"
	FromDefault     SourceKind = "default"
)

// String prints the source as a person would look it up: ".env.local:3", "environment" or "default".
func (s Source) String() string {
	switch {
	case s.Kind != FromFile:
		return string(s.Kind)
	case s.Line == 0:
		return s.File
	}
	return fmt.Sprintf("%s:%d", s.File, s.Line)
}

// The environments that a project runs in.
const (
	Dev     = "dev"
	Staging = "staging"
	Prod    = "prod"
)

// Config is the effective configuration of one project. It is read once and not changed afterwards. Printed with fmt,
// slog or encoding/json it shows no secret.
type Config struct {
	// Dir is the project's folder, absolute.
	Dir string
	// Env is "dev", "staging" or "prod" (ENV).
	Env string
	// ProjectName names containers, volumes and networks (PROJECT_NAME).
	ProjectName string
	// BaseDomain is where the project is reached (BASE_DOMAIN); it gives the sender of mail its domain.
	BaseDomain string
	// LogLevel is "debug", "info", "warn" or "error" (LOG_LEVEL).
	LogLevel string
	// ImageRegistry goes before the name of every default image (IMAGE_REGISTRY); empty: Docker Hub.
	ImageRegistry string

	Postgres  Postgres
	Redis     Redis
	Hasura    Hasura
	Mail      Mail
	Minio     Minio
	RateLimit RateLimit

	Golang, NestJS, Python Runtime

	// Functions holds what function services and the gateway read and nself itself does not: every other key of the
	// cascade's files (STRIPE_SECRET_KEY, API_KEY, ...), and those known to nself that the user has set for them
	// (SMTP_HOST, LOG_LEVEL, S3_BUCKET, ...). Names that begin with HASURA_GRAPHQL_ are in Hasura.Extra instead.
	Functions Variables

	table  *table
	values map[string]Value
	order  []string           // the known keys in the table's order, then the others by name
	layers map[string][]Value // every value that a key is given, strongest first, without the default
}

// Postgres configures the database server.
type Postgres struct {
	Port     int // POSTGRES_PORT, on the host
	DB, User string
	Password Secret
	Image    string
	BinDir   string // NSELF_PG_BIN, where the native driver finds the server's programs; empty: it looks
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
	EnableTelemetry  bool
	Image            string
	Extra            Variables // every other HASURA_GRAPHQL_ variable, for the engine alone
}

// Mail configures the mail catcher, MAILPIT_* variables, and what function services send with.
type Mail struct {
	Enabled  bool
	SMTPPort int // MAILPIT_SMTP_PORT
	UIPort   int // MAILPIT_UI_PORT
	From     string
	Image    string
	SMTP     SMTP
}

// SMTP is the user's own mail server: SMTP_* variables. Without a Host, mail goes to the catcher when that is enabled.
type SMTP struct {
	Host     string
	Port     int
	User     string
	Password Secret // SMTP_PASS
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

// RateLimit bounds the calls of one user to a function service: Points in each Duration.
type RateLimit struct {
	Points   int
	Duration time.Duration
}

// Runtime configures one function service: GOLANG_*, NESTJS_* or PYTHON_*.
type Runtime struct {
	Name    string // "golang", "nestjs", "python": folder under functions/ and service name
	Enabled bool
	Port    int
	Image   string // base image override; empty: the one in the service's Dockerfile
	// URL is where the engine calls the handlers (GOLANG_URL); empty: the service that nself runs.
	URL string
	// PublicURL is the service's base URL in links that it hands out (GOLANG_PUBLIC_URL, else PUBLIC_URL); empty: the
	// port on localhost.
	PublicURL string
}

// Runtimes are the three runtimes, enabled or not, in the order golang, nestjs, python.
func (c *Config) Runtimes() []Runtime { return []Runtime{c.Golang, c.NestJS, c.Python} }

// Value is one resolved variable.
type Value struct {
	Key    string
	Text   string // reveal only where the user asked for this key
	Secret bool
	Source Source
	Group  Group
	Doc    string // one line; empty for a key that nself does not know
}

// Masked is Text, or "[redacted]" for a secret that is not empty.
func (v Value) Masked() string {
	if v.Secret {
		return Secret(v.Text).String()
	}
	return v.Text
}

// String is "KEY=text", with a secret masked.
func (v Value) String() string { return v.Key + "=" + v.Masked() }

// Format is String for every verb.
func (v Value) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(v.String())) }

// LogValue is String.
func (v Value) LogValue() slog.Value { return slog.StringValue(v.String()) }

// MarshalJSON writes the value with a secret masked.
func (v Value) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Key    string `json:"key"`
		Value  string `json:"value"`
		Source string `json:"source"`
		Group  Group  `json:"group"`
		Secret bool   `json:"secret"`
	}{v.Key, v.Masked(), v.Source.String(), v.Group, v.Secret})
}

// String names the project, its folder and its environment.
func (c Config) String() string {
	return fmt.Sprintf("project %s (%s) in %s", c.ProjectName, c.Env, c.Dir)
}

// Format is String for every verb.
func (c Config) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(c.String())) }

// LogValue is String.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalJSON writes the project and all values in order, secrets masked.
func (c Config) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Project string  `json:"project"`
		Env     string  `json:"env"`
		Dir     string  `json:"dir"`
		Values  []Value `json:"values"`
	}{c.ProjectName, c.Env, c.Dir, c.Values()})
}
