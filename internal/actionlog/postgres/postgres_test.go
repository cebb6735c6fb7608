package postgres_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/nself-org/nself/internal/actionlog"
	"github.com/nself-org/nself/internal/actionlog/actionlogtest"
	"github.com/nself-org/nself/internal/actionlog/postgres"
	"github.com/nself-org/nself/internal/pgtest"
)

func open(t *testing.T, o postgres.Options) *postgres.Store {
	t.Helper()
	o.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	s, err := postgres.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestStore(t *testing.T) {
	t.Parallel()
	actionlogtest.Run(t, func(t *testing.T, lease time.Duration) (a, b actionlog.Store) {
		t.Helper()
		url := pgtest.Start(t)
		return open(t, postgres.Options{URL: url, Lease: lease}), open(t, postgres.Options{URL: url, Lease: lease})
	})
}
