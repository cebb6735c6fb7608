// Package docker runs a project's services as containers, through the Compose SDK and the Engine API. It needs an engine
// that answers and no program beside it. The engine is reached as the docker command reaches it: DOCKER_HOST, else the
// current context, else the default socket.
//
// The containers are those that `docker compose up` would make: they carry Compose's names and labels, so that docker
// compose ps, logs and down work on them too.
package docker

import (
	"context"
	"log/slog"
	"sync"

	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/metadata"
	"github.com/nself-org/nself/internal/stack"
)

const driverName = "docker"

// Options opens the docker driver for one project.
type Options struct {
	Config *env.Config // its Dir is the project
	// Load reads the configuration anew: before services are started, and after SavePorts has changed it; nil: Config stays.
	Load func() (*env.Config, error)
	// SavePorts writes port settings ("POSTGRES_PORT": 5433) into the project's configuration files; nil: it cannot.
	SavePorts func(dir string, ports map[string]int) error
	// Migrate applies the project's pending migrations to the database that cfg names, calling note for each; may be nil.
	Migrate func(ctx context.Context, cfg *env.Config, note func(detail string)) error
	// Metadata reads the project's metadata, to be loaded into Hasura; may be nil.
	Metadata func(projectDir string) (*metadata.Metadata, error)
	Log      *slog.Logger
}

// driver implements stack.Driver. It reaches the engine on first use.
type driver struct {
	Options

	mu     sync.Mutex
	engine *engine

	reading sync.Mutex // guards Options.Config
}

var _ stack.Driver = (*driver)(nil)

// New returns the driver; it touches nothing until a method is called.
func New(opts Options) stack.Driver { return &driver{Options: opts} }

// Name is "docker".
func (d *driver) Name() string { return driverName }

// config is the configuration as it was last read.
func (d *driver) config() *env.Config {
	d.reading.Lock()
	defer d.reading.Unlock()
	return d.Config
}

func (d *driver) use(cfg *env.Config) {
	d.reading.Lock()
	defer d.reading.Unlock()
	d.Config = cfg
}

// reload reads the configuration anew, for a driver that is kept while the files change.
func (d *driver) reload() (*env.Config, error) {
	if d.Load == nil {
		return d.config(), nil
	}
	cfg, err := d.Load()
	if err != nil {
		return nil, err
	}
	d.use(cfg)
	return cfg, nil
}

// open connects to the engine once and makes sure that it answers.
func (d *driver) open(ctx context.Context) (*engine, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.engine != nil {
		return d.engine, nil
	}
	e, err := connect(ctx)
	if err != nil {
		return nil, err
	}
	d.engine = e
	return e, nil
}
