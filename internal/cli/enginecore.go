package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	neturl "net/url"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"github.com/nself-org/nself/internal/auth"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/gateway"
	"github.com/nself-org/nself/internal/metadataapi"
	"github.com/nself-org/nself/internal/observe"
	"github.com/nself-org/nself/internal/quickhttp"
	"github.com/nself-org/nself/internal/worker"
)

const (
	// readHeaderTimeout bounds how long a client may take to send a request's headers.
	readHeaderTimeout = 10 * time.Second
	// idleTimeout is how long a connection may stand between two requests. It is above the minute after which most load
	// balancers give a connection up, so that they do it first and not while a request is on its way.
	idleTimeout = 90 * time.Second
	// lastAnswers is how long the answers to requests that were cut off may take to be sent.
	lastAnswers = time.Second
	// traceFlush is how long the last spans may take to be sent.
	traceFlush = 3 * time.Second
	// defaultSource is the name of the source that a database URL stands for.
	defaultSource = "default"
)

// engineCore is the engine with all that belongs to it: the metadata API, the log of asynchronous actions and the worker
// that runs them, metrics and traces.
type engineCore struct {
	engine *gateway.Engine
	api    *metadataapi.API
	worker *worker.Worker
	drain  time.Duration
	log    *slog.Logger
	close  []func() // what was opened, in order
}

// openStore opens the store of the metadata. pool is the metadata database; nil: there is none.
type openStore func(ctx context.Context, pool *pgxpool.Pool) (metadataapi.Store, error)

// newEngineCore builds the engine. It does not wait for a database unless open does. Run or Close ends it.
func newEngineCore(ctx context.Context, s *engineSettings, open openStore, log *slog.Logger) (_ *engineCore, err error) {
	c := &engineCore{drain: s.Drain, log: log}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	authenticator, err := auth.New(ctx, s.Auth, nil, log)
	if err != nil {
		return nil, err
	}
	opt := s.Gateway
	opt.Auth, opt.Log = authenticator, log

	sources := map[string]*pgxpool.Pool{}
	if sources[defaultSource], err = c.pool(ctx, s.Database.Reveal(), "HASURA_GRAPHQL_DATABASE_URL"); err != nil {
		return nil, err
	}
	metadataPool := sources[defaultSource]
	if s.MetadataDatabase != s.Database {
		metadataPool, err = c.pool(ctx, s.MetadataDatabase.Reveal(), "HASURA_GRAPHQL_METADATA_DATABASE_URL")
		if err != nil {
			return nil, err
		}
	}
	if sources[defaultSource] == nil {
		delete(sources, defaultSource)
	}
	entries, closeLog := openActionLog(ctx, map[string]string{actionLogKey: s.MetadataDatabase.Reveal()}, log)
	c.close = append(c.close, closeLog)
	opt.ActionLog = entries

	metrics := observe.New()
	opt.Observer = metrics
	if s.Metrics {
		read := observe.Options{ActionLog: entries, Log: log, WebSockets: func() int { return c.engine.WebSockets() }}
		opt.Metrics = metrics.Handler(read)
	}
	tracer, flush, err := observe.Tracer(ctx, func(key string) string { return s.Vars[key] }, opt.Version, log)
	if err != nil {
		return nil, err
	}
	opt.Tracer = tracer
	c.close = append(c.close, func() {
		within, cancel := context.WithTimeout(context.WithoutCancel(ctx), traceFlush)
		defer cancel()
		if err := flush(within); err != nil {
			log.WarnContext(within, "last traces not sent", slog.String("error", err.Error()))
		}
	})
	if c.engine, err = gateway.New(opt); err != nil {
		return nil, err
	}
	store, err := open(ctx, metadataPool)
	if err != nil {
		return nil, err
	}
	c.api, err = metadataapi.New(ctx, metadataapi.Options{
		Engine: c.engine, Auth: authenticator, Store: store, Sources: sources, ActionLog: entries,
		HideInternals: opt.HideAdminInternals && !opt.DevMode, PollInterval: s.SyncInterval, Log: log,
	})
	if err != nil {
		return nil, err
	}
	c.engine.MountAPI(c.api)
	c.engine.CheckHealth(c.api.Healthy)
	c.worker, err = worker.New(worker.Options{
		Queue: entries, Call: c.engine.RunAsync, Log: log, Interval: s.FetchInterval, BatchSize: s.FetchBatch,
		Grace: graceOf(s.Drain),
	})
	return c, err
}

// graceOf is the drain time as the worker reads it, where 0 is a default.
func graceOf(drain time.Duration) time.Duration {
	if drain == 0 {
		return -1
	}
	return drain
}

// pool opens connections to a database, when they are needed. Nil: no URL.
func (c *engineCore) pool(ctx context.Context, url, variable string) (*pgxpool.Pool, error) {
	if url == "" {
		return nil, nil //nolint:nilnil // no database is a good answer
	}
	pool, err := pgxpool.New(context.WithoutCancel(ctx), url)
	if err != nil {
		if _, unreadable := neturl.Parse(url); unreadable != nil {
			err = errors.New("cannot be read") // pgx would show parts of the password
		}
		return nil, errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(fmt.Errorf("%s: %w", variable, err),
			"write it as postgres://USER:PASSWORD@HOST:5432/DATABASE, special characters of the password %-encoded"))
	}
	c.close = append(c.close, pool.Close)
	return pool, nil
}

// Reload reads the metadata again; requests under way end with what they began with.
func (c *engineCore) Reload(ctx context.Context) error { return c.api.Reload(ctx) }

// Run serves on ln until ctx ends, then lets requests and asynchronous actions under way end, as long as that may take,
// and closes what the engine has opened. It must be called once.
func (c *engineCore) Run(ctx context.Context, ln net.Listener) error {
	defer c.Close()
	server := &http.Server{
		Handler: c.engine.Handler(), ReadHeaderTimeout: readHeaderTimeout, IdleTimeout: idleTimeout,
		ErrorLog: slog.NewLogLogger(c.log.Handler(), slog.LevelWarn),
	}
	quick := quickhttp.New(ln, quickhttp.Options{
		Handler: server.Handler, Paths: []string{"/v1/graphql", "/v1alpha1/graphql"},
		HeaderTimeout: readHeaderTimeout, IdleTimeout: idleTimeout, Log: c.log,
	})
	g, running := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := server.Serve(quick); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve %s: %w", ln.Addr(), err)
		}
		return nil
	})
	g.Go(func() error { return c.api.Run(running) })
	g.Go(func() error { return runActions(running, c.engine, c.worker) })
	g.Go(func() error {
		<-running.Done()
		return c.stop(context.WithoutCancel(ctx), quick, server)
	})
	return g.Wait()
}

// stop takes no new requests and waits for those under way.
func (c *engineCore) stop(ctx context.Context, quick *quickhttp.Listener, server *http.Server) error {
	drain, cancel := context.WithTimeout(ctx, c.drain)
	defer cancel()
	err := c.engine.Shutdown(drain)
	err = errors.Join(err, server.Shutdown(drain), quick.Shutdown(drain))
	if !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	c.log.WarnContext(ctx, "requests cut off at shutdown", slog.Duration("after", c.drain))
	last, cancelLast := context.WithTimeout(ctx, lastAnswers)
	defer cancelLast()
	if errors.Join(server.Shutdown(last), quick.Shutdown(last)) == nil {
		return nil
	}
	quick.Abort()
	return server.Close()
}

// Close closes what was opened. Run does it.
func (c *engineCore) Close() {
	for _, done := range slices.Backward(c.close) {
		done()
	}
	c.close = nil
}
