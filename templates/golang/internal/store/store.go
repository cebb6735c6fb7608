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

// Open returns a pool that connects when it is first used, so that the service starts while Postgres is still down and
// recovers when it comes back. It fails only on a connection string that cannot be read. Close the pool at the end.
func Open(ctx context.Context, url config.Secret) (*pgxpool.Pool, error) {
	return OpenSize(ctx, url, 0)
}

// OpenSize is [Open] with the number of connections that there may be at once; 0: what the connection string says.
func OpenSize(ctx context.Context, url config.Secret, size int) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url.Reveal())
	if err != nil {
		return nil, errors.New("DATABASE_URL is not a valid Postgres connection string") // the cause quotes the password
	}
	if cfg.ConnConfig.ConnectTimeout == 0 {
		cfg.ConnConfig.ConnectTimeout = connectTimeout
	}
	if size > 0 {
		cfg.MaxConns = int32(min(size, math.MaxInt16)) //nolint:gosec // it is bounded
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
func InTx(ctx context.Context, pool *pgxpool.Pool, fn func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, pool, fn)
}

// uniqueViolation is Postgres' SQLSTATE for a duplicate key.
const uniqueViolation = "23505"

// IsDuplicate says whether err is a violation of the named unique index or constraint.
func IsDuplicate(err error, constraint string) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pg.Code == uniqueViolation && pg.ConstraintName == constraint
}
