package pgtest_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/nself-org/nself/internal/pgtest"
)

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
