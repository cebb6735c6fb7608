package metadataapi

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nself-org/nself/internal/action"
	"github.com/nself-org/nself/internal/migrate"
)

// sourceTx is the transaction of a run in one database: all SQL of a bulk stands or falls with it.
type sourceTx struct {
	conn *pgxpool.Conn
	tx   pgx.Tx
}

// sqlArgs are the arguments of run_sql.
type sqlArgs struct {
	sql, source   string
	readOnly      bool
	noTransaction bool
	keepMetadata  bool // check_metadata_consistency is false
}

func readSQLArgs(raw rawJSON) (sqlArgs, *action.Error) {
	o := readObject(raw, "RunSQL")
	a := sqlArgs{
		sql: o.text("sql"), source: o.textOr("source", defaultSource), readOnly: o.flag("read_only", false),
		noTransaction: o.flag("no_transaction", false), keepMetadata: !o.flag("check_metadata_consistency", true),
	}
	o.flag("cascade", false) // a dropped table takes along what the metadata says of it, with or without
	return a, o.err
}

// readsOnly tells whether a command cannot change anything, so that it need not wait for others.
func (c command) readsOnly() bool {
	switch c.name {
	case "export_metadata", "get_inconsistent_metadata", "test_webhook_transform":
		return true
	case "run_sql", "pg_run_sql":
		a, err := readSQLArgs(c.args)
		return err == nil && a.readOnly && !a.noTransaction
	}
	return false
}

// runSQL runs statements in a source's database. Tracked tables that they drop are untracked.
func runSQL(r *run, c command) ([]byte, *action.Error) {
	a, refused := readSQLArgs(c.args)
	if refused != nil {
		return nil, refused
	}
	pool := r.api.opt.Sources[a.source]
	if pool == nil {
		return nil, noSource(a.source)
	}
	if a.noTransaction && r.depth > 0 {
		return nil, refuse(action.CodeNotSupported, "no_transaction is not possible in a bulk, which is one transaction")
	}
	var before *catalog
	if !a.readOnly {
		before = r.catalog(a.source)
	}
	result, refused := r.exec(pool, a)
	if refused != nil || a.readOnly {
		return result, refused
	}
	delete(r.catalogs, a.source)
	if a.keepMetadata {
		return result, nil
	}
	return result, r.adapt(a.source, before)
}

func noSource(name string) *action.Error {
	return refuse(codeNotExists, "source with name \""+name+"\" does not exist")
}

func (r *run) exec(pool *pgxpool.Pool, a sqlArgs) ([]byte, *action.Error) {
	if a.noTransaction {
		return r.execLoose(pool, a)
	}
	tx, err := r.begunTx(a.source, pool)
	if err != nil {
		return nil, r.sqlError(a.sql, err)
	}
	savepoint, err := tx.tx.Begin(r.ctx)
	if err != nil {
		return nil, r.sqlError(a.sql, err)
	}
	if a.readOnly {
		if _, err := savepoint.Exec(r.ctx, "SET TRANSACTION READ ONLY"); err != nil {
			return nil, r.sqlError(a.sql, err)
		}
	}
	result, err := query(r.ctx, tx.conn.Conn().PgConn(), a.sql)
	if err == nil {
		err = savepoint.Commit(r.ctx)
	}
	if err != nil {
		_ = savepoint.Rollback(r.ctx) // what it would say is a consequence of err
		return nil, r.sqlError(a.sql, err)
	}
	return result, nil
}

// execLoose runs statements one by one, each in its own transaction.
func (r *run) execLoose(pool *pgxpool.Pool, a sqlArgs) ([]byte, *action.Error) {
	conn, err := pool.Acquire(r.ctx)
	if err != nil {
		return nil, r.sqlError(a.sql, err)
	}
	defer discard(r.ctx, conn)
	result := commandOK
	if a.readOnly {
		if _, err := conn.Exec(r.ctx, "SET default_transaction_read_only = on"); err != nil {
			return nil, r.sqlError(a.sql, err)
		}
	}
	for _, statement := range migrate.Statements(a.sql) {
		if result, err = query(r.ctx, conn.Conn().PgConn(), statement); err != nil {
			return nil, r.sqlError(a.sql, err)
		}
	}
	return result, nil
}

// discard closes a connection on which SQL of a client ran: it may have changed settings of the session, such as the
// search path, which others of the pool must not inherit.
func discard(ctx context.Context, conn *pgxpool.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	_ = conn.Conn().Close(ctx) // it is gone either way
	conn.Release()
}

