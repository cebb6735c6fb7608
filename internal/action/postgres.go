package action

import "slices"

// postgresScalars are the Postgres base types whose GraphQL name is their own, with the types that metadata written for a
// server with common extensions uses. Others (text, varchar, int4, bool) reach GraphQL under a built-in's name.
var postgresScalars = []string{
	"bigint", "bigserial", "bit", "box", "bpchar", "bytea", "char", "cidr", "circle", "citext", "date", "decimal",
	"float8", "geography", "geometry", "hstore", "inet", "interval", "json", "jsonb", "jsonpath", "line", "lquery", "lseg",
	"ltree", "ltxtquery", "macaddr", "macaddr8", "money", "name", "numeric", "oid", "path", "point", "polygon", "raster",
	"real", "serial", "smallint", "time", "timestamp", "timestamptz", "timetz", "tsquery", "tsvector", "uuid", "varbit",
	"xml", "_bool", "_float4", "_float8", "_int2", "_int4", "_int8", "_jsonb", "_numeric", "_text", "_timestamptz",
	"_uuid", "_varchar",
}

// IsPostgresScalar tells whether name is a Postgres type that metadata may use without declaring it.
func IsPostgresScalar(name string) bool { return slices.Contains(postgresScalars, name) }

// checkPostgres is the plausibility check of Hasura's Postgres value parsers: the value itself goes to the handler
// unchanged, and any string passes.
func checkPostgres(name, text string) *Error {
	if text[0] == '"' {
		return nil
	}
	number := jsonKind(text) == "a number"
	switch name {
	case "json", "jsonb":
		return nil
	case "geometry", "geography":
		if text[0] == '{' {
			return nil // GeoJSON
		}
	case "smallint":
		return checkInteger(text, number, 16)
	case "serial":
		return checkInteger(text, number, 32)
	case "bigint", "bigserial":
		return checkInteger(text, number, 64)
	case "real", "float8", "numeric", "decimal", "money":
		if number {
			return nil
		}
		return wrongJSON("Scientific", "Number", text)
	case "uuid":
		return wrongJSON("UUID", "String", text)
	case "date", "timestamp", "timestamptz", "timetz", "bpchar", "char", "citext":
		return wrongJSON("Text", "String", text)
	}
	return &Error{Code: CodeParseFailed, Message: "A string is expected for type: " + name}
}

func checkInteger(text string, number bool, bits int) *Error {
	if !number {
		return wrongJSON("Int", "Number", text)
	}
	_, err := appendInteger(nil, text, bits)
	return err
}

// wrongJSON words a value of the wrong kind as Hasura's JSON reader does.
func wrongJSON(target, expected, text string) *Error {
	kinds := map[string]string{
		"a string": "String", "an object": "Object", "a list": "Array", "a boolean": "Boolean", "null": "Null",
		"a number": "Number",
	}
	return &Error{
		Code:    CodeParseFailed,
		Message: "parsing " + target + " failed, expected " + expected + ", but encountered " + kinds[jsonKind(text)],
	}
}
