package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/nself-org/nself/internal/actionlog"
)

// claim locks the claimant against being buried meanwhile, but not against renewing; a claimant whose lease has ended
// finds nothing. Entries that another transaction holds are skipped, as in Hasura's own statement.
const claim = `
WITH me AS (
	SELECT id FROM nself.action_claimants
	WHERE id = $1::text::uuid AND lease_until > clock_timestamp() FOR KEY SHARE
), picked AS (
	SELECT id FROM hdb_catalog.hdb_action_log
	WHERE status = 'created' AND EXISTS (SELECT FROM me)
	ORDER BY created_at LIMIT $2::int FOR UPDATE SKIP LOCKED
), claimed AS (
	INSERT INTO nself.action_claims AS c (action_id, claimant, attempt) SELECT id, $1::text::uuid, 1 FROM picked
	ON CONFLICT (action_id) DO UPDATE SET claimant = excluded.claimant, attempt = c.attempt + 1
	RETURNING action_id, attempt
)
UPDATE hdb_catalog.hdb_action_log l SET status = 'processing' FROM claimed
WHERE l.id = claimed.action_id RETURNING ` + columns + `, claimed.attempt`

// Claim implements [actionlog.Queue].
func (s *Store) Claim(ctx context.Context, claimant string, limit int) ([]actionlog.Claim, error) {
	var claims []actionlog.Claim
	err := s.do(ctx, "claim", func() error {
		rows, err := s.pool.Query(ctx, claim, claimant, limit)
		if err != nil {
			return err
		}
		claims, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (actionlog.Claim, error) {
			c := actionlog.Claim{Claimant: claimant}
			err := scan(row, &c.Entry, &c.Attempt)
			return c, err
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	return claims, nil
}

// Requeue implements [actionlog.Queue].
func (s *Store) Requeue(ctx context.Context, claimant string, keep []string) (int, error) {
	var freed []string
	if keep == nil {
		keep = []string{} // a NULL array would compare as unknown
	}
	err := s.do(ctx, "requeue", func() (err error) {
		freed, err = ids(s.pool.Query(ctx, `
			WITH freed AS (
				UPDATE nself.action_claims SET claimant = NULL
				WHERE claimant = $1::text::uuid AND action_id <> ALL ($2::text[]::uuid[]) RETURNING action_id)
			UPDATE hdb_catalog.hdb_action_log l SET status = 'created' FROM freed
			WHERE l.id = freed.action_id AND l.status = 'processing' RETURNING l.id::text`, claimant, keep))
		return err
	})
	if len(freed) > 0 {
		s.Arrived()
	}
	return len(freed), err
}

// record takes the claims first and goes on with those that stood: the row of the claim is what everybody who wants to
// change the state of a claimed entry locks.
const record = `
WITH given AS (
	SELECT * FROM unnest($1::text[]::uuid[], $2::text[]::uuid[], $3::int[], $4::text[], $5::text[])
		AS g (id, claimant, attempt, status, payload)
), won AS (
	DELETE FROM nself.action_claims c USING given g
	WHERE c.action_id = g.id AND c.claimant = g.claimant AND c.attempt = g.attempt
	RETURNING g.id, g.status, g.payload
)
UPDATE hdb_catalog.hdb_action_log l SET status = won.status,
	response_payload = CASE won.status WHEN 'completed' THEN won.payload::jsonb ELSE l.response_payload END,
	errors = CASE won.status WHEN 'error' THEN won.payload::jsonb ELSE l.errors END
FROM won WHERE l.id = won.id AND l.status = 'processing' RETURNING l.id::text`

// Record implements [actionlog.Queue]. All results go in one statement; if a text among them cannot be stored, each goes
// on its own.
func (s *Store) Record(ctx context.Context, results []actionlog.Result) []error {
	errs := make([]error, len(results))
	recorded, err := s.record(ctx, results)
	if errors.Is(err, actionlog.ErrUnstorable) && len(results) > 1 {
		for i := range results {
			errs[i] = s.Record(ctx, results[i:i+1])[0]
		}
		return errs
	}
	for i, r := range results {
		switch {
		case err != nil:
			errs[i] = err
		case !recorded[r.Claim.ID]:
			errs[i] = actionlog.ErrFenced
		}
	}
	return errs
}

func (s *Store) record(ctx context.Context, results []actionlog.Result) (map[string]bool, error) {
	n := len(results)
	id, claimant, attempt := make([]string, n), make([]string, n), make([]int32, n)
	status, payload := make([]string, n), make([]string, n)
	for i, r := range results {
		if !r.Outcome.Status.Final() {
			return nil, explain("record outcomes", actionlog.ErrUnstorable)
		}
		id[i], claimant[i], attempt[i] = r.Claim.ID, r.Claim.Claimant, int32(r.Claim.Attempt) //nolint:gosec // counts up from 1
		status[i], payload[i] = string(r.Outcome.Status), string(r.Outcome.Payload)
	}
	var done []string
	err := s.do(ctx, "record outcomes", func() (err error) {
		done, err = ids(s.pool.Query(ctx, record, id, claimant, attempt, status, payload))
		return err
	})
	if err != nil {
		return nil, err
	}
	s.Settled(done...)
	recorded := make(map[string]bool, len(done))
	for _, id := range done {
		recorded[id] = true
	}
	return recorded, nil
}
