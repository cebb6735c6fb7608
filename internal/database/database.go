// Package database makes, replaces and describes whole databases of the project's server: the throw-away one that a schema is
// compared with, the one a dump is restored into, and dumps with a first line that says what they hold.
package database

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/nself-org/nself/internal/errdefs"
)

// cleanupTimeout bounds what is done after the caller's context may have ended.
const cleanupTimeout = 30 * time.Second

// maintenance is a database that every server has, to work from while the project's own is replaced.
const maintenance = "postgres"

// Server is the project's database server, seen from its own database.
type Server struct {
	// URL is the connection string of the project's database.
	URL string
}

var errUnreadable = errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(errors.New("the database's connection string cannot be read"),
	"look at POSTGRES_USER and POSTGRES_DB with nself config show"))

// Name is the project's database.
func (s Server) Name() (string, error) {
	cfg, err := pgx.ParseConfig(s.URL)
	if err != nil {
		return "", errUnreadable // the cause would show the password
	}
	return cfg.Database, nil
}

// At is the connection string of another database of the server.
func (s Server) At(name string) (string, error) {
	u, err := url.Parse(s.URL)
	if err != nil {
		return "", errUnreadable
	}
	u.Path = "/" + name
	return u.String(), nil
}

func (s Server) connect(ctx context.Context, database string) (*pgx.Conn, error) {
	at, err := s.At(database)
	if err != nil {
		return nil, err
	}
	conn, err := pgx.Connect(ctx, at)
	if err != nil {
		return nil, ConnectError(err)
	}
	return conn, nil
}

// What Postgres says to a login that it refuses, and when there is no such database.
const (
	invalidPassword      = "28P01"
	invalidAuthorization = "28000"
	noDatabase           = "3D000"
)

// ConnectError says to which server and database pgx could not connect, why, and what to do. Its class is unavailable; what
// ended because its context did keeps that as its cause.
func ConnectError(err error) error {
	what := "connect to the database"
	if failed, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		c := failed.Config
		what += fmt.Sprintf(" %s at %s", c.Database, net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port))))
	}
	why, hint := err, "start it with nself up postgres"
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		why = fmt.Errorf("nothing answers there: %w", op.Err)
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		why = errors.New(pg.Message)
		switch pg.Code {
		case invalidPassword, invalidAuthorization:
			hint = "set POSTGRES_PASSWORD in .env.local to the server's, or POSTGRES_PORT to a free port if it is another project's server"
		case noDatabase:
			hint = "nself up postgres makes it"
		}
	}
	return errdefs.As(errdefs.ErrUnavailable, errdefs.WithHint(fmt.Errorf("%s: %w", what, why), hint))
}

func closeConn(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	_ = conn.Close(ctx)
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

// Scratch makes an empty database beside the project's and returns its name and what removes it again. suffix is a part of
// the name that tells a person what it was for.
func (s Server) Scratch(ctx context.Context, suffix string) (name string, remove func() error, err error) {
	own, err := s.Name()
	if err != nil {
		return "", nil, err
	}
	random := make([]byte, 4)
	_, _ = rand.Read(random) // never fails
	const maxName = 63       // what Postgres keeps of a name
	tail := "_" + suffix + "_" + hex.EncodeToString(random)
	name = own[:min(len(own), maxName-len(tail))] + tail
	conn, err := s.connect(ctx, maintenance)
	if err != nil {
		return "", nil, err
	}
	defer closeConn(ctx, conn)
	// template0 has nothing that somebody has put into template1.
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+quote(name)+" TEMPLATE template0"); err != nil {
		return "", nil, fmt.Errorf("create the database %s: %w", name, err)
	}
	return name, func() error { return s.drop(ctx, name) }, nil
}

