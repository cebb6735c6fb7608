package metadataapi_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nself-org/nself/internal/metadataapi"
)

const sqlPath = "/v2/query"

func runSQL(sql string) string {
	return `{"type":"run_sql","args":{"sql":"` + strings.ReplaceAll(sql, `"`, `\"`) + `"}}`
}

func TestRunSQL(t *testing.T) {
	t.Parallel()
	f, pool := withDatabase(t)
	tests := []struct{ name, body, want string }{
		{"nothing", runSQL(``), `{"result_type":"CommandOk","result":null}`},
		{"rows", runSQL(`SELECT 1 AS a, NULL AS b, '' AS c`), `{"result_type":"TuplesOk","result":[["a","b",` +
			`"c"],["1","NULL",""]]}`},
		{"no rows", runSQL(`SELECT 1 AS a WHERE false`), `{"result_type":"TuplesOk","result":[["a"]]}`},
		{"last counts", runSQL(`SELECT 1; CREATE TABLE t (id int)`), `{"result_type":"CommandOk","result":null}`},
		{"returning", runSQL(`INSERT INTO t VALUES (5) RETURNING id`), `{"result_type":"TuplesOk","result":[["id"],["5"]]}`},
		{
			"no transaction", `{"type":"run_sql","args":{"sql":"INSERT INTO t VALUES (6); VACUUM t","no_transaction":true}}`,
			`{"result_type":"CommandOk","result":null}`,
		},
		{
			"read only", `{"type":"run_sql","args":{"sql":"SELECT count(*) FROM t","read_only":true,"source":"default"}}`,
			`{"result_type":"TuplesOk","result":[["count"],["2"]]}`,
		},
	}
	for _, tt := range tests {
		if got := f.must(t, sqlPath, tt.body); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	failures := map[string]string{
		runSQL(`INSERT INTO t VALUES (7); SELECT nonsense`):                                                   "42703",
		runSQL(`CREATE INDEX CONCURRENTLY ON t (id)`):                                                         "25001",
		`{"type":"run_sql","args":{"sql":"INSERT INTO t VALUES (8)","read_only":true}}`:                       "25006",
		`{"type":"run_sql","args":{"sql":"DELETE FROM t","read_only":true,"no_transaction":true}}`:            "25006",
		runSQL(`CREATE TABLE u (id int UNIQUE DEFERRABLE INITIALLY DEFERRED); INSERT INTO u VALUES (1), (1)`): "23505",
	}
	for body, code := range failures {
		status, answer := f.send(t, sqlPath, body)
		if status != http.StatusBadRequest || !strings.Contains(answer, `"status_code":"`+code+`"`) ||
			!strings.Contains(answer, `"error":"query execution failed"`) {
			t.Errorf("%s: status %d: %s", body, status, answer)
		}
	}
	var rows int
	if err := pool.QueryRow(t.Context(), `SELECT count(*) FROM t`).Scan(&rows); err != nil || rows != 2 {
		t.Errorf("%d rows, want 2: failed SQL left something behind (%v)", rows, err)
	}
	const bulk = `{"type":"bulk","args":[{"type":"run_sql","args":{"sql":"SELECT 1","no_transaction":true}}]}`
	if status, answer := f.send(t, sqlPath, bulk); status != http.StatusBadRequest ||
		!strings.Contains(answer, "not-supported") {
		t.Errorf("status %d: %s", status, answer)
	}
}

// TestSQLAndMetadataTogether: SQL of a request is committed with its metadata or not at all.
func TestSQLAndMetadataTogether(t *testing.T) {
	t.Parallel()
	pool := func() *pgxpool.Pool { _, p := withDatabase(t); return p }()
	store := &lostStore{Store: memoryStore(t)}
	f := newFixture(t, metadataapi.Options{Store: store, Sources: map[string]*pgxpool.Pool{"default": pool}})
	const body = `{"type":"bulk","args":[{"type":"run_sql","args":{"sql":"CREATE TABLE t (id int)"}},` +
		`{"type":"track_table","args":"t"}]}`
	exists := func() (found bool) {
		if err := pool.QueryRow(t.Context(), `SELECT to_regclass('t') IS NOT NULL`).Scan(&found); err != nil {
			t.Fatal(err)
		}
		return found
	}
	store.save = metadataapi.ErrConflict
	if status, answer := f.send(t, "/v1/query", body); status != http.StatusConflict || exists() {
		t.Errorf("status %d, table exists: %v: %s", status, exists(), answer)
	}
	store.save = nil
	const late = `{"type":"bulk","args":[{"type":"run_sql","args":{"sql":"CREATE TABLE t (id int UNIQUE ` +
		`DEFERRABLE INITIALLY ` +
		`DEFERRED); INSERT INTO t VALUES (1), (1)"}},{"type":"track_table","args":"t"}]}`
	if status, answer := f.send(t, "/v1/query", late); status != http.StatusBadRequest || exists() || f.version(t) != 1 {
		t.Errorf("status %d, version %d: %s", status, f.version(t), answer)
	}
	f.must(t, "/v1/query", body)
	if !exists() {
		t.Error("the table does not exist")
	}
	// A dropped table is untracked; one that is dropped behind the gateway's back is inconsistent.
	f.must(t, sqlPath, runSQL(`DROP TABLE t; CREATE TABLE v (id int)`))
	f.must(t, "/v1/query", `{"type":"track_table","args":"v"}`)
	if got := f.must(t, metadataPath, `{"type":"export_metadata","args":{}}`); strings.Contains(got, `"t"`) ||
		!strings.Contains(got, `"v"`) {
		t.Errorf("export: %s", got)
	}
	if _, err := pool.Exec(t.Context(), `DROP TABLE v`); err != nil {
		t.Fatal(err)
	}
	got := f.must(t, metadataPath, `{"type":"reload_metadata","args":{}}`)
	const want = `{"message":"success","is_consistent":false,"inconsistent_objects":[{"definition":{"schema":"public",` +
		`"name":"v"},"name":"table v in source default","reason":"Inconsistent object: no such table/view ` +
		`exists in source: ` +
		`\"v\"","type":"table"}]}`
	if got != want {
		t.Errorf("reload: %s", got)
	}
	f.must(t, metadataPath, `{"type":"drop_inconsistent_metadata","args":{}}`)
	if got := f.must(t, metadataPath, `{"type":"export_metadata","args":{}}`); strings.Contains(got, `"v"`) {
		t.Errorf("export: %s", got)
	}
}

// TestDirectoryAndSQL: where the metadata cannot be changed, SQL still can drop what it tracks.
func TestDirectoryAndSQL(t *testing.T) {
	t.Parallel()
	pool := func() *pgxpool.Pool { _, p := withDatabase(t); return p }()
	if _, err := pool.Exec(t.Context(), `CREATE TABLE orders (id int)`); err != nil {
		t.Fatal(err)
	}
	dir := project(t)
	write(t, dir, "hasura/metadata/databases/databases.yaml", `- name: default
  kind: postgres
  configuration: {connection_info: {database_url: {from_env: DATABASE_URL}}}
  tables: [{table: {schema: public, name: orders}}]
`)
	f := newFixture(t, metadataapi.Options{
		Store: metadataapi.NewDirStore(dir), Sources: map[string]*pgxpool.Pool{"default": pool},
	})
	f.must(t, sqlPath, runSQL(`DROP TABLE orders`))
	got := f.must(t, metadataPath, `{"type":"get_inconsistent_metadata","args":{}}`)
	if !strings.Contains(got, `"table orders in source default"`) {
		t.Errorf("inconsistencies: %s", got)
	}
	status, answer := f.send(t, metadataPath, `{"type":"pg_untrack_table","args":{"table":"orders"}}`)
	if status != http.StatusBadRequest || !strings.Contains(answer, "not-supported") {
		t.Errorf("status %d: %s", status, answer)
	}
}

// TestScalarsOfTheDatabase: types that the database has are types of GraphQL, and others are not.
func TestScalarsOfTheDatabase(t *testing.T) {
	t.Parallel()
	f, _ := withDatabase(t)
	create := func(name, scalar string) (int, string) {
		return f.send(t, metadataPath, `{"type":"create_action","args":{"name":"`+name+`","definition":{"handle`+
			`r":"http://h",`+
			`"output_type":"String","arguments":[{"name":"x","type":"`+scalar+`"}]}}}`)
	}
	for name, scalar := range map[string]string{"a": "uuid!", "b": "[jsonb]", "c": "_int4", "d": "timestamptz"} {
		if status, answer := create(name, scalar); status != http.StatusOK {
			t.Errorf("%s: status %d: %s", scalar, status, answer)
		}
	}
	for name, scalar := range map[string]string{"e": "citext", "f": "text", "g": "mood"} {
		if status, answer := create(name, scalar); status != http.StatusBadRequest {
			t.Errorf("%s: status %d: %s", scalar, status, answer)
		}
	}
	f.must(t, sqlPath, runSQL(`CREATE TYPE mood; CREATE FUNCTION mood_in(cstring) RETURNS mood AS 'textin' `+
		`LANGUAGE internal;`+
		`CREATE FUNCTION mood_out(mood) RETURNS cstring AS 'textout' LANGUAGE internal;`+
		`CREATE TYPE mood (INPUT = mood_in, OUTPUT = mood_out, LIKE = text)`))
	if status, answer := create("g", "mood!"); status != http.StatusOK {
		t.Errorf("a type of the database: status %d: %s", status, answer)
	}
}

// TestDatabaseAway: what a database says is taken on trust while it is away.
func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	pool := newPool(t, "postgres://nobody@127.0.0.1:1/none?connect_timeout=1")
	f := newFixture(t, metadataapi.Options{Sources: map[string]*pgxpool.Pool{"default": pool}})
	f.must(t, "/v1/query", `{"type":"bulk","args":[{"type":"track_table","args":"orders"},`+createPing+`]}`)
	status, answer := f.send(t, sqlPath, runSQL(`SELECT 1`))
	if status != http.StatusInternalServerError || answer != `{"error":"connection error","path":"$.args",`+
		`"code":"postgres-error"}` {
		t.Errorf("status %d: %s", status, answer)
	}
}