// begunTx returns the run's transaction in a database.
func (r *run) begunTx(source string, pool *pgxpool.Pool) (*sourceTx, error) {
	if tx := r.txs[source]; tx != nil {
		return tx, nil
	}
	conn, err := pool.Acquire(r.ctx)
	if err != nil {
		return nil, err
	}
	tx, err := conn.Begin(r.ctx)
	if err != nil {
		conn.Release()
		return nil, err
	}
	if r.txs == nil {
		r.txs = map[string]*sourceTx{}
	}
	r.txs[source] = &sourceTx{conn: conn, tx: tx}
	return r.txs[source], nil
}

var commandOK = []byte(`{"result_type":"CommandOk","result":null}`)

// sqlResult is the answer to SQL that returned rows; the first row holds the names of the columns.
type sqlResult struct {
	Type   string     `json:"result_type"`
	Result [][]string `json:"result"`
}

// query runs statements and returns the result of the last.
func query(ctx context.Context, conn *pgconn.PgConn, sql string) ([]byte, error) {
	results := conn.Exec(ctx, sql)
	var last *sqlResult
	for results.NextResult() {
		rows := results.ResultReader()
		last = nil
		if fields := rows.FieldDescriptions(); fields != nil {
			last = &sqlResult{Type: "TuplesOk", Result: [][]string{make([]string, len(fields))}}
			for i, f := range fields {
				last.Result[0][i] = f.Name
			}
		}
		for rows.NextRow() {
			row := make([]string, len(rows.Values()))
			for i, cell := range rows.Values() {
				if row[i] = string(cell); cell == nil {
					row[i] = "NULL"
				}
			}
			last.Result = append(last.Result, row)
		}
		if _, err := rows.Close(); err != nil {
			return nil, errors.Join(err, results.Close())
		}
	}
	if err := results.Close(); err != nil {
		return nil, err
	}
	if last == nil {
		return commandOK, nil
	}
	return json.Marshal(last)
}

// sqlFault is the detail of failed SQL, as Hasura shows it.
type sqlFault struct {
	Statement string   `json:"statement"`
	Prepared  bool     `json:"prepared"`
	Error     pgFault  `json:"error"`
	Arguments []string `json:"arguments"`
}

type pgFault struct {
	ExecStatus  string  `json:"exec_status"`
	Hint        *string `json:"hint"`
	Message     string  `json:"message"`
	StatusCode  string  `json:"status_code"`
	Description *string `json:"description"`
}

func (r *run) sqlError(sql string, err error) *action.Error {
	fault, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		r.api.log.ErrorContext(r.ctx, "sql not run", slog.String("error", err.Error()))
		return &action.Error{Status: http.StatusInternalServerError, Code: codePostgresError, Message: "connection error"}
	}
	return withInternal(refuse(codePostgresError, "query execution failed"), sqlFault{
		Statement: sql, Arguments: []string{},
		Error: pgFault{
			ExecStatus: "FatalError", Hint: optional(fault.Hint), Message: fault.Message, StatusCode: fault.Code,
			Description: optional(fault.Detail),
		},
	})
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// adapt untracks the tables that SQL has dropped and checks the metadata against the database as it is now. Metadata
// that cannot be changed here stays as it is; what no longer fits is inconsistent then.
func (r *run) adapt(source string, before *catalog) *action.Error {
	after := r.catalog(source)
	md := r.edit()
	rule := rule{}
	if r.api.opt.Store.ReadOnly() {
		rule.lenient = true
	} else if before != nil && after != nil {
		for _, t := range r.md.TrackedTables()[source] {
			if before.has(t) && !after.has(t) {
				if err := editTables(md, source, func(tables []members) []members { return without(tables, t) }); err != nil {
					return err
				}
			}
		}
	}
	if before.equal(after) {
		return nil
	}
	return r.apply(md, rule)
}

// prepareSQL makes sure that the transactions can be committed: constraints that wait for the end are checked now.
func (r *run) prepareSQL(ctx context.Context) *action.Error {
	for _, tx := range r.txs {
		if _, err := tx.tx.Exec(ctx, "SET CONSTRAINTS ALL IMMEDIATE"); err != nil {
			return r.sqlError("COMMIT", err)
		}
	}
	return nil
}

func (r *run) commitSQL(ctx context.Context) *action.Error {
	for source, tx := range r.txs {
		err := tx.tx.Commit(ctx)
		discard(ctx, tx.conn)
		delete(r.txs, source)
		if err != nil {
			return r.sqlError("COMMIT", err)
		}
	}
	return nil
}

// rollback undoes all SQL that is not committed.
func (r *run) rollback(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	for source, tx := range r.txs {
		_ = tx.tx.Rollback(ctx) // a connection that cannot even do that is closed next
		discard(ctx, tx.conn)
		delete(r.txs, source)
	}
}
