package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nself-org/nself/internal/actionlog"
)

// Leases are measured by the database's clock alone, so the clocks of the gateways may differ.

// Join implements [actionlog.Queue].
func (s *Store) Join(ctx context.Context, claimant string) (time.Duration, error) {
	err := s.do(ctx, "join", func() error {
		_, err := s.pool.Exec(ctx, `INSERT INTO nself.action_claimants (id, lease_until)
			VALUES ($1::text::uuid, clock_timestamp() + $2::bigint * interval '1 microsecond')`,
			claimant, s.lease.Microseconds())
		return err
	})
	return s.lease, err
}

// Renew implements [actionlog.Queue]. A lease that has ended stays ended, also when nobody has noticed: who was dead for
// a moment cannot know what happened in it.
func (s *Store) Renew(ctx context.Context, claimant string) error {
	return s.do(ctx, "renew the lease", func() error {
		tag, err := s.pool.Exec(ctx, `UPDATE nself.action_claimants
			SET lease_until = clock_timestamp() + $2::bigint * interval '1 microsecond'
			WHERE id = $1::text::uuid AND lease_until > clock_timestamp()`, claimant, s.lease.Microseconds())
		if err == nil && tag.RowsAffected() == 0 {
			return actionlog.ErrLost
		}
		return err
	})
}

// Leave implements [actionlog.Queue].
func (s *Store) Leave(ctx context.Context, claimant string) error {
	rows, err := s.bury(ctx, "leave", func(tx pgx.Tx) ([]string, error) {
		_, err := tx.Exec(ctx, "DELETE FROM nself.action_claimants WHERE id = $1::text::uuid", claimant)
		return []string{claimant}, err
	})
	if rows > 0 {
		s.Arrived()
	}
	return err
}

// Rescue implements [actionlog.Queue].
func (s *Store) Rescue(ctx context.Context) (int, error) {
	rows, err := s.bury(ctx, "rescue", func(tx pgx.Tx) ([]string, error) {
		// The second part finds claims whose claimant's row somebody removed by hand.
		return ids(tx.Query(ctx, `
			WITH dead AS (DELETE FROM nself.action_claimants WHERE lease_until <= clock_timestamp() RETURNING id)
			SELECT id::text FROM dead UNION SELECT c.claimant::text FROM nself.action_claims c
			WHERE c.claimant IS NOT NULL AND NOT EXISTS (SELECT FROM nself.action_claimants a WHERE a.id = c.claimant)`))
	})
	if err != nil {
		return 0, err
	}
	taken, err := s.takeOver(ctx)
	if rows += taken; rows > 0 {
		s.Arrived()
	}
	return rows, err
}

// bury requeues the claims of the claimants that die names, in one transaction with it. The claims are looked up by a
// statement of its own: it sees what a claim has committed for which die had to wait.
func (s *Store) bury(ctx context.Context, what string, die func(pgx.Tx) ([]string, error)) (rows int, err error) {
	err = s.do(ctx, what, func() error {
		rows = 0
		return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			dead, err := die(tx)
			if err != nil || len(dead) == 0 {
				return err
			}
			freed, err := ids(tx.Query(ctx, `
				WITH freed AS (
					UPDATE nself.action_claims SET claimant = NULL WHERE claimant = ANY ($1::text[]::uuid[])
					RETURNING action_id)
				UPDATE hdb_catalog.hdb_action_log l SET status = 'created' FROM freed
				WHERE l.id = freed.action_id AND l.status = 'processing' RETURNING l.id::text`, dead))
			if err != nil {
				return err
			}
			rows = len(freed)
			// What was requeued and ended elsewhere, by Hasura or by a drop, needs no count of attempts any more.
			_, err = tx.Exec(ctx, `DELETE FROM nself.action_claims c WHERE c.claimant IS NULL AND NOT EXISTS (
				SELECT FROM hdb_catalog.hdb_action_log l
				WHERE l.id = c.action_id AND l.status IN ('created', 'processing'))`)
			return err
		})
	})
	if err != nil {
		return 0, err
	}
	return rows, nil
}