// TestTablesThatComeLater: what is inconsistent for want of a table is served when a migration has made it.
func TestTablesThatComeLater(t *testing.T) {
	t.Parallel()
	_, pool := withDatabase(t)
	f := newFixture(t, metadataapi.Options{
		Sources: map[string]*pgxpool.Pool{"default": pool}, PollInterval: time.Millisecond,
	})
	f.must(t, metadataPath, `{"type":"replace_metadata","version":2,`+
		`"args":{"allow_inconsistent_metadata":true,"metadata":`+
		`{"version":3,"sources":[{"name":"default","tables":[{"table":"orders"}]}],`+
		`"custom_types":{"objects":[{"name":"Receipt",`+
		`"fields":[{"name":"id","type":"Int!"}],"relationships":[{"name":"order","type":"object","remote_table":"orders",`+
		`"field_mapping":{"id":"id"}}]}]},"actions":[{"name":"buy","definition":{"handler":"http://h",`+
		`"output_type":"Receipt"}}]}}}`)
	const query = `{"query":"{ __type(name: \"Receipt\") { name } }"}`
	if _, answer := f.send(t, "/v1/graphql", query); answer != `{"data":{"__type":null}}` {
		t.Errorf("before the table exists: %s", answer)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.api.Run(ctx) }()
	if _, err := pool.Exec(t.Context(), `CREATE TABLE orders (id int PRIMARY KEY)`); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool {
		_, answer := f.send(t, "/v1/graphql", query)
		return answer == `{"data":{"__type":{"name":"Receipt"}}}`
	})
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
}

// TestReadersDoNotWait: a long statement does not keep others from reading.
func TestReadersDoNotWait(t *testing.T) {
	t.Parallel()
	f, pool := withDatabase(t)
	tx, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `CREATE TABLE held (id int); SELECT pg_advisory_xact_lock(1)`); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if status, answer := f.send(t, sqlPath, runSQL(`SELECT pg_advisory_xact_lock(1)`)); status != http.StatusOK {
			t.Errorf("status %d: %s", status, answer)
		}
	})
	waitFor(t, func() bool {
		var waiting bool
		err := pool.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)`).
			Scan(&waiting)
		return err == nil && waiting
	})
	f.must(t, metadataPath, `{"type":"export_metadata","args":{}}`)
	f.must(t, sqlPath, `{"type":"run_sql","args":{"sql":"SELECT 1","read_only":true}}`)
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
}
