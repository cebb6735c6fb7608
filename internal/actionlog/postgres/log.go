package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/nself-org/nself/internal/actionlog"
)

// Create implements [actionlog.Log].
func (s *Store) Create(ctx context.Context, e actionlog.NewEntry) (string, error) {
	what := fmt.Sprintf("create an entry of action %q", e.Action)
	header, err := actionlog.EncodeHeader(e.Header, e.Host)
	if err != nil {
		return "", fmt.Errorf("action log: %s: %w", what, err)
	}
	session, err := actionlog.EncodeSession(e.Session)
	if err != nil {
		return "", fmt.Errorf("action log: %s: %w", what, err)
	}
	const insert = `INSERT INTO hdb_catalog.hdb_action_log
		(action_name, input_payload, request_headers, session_variables, status)
		VALUES ($1::text, $2::text::jsonb, $3::text::jsonb, $4::text::jsonb, 'created') RETURNING id::text`
	var id string
	err = s.do(ctx, what, func() error {
		return s.pool.QueryRow(ctx, insert, e.Action, string(e.Input), string(header), string(session)).Scan(&id)
	})
	if err != nil {
		return "", err
	}
	s.Arrived()
	return id, nil
}

// columns are those of an Entry, in the order of scan. A NULL name is an entry of nothing that could be called.
const columns = `l.id::text, coalesce(l.action_name, ''), l.input_payload::text, l.request_headers::text,
	l.session_variables::text, l.response_payload::text, l.errors::text, l.created_at, l.status`

// scan reads columns into e, and whatever follows them into more.
func scan(row pgx.CollectableRow, e *actionlog.Entry, more ...any) error {
	var input, header, session, response, errs []byte
	targets := append([]any{
		&e.ID, &e.Action, &input, &header, &session, &response, &errs, &e.CreatedAt, &e.Status,
	}, more...)
	if err := row.Scan(targets...); err != nil {
		return err
	}
	e.Input, e.Response, e.Errors = input, response, errs
	e.Header, e.Host = actionlog.DecodeHeader(header)
	e.Session = actionlog.DecodeSession(session)
	return nil
}

// Get implements [actionlog.Log].
func (s *Store) Get(ctx context.Context, id string) (actionlog.Entry, error) {
	if _, err := uuid.Parse(id); err != nil {
		return actionlog.Entry{}, actionlog.ErrNotFound
	}
	var e actionlog.Entry
	err := s.do(ctx, "read entry "+id, func() error {
		rows, err := s.pool.Query(ctx, "SELECT "+columns+
			" FROM hdb_catalog.hdb_action_log l WHERE l.id = $1::text::uuid", id)
		if err != nil {
			return err
		}
		e, err = pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (e actionlog.Entry, err error) {
			err = scan(row, &e)
			return e, err
		})
		if errors.Is(err, pgx.ErrNoRows) {
			return actionlog.ErrNotFound
		}
		return err
	})
	return e, err
}

// Drop implements [actionlog.Log]. Claims of dropped entries are cleared by Record and Rescue.
func (s *Store) Drop(ctx context.Context, action string) (int64, error) {
	var gone []string
	err := s.do(ctx, fmt.Sprintf("drop the entries of action %q", action), func() (err error) {
		gone, err = ids(s.pool.Query(ctx,
			"DELETE FROM hdb_catalog.hdb_action_log WHERE action_name = $1::text RETURNING id::text", action))
		return err
	})
	s.Settled(gone...)
	return int64(len(gone)), err
}

// Depth implements [actionlog.Log].
func (s *Store) Depth(ctx context.Context) ([]actionlog.Depth, error) {
	var depths []actionlog.Depth
	err := s.do(ctx, "count entries", func() error {
		rows, err := s.pool.Query(ctx, `SELECT coalesce(action_name, ''), status, count(*)
			FROM hdb_catalog.hdb_action_log GROUP BY 1, 2
			ORDER BY coalesce(action_name, '') COLLATE "C", status COLLATE "C"`)
		if err != nil {
			return err
		}
		depths, err = pgx.CollectRows(rows, pgx.RowToStructByPos[actionlog.Depth])
		return err
	})
	return depths, err
}
