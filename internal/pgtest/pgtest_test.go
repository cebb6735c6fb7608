package pgtest_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/nself-org/nself/internal/pgtest"
)

// TestServerComesAndGoes holds that a server of one's own is gone while it is stopped, and has its data after that.
func TestServerComesAndGoes(t *testing.T) {
	t.Parallel()
	s := pgtest.StartServer(t)
	conn, err := pgx.Connect(t.Context(), s.URL())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "CREATE TABLE kept (id int)"); err != nil {
		t.Fatal(err)
	}
	s.Stop()
	if _, err := pgx.Connect(t.Context(), s.URL()); err == nil {
		t.Error("a stopped server answers")
	}
	s.Start()
	if conn, err = pgx.Connect(t.Context(), s.URL()); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "SELECT id FROM kept"); err != nil {
		t.Error(err)
	}
}

func TestStartGivesEachTestAnEmptyDatabase(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"one", "two"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := pgx.Connect(t.Context(), pgtest.Start(t))
			if err != nil {
				t.Fatal(err)
			}
			// A second test in the same database would find the table.
			if _, err := conn.Exec(t.Context(), "CREATE TABLE seen (id int)"); err != nil {
				t.Error(err)
			}
		})
	}
}
