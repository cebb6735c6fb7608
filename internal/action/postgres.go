package action

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
