package migrate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/nself-org/nself/internal/database"
	"github.com/nself-org/nself/internal/errdefs"
)

// lockKey is the advisory lock that keeps two runs apart; an arbitrary number, the same in every version.
const lockKey = 0x6e73656c66

// closeTimeout bounds the goodbye to the server, also when the caller's context has ended.
const closeTimeout = 5 * time.Second

const createTable = `
CREATE SCHEMA IF NOT EXISTS nself;
CREATE TABLE IF NOT EXISTS nself.schema_migrations (
	version bigint PRIMARY KEY,
	name text NOT NULL,
	checksum text NOT NULL,
	applied_at timestamptz NOT NULL DEFAULT now()
);`

// Event is what [Up] reports while it runs.
type Event struct {
	Migration Migration
	// Done is false when the migration begins and true when it is applied.
	Done bool
	// Duration is how long it took, when done.
	Duration time.Duration
	// Warning is set instead of the two: something that does not stop the run.
	Warning string
}

// Up applies what is missing, in the order of the versions, and returns what it applied, also when a later one fails.
// report may be nil; it is called in order, from this goroutine. A run waits for another run on the same database to
// end. A failed migration leaves nothing behind, unless it runs without a transaction; its error is a *[SQLError].
// Migrations that were changed after they were applied, that come in behind later ones, or whose files are gone, are
// reported as warnings.
func Up(ctx context.Context, connString, projectDir string, report func(Event)) (applied []Migration, err error) {
	if report == nil {
		report = func(Event) {}
	}
	list, err := List(projectDir)
	if err != nil {
		return nil, err
	}
	conn, err := connect(ctx, connString)
	if err != nil {
		return nil, err
	}
	defer disconnect(ctx, conn)
	// The lock belongs to the session, and ends with it.
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", lockKey); err != nil {
		return nil, fmt.Errorf("wait for another migration to end: %w", err)
	}
	if _, err := conn.Exec(ctx, createTable); err != nil {
		return nil, fmt.Errorf("create table nself.schema_migrations: %w", err)
	}
	states, err := compare(ctx, conn, list)
	if err != nil {
		return nil, err
	}
	for _, s := range states {
		if w := s.warning(); w != "" {
			report(Event{Migration: s.Migration, Warning: w})
		}
		if s.Applied {
			continue
		}
		report(Event{Migration: s.Migration})
		began := time.Now()
		if err := apply(ctx, conn, s.Migration); err != nil {
			return applied, fmt.Errorf("migration %s: %w", s.Migration, err)
		}
		applied = append(applied, s.Migration)
		report(Event{Migration: s.Migration, Done: true, Duration: time.Since(began)})
	}
	return applied, nil
}

// Status compares the migrations on disk with those a database has, in the order of the versions. It changes nothing.
func Status(ctx context.Context, connString, projectDir string) ([]State, error) {
	list, err := List(projectDir)
	if err != nil {
		return nil, err
	}
	conn, err := connect(ctx, connString)
	if err != nil {
		return nil, err
	}
	defer disconnect(ctx, conn)
	return compare(ctx, conn, list)
}

func connect(ctx context.Context, connString string) (*pgx.Conn, error) {
	conn, err := pgx.Connect(ctx, connString)
	if err != nil {
		return nil, database.ConnectError(err)
	}
	return conn, nil
}

func disconnect(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	_ = conn.Close(ctx)
}

// warning says what is odd about a migration without stopping the run.
func (s State) warning() string {
	switch {
	case s.Missing:
		return fmt.Sprintf("migration %s is applied, but its folder is gone", s.Migration)
	case s.Changed:
		return s.File + " was changed after it was applied; the database still has the old one"
	case s.OutOfOrder:
		return s.File + " is older than the last one applied, and is applied now"
	}
	return ""
}

type record struct {
	Version   int64
	Name      string
	Checksum  string
	AppliedAt time.Time
}

func records(ctx context.Context, conn *pgx.Conn) ([]record, error) {
	var exists bool
	err := conn.QueryRow(ctx, "SELECT to_regclass('nself.schema_migrations') IS NOT NULL").Scan(&exists)
	if err != nil || !exists {
		return nil, err
	}
	rows, err := conn.Query(ctx, "SELECT version, name, checksum, applied_at FROM nself.schema_migrations ORDER BY version")
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[record])
}

