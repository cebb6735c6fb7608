package migrate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nself-org/nself/internal/errdefs"
)

// Down takes back the last steps migrations that were applied, newest first, with their down.sql, and returns those that it took
// back, also when a later one fails. report and locking are as in [Up]. A migration that is gone from disk, or whose
// down.sql is missing or empty, is an error of class [errdefs.ErrInvalid], found before anything is taken back.
func Down(ctx context.Context, connString, projectDir string, steps int, report func(Event)) (undone []Migration, err error) {
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
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", lockKey); err != nil {
		return nil, fmt.Errorf("wait for another migration to end: %w", err)
	}
	states, err := compare(ctx, conn, list)
	if err != nil {
		return nil, err
	}
	var applied []State
	for _, s := range states {
		if s.Applied {
			applied = append(applied, s)
		}
	}
	slices.Reverse(applied)
	downs, err := readDowns(projectDir, applied[:min(steps, len(applied))])
	if err != nil {
		return nil, err
	}
	for _, d := range downs {
		report(Event{Migration: d})
		began := time.Now()
		if err := takeBack(ctx, conn, d); err != nil {
			return undone, fmt.Errorf("migration %s: %w", d, err)
		}
		undone = append(undone, d)
		report(Event{Migration: d, Done: true, Duration: time.Since(began)})
	}
	return undone, nil
}

// readDowns reads the down.sql of migrations: File and SQL are that file's.
func readDowns(projectDir string, states []State) ([]Migration, error) {
	var downs []Migration
	var faults []error
	for _, s := range states {
		m := s.Migration
		if s.Missing {
			faults = append(faults, errdefs.WithHint(fmt.Errorf("migration %s is applied, but its folder is gone", m),
				"bring the folder back, from version control"))
			continue
		}
		m.File = path.Join(path.Dir(m.File), "down.sql")
		data, err := os.ReadFile(filepath.Join(projectDir, filepath.FromSlash(m.File)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("read migrations: %w", err)
		}
		m.SQL = strings.TrimPrefix(string(data), "\uFEFF")
		if len(split(m.SQL)) == 0 {
			faults = append(faults, errdefs.WithHint(fmt.Errorf("%s: is missing or empty, so the migration cannot be taken back", m.File),
				"write there what undoes up.sql, or take back with a new migration"))
			continue
		}
		first, _, _ := strings.Cut(strings.ReplaceAll(m.SQL, "\r\n", "\n"), "\n")
		m.NoTransaction = strings.TrimSpace(first) == noTransaction
		if !m.NoTransaction {
			if err := rejectTransactions(m.File, m.SQL); err != nil {
				faults = append(faults, err)
			}
		}
		downs = append(downs, m)
	}
	return downs, errdefs.As(errdefs.ErrInvalid, errors.Join(faults...))
}

// takeBack runs one down.sql and removes the migration's record, in one transaction where there is one.
func takeBack(ctx context.Context, conn *pgx.Conn, m Migration) error {
	const remove = "DELETE FROM nself.schema_migrations WHERE version = $1"
	if m.NoTransaction {
		if err := runStatements(ctx, conn, m.File, m.SQL); err != nil {
			return err
		}
		_, err := conn.Exec(ctx, remove, m.Version)
		return err
	}
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if err := run(ctx, conn, m.File, m.SQL); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "RESET ROLE"); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, remove, m.Version)
		return err
	})
	if err = locateCommit(m.File, err); err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "RESET ALL")
	return err
}

// Create makes the folder of a new migration, with an up.sql and a down.sql to fill in, and returns its path relative to the
// project. Its version is the time in milliseconds, and above those that exist. name becomes the folder's, in lower case
// with underscores; one without a letter or digit is an error of class [errdefs.ErrUsage].
func Create(projectDir, name string, now time.Time) (string, error) {
	list, err := List(projectDir)
	if err != nil {
		return "", err
	}
	slug := strings.Join(strings.FieldsFunc(strings.ToLower(name), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	}), "_")
	if slug == "" {
		return "", errdefs.WithHint(fmt.Errorf("%w: %q cannot name a migration", errdefs.ErrUsage, name),
			"use letters and digits, such as create_invoices")
	}
	version := now.UnixMilli()
	if n := len(list); n > 0 {
		version = max(version, list[n-1].Version+1)
	}
	folder := path.Join(Folder, Migration{Version: version, Name: slug}.String())
	dir := filepath.Join(projectDir, filepath.FromSlash(folder))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	for file, text := range map[string]string{
		"up.sql":   "-- " + name + "\n",
		"down.sql": "-- takes back what up.sql does\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644); err != nil {
			return "", err
		}
	}
	return folder, nil
}

// Explain says what is odd about a migration and what to do about it; empty where nothing is.
func (s State) Explain(newest Migration) (what, fix string) {
	switch {
	case s.Missing:
		return fmt.Sprintf("%s is applied, but its folder is gone", s.Migration),
			"bring the folder back from version control; another machine cannot make this database without it"
	case s.Changed:
		return s.File + " was changed after it was applied: this database has the old one, new ones will have the new one",
			"put the change into a migration of its own, or nself db migrate redo where it is the last one"
	case s.OutOfOrder:
		return fmt.Sprintf("%s is older than %s, which is applied already: it came in later, as a merged branch does. "+
				"Here it would run after, on a new machine before it", s.Migration, newest),
			fmt.Sprintf("rename its folder to %d_%s, so that it runs last everywhere; or nself db migrate up, where the order does not matter",
				newest.Version+1, s.Name)
	}
	return "", ""
}
