package native_test

import (
	"context"
	"log/slog"
	"os"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/stack/native"
)

// TestScratch makes servers for tests beside a project that runs, and without one.
func TestScratch(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.write(t, "migration.sql", "CREATE TABLE migrated (id int)")
	cfg, err := loadConfig(p.dir, p.environ)
	if err != nil {
		t.Fatal(err)
	}
	check := func(t *testing.T) *native.Scratch {
		t.Helper()
		s, err := native.NewScratch(t.Context(), native.ScratchOptions{
			Config: cfg, Environ: p.environ, Migrate: migrateFile, Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		conn, err := pgx.Connect(t.Context(), databaseURL(s.Config))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(t.Context(), "INSERT INTO migrated VALUES (1); CREATE TABLE own ()"); err != nil {
			t.Error(err)
		}
		if err := conn.Close(t.Context()); err != nil {
			t.Error(err)
		}
		opt, err := redis.ParseURL(s.Config.RedisURL(s.Config.LocalEndpoints().Redis).Reveal())
		if err != nil {
			t.Fatal(err)
		}
		client := redis.NewClient(opt)
		defer func() { _ = client.Close() }()
		if err := client.Set(t.Context(), "k", "v", 0).Err(); err != nil {
			t.Error(err)
		}
		return s
	}
	end := func(t *testing.T, s *native.Scratch) {
		t.Helper()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if conn, err := pgx.Connect(context.WithoutCancel(t.Context()), databaseURL(s.Config)); err == nil {
			_ = conn.Close(t.Context())
			t.Error("the database is still there")
		}
	}

	alone := check(t)
	if alone.Config.Postgres.Port == p.ports["POSTGRES_PORT"] {
		t.Error("the port is the project's")
	}
	if entries, err := os.ReadDir(p.dir); err != nil || len(entries) != 3 { // .env, functions, migration.sql
		t.Errorf("the project's folder was touched: %v, %v", entries, err)
	}
	end(t, alone)

	p.mustUp(t)
	beside := check(t)
	if beside.Config.Postgres.Port != p.ports["POSTGRES_PORT"] || beside.Config.Postgres.DB == cfg.Postgres.DB {
		t.Errorf("it is database %s on port %d", beside.Config.Postgres.DB, beside.Config.Postgres.Port)
	}
	if beside.Config.Redis.Port == p.ports["REDIS_PORT"] {
		t.Error("the Redis is the project's")
	}
	if got := p.psql(t, "SELECT to_regclass('own') IS NULL"); got != "t" {
		t.Error("the project's own database was written to")
	}
	end(t, beside)
	if n, _ := strconv.Atoi(p.psql(t, "SELECT count(*) FROM pg_database WHERE datname LIKE 'nself_test_%'")); n != 0 {
		t.Errorf("%d databases are left", n)
	}
}

func databaseURL(cfg *env.Config) string {
	return cfg.DatabaseURL(cfg.LocalEndpoints().Postgres).Reveal()
}
