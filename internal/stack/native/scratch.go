package native

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/thejerf/suture/v4"

	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/stack"
)

// ScratchOptions tell [NewScratch] what to make.
type ScratchOptions struct {
	Config  *env.Config // the project's
	Environ []string
	Migrate Migrate
	Log     *slog.Logger
	Report  func(stack.Event) // may be nil
}

// Scratch is a database with the project's migrations applied, and a Redis, for the tests of a project's services. Close
// throws both away.
type Scratch struct {
	// Config is the project's configuration with these servers in the place of its own, and with free ports for its
	// function services.
	Config *env.Config

	sup  *supervisor
	end  func()
	drop func(context.Context) error
}

// scratchPatience is how long the servers may take to start.
const scratchPatience = 2 * time.Minute

// createTimeout is how long a server that runs may take to make a database: a busy one writes a checkpoint first.
const createTimeout = 30 * time.Second

// answerTimeout is how long the project's own server is given to answer; a server of our own does as well.
const answerTimeout = 2 * time.Second

// NewScratch makes a database on the project's own server where that runs, which takes no time, else on a server that is
// started for it. Redis is always one of its own.
func NewScratch(ctx context.Context, opts ScratchOptions) (_ *Scratch, err error) {
	if opts.Report == nil {
		opts.Report = func(stack.Event) {}
	}
	cfg := *opts.Config
	sc := &Scratch{Config: &cfg, end: func() {}, drop: func(context.Context) error { return nil }}
	defer func() { //nolint:contextcheck // ctx may be what has ended
		if err != nil {
			err = errors.Join(err, sc.Close())
		}
	}()
	cfg.Redis.Enabled = true
	services, ports := []string{stack.Redis}, []*int{&cfg.Redis.Port, &cfg.Golang.Port, &cfg.NestJS.Port, &cfg.Python.Port}
	if !sc.onRunning(ctx, opts) {
		services, ports = append(services, stack.Postgres), append(ports, &cfg.Postgres.Port)
	}
	if err := freePorts(ctx, ports); err != nil {
		return nil, err
	}
	return sc, sc.start(ctx, opts, services)
}

// freePorts sets each of the ports to one that is free.
func freePorts(ctx context.Context, ports []*int) error {
	var lc net.ListenConfig
	for _, port := range ports {
		ln, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return fmt.Errorf("find a free port: %w", err)
		}
		defer func() { _ = ln.Close() }()     // only when all are chosen, so that no two are the same
		*port = ln.Addr().(*net.TCPAddr).Port //nolint:forcetypeassert // the network is tcp
	}
	return nil
}

// onRunning makes a database on the project's own server. It reports false where none answers.
func (sc *Scratch) onRunning(ctx context.Context, opts ScratchOptions) bool {
	ctx, cancel := context.WithTimeout(ctx, createTimeout)
	defer cancel()
	url := opts.Config.DatabaseURL(opts.Config.LocalEndpoints().Postgres).Reveal()
	ping, cancelPing := context.WithTimeout(ctx, answerTimeout)
	defer cancelPing()
	conn, err := pgx.Connect(ping, url)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	name := "nself_test_" + strings.ToLower(rand.Text()[:12])
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize()+" TEMPLATE template0"); err != nil {
		return false // a user that may not: a server of our own will do
	}
	sc.Config.Postgres.DB = name
	sc.drop = func(ctx context.Context) error {
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			return fmt.Errorf("drop the test database %s: %w", name, err)
		}
		defer func() { _ = conn.Close(ctx) }()
		if _, err := conn.Exec(ctx, "DROP DATABASE "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)"); err != nil {
			return fmt.Errorf("drop the test database %s: %w", name, err)
		}
		return nil
	}
	return true
}

// start runs the servers inside this process's own supervision, in a folder that goes with them.
func (sc *Scratch) start(ctx context.Context, opts ScratchOptions, services []string) error {
	dir, err := os.MkdirTemp("", "nself-test-")
	if err != nil {
		return fmt.Errorf("make a folder for the test servers: %w", err)
	}
	sc.end = func() { _ = os.RemoveAll(dir) }
	if err := os.Chmod(dir, 0o711); err != nil { //nolint:gosec // a database that runs as another user passes through
		return fmt.Errorf("make a folder for the test servers: %w", err)
	}
	lay := layout{dir}
	if err := lay.create(); err != nil {
		return err
	}
	s := &supervisor{
		SuperviseOptions: SuperviseOptions{
			ProjectDir: dir, LoadConfig: func(string, []string) (*env.Config, error) { return sc.Config, nil }, Log: opts.Log,
		},
		lay: lay, spawn: newSpawner(), environ: opts.Environ, op: make(chan struct{}, 1), units: map[string]*unit{},
		logs: map[string]*logFile{}, current: map[string]context.CancelCauseFunc{},
		quit: make(chan struct{}), touched: make(chan struct{}, 1),
	}
	s.ready = newReadiness(s)
	s.tree = suture.New("servers", suture.Spec{EventHook: s.treeEvent, Timeout: 30 * time.Second})
	if s.ledger, err = openLedger(lay, opts.Log); err != nil {
		return err
	}
	treeCtx, stopTree := context.WithCancel(context.WithoutCancel(ctx))
	treeDone := s.tree.ServeBackground(treeCtx)
	sc.sup = s
	sc.end = func() {
		s.stopAll(context.WithoutCancel(ctx), func(stack.Event) {})
		stopTree()
		<-treeDone //nolint:errcheck // it ends because it was told to
		for _, l := range s.logs {
			l.close()
		}
		if outside := outsideDataDir(lay); outside != "" {
			_ = os.RemoveAll(outside)
		}
		_ = os.RemoveAll(dir)
	}
	err = s.ascend(ctx, upRequest{Services: services, Alone: true, WaitTimeout: scratchPatience}, opts.Report)
	if err != nil || opts.Migrate == nil {
		return err
	}
	return opts.Migrate(ctx, sc.Config, func(string) {})
}

// Close throws the database and the Redis away.
func (sc *Scratch) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), scratchPatience)
	defer cancel()
	err := sc.drop(ctx)
	sc.end()
	return err
}
