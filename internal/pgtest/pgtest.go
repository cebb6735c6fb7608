// Package pgtest gives tests a real Postgres: one throwaway server per test binary, one empty database per test. It
// needs the server programs (initdb, postgres) on the machine, and works for root, where it runs them as another
// user. Without the programs a test is skipped, or fails where the environment variable CI is set.
package pgtest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// shared starts the server at most once per test binary. It is the one place where package state is meant: starting a
// server per test would cost a second each.
var (
	shared    = sync.OnceValues(startServer)
	databases atomic.Int64
)

// dropTimeout bounds the removal of a test's database, which happens after the test's own context has ended.
const dropTimeout = 2 * time.Minute

// Start returns the connection URL of a new, empty database on the binary's server; its user is a superuser. The
// database is dropped, and connections to it are closed, when the test ends. The server stops and its folder
// disappears when the test binary ends, however it ends.
func Start(tb testing.TB) string {
	tb.Helper()
	srv, err := shared()
	if err != nil {
		if os.Getenv("CI") != "" {
			tb.Fatalf("postgres for tests: %v", err)
		}
		tb.Skipf("postgres for tests: %v", err)
	}
	name := fmt.Sprintf("test_%d", databases.Add(1))
	if err := srv.exec(tb.Context(), "CREATE DATABASE "+name); err != nil {
		tb.Fatalf("create database %s: %v", name, err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), dropTimeout)
		defer cancel()
		if err := srv.exec(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			tb.Errorf("drop database %s: %v", name, err)
		}
	})
	return srv.url(name)
}

// server is a running Postgres.
type server struct {
	port int
	// lifeline is the write end of a pipe whose closing stops the server. The kernel closes it with the test binary.
	lifeline *os.File
	// ended waits for the end.
	ended func() error
}

// url is the connection string for one database. The server trusts local connections; the password is there because
// programs under test expect one.
func (s *server) url(database string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(superuser, "pgtest"),
		Host:     fmt.Sprintf("127.0.0.1:%d", s.port),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// exec runs one statement outside any test's database.
func (s *server) exec(ctx context.Context, sql string) error {
	conn, err := pgx.Connect(ctx, s.url("postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	_, err = conn.Exec(ctx, sql)
	return err
}
