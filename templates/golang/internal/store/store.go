// Package store opens the service's Postgres pool. What is kept there belongs to the packages that use it.
package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nself-org/nself/templates/golang/internal/config"
)

const (
	connectTimeout  = 5 * time.Second
	healthCheck     = 15 * time.Second
	maxConnIdleTime = 5 * time.Minute
)

// DB is a pool of connections to Postgres. It is safe for concurrent use. A *pgxpool.Pool is one; handlers do not know
// that type, because the generic code that it is made of would be compiled again with each package that does.
type DB interface {
	// Exec runs a statement and returns how many rows it concerned.
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	// Query runs a statement and returns its rows, which are to be closed.
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	// QueryRow runs a statement that returns one row.
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	// SendBatch runs several statements in one round trip. The results are to be closed.
	SendBatch(ctx context.Context, batch *pgx.Batch) pgx.BatchResults
	// CopyFrom fills a table by the COPY protocol and returns the number of rows.
	CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error)
	// Begin starts a transaction; [InTx] ends it, too.
	Begin(ctx context.Context) (pgx.Tx, error)
	// BeginTx starts a transaction with an isolation level of its own.
	BeginTx(ctx context.Context, opts pgx.TxOptions) (pgx.Tx, error)
	// Ping asks whether Postgres answers.
	Ping(ctx context.Context) error
	// Close ends the connections, once those in use are given back.
	Close()
}

// Open returns a pool that connects when it is first used, so that the service starts while Postgres is still down and
// recovers when it comes back. It fails only on a connection string that cannot be read. Close the pool at the end.
func Open(ctx context.Context, url config.Secret) (DB, error) {
	pool, err := OpenPool(ctx, url, 0)
	if err != nil {
		return nil, err
	}
	return pool, nil
}

// OpenPool is [Open] for who needs the pool's own type, as the driver of a job queue does. There are at most size connections
// at once; 0: what the connection string says.
func OpenPool(ctx context.Context, url config.Secret, size int) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url.Reveal())
	if err != nil {
		return nil, errors.New("DATABASE_URL is not a valid Postgres connection string") // the cause quotes the password
	}
	if cfg.ConnConfig.ConnectTimeout == 0 {
		cfg.ConnConfig.ConnectTimeout = connectTimeout
	}
	if size > 0 {
		cfg.MaxConns = int32(min(size, math.MaxInt16))
	}
	cfg.HealthCheckPeriod = healthCheck
	cfg.MaxConnIdleTime = maxConnIdleTime
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open the Postgres pool: %w", err)
	}
	return pool, nil
}

// InTx runs fn in a transaction: committed when fn returns nil, rolled back otherwise.
func InTx(ctx context.Context, db DB, fn func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, db, fn)
}

// uniqueViolation is Postgres' SQLSTATE for a duplicate key.
const uniqueViolation = "23505"

// IsDuplicate says whether err is a violation of the named unique index or constraint.
func IsDuplicate(err error, constraint string) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pg.Code == uniqueViolation && pg.ConstraintName == constraint
}
