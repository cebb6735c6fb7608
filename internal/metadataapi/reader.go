package metadataapi

import (
	"encoding/json"
	"strconv"

	"github.com/nself-org/nself/internal/action"
	"github.com/nself-org/nself/internal/metadata"
)

// reader reads the members of a JSON object; the first fault stays in err. Members that it is not asked for are
// ignored, as Hasura does, and a null counts as a missing member.
type reader struct {
	fields map[string]json.RawMessage
	err    *action.Error
}

// readObject reads an object; what names it in messages.
func readObject(raw json.RawMessage, what string) *reader {
	r := &reader{}
	if kind := metadata.KindOf(raw); kind != "Object" {
		r.err = parseFailed("", "parsing "+what+" failed, expected Object, but encountered "+kind)
	} else if err := json.Unmarshal(raw, &r.fields); err != nil {
		r.err = parseFailed("", err.Error())
	}
	return r
}

func (r *reader) fail(key, message string) {
	if r.err == nil {
		r.err = parseFailed("", message)
		if key != "" {
			_ = r.err.Under(key)
		}
	}
}

// raw returns a member as it is; nil when it is missing or null.
func (r *reader) raw(key string) json.RawMessage {
	if raw := r.fields[key]; metadata.KindOf(raw) != "Null" {
		return raw
	}
	return nil
}

// need is raw for a member that must be there; it may be null.
func (r *reader) need(key string) json.RawMessage {
	raw, ok := r.fields[key]
	if !ok && r.err == nil {
		r.fail("", "key "+strconv.Quote(key)+" not found")
	}
	return raw
}

func (r *reader) text(key string) string {
	if r.need(key); r.err != nil {
		return ""
	}
	return decode[string](r, key, r.fields[key], "Text", "String")
}

// name is a text that is not empty.
func (r *reader) name(key string) string {
	s := r.text(key)
	if s == "" {
		r.fail(key, "empty string not allowed")
	}
	return s
}

func (r *reader) textOr(key, fallback string) string {
	if r.raw(key) == nil {
		return fallback
	}
	return r.text(key)
}

func (r *reader) flag(key string, fallback bool) bool {
	if r.raw(key) == nil {
		return fallback
	}
	return decode[bool](r, key, r.fields[key], "Bool", "Boolean")
}

// integer returns nil when the member is missing.
func (r *reader) integer(key string) *int64 {
	if r.raw(key) == nil {
		return nil
	}
	n := decode[int64](r, key, r.fields[key], "Int", "Number")
	return &n
}

func decode[T any](r *reader, key string, raw json.RawMessage, goal, want string) T {
	var out T
	if r.err != nil {
		return out
	}
	if kind := metadata.KindOf(raw); kind != want {
		r.fail(key, "parsing "+goal+" failed, expected "+want+", but encountered "+kind)
	} else if err := json.Unmarshal(raw, &out); err != nil {
		r.fail(key, "parsing "+goal+" failed, unexpected "+string(raw))
	}
	return out
}

// table reads the member table: a string, or an object with schema and name.
func (r *reader) table() metadata.Table {
	raw := r.need("table")
	if r.err != nil {
		return metadata.Table{}
	}
	table, err := parseTable(raw)
	if err != nil {
		r.err = err.Under("table")
	}
	return table
}

func parseTable(raw json.RawMessage) (metadata.Table, *action.Error) {
	t := metadata.Table{Schema: "public"}
	if metadata.KindOf(raw) == "String" {
		err := json.Unmarshal(raw, &t.Name)
		if err != nil {
			return t, parseFailed("", err.Error())
		}
		return t, nil
	}
	r := readObject(raw, "QualifiedObject")
	t.Name, t.Schema = r.name("name"), r.textOr("schema", "public")
	return t, r.err
}

// elements splits a JSON list.
func elements(raw json.RawMessage) ([]json.RawMessage, *action.Error) {
	var list []json.RawMessage
	if kind := metadata.KindOf(raw); kind != "Array" {
		return nil, parseFailed("", "parsing [] failed, expected Array, but encountered "+kind)
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, parseFailed("", err.Error())
	}
	return list, nil
}

// texts reads an object of strings; a missing one is empty.
func (r *reader) texts(key string) map[string]string {
	out := map[string]string{}
	raw := r.raw(key)
	if raw == nil || r.err != nil {
		return out
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		r.fail(key, "expected an object of strings")
	}
	return out
}
