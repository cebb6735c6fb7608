package migrate_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/migrate"
	"github.com/nself-org/nself/internal/pgtest"
)

// write puts files into a project, below the migrations' folder.
func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(migrate.Folder), filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func names(list []migrate.Migration) []string {
	out := []string{}
	for _, m := range list {
		out = append(out, m.String())
	}
	return out
}

func query[T any](t *testing.T, url, sql string) T {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	var v T
	if err := conn.QueryRow(t.Context(), sql).Scan(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestUpAppliesEachOnceInOrder(t *testing.T) {
	t.Parallel()
	dir, url := t.TempDir(), pgtest.Start(t)
	write(t, dir, map[string]string{
		// Compared as text, 10 would come before 2.
		"10_fill/up.sql": "INSERT INTO shop.item VALUES (1, 'é;')",
		"2_create/up.sql": `CREATE SCHEMA shop;
CREATE TABLE shop.item (id int PRIMARY KEY, name text);
CREATE FUNCTION shop.double(i int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN i * 2; END; $$;
SELECT set_config('search_path', '', false);`,
		"2_create/down.sql": "DROP SCHEMA shop CASCADE",
		"3_index/up.sql": "-- nself: no-transaction\r\nCREATE INDEX CONCURRENTLY a ON shop.item (name);\r\n" +
			"CREATE INDEX CONCURRENTLY b ON shop.item (id);",
		"4_unqualified/up.sql": "CREATE TABLE notes (t text)", // needs the search_path that 2 took away
		"5_nothing/up.sql":     "-- nothing yet\n",
		".gitkeep":             "",
	})
	var events []string
	report := func(e migrate.Event) { events = append(events, fmt.Sprint(e.Migration, " ", e.Done, e.Warning)) }
	applied, err := migrate.Up(t.Context(), url, dir, report)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"2_create", "3_index", "4_unqualified", "5_nothing", "10_fill"}
	if diff := cmp.Diff(want, names(applied)); diff != "" {
		t.Errorf("applied (-want +got):\n%s", diff)
	}
	if len(events) != 2*len(want) || events[0] != "2_create false" || events[1] != "2_create true" {
		t.Errorf("events: %q", events)
	}
	if n := query[int](t, url, "SELECT count(*) FROM pg_indexes WHERE schemaname = 'shop' AND indexname IN ('a', 'b')"); n != 2 {
		t.Errorf("%d of 2 indexes exist", n)
	}
	again, err := migrate.Up(t.Context(), url, dir, nil)
	if err != nil || len(again) != 0 {
		t.Errorf("a second run applied %v, %v", names(again), err)
	}
}

func TestUpLeavesNothingOfAFailure(t *testing.T) {
	t.Parallel()
	dir, url := t.TempDir(), pgtest.Start(t)
	write(t, dir, map[string]string{
		"1_good/up.sql": "CREATE TABLE good (id int UNIQUE)",
		"2_bad/up.sql":  "-- é\nCREATE TABLE bad (id int);\n\nALTER TABLE bad\n  ADD COLUMN x nosuchtype;\n",
		"3_late/up.sql": "CREATE TABLE late (id int)",
	})
	applied, err := migrate.Up(t.Context(), url, dir, nil)
	if diff := cmp.Diff([]string{"1_good"}, names(applied)); diff != "" {
		t.Errorf("applied (-want +got):\n%s", diff)
	}
	want := `migration 2_bad: hasura/migrations/default/2_bad/up.sql:5: type "nosuchtype" does not exist (SQLSTATE 42704)`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if sqlErr, ok := errors.AsType[*migrate.SQLError](err); !ok || sqlErr.Line != 5 {
		t.Errorf("not an SQLError of line 5: %#v", err)
	}
	if query[bool](t, url, "SELECT to_regclass('bad') IS NOT NULL") {
		t.Error("the failed migration left its table")
	}

	// Repaired, the run goes on where it stopped.
	write(t, dir, map[string]string{"2_bad/up.sql": "INSERT INTO good VALUES (1);\nSELECT 1;\n\n-- again\nINSERT INTO good VALUES (1);"})
	_, err = migrate.Up(t.Context(), url, dir, nil)
	want = "migration 2_bad: hasura/migrations/default/2_bad/up.sql:5: duplicate key value violates unique constraint " +
		"\"good_id_key\" (SQLSTATE 23505): Key (id)=(1) already exists."
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if n := query[int](t, url, "SELECT count(*) FROM good"); n != 0 {
		t.Errorf("%d rows of the failed migration are left", n)
	}
	write(t, dir, map[string]string{"2_bad/up.sql": "SELECT 1"})
	applied, err = migrate.Up(t.Context(), url, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"2_bad", "3_late"}, names(applied)); diff != "" {
		t.Errorf("applied after the repair (-want +got):\n%s", diff)
	}
}

