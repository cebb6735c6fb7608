package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// schemaLock is the advisory lock that keeps two gateways from making the tables at the same time; an arbitrary number,
// the same in every version.
const schemaLock = 0x6e73656c66616c

// createLog makes the table as Hasura's own initialisation does, default function included.
const createLog = `
CREATE SCHEMA IF NOT EXISTS hdb_catalog;
CREATE OR REPLACE FUNCTION hdb_catalog.gen_hasura_uuid() RETURNS uuid LANGUAGE sql AS 'select gen_random_uuid()';
CREATE TABLE hdb_catalog.hdb_action_log (
	id uuid PRIMARY KEY DEFAULT hdb_catalog.gen_hasura_uuid(),
	action_name text,
	input_payload jsonb NOT NULL,
	request_headers jsonb NOT NULL,
	session_variables jsonb NOT NULL,
	response_payload jsonb,
	errors jsonb,
	created_at timestamptz NOT NULL DEFAULT now(),
	response_received_at timestamptz,
	status text NOT NULL,
	CHECK (status IN ('created', 'processing', 'completed', 'error'))
);`

// createClaims makes our tables. There is no foreign key to Hasura's table: its owner may drop or restore it.
const createClaims = `
CREATE SCHEMA IF NOT EXISTS nself;
CREATE TABLE IF NOT EXISTS nself.action_claimants (
	id uuid PRIMARY KEY,
	lease_until timestamptz NOT NULL
);
CREATE TABLE IF NOT EXISTS nself.action_claims (
	action_id uuid PRIMARY KEY,
	claimant uuid,
	attempt integer NOT NULL
);
CREATE INDEX IF NOT EXISTS action_claims_claimant ON nself.action_claims (claimant);
COMMENT ON TABLE nself.action_claimants IS 'Gateways that run asynchronous actions; one whose lease has ended is dead.';
COMMENT ON TABLE nself.action_claims IS
	'Who runs an entry of hdb_catalog.hdb_action_log, and for the how-manieth time. No claimant: it was requeued.';`

// createIndex keeps claiming fast on a log with a long past. Hasura's table has no index but the primary key.
const createIndex = `
CREATE INDEX IF NOT EXISTS nself_action_log_open ON hdb_catalog.hdb_action_log (status, created_at)
	WHERE status IN ('created', 'processing')`

type schemaState struct {
	ready atomic.Bool
	mu    sync.Mutex
}

// ensure makes the tables that are missing, once.
func (s *Store) ensure(ctx context.Context) error {
	if s.schema.ready.Load() {
		return nil
	}
	s.schema.mu.Lock()
	defer s.schema.mu.Unlock()
	if s.schema.ready.Load() {
		return nil
	}
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(schemaLock)); err != nil {
			return err
		}
		return createTables(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("create tables: %w", err)
	}
	// Only the owner of the table may do this, which need not be this user.
	if _, err := s.pool.Exec(ctx, createIndex); err != nil {
		s.log.WarnContext(ctx, "action log has no index on its state; claiming gets slow as it grows",
			slog.String("error", err.Error()))
	}
	s.schema.ready.Store(true)
	return nil
}

// createTables looks first: CREATE ... IF NOT EXISTS needs the right to create even where there is nothing to do.
func createTables(ctx context.Context, tx pgx.Tx) error {
	var log, claims bool
	err := tx.QueryRow(ctx, `SELECT to_regclass('hdb_catalog.hdb_action_log') IS NOT NULL,
		to_regclass('nself.action_claimants') IS NOT NULL AND to_regclass('nself.action_claims') IS NOT NULL`).
		Scan(&log, &claims)
	if err == nil && !log {
		_, err = tx.Exec(ctx, createLog)
	}
	if err == nil && !claims {
		_, err = tx.Exec(ctx, createClaims)
	}
	return err
}

// forget tells whether err means that tables are missing, or were being made by somebody else, and has them looked for
// again.
func (s *Store) forget(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return false
	}
	switch pg.Code {
	case "42P01", "3F000", // undefined_table, invalid_schema_name
		"42P06", "42P07", "23505": // duplicate_schema, duplicate_table, unique_violation (in the catalogue)
		s.schema.ready.Store(false)
		return true
	}
	return false
}
