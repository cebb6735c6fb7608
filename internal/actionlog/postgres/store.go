// Package postgres keeps the action log in hdb_catalog.hdb_action_log, the table that Hasura keeps it in, so that either
// can go on where the other stopped. Who claims an entry stands beside it, in tables of the schema nself, because Hasura's
// table has no column for that.
package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nself-org/nself/internal/actionlog"
	"github.com/nself-org/nself/internal/errdefs"
)

// Options configure a [Store]. URL and Log are required.
type Options struct {
	// URL is the connection string of the database.
	URL string
	Log *slog.Logger
	// Lease is how long a claimant lives without renewing. Zero: [actionlog.DefaultLease]. It may differ between the
	// stores on one database.
	Lease time.Duration
	// TakeOverAfter is how long an entry may be processing without a claim, as far as this store has seen, before
	// Rescue requeues it. Only a real Hasura leaves such entries, when it works on them or has crashed; the value must
	// exceed the longest timeout of an action if a Hasura may be running on the database. Zero: such entries are let be.
	TakeOverAfter time.Duration
}

const (
	// minConns keeps renewals from waiting behind a burst of new entries.
	minConns = 8
	// watchInterval is how late another process's outcome is seen. It is Hasura's own interval for subscriptions.
	watchInterval = time.Second
	// watchTimeout bounds one look at the watched entries.
	watchTimeout = 10 * time.Second
)

// Store implements [actionlog.Store]. It is safe for concurrent use.
type Store struct {
	actionlog.Hub

	log           *slog.Logger
	lease         time.Duration
	takeOverAfter time.Duration
	pool          *pgxpool.Pool
	schema        schemaState
	foreign       foreignEntries

	watch   sync.Once
	closing context.CancelFunc
	closed  context.Context //nolint:containedctx // it is the life of the watching goroutine, not a call's
	done    sync.WaitGroup
}

var _ actionlog.Store = (*Store)(nil)

// Open makes a Store. It does not connect: the database may come up later, and the tables are made when they are first
// needed. The error is a faulty URL. Close must be called.
func Open(o Options) (*Store, error) {
	if o.Log == nil {
		return nil, errors.New("action log: Options.Log is required")
	}
	config, err := pgxpool.ParseConfig(o.URL)
	if err != nil {
		return nil, errdefs.As(errdefs.ErrInvalid, fmt.Errorf("action log: %w", err))
	}
	if !strings.Contains(o.URL, "pool_max_conns") {
		config.MaxConns = max(config.MaxConns, minConns)
	}
	if params := config.ConnConfig.RuntimeParams; params["application_name"] == "" {
		params["application_name"] = "nself action log"
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		return nil, errdefs.As(errdefs.ErrInvalid, fmt.Errorf("action log: %w", err))
	}
	s := &Store{
		log: o.Log, lease: cmp.Or(o.Lease, actionlog.DefaultLease), takeOverAfter: o.TakeOverAfter, pool: pool,
	}
	s.closed, s.closing = context.WithCancel(context.Background())
	return s, nil
}

// Close ends the connections and waits for calls under way.
func (s *Store) Close() {
	s.closing()
	s.done.Wait()
	s.pool.Close()
}

// do runs f with the tables in place. what names it in errors. Tables that are gone, such as after a reset of the
// database, are made anew, and f is run once more: nothing it did can have lasted.
func (s *Store) do(ctx context.Context, what string, f func() error) error {
	for again := true; ; again = false {
		err := s.ensure(ctx)
		if err == nil {
			err = f()
		}
		if err != nil && again && s.forget(err) {
			continue
		}
		if err != nil {
			return explain(what, err)
		}
		return nil
	}
}

// explain adds what was tried, and the class of the error.
func explain(what string, err error) error {
	err = fmt.Errorf("action log: %s: %w", what, err)
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		// Class 22, data exception: the text is not JSON, or not UTF-8, or holds what jsonb cannot. Class 54: it is beyond
		// the limits of jsonb.
		if class := pg.Code[:2]; class == "22" || class == "54" {
			return fmt.Errorf("%w: %w", err, actionlog.ErrUnstorable)
		}
		return err
	}
	for _, known := range []error{
		actionlog.ErrNotFound, actionlog.ErrLost, actionlog.ErrUnstorable, context.Canceled,
	} {
		if errors.Is(err, known) {
			return err
		}
	}
	return errdefs.As(errdefs.ErrUnavailable, err)
}

// ids collects a single column of ids.
func ids(rows pgx.Rows, err error) ([]string, error) {
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