func TestUpNamesTheLineOfAStatementOutsideATransaction(t *testing.T) {
	t.Parallel()
	dir, url := t.TempDir(), pgtest.Start(t)
	write(t, dir, map[string]string{
		"1_x/up.sql": "-- nself: no-transaction\nCREATE TABLE é (id int);\n\nCREATE INDEX CONCURRENTLY i\n  ON é (nothing);",
	})
	_, err := migrate.Up(t.Context(), url, dir, nil)
	sqlErr, ok := errors.AsType[*migrate.SQLError](err)
	if !ok || sqlErr.Line != 4 { // Postgres gives no position for a missing column of an index
		t.Errorf("got %v, want an SQLError of line 4", err)
	}
	states, err := migrate.Status(t.Context(), url, dir)
	if err != nil || len(states) != 1 || states[0].Applied {
		t.Errorf("the failed migration counts as applied: %+v, %v", states, err)
	}
}

func TestStatusComparesDiskWithDatabase(t *testing.T) {
	t.Parallel()
	dir, url := t.TempDir(), pgtest.Start(t)
	if states, err := migrate.Status(t.Context(), url, dir); err != nil || len(states) != 0 {
		t.Fatalf("an empty project has states: %v, %v", states, err)
	}
	if query[bool](t, url, "SELECT to_regnamespace('nself') IS NOT NULL") {
		t.Error("asking for the status created a schema")
	}
	write(t, dir, map[string]string{
		"2_kept/up.sql": "SELECT 1;\n", "4_edited/up.sql": "SELECT 1", "6_gone/up.sql": "SELECT 1",
	})
	if _, err := migrate.Up(t.Context(), url, dir, nil); err != nil {
		t.Fatal(err)
	}
	write(t, dir, map[string]string{
		"2_kept/up.sql": "SELECT 1;\r\n", "4_edited/up.sql": "SELECT 2", "5_late/up.sql": "SELECT 1", "7_new/up.sql": "SELECT 1",
	})
	if err := os.RemoveAll(filepath.Join(dir, filepath.FromSlash(migrate.Folder), "6_gone")); err != nil {
		t.Fatal(err)
	}
	states, err := migrate.Status(t.Context(), url, dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range states {
		got = append(got, fmt.Sprintf("%s applied=%v changed=%v late=%v missing=%v",
			s.Migration, s.Applied, s.Changed, s.OutOfOrder, s.Missing))
		if s.Applied == s.AppliedAt.IsZero() {
			t.Errorf("%s: applied at %v", s.Migration, s.AppliedAt)
		}
	}
	want := []string{
		"2_kept applied=true changed=false late=false missing=false",
		"4_edited applied=true changed=true late=false missing=false",
		"5_late applied=false changed=false late=true missing=false",
		"6_gone applied=true changed=false late=false missing=true",
		"7_new applied=false changed=false late=false missing=false",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
	var warnings []string
	applied, err := migrate.Up(t.Context(), url, dir, func(e migrate.Event) {
		if e.Warning != "" {
			warnings = append(warnings, e.Warning)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"5_late", "7_new"}, names(applied)); diff != "" {
		t.Errorf("applied (-want +got):\n%s", diff)
	}
	if len(warnings) != 3 {
		t.Errorf("3 warnings expected: %q", warnings)
	}
}

func TestConcurrentRunsApplyOnce(t *testing.T) {
	t.Parallel()
	dir, url := t.TempDir(), pgtest.Start(t)
	write(t, dir, map[string]string{"1_a/up.sql": "CREATE TABLE a (id int)", "2_b/up.sql": "CREATE TABLE b (id int)"})
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		total int
	)
	for range 5 {
		wg.Go(func() {
			applied, err := migrate.Up(t.Context(), url, dir, nil)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			total += len(applied)
		})
	}
	wg.Wait()
	if total != 2 {
		t.Errorf("%d migrations applied by five runs, want 2", total)
	}
}

func TestListReportsAllFaults(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"1_a/up.sql":                      "SELECT 1",
		"01_b/up.sql":                     "SELECT 1",
		"create/up.sql":                   "SELECT 1",
		"3_down/down.sql":                 "SELECT 1",
		"4_tx/up.sql":                     "SELECT 'COMMIT';\n/* ; */ commit;",
		"5_ok/up.sql":                     "SAVEPOINT a; ROLLBACK WORK TO SAVEPOINT a; DO $x$ BEGIN COMMIT; END $x$;",
		"stray.sql":                       "SELECT 1",
		"README.md":                       "notes",
		"6_atomic/up.sql":                 "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true THEN 1 END; END;",
		"99999999999999999999_big/up.sql": "SELECT 1",
	})
	_, err := migrate.List(dir)
	if !errors.Is(err, errdefs.ErrInvalid) {
		t.Errorf("not an invalid project: %v", err)
	}
	want := `hasura/migrations/default/3_down: there is no up.sql
hasura/migrations/default/4_tx/up.sql:2: COMMIT: the migration runs in a transaction of its own
hasura/migrations/default/99999999999999999999_big: 99999999999999999999 cannot be a version
hasura/migrations/default/create: the folder's name has no version
hasura/migrations/default/stray.sql: SQL outside a migration's folder is never applied
hasura/migrations/default/1_a: version 1 is that of hasura/migrations/default/01_b too`
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

func TestUnreachableDatabase(t *testing.T) {
	t.Parallel()
	_, err := migrate.Status(t.Context(), "postgres://postgres:secret-word@127.0.0.1:1/x?sslmode=disable", t.TempDir())
	if !errors.Is(err, errdefs.ErrUnavailable) {
		t.Errorf("not unavailable: %v", err)
	}
	if strings.Contains(err.Error(), "secret-word") {
		t.Errorf("the password is in the error: %v", err)
	}
}

func TestRunScriptUndoesAFailure(t *testing.T) {
	t.Parallel()
	url := pgtest.Start(t)
	err := migrate.RunScript(t.Context(), url, "seeds/a.sql", "CREATE TABLE a (id int);\nINSERT INTO nowhere VALUES (1);")
	want := `seeds/a.sql:2: relation "nowhere" does not exist (SQLSTATE 42P01)`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if query[bool](t, url, "SELECT to_regclass('a') IS NOT NULL") {
		t.Error("the failed script left its table")
	}
	err = migrate.RunScript(t.Context(), url, "seeds/b.sql",
		"CREATE TABLE a (id int UNIQUE DEFERRABLE INITIALLY DEFERRED);\nINSERT INTO a VALUES (1), (1);")
	if _, ok := errors.AsType[*migrate.SQLError](err); !ok || !strings.HasPrefix(err.Error(), "seeds/b.sql: duplicate key") {
		t.Errorf("a failure of the commit does not name the file: %v", err)
	}
}
