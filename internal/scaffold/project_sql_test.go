package scaffold

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/nself-org/nself/internal/pgtest"
)

// TestInitMigration runs the first migration forth, forth again and back on a real server.
func TestInitMigration(t *testing.T) {
	t.Parallel()
	conn, err := pgx.Connect(t.Context(), pgtest.Start(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	run := func(sql string) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), sql, pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Fatalf("%v in\n%s", err, sql)
		}
	}
	run(initUp)
	run(initUp)
	run(`CREATE TABLE orders (id int PRIMARY KEY, updated_at timestamptz NOT NULL DEFAULT 'epoch');
		CREATE TRIGGER set_updated_at BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION set_updated_at();
		INSERT INTO orders VALUES (1);
		UPDATE orders SET id = 2`)
	var current bool
	err = conn.QueryRow(t.Context(), `SELECT updated_at > now() - interval '1 minute' FROM orders`).Scan(&current)
	if err != nil || !current {
		t.Errorf("updated_at is current: %t, error %v", current, err)
	}
	run(`DROP TABLE orders`)
	run(initDown)
	run(initDown)
}