func (s Server) drop(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	conn, err := s.connect(ctx, maintenance)
	if err != nil {
		return err
	}
	defer closeConn(ctx, conn)
	if _, err := conn.Exec(ctx, "DROP DATABASE IF EXISTS "+quote(name)+" WITH (FORCE)"); err != nil {
		return fmt.Errorf("remove the database %s: %w", name, err)
	}
	return nil
}

// objectInUse is what Postgres says while a connection is still ending.
const objectInUse = "55006"

// replaceAttempts is how often a replacement is tried while services keep connecting.
const replaceAttempts = 50

// Replace puts the database called with in the place of the project's, which is gone afterwards. Connections to either are
// closed. Where it fails the project's database is what it was.
func (s Server) Replace(ctx context.Context, with string) error {
	own, err := s.Name()
	if err != nil {
		return err
	}
	conn, err := s.connect(ctx, maintenance)
	if err != nil {
		return err
	}
	defer closeConn(ctx, conn)
	old := with + "_old"
	if _, err := conn.Exec(ctx, "ALTER DATABASE "+quote(own)+" ALLOW_CONNECTIONS false"); err != nil {
		return fmt.Errorf("replace the database %s: %w", own, err)
	}
	err = rename(ctx, conn, own, old)
	if err == nil {
		if err = rename(ctx, conn, with, own); err != nil {
			err = errors.Join(err, rename(context.WithoutCancel(ctx), conn, old, own))
		}
	}
	if err != nil {
		_, allowErr := conn.Exec(context.WithoutCancel(ctx), "ALTER DATABASE "+quote(own)+" ALLOW_CONNECTIONS true")
		return errors.Join(fmt.Errorf("replace the database %s: %w", own, err), allowErr)
	}
	return s.drop(ctx, old)
}

// rename closes what is connected to a database and renames it.
func rename(ctx context.Context, conn *pgx.Conn, from, to string) error {
	var err error
	for range replaceAttempts {
		if _, err = conn.Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()", from); err != nil {
			return err
		}
		if _, err = conn.Exec(ctx, "ALTER DATABASE "+quote(from)+" RENAME TO "+quote(to)); err == nil {
			return nil
		}
		pg, ok := errors.AsType[*pgconn.PgError](err)
		if !ok || pg.Code != objectInUse {
			return err
		}
		if _, err := conn.Exec(ctx, "SELECT pg_sleep(0.1)"); err != nil {
			return err
		}
	}
	return err
}

// Contents says what a database holds, for a person who is asked whether it may go.
type Contents struct {
	Tables int
	// Bytes is its size on disk.
	Bytes int64
	// Version is the server's, such as 150004.
	Version int
	// Migration is the version of the newest migration that is applied; zero without any.
	Migration int64
}

// Look returns what the project's database holds, without what belongs to Postgres and to the engine.
func (s Server) Look(ctx context.Context) (Contents, error) {
	var c Contents
	own, err := s.Name()
	if err != nil {
		return c, err
	}
	conn, err := s.connect(ctx, own)
	if err != nil {
		return c, err
	}
	defer closeConn(ctx, conn)
	err = conn.QueryRow(ctx, `SELECT (SELECT count(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema', 'hdb_catalog', 'nself')),
		pg_database_size(current_database()), current_setting('server_version_num')::int`).Scan(&c.Tables, &c.Bytes, &c.Version)
	if err != nil {
		return c, fmt.Errorf("look into the database %s: %w", own, err)
	}
	var recorded bool
	if err := conn.QueryRow(ctx, "SELECT to_regclass('nself.schema_migrations') IS NOT NULL").Scan(&recorded); err != nil {
		return c, fmt.Errorf("look into the database %s: %w", own, err)
	}
	if !recorded {
		return c, nil
	}
	err = conn.QueryRow(ctx, "SELECT coalesce(max(version), 0) FROM nself.schema_migrations").Scan(&c.Migration)
	if err != nil {
		return c, fmt.Errorf("read table nself.schema_migrations of the database %s: %w", own, err)
	}
	return c, nil
}
