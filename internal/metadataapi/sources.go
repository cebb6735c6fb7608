package metadataapi

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/nself-org/nself/internal/action"
	"github.com/nself-org/nself/internal/metadata"
)

// defaultSource is the name of the source that commands mean when they name none.
const defaultSource = "default"

// DefaultSources are the sources of metadata with one Postgres database, whose URL is in a variable of the environment.
func DefaultSources(variable string) json.RawMessage {
	encoded, _ := json.Marshal(variable) // a string
	return json.RawMessage(`[{"name":"default","kind":"postgres","tables":[],"configuration":{"connection_info":` +
		`{"database_url":{"from_env":` + string(encoded) + `},"isolation_level":"read-committed",` +
		`"use_prepared_statements":false}}}]`)
}

// member is one key of a JSON object with its value.
type member struct {
	key   string
	value json.RawMessage
}

// members is a JSON object whose keys keep their order.
type members []member

// UnmarshalJSON implements [json.Unmarshaler].
func (m *members) UnmarshalJSON(data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	if token, err := dec.Token(); err != nil || token != json.Delim('{') {
		return &json.UnmarshalTypeError{Value: metadata.KindOf(data), Offset: dec.InputOffset()}
	}
	*m = members{}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return err
		}
		key, _ := token.(string) // the decoder refuses other keys
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return err
		}
		m.set(key, value)
	}
	return nil
}

// MarshalJSON implements [json.Marshaler].
func (m members) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for i, item := range m {
		if i > 0 {
			out = append(out, ',')
		}
		out = action.AppendString(out, item.key)
		out = append(append(out, ':'), item.value...)
	}
	return append(out, '}'), nil
}

func (m members) get(key string) json.RawMessage {
	for _, item := range m {
		if item.key == key {
			return item.value
		}
	}
	return nil
}

func (m *members) set(key string, value json.RawMessage) {
	for i := range *m {
		if (*m)[i].key == key {
			(*m)[i].value = value
			return
		}
	}
	*m = append(*m, member{key, value})
}

func (m *members) remove(key string) {
	*m = slices.DeleteFunc(*m, func(item member) bool { return item.key == key })
}

// readSources reads the sources of a document. The error's path begins at the document.
func readSources(md *metadata.Metadata) ([]members, *action.Error) {
	raw := md.Rest["sources"]
	if len(raw) == 0 {
		return nil, nil
	}
	list, err := elements(raw)
	if err != nil {
		return nil, err.Under("sources")
	}
	sources := make([]members, len(list))
	seen := map[string]bool{}
	for i, item := range list {
		o := readObject(item, "SourceMetadata")
		name := o.name("name")
		if o.err == nil && seen[name] {
			o.err = parseFailed("", "multiple declarations exist for the following sources: "+name)
		}
		if o.err == nil {
			o.err = checkTables(o.raw("tables"))
		}
		if o.err != nil {
			return nil, o.err.UnderIndex(i).Under("sources")
		}
		seen[name] = true
		if err := json.Unmarshal(item, &sources[i]); err != nil {
			return nil, parseFailed("", err.Error()).UnderIndex(i).Under("sources")
		}
	}
	return sources, nil
}

// checkTables checks the form of a source's list of tables.
func checkTables(raw json.RawMessage) *action.Error {
	if raw == nil {
		return nil
	}
	list, err := elements(raw)
	if err != nil {
		return err.Under("tables")
	}
	for i, item := range list {
		o := readObject(item, "TableMetadata")
		o.table()
		if o.err != nil {
			return o.err.UnderIndex(i).Under("tables")
		}
	}
	return nil
}

func (m members) text(key string) string {
	var s string
	_ = json.Unmarshal(m.get(key), &s) // anything else is no text
	return s
}

// writeSources puts sources into a document.
func writeSources(md *metadata.Metadata, sources []members) *action.Error {
	if sources == nil {
		sources = []members{}
	}
	raw, err := json.Marshal(sources)
	if err != nil {
		return failed(err)
	}
	md.Rest["sources"] = raw
	return nil
}

// editTables changes the tables of a source.
func editTables(md *metadata.Metadata, source string, edit func([]members) []members) *action.Error {
	sources, refused := readSources(md)
	if refused != nil {
		return refused
	}
	i := slices.IndexFunc(sources, func(s members) bool { return s.text("name") == source })
	if i < 0 {
		return noSource(source)
	}
	var tables []members
	if raw := sources[i].get("tables"); metadata.KindOf(raw) != "Null" {
		if err := json.Unmarshal(raw, &tables); err != nil {
			return parseFailed("", err.Error())
		}
	}
	if tables = edit(tables); tables == nil {
		tables = []members{}
	}
	raw, err := json.Marshal(tables)
	if err != nil {
		return failed(err)
	}
	sources[i].set("tables", raw)
	return writeSources(md, sources)
}

// tableOf returns the name of a table's entry; the form was checked when the document was read.
func tableOf(entry members) metadata.Table {
	t, _ := parseTable(entry.get("table"))
	return t
}

func without(tables []members, t metadata.Table) []members {
	return slices.DeleteFunc(tables, func(entry members) bool { return tableOf(entry) == t })
}