func compare(ctx context.Context, conn *pgx.Conn, list []Migration) ([]State, error) {
	known, err := records(ctx, conn)
	if err != nil {
		return nil, fmt.Errorf("read table nself.schema_migrations: %w", err)
	}
	var newest int64
	byVersion := map[int64]record{}
	for _, r := range known {
		byVersion[r.Version] = r
		newest = max(newest, r.Version)
	}
	var out []State
	for _, m := range list {
		s := State{Migration: m}
		if r, ok := byVersion[m.Version]; ok {
			s.Applied, s.AppliedAt, s.Changed = true, r.AppliedAt, r.Checksum != m.Checksum
			delete(byVersion, m.Version)
		} else {
			s.OutOfOrder = m.Version < newest
		}
		out = append(out, s)
	}
	for _, r := range byVersion {
		out = append(out, State{
			Migration: Migration{Version: r.Version, Name: r.Name, Checksum: r.Checksum},
			Applied:   true, AppliedAt: r.AppliedAt, Missing: true,
		})
	}
	slices.SortFunc(out, func(a, b State) int { return cmp.Compare(a.Version, b.Version) })
	return out, nil
}

func apply(ctx context.Context, conn *pgx.Conn, m Migration) error {
	const insert = "INSERT INTO nself.schema_migrations (version, name, checksum) VALUES ($1, $2, $3)"
	var err error
	if m.NoTransaction {
		if err = runStatements(ctx, conn, m.File, m.SQL); err == nil {
			_, err = conn.Exec(ctx, insert, m.Version, m.Name, m.Checksum)
		}
	} else {
		err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			if err := run(ctx, conn, m.File, m.SQL); err != nil {
				return err
			}
			// The migration may have changed role or search_path; its record does not depend on them.
			if _, err := tx.Exec(ctx, "RESET ROLE"); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, insert, m.Version, m.Name, m.Checksum)
			return err
		})
		err = locateCommit(m.File, err)
	}
	if err != nil {
		return err
	}
	// Settings of one migration, such as the empty search_path of a dump, must not reach the next.
	_, err = conn.Exec(ctx, "RESET ALL")
	return err
}

// RunScript runs the SQL of one file, such as seeds, in a transaction, and does not record it. Errors are as in [Up].
func RunScript(ctx context.Context, connString, file, sql string) error {
	if err := rejectTransactions(file, sql); err != nil {
		return errdefs.As(errdefs.ErrInvalid, err)
	}
	conn, err := connect(ctx, connString)
	if err != nil {
		return err
	}
	defer disconnect(ctx, conn)
	err = pgx.BeginFunc(ctx, conn, func(pgx.Tx) error { return run(ctx, conn, file, sql) })
	return locateCommit(file, err)
}

// run sends the whole text at once, which keeps Postgres' error positions those of the file.
func run(ctx context.Context, conn *pgx.Conn, file, sql string) error {
	results, err := conn.PgConn().Exec(ctx, sql).ReadAll()
	err = locate(file, sql, 0, err)
	if at, ok := errors.AsType[*SQLError](err); ok && at.Line == 0 {
		// No position: the statement that failed is the one behind those that have results.
		done := 0
		for _, r := range results {
			if r.Err == nil {
				done++
			}
		}
		if statements := split(sql); done < len(statements) {
			at.Line = statements[done].line
		}
	}
	return err
}

// runStatements sends one statement at a time: several in one message are a transaction to Postgres.
func runStatements(ctx context.Context, conn *pgx.Conn, file, sql string) error {
	for _, s := range split(sql) {
		_, err := conn.PgConn().Exec(ctx, s.text).ReadAll()
		if err = locate(file, sql, s.offset, err); err != nil {
			if at, ok := errors.AsType[*SQLError](err); ok && at.Line == 0 {
				at.Line = s.line
			}
			return err
		}
	}
	return nil
}

// SQLError is a failure that Postgres reports, with its place in the file.
type SQLError struct {
	File string
	// Line is from 1: that of the place Postgres names, or of the statement that failed. Zero when the failure came
	// only with the commit.
	Line int
	// Postgres is the server's own report.
	Postgres *pgconn.PgError
}

// Error returns file:line, the message, and Postgres' detail.
func (e *SQLError) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d", e.Line)
	}
	fmt.Fprintf(&b, ": %s (SQLSTATE %s)", e.Postgres.Message, e.Postgres.Code)
	if e.Postgres.Detail != "" {
		b.WriteString(": " + e.Postgres.Detail)
	}
	return b.String()
}

// Unwrap returns the server's report.
func (e *SQLError) Unwrap() error { return e.Postgres }

// locate turns an error's position, in characters of what was sent, into a line of the file. offset is where that
// began.
func locate(file, sql string, offset int, err error) error {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return err
	}
	e := &SQLError{File: file, Postgres: pg}
	if pg.Position > 0 {
		runes := []rune(sql)
		at := min(offset+int(pg.Position)-1, len(runes))
		e.Line = strings.Count(string(runes[:at]), "\n") + 1
	}
	return errdefs.WithHint(e, cmp.Or(pg.Hint, "mend the file and run the command again"))
}

// locateCommit names the file for what fails only at the end, such as a deferred constraint.
func locateCommit(file string, err error) error {
	if _, done := errors.AsType[*SQLError](err); done {
		return err
	}
	return locate(file, "", 0, err)
}
