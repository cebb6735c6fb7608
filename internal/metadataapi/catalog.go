package metadataapi

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nself-org/nself/internal/metadata"
)

// catalog is what a database has.
type catalog struct {
	scalars []string // GraphQL names
	columns map[metadata.Table]map[string]bool
}

func (c *catalog) has(t metadata.Table) bool {
	_, ok := c.columns[t]
	return ok
}

func (c *catalog) equal(other *catalog) bool {
	if c == nil || other == nil {
		return c == other
	}
	return slices.Equal(c.scalars, other.scalars) && maps.EqualFunc(c.columns, other.columns, maps.Equal)
}

// querier is a connection, in a transaction or not.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// catalog reads what a source's database has, once a run. Nil: there is no database, or it cannot be read; then the
// metadata is taken on trust, for actions must not vanish because a database is away.
func (r *run) catalog(source string) *catalog {
	if c, ok := r.catalogs[source]; ok {
		return c
	}
	pool := r.api.opt.Sources[source]
	if pool == nil {
		return nil
	}
	var q querier = pool
	if tx := r.txs[source]; tx != nil {
		q = tx.tx
	}
	c, err := readCatalog(r.ctx, q)
	if err != nil {
		r.api.log.WarnContext(r.ctx, "database not read, its tables are taken on trust", slog.String("source", source),
			slog.String("error", err.Error()))
		c = nil
	}
	if r.catalogs == nil {
		r.catalogs = map[string]*catalog{}
	}
	r.catalogs[source] = c
	return c
}

// databasesDiffer looks, at most once a second, whether a database has come back or has changed, if the metadata does
// not fit what was seen of it: tables are often made by migrations that run after the gateway has started.
func (a *API) databasesDiffer(ctx context.Context) bool {
	if len(a.opt.Sources) == 0 || time.Since(a.looked) < time.Second {
		return false
	}
	current := a.current.Load()
	settled := len(current.staged.Inconsistencies()) == 0
	for source, pool := range a.opt.Sources {
		before := current.catalogs[source]
		if settled && before != nil {
			continue
		}
		a.looked = time.Now()
		if now, err := readCatalog(ctx, pool); err == nil && !now.equal(before) {
			return true
		}
	}
	return false
}

// catalogTimeout bounds reading what a database has: a host that does not answer must not hold up changes.
const catalogTimeout = 5 * time.Second

const (
	scalarsSQL = "SELECT DISTINCT typname FROM pg_catalog.pg_type WHERE typtype = 'b' ORDER BY typname"
	columnsSQL = `SELECT n.nspname, c.relname,
		  coalesce(array_agg(a.attname::text) FILTER (WHERE a.attname IS NOT NULL), '{}')
		FROM pg_catalog.pg_class c
		JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
		  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'hdb_catalog') AND n.nspname !~ '^pg_(toast|temp)'
		GROUP BY n.nspname, c.relname`
)

func readCatalog(ctx context.Context, q querier) (*catalog, error) {
	ctx, cancel := context.WithTimeout(ctx, catalogTimeout)
	defer cancel()
	c := &catalog{columns: map[metadata.Table]map[string]bool{}}
	rows, err := q.Query(ctx, scalarsSQL)
	if err != nil {
		return nil, err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if graphQLScalar(name) {
			c.scalars = append(c.scalars, name)
		}
	}
	if rows, err = q.Query(ctx, columnsSQL); err != nil {
		return nil, err
	}
	var (
		t       metadata.Table
		columns []string
	)
	_, err = pgx.ForEachRow(rows, []any{&t.Schema, &t.Name, &columns}, func() error {
		set := map[string]bool{}
		for _, column := range columns {
			set[column] = true
		}
		c.columns[t] = set
		return nil
	})
	return c, err
}

// graphQLScalar tells whether a type of Postgres is a scalar under its own name. Those that have a name in GraphQL are
// built in there.
func graphQLScalar(name string) bool {
	switch name {
	case "int4", "bool", "float4", "text", "varchar":
		return false
	}
	t, err := metadata.ParseType(name)
	return err == nil && t.Elem == nil && !t.NonNull && t.Name == name
}

func missingTable(source string, t metadata.Table) metadata.Inconsistency {
	definition, _ := json.Marshal(t) // two strings
	return metadata.Inconsistency{
		Type: "table", Name: tableObject(source, t), Definition: definition,
		Reason: "Inconsistent object: no such table/view exists in source: \"" + t.String() + "\"",
	}
}

// tableObject is the name of a table in lists of inconsistent objects.
func tableObject(source string, t metadata.Table) string {
	return "table " + t.String() + " in source " + source
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
