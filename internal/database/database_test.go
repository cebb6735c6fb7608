package database_test

import (
	"errors"
	"io"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/nself-org/nself/internal/database"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/pgtest"
)

func exec(t *testing.T, url, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func TestReplace(t *testing.T) {
	t.Parallel()
	s := database.Server{URL: pgtest.Start(t)}
	exec(t, s.URL, "CREATE TABLE old (id int)")
	busy, err := pgx.Connect(t.Context(), s.URL) // a service that stays connected
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = busy.Close(t.Context()) }()
	name, remove, err := s.Scratch(t.Context(), "restore")
	if err != nil {
		t.Fatal(err)
	}
	at, err := s.At(name)
	if err != nil {
		t.Fatal(err)
	}
	exec(t, at, "CREATE TABLE new1 (id int); CREATE TABLE new2 (id int); CREATE SCHEMA nself; "+
		"CREATE TABLE nself.schema_migrations (version bigint); INSERT INTO nself.schema_migrations VALUES (7)")
	if err := s.Replace(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	c, err := s.Look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if c.Tables != 2 || c.Migration != 7 || c.Version < 100000 || c.Bytes == 0 {
		t.Errorf("the database holds %+v", c)
	}
	if err := remove(); err != nil { // nothing of that name is left
		t.Error(err)
	}
	if err := s.Replace(t.Context(), "nosuchdatabase"); err == nil {
		t.Error("replaced by nothing")
	}
	if c, err := s.Look(t.Context()); err != nil || c.Tables != 2 {
		t.Errorf("a failed replacement leaves %+v, %v", c, err)
	}
}

func TestReadDump(t *testing.T) {
	t.Parallel()
	line, err := database.Header{Project: "shop", Postgres: 150004, Migration: 9, At: time.Unix(0, 0).UTC()}.Line()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		text    string
		want    database.Dump
		refused string // by Postgres 15 with migration 9
	}{
		"own":         {string(line) + "-- Dumped from database version 15.4\nSELECT 1;", database.Dump{Format: database.SQL, Major: 15, Header: database.Header{Project: "shop", Postgres: 150004, Migration: 9, At: time.Unix(0, 0).UTC()}}, ""},
		"plain":       {"--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 16.1\n", database.Dump{Format: database.SQL, Major: 16}, "comes from Postgres 16"},
		"hand":        {"CREATE TABLE a (id int);", database.Dump{Format: database.SQL}, ""},
		"newer state": {strings.Replace(string(line), `"migration":9`, `"migration":10`, 1), database.Dump{Format: database.SQL, Major: 15, Header: database.Header{Project: "shop", Postgres: 150004, Migration: 10, At: time.Unix(0, 0).UTC()}}, "newer than any"},
		"custom":      {"PGDMP\x01\x0e\x00\x04\x08\x01\x01\x01\x00\x00\x00\x00shop\x00\x06\x00\x00\x0017.2\x00\x06", database.Dump{Format: database.Custom, Major: 17}, "comes from Postgres 17"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, r, err := database.Read(strings.NewReader(c.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("dump (-want +got):\n%s", diff)
			}
			if all, err := io.ReadAll(r); err != nil || string(all) != c.text {
				t.Errorf("the reader has lost something: %q, %v", all, err)
			}
			err = got.Refuse(150010, 9)
			if (err == nil) != (c.refused == "") || err != nil && (!strings.Contains(err.Error(), c.refused) || !errors.Is(err, errdefs.ErrInvalid)) {
				t.Errorf("refused with %v, want %q", err, c.refused)
			}
		})
	}
	for _, text := range []string{"", " \n", "\x1f\x8b\x08", "ab\x00c", "-- nself dump: {"} {
		if _, _, err := database.Read(strings.NewReader(text)); !errors.Is(err, errdefs.ErrInvalid) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestSchema(t *testing.T) {
	t.Parallel()
	got := database.Schema("--\n-- x\n\n\\restrict abc\nSET a = 1;\nSELECT pg_catalog.set_config('search_path', '', false);\n" +
		"CREATE TABLE public.a (\n    id integer\n);\n\n\\unrestrict abc\n")
	if want := "CREATE TABLE public.a (\n    id integer\n);\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A connection that fails says to which server and database it went, and what to do.
func TestConnectError(t *testing.T) {
	t.Parallel()
	at := pgtest.Start(t)
	change := func(f func(*url.URL)) string {
		u, err := url.Parse(at)
		if err != nil {
			t.Fatal(err)
		}
		f(u)
		return u.String()
	}
	for name, test := range map[string]struct{ url, want, hint string }{
		"nothing there": {
			change(func(u *url.URL) { u.Host, u.Path = "127.0.0.1:1", "/shop" }),
			"connect to the database shop at 127.0.0.1:1: nothing answers there: connect: connection refused", "start it with nself up postgres",
		},
		"no such database": {
			change(func(u *url.URL) { u.Path = "/nowhere" }), `: database "nowhere" does not exist`, "nself up postgres makes it",
		},
		"no such role": {
			change(func(u *url.URL) { u.User = url.UserPassword("nobody_here", "hunter2") }), "nobody_here", "set POSTGRES_PASSWORD in .env.local",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := database.Server{URL: test.url}.Look(t.Context())
			if !errors.Is(err, errdefs.ErrUnavailable) || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "hunter2") ||
				strings.Contains(err.Error(), "failed to connect") || !strings.HasPrefix(strings.Join(errdefs.Hints(err), "\n"), test.hint) {
				t.Errorf("got %v, hints %q", err, errdefs.Hints(err))
			}
		})
	}
}
