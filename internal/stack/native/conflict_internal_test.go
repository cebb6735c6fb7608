package native

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/pgtest"
	"github.com/nself-org/nself/internal/stack"
)

// wantTaken checks that an error names the port's holder and the setting to change.
func wantTaken(t *testing.T, err error, port int, holder, key string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), "port "+strconv.Itoa(port)+" is held by "+holder) {
		t.Errorf("error %v, want the holder of port %d", err, port)
	}
	if !errors.Is(err, errdefs.ErrUnavailable) || !strings.Contains(strings.Join(errdefs.Hints(err), "\n"), "set "+key+"=") {
		t.Errorf("hints %q, want one that sets %s", errdefs.Hints(err), key)
	}
}

// TestPortTakenSinceTheCheck: a service that cannot start names who has taken its port after the ports were checked.
func TestPortTakenSinceTheCheck(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	cfg := &env.Config{}
	cfg.Redis.Port = ln.Addr().(*net.TCPAddr).Port
	dir := t.TempDir()
	out, err := openLog(filepath.Join(dir, "redis.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.close()
	sup := &supervisor{lay: layout{dir}}
	u := newUnit(stack.Redis, sup.lay, &redisServer{sup: sup, cfg: cfg, out: out}, out, slog.New(slog.DiscardHandler))
	for u.active() {
		_ = u.Serve(t.Context())
	}
	_, err = u.snapshot()
	wantTaken(t, err, cfg.Redis.Port, "native.test", "REDIS_PORT")
}

// TestAnotherPostgresAnswers: a server that refuses the project's user because it is another's is not blamed on the password.
func TestAnotherPostgresAnswers(t *testing.T) {
	t.Parallel()
	other, err := pgx.ParseConfig(pgtest.Start(t))
	if err != nil {
		t.Fatal(err)
	}
	cfg := &env.Config{}
	cfg.Postgres.Port, cfg.Postgres.DB, cfg.Postgres.User = int(other.Port), other.Database, "somebody"
	p := &postgres{sup: &supervisor{lay: layout{t.TempDir()}}, cfg: cfg}
	_, err = p.probe(context.WithoutCancel(t.Context()))
	if !isPermanent(err) {
		t.Errorf("%v would be tried again", err)
	}
	wantTaken(t, err, cfg.Postgres.Port, "postgres", "POSTGRES_PORT")
}
