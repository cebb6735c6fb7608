// Package native runs a project's services without containers: Postgres, Redis and the function services as processes,
// the gateway and the mail catcher inside a supervisor. [New] is the side of a command, a client; [Supervise] is the side
// of the background process that owns the services and serves their control socket. The supervisor lives from the first
// `up` to `down`; when it is killed, the next start cleans up after it.
package native

import (
	"context"
	"log/slog"
	"net"

	"github.com/nself-org/nself/internal/env"
)

// LoadConfig reads the configuration of the project in dir, with environ ("KEY=value") as its strongest layer.
type LoadConfig func(dir string, environ []string) (*env.Config, error)

// Engine is the GraphQL engine that stands in for Hasura.
type Engine interface {
	// Run serves on ln until ctx ends, and closes ln.
	Run(ctx context.Context, ln net.Listener) error
	// Reload reads the metadata again. On an error the engine goes on with what it has.
	Reload(ctx context.Context) error
}

// EngineFactory builds the engine for a configuration. It must not wait for the database.
type EngineFactory func(ctx context.Context, cfg *env.Config, log *slog.Logger) (Engine, error)

// MailCatcher serves SMTP and a page with the mails on the two listeners until ctx ends, and closes them.
type MailCatcher func(ctx context.Context, cfg *env.Config, smtp, page net.Listener, log *slog.Logger) error

// Migrate applies the project's pending migrations to the database that cfg names, calling note for each.
type Migrate func(ctx context.Context, cfg *env.Config, note func(detail string)) error

// SavePorts writes port settings ("POSTGRES_PORT": 5433) into the project's configuration files.
type SavePorts func(dir string, ports map[string]int) error

// FunctionEnv lists the environment ("KEY=value") that the configuration gives the function service of a runtime.
type FunctionEnv func(cfg *env.Config, runtime string) []string

// Running reports whether a supervisor serves the project in dir. It starts nothing.
func Running(ctx context.Context, dir string) bool {
	lay := layout{dir}
	p, err := newClient(lay).ping(ctx)
	return err == nil && sameDir(p.Dir, dir)
}
