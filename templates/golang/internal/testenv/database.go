package testenv

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
)

// hasuraDir is where a project's migrations are, in a folder above the service.
const hasuraDir = "hasura"

var migrations struct {
	once sync.Once
	sql  []string
	err  error
}

// Database returns the URL of a new, empty database with the project's migrations applied. It is dropped with the test.
func Database(t testing.TB) string {
	t.Helper()
	server := servers.postgres.get(t, "postgres", "DATABASE_URL", startPostgres)
	name := "test_" + strings.ToLower(rand.Text())
	run(t, server, "CREATE DATABASE "+name)
	t.Cleanup(func() { run(t, server, "DROP DATABASE "+name+" WITH (FORCE)") })

	url := withDatabase(t, server, name)
	migrations.once.Do(func() { migrations.sql, migrations.err = readMigrations() })
	if migrations.err != nil {
		t.Fatal(migrations.err)
	}
	run(t, url, migrations.sql...)
	return url
}

// readMigrations reads every up.sql of the project, oldest first.
func readMigrations() ([]string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	for {
		hasura := filepath.Join(dir, hasuraDir)
		if info, err := os.Stat(hasura); err == nil && info.IsDir() {
			files, err := filepath.Glob(filepath.Join(hasura, "migrations", "default", "*", "up.sql"))
			if err != nil {
				return nil, err
			}
			slices.Sort(files)
			return readAll(files)
		}
		if filepath.Dir(dir) == dir {
			return nil, &os.PathError{Op: "find in a folder above", Path: hasuraDir, Err: os.ErrNotExist}
		}
		dir = filepath.Dir(dir)
	}
}

func readAll(files []string) ([]string, error) {
	texts := make([]string, len(files))
	for i, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		texts[i] = string(data)
	}
	return texts, nil
}

func run(t testing.TB, url string, statements ...string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context()) // cleanups run after the test's context has ended
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatalf("connect to the test's Postgres: %v", err)
	}
	defer conn.Close(ctx)
	for _, sql := range statements {
		if _, err := conn.PgConn().Exec(ctx, sql).ReadAll(); err != nil {
			t.Fatalf("%v\n%s", err, sql)
		}
	}
}

// withDatabase changes the database's name in a URL.
func withDatabase(t testing.TB, url, name string) string {
	t.Helper()
	scheme, rest, ok := strings.Cut(url, "://")
	authority, tail, slash := strings.Cut(rest, "/")
	if !ok || !slash {
		t.Fatalf("DATABASE_URL must look like postgres://user@host:5432/database")
	}
	query := ""
	if _, q, found := strings.Cut(tail, "?"); found {
		query = "?" + q
	}
	return scheme + "://" + authority + "/" + name + query
}
