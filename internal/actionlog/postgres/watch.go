package postgres

import (
	"context"
	"log/slog"
	"time"
)

// Watch implements [actionlog.Log]. Outcomes that this store records are passed on at once. Those of other processes are
// found by one query a second for all watched entries together; while nothing is watched there is none.
func (s *Store) Watch(id string) (changed <-chan struct{}, stop func()) {
	s.watch.Do(func() {
		if s.closed.Err() == nil {
			s.done.Go(func() { s.lookout(s.closed) })
		}
	})
	return s.Hub.Watch(id)
}

// lookout runs from the first Watch to Close.
func (s *Store) lookout(ctx context.Context) {
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := s.look(ctx)
		if err != nil && ctx.Err() == nil && !failing { // once per outage
			s.log.WarnContext(ctx, "outcomes of other processes are not seen", slog.String("error", err.Error()))
		}
		failing = err != nil
	}
}

// look tells the watchers of entries that have ended or are gone.
func (s *Store) look(ctx context.Context) error {
	pending := s.Pending()
	if len(pending) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, watchTimeout)
	defer cancel()
	return s.do(ctx, "look at watched entries", func() error {
		settled, err := ids(s.pool.Query(ctx, `
			SELECT w.id::text FROM unnest($1::text[]::uuid[]) AS w (id)
			LEFT JOIN hdb_catalog.hdb_action_log l ON l.id = w.id
			WHERE l.id IS NULL OR l.status IN ('completed', 'error')`, pending))
		s.Settled(settled...)
		return err
	})
}
