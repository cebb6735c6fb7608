package postgres

import (
	"context"
	"sync"
	"time"
)

// foreignEntries remembers since when entries are processing without a claim. It is kept in memory: Hasura's table does
// not tell when a state began.
type foreignEntries struct {
	mu    sync.Mutex
	since map[string]time.Time
}

// takeOver requeues entries that a Hasura has left in processing. The row in action_claims makes sure that of several
// gateways one does it.
func (s *Store) takeOver(ctx context.Context) (int, error) {
	if s.takeOverAfter <= 0 {
		return 0, nil
	}
	var unclaimed []string
	err := s.do(ctx, "look for abandoned entries", func() (err error) {
		unclaimed, err = ids(s.pool.Query(ctx, `SELECT l.id::text FROM hdb_catalog.hdb_action_log l
			WHERE l.status = 'processing' AND NOT EXISTS (
				SELECT FROM nself.action_claims c WHERE c.action_id = l.id)`))
		return err
	})
	if err != nil {
		return 0, err
	}
	due := s.foreign.due(unclaimed, time.Now(), s.takeOverAfter)
	if len(due) == 0 {
		return 0, nil
	}
	var freed []string
	err = s.do(ctx, "take over abandoned entries", func() (err error) {
		freed, err = ids(s.pool.Query(ctx, `
			WITH taken AS (
				INSERT INTO nself.action_claims (action_id, attempt)
				SELECT id, 0 FROM hdb_catalog.hdb_action_log
				WHERE id = ANY ($1::text[]::uuid[]) AND status = 'processing'
				ON CONFLICT DO NOTHING RETURNING action_id)
			UPDATE hdb_catalog.hdb_action_log l SET status = 'created' FROM taken
			WHERE l.id = taken.action_id AND l.status = 'processing' RETURNING l.id::text`, due))
		return err
	})
	return len(freed), err
}

// due notes which entries are unclaimed now and returns those that have been for after.
func (f *foreignEntries) due(unclaimed []string, now time.Time, after time.Duration) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	since := make(map[string]time.Time, len(unclaimed))
	var due []string
	for _, id := range unclaimed {
		first, known := f.since[id]
		if !known {
			first = now
		}
		since[id] = first
		if now.Sub(first) >= after {
			due = append(due, id)
		}
	}
	f.since = since
	return due
}
