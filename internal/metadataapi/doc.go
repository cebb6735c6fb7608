// Package metadataapi is Hasura's metadata API for the gateway: POST /v1/metadata, and the older /v1/query and
// /v2/query as far as actions need them. It keeps the metadata in a [Store], checks every change before it is made, and
// hands what is in force to the gateway. Tables, their permissions and everything else of the document are kept, not
// served.
package metadataapi

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nself-org/nself/internal/gateway"
	"github.com/nself-org/nself/internal/metadata"
)

// DefaultPollInterval is how often the store is asked for changes that others made, unless Options say otherwise. It is
// Hasura's default (HASURA_GRAPHQL_SCHEMA_SYNC_POLL_INTERVAL).
const DefaultPollInterval = time.Second

// ActionLog is the log of asynchronous actions. The error of Drop is reported to the client as it is.
type ActionLog interface {
	// Drop removes all entries of an action.
	Drop(ctx context.Context, action string) (rows int64, err error)
}

// Options configure an [API]. Engine, Auth, Store and Log are required.
type Options struct {
	// Engine serves the metadata.
	Engine *gateway.Engine
	// Auth finds out who asks; only admins may.
	Auth gateway.Authenticator
	// Store keeps the metadata.
	Store Store
	// Sources are the databases by the name of their source in the metadata. The API runs SQL in them and reads which
	// tables, columns and scalars they have. What a source without a database has is taken from the metadata on trust.
	Sources map[string]*pgxpool.Pool
	// ActionLog loses the entries of dropped actions. Nil: there is no log.
	ActionLog ActionLog
	// HideInternals keeps details of errors from clients (HASURA_GRAPHQL_ADMIN_INTERNAL_ERRORS=false).
	HideInternals bool
	// PollInterval is how often Run asks the store for changes of others. Zero: [DefaultPollInterval].
	PollInterval time.Duration
	Log          *slog.Logger
}

// API answers requests of administrators. It is safe for concurrent use: reading does not wait, changes are made one
// after the other.
type API struct {
	opt     Options
	log     *slog.Logger
	ops     map[string]operation
	lock    chan struct{} // held while the metadata changes
	current atomic.Pointer[state]
	looked  time.Time // when Run looked at the databases last
}

// state is the metadata in force.
type state struct {
	md      *metadata.Metadata
	version int64
	staged  *gateway.Staged
	// catalogs are what the databases had when the metadata was staged, by source; nil: a database was away.
	catalogs map[string]*catalog
}

// New loads the metadata from the store and lets the engine serve it. Metadata that is inconsistent is served as far as
// it is not, and reported in the log. Metadata that cannot be read at all is reported there too, and tried again by
// Run. The error is one of the options.
func New(ctx context.Context, o Options) (*API, error) {
	if o.Engine == nil || o.Auth == nil || o.Store == nil || o.Log == nil {
		return nil, errors.New("metadataapi: Options.Engine, Auth, Store and Log are required")
	}
	if o.PollInterval == 0 {
		o.PollInterval = DefaultPollInterval
	}
	o.Store = boundedStore{o.Store}
	a := &API{opt: o, log: o.Log, ops: operations(), lock: make(chan struct{}, 1)}
	empty := &metadata.Metadata{Version: 3}
	staged, err := o.Engine.Stage(empty, metadata.Facts{})
	if err != nil {
		return nil, err
	}
	a.current.Store(&state{md: empty, version: -1, staged: staged})
	if err := a.refresh(ctx, false); err != nil {
		a.log.ErrorContext(ctx, "metadata not loaded", slog.String("error", err.Error()))
	}
	return a, nil
}

// Run follows changes that others make to the store, until ctx ends. Metadata that cannot be loaded leaves the last
// good one in force.
func (a *API) Run(ctx context.Context) error {
	tick := time.NewTicker(a.opt.PollInterval)
	defer tick.Stop()
	failing := ""
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		err := a.follow(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			failing = ""
		case err.Error() != failing: // once for each kind of trouble, not at each tick
			failing = err.Error()
			a.log.ErrorContext(ctx, "metadata not reloaded, the last good one stays", slog.String("error", failing))
		}
	}
}

// Reload reads the store and the databases again, whether or not anything seems to have changed.
func (a *API) Reload(ctx context.Context) error {
	if err := a.acquire(ctx); err != nil {
		return err
	}
	defer a.release()
	return a.refresh(ctx, true)
}

// Healthy asks for the place that the metadata is kept in, nothing else.
func (a *API) Healthy(ctx context.Context) error {
	_, err := a.opt.Store.Version(ctx)
	return err
}

// follow loads the metadata if it has changed, or if a database has in a way that may mend what is inconsistent.
func (a *API) follow(ctx context.Context) error {
	version, err := a.opt.Store.Version(ctx)
	if err != nil {
		return err
	}
	mended := a.databasesDiffer(ctx)
	if version == a.current.Load().version && !mended {
		return nil
	}
	if err := a.acquire(ctx); err != nil {
		return err
	}
	defer a.release()
	return a.refresh(ctx, mended)
}

// catchUp loads the metadata if the store's is not the one in force.
func (a *API) catchUp(ctx context.Context) error {
	version, err := a.opt.Store.Version(ctx)
	if err != nil || version == a.current.Load().version {
		return err
	}
	if err := a.acquire(ctx); err != nil {
		return err
	}
	defer a.release()
	return a.refresh(ctx, false)
}

// refresh brings the metadata in force up to the store's. The lock must be held, or nobody else know the API yet.
func (a *API) refresh(ctx context.Context, force bool) error {
	if version, err := a.opt.Store.Version(ctx); err != nil || !force && version == a.current.Load().version {
		return err
	}
	defer thrifty()()
	md, version, err := a.opt.Store.Load(ctx)
	if err != nil {
		return err
	}
	r := &run{ctx: ctx, api: a}
	staged, err := r.stage(md)
	if err != nil {
		return err
	}
	a.swap(&state{md: md, version: version, staged: staged, catalogs: r.catalogs})
	return nil
}

func (a *API) swap(s *state) {
	a.current.Store(s)
	a.opt.Engine.Swap(s.staged)
	pace(len(s.md.Actions))
	if len(s.md.Actions) >= manyActions {
		go debug.FreeOSMemory() // the last version's, and what reading this one took
	}
}

// acquire waits for the right to change the metadata.
func (a *API) acquire(ctx context.Context) error {
	select {
	case a.lock <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (a *API) release() { <-a.lock }
