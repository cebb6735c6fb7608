package metadata

import (
	"fmt"
	"strings"
)

// TypeRef is a parsed type string: a name, wrapped in lists.
type TypeRef struct {
	// Name is the base type; empty in a list, whose elements are Elem.
	Name    string
	Elem    *TypeRef
	NonNull bool
}

// maxTypeDepth bounds nested lists, so that a hostile string cannot exhaust the stack.
const maxTypeDepth = 64

// ParseType parses GraphQL type syntax such as "[OrderItem!]!". The error has Hasura's wording.
func ParseType(s string) (*TypeRef, error) {
	rest := s
	t, ok := parseType(&rest, 0)
	if !ok || trimIgnored(rest) != "" {
		return nil, fmt.Errorf("not a valid GraphQL type: %s", s)
	}
	return t, nil
}

func parseType(rest *string, depth int) (*TypeRef, bool) {
	if depth > maxTypeDepth {
		return nil, false
	}
	*rest = trimIgnored(*rest)
	t := &TypeRef{}
	if after, ok := strings.CutPrefix(*rest, "["); ok {
		*rest = after
		elem, ok := parseType(rest, depth+1)
		if !ok {
			return nil, false
		}
		t.Elem = elem
		after, ok := strings.CutPrefix(trimIgnored(*rest), "]")
		if !ok {
			return nil, false
		}
		*rest = after
	} else {
		n := nameLength(*rest)
		if n == 0 {
			return nil, false
		}
		t.Name, *rest = (*rest)[:n], (*rest)[n:]
	}
	if after, ok := strings.CutPrefix(trimIgnored(*rest), "!"); ok {
		t.NonNull, *rest = true, after
	}
	return t, true
}

func trimIgnored(s string) string { return strings.TrimLeft(s, " \t\r\n,") }

// Base returns the name inside all lists.
func (t *TypeRef) Base() string {
	for t.Elem != nil {
		t = t.Elem
	}
	return t.Name
}

// String returns the type in GraphQL syntax.
func (t *TypeRef) String() string {
	s := t.Name
	if t.Elem != nil {
		s = "[" + t.Elem.String() + "]"
	}
	if t.NonNull {
		s += "!"
	}
	return s
}

// baseOf returns the base name of a type string, or the string itself where it is not one.
func baseOf(s string) string {
	t, err := ParseType(s)
	if err != nil {
		return s
	}
	return t.Base()
}

// BuiltinScalars are GraphQL's own scalars.
func BuiltinScalars() []string { return []string{"Int", "Float", "String", "Boolean", "ID"} }

// PostgresScalars are the GraphQL names of the scalars that a Postgres 15 or later brings along, which need no
// declaration: base types under their Postgres names, without int4, bool, float4, text and varchar, which have
// GraphQL's names. Types of the usual extensions are included; a caller that knows a database adds those it has.
func PostgresScalars() []string {
	return []string{
		"bigint", "bit", "box", "bpchar", "bytea", "char", "cid", "cidr", "circle", "citext", "date", "float8", "geography",
		"geometry", "hstore", "inet", "interval", "json", "jsonb", "jsonpath", "line", "lseg", "ltree", "macaddr",
		"macaddr8", "money", "name", "numeric", "oid", "path", "pg_lsn", "point", "polygon", "raster", "smallint",
		"time", "timestamp", "timestamptz", "timetz", "tsquery", "tsvector", "uuid", "varbit", "xid", "xml",
		"_bool", "_bytea", "_date", "_float4", "_float8", "_int2", "_int4", "_int8", "_json", "_jsonb", "_numeric", "_text",
		"_time", "_timestamp", "_timestamptz", "_uuid", "_varchar",
	}
}

// foreignScalars are spellings from other schemas, with what Hasura calls the type.
var foreignScalars = map[string]string{
	"text": "String", "varchar": "String", "string": "String", "int": "Int", "integer": "Int", "int4": "Int",
	"bool": "Boolean", "boolean": "Boolean", "float": "Float", "float4": "Float", "double": "float8", "int2": "smallint",
	"decimal": "numeric", "UUID": "uuid", "Uuid": "uuid", "DateTime": "timestamptz", "Timestamp": "timestamptz",
	"Date": "date", "Time": "time", "JSON": "jsonb", "Json": "jsonb", "JSONObject": "jsonb", "Long": "bigint", "int8": "bigint",
	"BigInt": "bigint", "Decimal": "numeric", "Object": "jsonb",
}
