package postgres_test

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/nself-org/nself/internal/actionlog"
	"github.com/nself-org/nself/internal/actionlog/postgres"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/pgtest"
)

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func exec(t *testing.T, conn *pgx.Conn, sql string, args ...any) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func create(t *testing.T, s actionlog.Log) string {
	t.Helper()
	id, err := s.Create(t.Context(), actionlog.NewEntry{Action: "report", Input: json.RawMessage(`{}`)})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func join(t *testing.T, s actionlog.Queue) string {
	t.Helper()
	claimant := uuid.NewString()
	if _, err := s.Join(t.Context(), claimant); err != nil {
		t.Fatal(err)
	}
	return claimant
}

// TestTableIsHasuras compares what is made with what Hasura 2 makes, as pg_dump shows it.
func TestTableIsHasuras(t *testing.T) {
	t.Parallel()
	url := pgtest.Start(t)
	create(t, open(t, postgres.Options{URL: url}))
	rows, err := connect(t, url).Query(t.Context(), `
		SELECT a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
			|| coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '')
		FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
		WHERE a.attrelid = 'hdb_catalog.hdb_action_log'::regclass AND a.attnum > 0
		UNION ALL SELECT conname || ' ' || pg_get_constraintdef(oid)
		FROM pg_constraint WHERE conrelid = 'hdb_catalog.hdb_action_log'::regclass ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	got, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"action_name text", "created_at timestamp with time zone not null default now()", "errors jsonb",
		"hdb_action_log_pkey PRIMARY KEY (id)",
		"hdb_action_log_status_check CHECK ((status = ANY (ARRAY['created'::text, 'processing'::text, " +
			"'completed'::text, 'error'::text])))",
		"id uuid not null default hdb_catalog.gen_hasura_uuid()", "input_payload jsonb not null",
		"request_headers jsonb not null", "response_payload jsonb", "response_received_at timestamp with time zone",
		"session_variables jsonb not null", "status text not null",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("columns and constraints (-want +got):\n%s", diff)
	}
}

// hasuraTable is the table as an older Hasura made it, with another default and no function.
const hasuraTable = `CREATE SCHEMA hdb_catalog; CREATE TABLE hdb_catalog.hdb_action_log (
	id uuid PRIMARY KEY DEFAULT gen_random_uuid(), action_name text, input_payload jsonb NOT NULL,
	request_headers jsonb NOT NULL, session_variables jsonb NOT NULL, response_payload jsonb, errors jsonb,
	created_at timestamptz NOT NULL DEFAULT now(), response_received_at timestamptz,
	status text NOT NULL CHECK (status IN ('created', 'processing', 'completed', 'error')))`

// hasuraInsert is the statement of Hasura's mutation: every header of the client is in it.
const hasuraInsert = `INSERT INTO hdb_catalog.hdb_action_log
	(action_name, session_variables, request_headers, input_payload, status)
	VALUES ('report', '{"x-hasura-role":"admin"}',
		'{"X-Hasura-Admin-Secret":"s","Host":"h","authorization":"Bearer x"}', '{"a":1}', 'created') RETURNING id::text`

// hasuraFetch is the statement of Hasura's background worker.
const hasuraFetch = `UPDATE hdb_catalog.hdb_action_log SET status = 'processing' WHERE id IN (
	SELECT id FROM hdb_catalog.hdb_action_log WHERE status = 'created' FOR UPDATE SKIP LOCKED LIMIT 10) RETURNING id::text`

func TestEntriesOfHasura(t *testing.T) {
	t.Parallel()
	url := pgtest.Start(t)
	conn := connect(t, url)
	exec(t, conn, hasuraTable)
	var id string
	if err := conn.QueryRow(t.Context(), hasuraInsert).Scan(&id); err != nil {
		t.Fatal(err)
	}
	s := open(t, postgres.Options{URL: url})
	claims, err := s.Claim(t.Context(), join(t, s), 10)
	if err != nil || len(claims) != 1 || claims[0].ID != id {
		t.Fatalf("claimed %v, %v", claims, err)
	}
	c := claims[0]
	if len(c.Header) != 1 || c.Header.Get("Authorization") != "Bearer x" || c.Host != "h" {
		t.Errorf("header %v, host %q", c.Header, c.Host)
	}
	if c.Session["x-hasura-role"] != "admin" || string(c.Input) != `{"a": 1}` {
		t.Errorf("session %v, input %s", c.Session, c.Input)
	}
	if got := fetch(t, conn); len(got) != 0 {
		t.Errorf("Hasura fetched %v, which is claimed", got)
	}
	ours := create(t, s)
	if got := fetch(t, conn); len(got) != 1 || got[0] != ours {
		t.Errorf("Hasura fetched %v, want %s", got, ours)
	}
}

func fetch(t *testing.T, conn *pgx.Conn) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), hasuraFetch)
	if err != nil {
		t.Fatal(err)
	}
	got, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestHasurasWork: what Hasura works on is let be, unless the store was told when to take it over.
func TestHasurasWork(t *testing.T) {
	t.Parallel()
	url := pgtest.Start(t)
	conn := connect(t, url)
	cautious := open(t, postgres.Options{URL: url})
	id := create(t, cautious)
	fetch(t, conn)
	for range 3 {
		if n, err := cautious.Rescue(t.Context()); n != 0 || err != nil {
			t.Fatalf("rescued %d, %v", n, err)
		}
	}
	bold := []*postgres.Store{
		open(t, postgres.Options{URL: url, TakeOverAfter: 100 * time.Millisecond}),
		open(t, postgres.Options{URL: url, TakeOverAfter: 100 * time.Millisecond}),
	}
	total := 0
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	began := time.Now()
	for total == 0 && time.Since(began) < 30*time.Second {
		for _, s := range bold {
			n, err := s.Rescue(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			total += n
		}
		<-tick.C
	}
	if took := time.Since(began); total != 1 || took < 100*time.Millisecond {
		t.Fatalf("took over %d entries after %s", total, took)
	}
	me := join(t, cautious)
	claims, err := cautious.Claim(t.Context(), me, 10)
	if err != nil || len(claims) != 1 || claims[0].ID != id || claims[0].Attempt != 1 {
		t.Fatalf("claimed %v, %v", claims, err)
	}
	for _, s := range bold {
		if n, err := s.Rescue(t.Context()); n != 0 || err != nil {
			t.Errorf("rescued %d claimed entries, %v", n, err)
		}
	}
}

func TestTablesThatVanishComeBack(t *testing.T) {
	t.Parallel()
	url := pgtest.Start(t)
	conn := connect(t, url)
	s := open(t, postgres.Options{URL: url})
	create(t, s)
	me := join(t, s)
	exec(t, conn, "DROP SCHEMA hdb_catalog CASCADE; DROP SCHEMA nself CASCADE")
	if err := s.Renew(t.Context(), me); !errors.Is(err, actionlog.ErrLost) {
		t.Errorf("renew: got %v, want ErrLost", err)
	}
	create(t, s)
	claims, err := s.Claim(t.Context(), join(t, s), 10)
	if err != nil || len(claims) != 1 {
		t.Errorf("claimed %v, %v", claims, err)
	}
}

func TestManyMakeTheTablesAtOnce(t *testing.T) {
	t.Parallel()
	url := pgtest.Start(t)
	var wg sync.WaitGroup
	for range 8 {
		s := open(t, postgres.Options{URL: url})
		wg.Go(func() {
			if _, err := s.Depth(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// TestUnprivilegedUser works with tables that somebody else has made, without the right to make any.
func TestUnprivilegedUser(t *testing.T) {
	t.Parallel()
	url := pgtest.Start(t)
	create(t, open(t, postgres.Options{URL: url}))
	conn := connect(t, url)
	role := "plain_" + uuid.NewString()[:8]
	exec(t, conn, `CREATE ROLE `+role+` LOGIN; GRANT USAGE ON SCHEMA hdb_catalog, nself TO `+role+`;
		GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA hdb_catalog, nself TO `+role)
	t.Cleanup(func() {
		_, _ = conn.Exec(context.Background(), `DROP OWNED BY `+role+`; DROP ROLE `+role)
	})
	config := conn.Config()
	s := open(t, postgres.Options{URL: "postgres://" + role + "@" + config.Host + "/" + config.Database +
		"?sslmode=disable&port=" + strconv.Itoa(int(config.Port))})
	create(t, s)
	claims, err := s.Claim(t.Context(), join(t, s), 10)
	if err != nil || len(claims) != 2 {
		t.Fatalf("claimed %v, %v", claims, err)
	}
	errs := s.Record(t.Context(), []actionlog.Result{{Claim: claims[0], Outcome: actionlog.Complete(json.RawMessage(`1`))}})
	if errs[0] != nil {
		t.Error(errs[0])
	}
}

func TestNoDatabase(t *testing.T) {
	t.Parallel()
	if _, err := postgres.Open(postgres.Options{URL: "postgres://%"}); err == nil {
		t.Error("no error without a log")
	}
	s := open(t, postgres.Options{URL: "postgres://u:secret-word@127.0.0.1:1/d?sslmode=disable"})
	_, err := s.Depth(t.Context())
	if !errors.Is(err, errdefs.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
}

// TestClaimUsesTheIndex: claiming must not read the log's past.
func TestClaimUsesTheIndex(t *testing.T) {
	t.Parallel()
	url := pgtest.Start(t)
	s := open(t, postgres.Options{URL: url})
	create(t, s)
	conn := connect(t, url)
	exec(t, conn, `INSERT INTO hdb_catalog.hdb_action_log
		(action_name, input_payload, request_headers, session_variables, status, created_at)
		SELECT 'old', '{}', '{}', '{}', 'completed', now() - interval '1 day' FROM generate_series(1, 20000)`)
	exec(t, conn, "ANALYZE hdb_catalog.hdb_action_log")
	me := join(t, s)
	if claims, err := s.Claim(t.Context(), me, 10); err != nil || len(claims) != 1 {
		t.Fatalf("claimed %v, %v", claims, err)
	}
	if _, err := s.Requeue(t.Context(), me, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Rescue(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Close() // a backend reports what it has read when it ends
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); ; <-tick.C {
		var sequential, indexed int64 // making the index has read the one row that there was
		err := conn.QueryRow(t.Context(), `SELECT seq_tup_read, idx_scan FROM pg_stat_user_tables
			WHERE relid = 'hdb_catalog.hdb_action_log'::regclass`).Scan(&sequential, &indexed)
		if err != nil {
			t.Fatal(err)
		}
		if sequential > 10000 {
			t.Fatalf("%d rows were read one after another", sequential)
		}
		if indexed > 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("no use of an index was reported")
		}
	}
}

// TestWatchersShareOneQuery: a thousand idle watchers cost one query per interval.
func TestWatchersShareOneQuery(t *testing.T) {
	t.Parallel()
	url := pgtest.Start(t)
	s, other := open(t, postgres.Options{URL: url}), open(t, postgres.Options{URL: url})
	id := create(t, s)
	for range 1000 {
		_, stop := s.Watch(create(t, other))
		defer stop()
	}
	changed, stop := s.Watch(id)
	defer stop()
	other.Close() // a backend reports its transactions when it ends, or some time later
	before := transactions(t, url)
	for deadline := time.Now().Add(time.Minute); before < 1000; before = transactions(t, url) {
		if time.Now().After(deadline) {
			t.Fatalf("%d transactions were reported", before)
		}
	}
	tick := time.NewTicker(3 * time.Second)
	defer tick.Stop()
	<-tick.C
	// The queries of the watch, those of this test, and what autovacuum may add.
	if n := transactions(t, url) - before; n > 30 {
		t.Errorf("%d transactions in 3 s", n)
	}
	exec(t, connect(t, url), `UPDATE hdb_catalog.hdb_action_log SET status = 'completed' WHERE id = $1::text::uuid`, id)
	timer := time.NewTimer(30 * time.Second)
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
		t.Error("a change by another program was not noticed")
	}
}

func transactions(t *testing.T, url string) (n int64) {
	t.Helper()
	err := connect(t, url).QueryRow(t.Context(),
		"SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()").Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
