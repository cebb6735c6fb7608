package migrate_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/migrate"
	"github.com/nself-org/nself/internal/pgtest"
)

func TestDown(t *testing.T) {
	t.Parallel()
	dir, url := t.TempDir(), pgtest.Start(t)
	write(t, dir, map[string]string{
		"1_a/up.sql": "CREATE TABLE a (id int)", "1_a/down.sql": "-- no more\n",
		"2_b/up.sql": "CREATE TABLE b (id int)", "2_b/down.sql": "DROP TABLE b",
		"3_c/up.sql": "CREATE TABLE c (id int)", "3_c/down.sql": "DROP TABLE c;\nDROP TABLE nothing;",
	})
	if _, err := migrate.Up(t.Context(), url, dir, nil); err != nil {
		t.Fatal(err)
	}
	_, err := migrate.Down(t.Context(), url, dir, 1, nil)
	if want := `migration 3_c: hasura/migrations/default/3_c/down.sql:2: table "nothing" does not exist (SQLSTATE 42P01)`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if !query[bool](t, url, "SELECT to_regclass('c') IS NOT NULL") {
		t.Error("the failed down.sql left its work")
	}
	write(t, dir, map[string]string{"3_c/down.sql": "DROP TABLE c"})
	// What cannot be taken back is found before anything is.
	undone, err := migrate.Down(t.Context(), url, dir, 3, nil)
	if !errors.Is(err, errdefs.ErrInvalid) || len(undone) > 0 || !strings.Contains(err.Error(), "1_a/down.sql: is missing or empty") {
		t.Errorf("took back %v, %v", names(undone), err)
	}
	undone, err = migrate.Down(t.Context(), url, dir, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"3_c", "2_b"}, names(undone)); diff != "" {
		t.Errorf("took back (-want +got):\n%s", diff)
	}
	applied, err := migrate.Up(t.Context(), url, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"2_b", "3_c"}, names(applied)); diff != "" {
		t.Errorf("applied again (-want +got):\n%s", diff)
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	dir, url := t.TempDir(), pgtest.Start(t)
	write(t, dir, map[string]string{"2_a/up.sql": "SELECT 1", "5_b/up.sql": "SELECT 1"})
	if _, err := migrate.Up(t.Context(), url, dir, nil); err != nil {
		t.Fatal(err)
	}
	write(t, dir, map[string]string{"3_late/up.sql": "SELECT 1", "5_b/up.sql": "SELECT 2"})
	if err := os.RemoveAll(filepath.Join(dir, filepath.FromSlash(migrate.Folder), "2_a")); err != nil {
		t.Fatal(err)
	}
	states, err := migrate.Status(t.Context(), url, dir)
	if err != nil {
		t.Fatal(err)
	}
	wants := []string{"2_a is applied, but its folder is gone", "3_late is older than 5_b", "was changed after it was applied"}
	for i, s := range states {
		what, fix := s.Explain(states[2].Migration)
		if !strings.Contains(what, wants[i]) || fix == "" {
			t.Errorf("%s: %q, fix %q", s.Migration, what, fix)
		}
	}
	if _, fix := states[1].Explain(states[2].Migration); !strings.Contains(fix, "6_late") {
		t.Errorf("the advice does not name the new folder: %s", fix)
	}
}

func TestCreate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := time.UnixMilli(1800000000000)
	first, err := migrate.Create(dir, "Add invoices!", at)
	if err != nil {
		t.Fatal(err)
	}
	second, err := migrate.Create(dir, "more", at) // in the same millisecond
	if err != nil {
		t.Fatal(err)
	}
	want := []string{migrate.Folder + "/1800000000000_add_invoices", migrate.Folder + "/1800000000001_more"}
	if diff := cmp.Diff(want, []string{first, second}); diff != "" {
		t.Errorf("folders (-want +got):\n%s", diff)
	}
	if list, err := migrate.List(dir); err != nil || len(list) != 2 {
		t.Errorf("list %v, %v", list, err)
	}
	if _, err := migrate.Create(dir, "ü!", at); !errors.Is(err, errdefs.ErrUsage) {
		t.Errorf("a name without letters: %v", err)
	}
}
