package metadataapi

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/metadata"
)

// catalogSQL makes the table that Hasura has. Hasura 2.48: server/src-rsr/initialise.sql.
const catalogSQL = `
CREATE SCHEMA IF NOT EXISTS hdb_catalog;
CREATE TABLE IF NOT EXISTS hdb_catalog.hdb_metadata (
  id INTEGER PRIMARY KEY,
  metadata JSON NOT NULL,
  resource_version INTEGER NOT NULL DEFAULT 1 UNIQUE
);`

// catalogLock is the key of the advisory lock under which the table is made: CREATE ... IF NOT EXISTS fails when two
// programs do it at the same time.
const catalogLock = 0x6e73656c66 // "nself"

// PostgresStore keeps the metadata in hdb_catalog.hdb_metadata, as Hasura does. Several gateways may share it.
type PostgresStore struct {
	pool *pgxpool.Pool
}

var _ Store = (*PostgresStore)(nil)

// NewPostgresStore makes the table if it is missing, and stores initial as version 1 if there is no metadata yet.
// Errors are of class [errdefs.ErrUnavailable].
func NewPostgresStore(ctx context.Context, pool *pgxpool.Pool, initial *metadata.Metadata) (*PostgresStore, error) {
	doc, err := initial.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("encode metadata: %w", err)
	}
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(catalogLock)); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, catalogSQL); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO hdb_catalog.hdb_metadata (id, metadata) VALUES (1, $1)
			ON CONFLICT (id) DO NOTHING`, string(doc))
		return err
	})
	if err != nil {
		return nil, unavailable("prepare the metadata's table", err)
	}
	return &PostgresStore{pool: pool}, nil
}

// Version implements [Store].
func (s *PostgresStore) Version(ctx context.Context) (int64, error) {
	var version int64
	err := s.pool.QueryRow(ctx, "SELECT resource_version FROM hdb_catalog.hdb_metadata WHERE id = 1").Scan(&version)
	if err != nil {
		return 0, unavailable("read the metadata's version", err)
	}
	return version, nil
}

// Load implements [Store].
func (s *PostgresStore) Load(ctx context.Context) (*metadata.Metadata, int64, error) {
	var (
		doc     []byte
		version int64
	)
	err := s.pool.QueryRow(ctx, "SELECT metadata, resource_version FROM hdb_catalog.hdb_metadata WHERE id = 1").
		Scan(&doc, &version)
	if err != nil {
		return nil, 0, unavailable("read the metadata", err)
	}
	md, err := metadata.ParseDocument(doc, "$")
	if err != nil {
		return nil, 0, errdefs.As(errdefs.ErrInvalid, fmt.Errorf("read hdb_catalog.hdb_metadata: %w", err))
	}
	return md, version, nil
}

// Save implements [Store].
func (s *PostgresStore) Save(ctx context.Context, md *metadata.Metadata, expected int64) (int64, error) {
	doc, err := md.MarshalJSON()
	if err != nil {
		return 0, fmt.Errorf("encode metadata: %w", err)
	}
	var version int64
	err = s.pool.QueryRow(ctx, `UPDATE hdb_catalog.hdb_metadata SET metadata = $1, resource_version = resource_version + 1
		WHERE id = 1 AND resource_version = $2 RETURNING resource_version`, string(doc), expected).Scan(&version)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return 0, ErrConflict
	case err != nil:
		return 0, unavailable("store the metadata", err)
	}
	return version, nil
}

// ReadOnly implements [Store].
func (s *PostgresStore) ReadOnly() bool { return false }

func unavailable(doing string, err error) error {
	return errdefs.As(errdefs.ErrUnavailable, fmt.Errorf("%s: %w", doing, err))
}
