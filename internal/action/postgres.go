package action

import (
	"encoding/hex"
	"slices"
	"strings"
)

// checkPostgres is the plausibility check of Hasura's Postgres value parsers: the value itself goes to the handler
// unchanged, and any string passes for nearly all of them.
func checkPostgres(name, text string) *Error {
	switch name { // strings of these are read, too
	case "ltree":
		return checkLabelPath(text)
	case "raster":
		return checkRaster(text)
	}
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
		return checkInteger("PGSmallInt", text, number, 16)
	case "serial":
		return checkInteger("PGSerial", text, number, 32)
	case "bigint":
		return checkInteger("PGBigInt", text, number, 64)
	case "bigserial":
		return checkInteger("PGBigSerial", text, number, 64)
	case "real":
		return checkFloat("PGFloat", text, number, 32)
	case "float8":
		return checkFloat("PGDouble", text, number, 64)
	case "numeric", "decimal", "money":
		if number {
			return nil
		}
		return wrongJSON("Scientific", "Number", text)
	case "uuid":
		return wrongJSON("UUID", "String", text)
	case "date":
		return wrongJSON("Day", "String", text)
	case "timestamp":
		return wrongJSON("LocalTime", "String", text)
	case "timestamptz":
		return wrongJSON("UTCTime", "String", text)
	case "bpchar", "char":
		return wrongJSON("Char", "String", text)
	case "timetz", "citext", "lquery", "ltxtquery":
		return wrongJSON("Text", "String", text)
	}
	return &Error{Code: CodeParseFailed, Message: "A string is expected for type: " + name}
}

// checkInteger wants a number of that many bits; haskell is Hasura's name for the type.
func checkInteger(haskell, text string, number bool, bits int) *Error {
	if !number {
		return wrongJSON("Integer expected for input type: "+haskell, "Number", text)
	}
	_, err := appendInteger(nil, text, bits)
	return err
}

// checkFloat is checkInteger for numbers with a fraction.
func checkFloat(haskell, text string, number bool, bits int) *Error {
	if !number {
		return wrongJSON("Float expected for input type: "+haskell, "Number", text)
	}
	return checkFloatBounds(text, bits)
}

// checkLabelPath wants labels with dots between them.
func checkLabelPath(text string) *Error {
	if text[0] == '"' && !slices.Contains(strings.Split(Unquote(text), "."), "") {
		return nil
	}
	return &Error{
		Code: CodeParseFailed,
		Message: "Expecting label path: a sequence of zero or more labels separated by dots, " +
			"for example L1.L2.L3",
	}
}

// checkRaster wants hexadecimal digits.
func checkRaster(text string) *Error {
	if text[0] != '"' {
		return &Error{Code: CodeParseFailed, Message: "expecting String for raster"}
	}
	if _, err := hex.DecodeString(Unquote(text)); err != nil {
		return &Error{
			Code: CodeParseFailed, Message: "invalid hexadecimal representation of raster well known binary format",
		}
	}
	return nil
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
