package metadata

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Difference is one object that two documents hold differently.
type Difference struct {
	// Object names it: "action registerUser", "type User", "table default public.users", "cron_triggers".
	Object string
	// A and B are the object in the two documents as a person reads it, in SDL and YAML; empty where a document lacks it.
	A, B string

	kind part
	name string
}

// Change is what leads from A to B: "added", "removed" or "changed".
func (d Difference) Change() string {
	switch {
	case d.A == "":
		return "added"
	case d.B == "":
		return "removed"
	}
	return "changed"
}

// part is a kind of object that documents are compared by.
type part string

const (
	partAction part = "action"
	partType   part = "type"
	partTable  part = "table"
	partSource part = "source" // without its tables
	partRest   part = ""       // a key of the document as a whole
)

// compared is one object of a document.
type compared struct {
	kind    part
	name    string
	meaning string // the same for two objects that say the same
	text    string
}

func (c compared) id() string { return strings.TrimSpace(string(c.kind) + " " + c.name) }

// Compare returns the objects that differ between two documents: actions, custom types, tables, and the other parts as a
// whole. The order of a document, and what says nothing (an empty list, a default), make no difference.
func Compare(a, b *Metadata) ([]Difference, error) {
	left, err := objectsOf(a)
	if err != nil {
		return nil, err
	}
	right, err := objectsOf(b)
	if err != nil {
		return nil, err
	}
	find := func(list []compared, id string) compared {
		i := slices.IndexFunc(list, func(c compared) bool { return c.id() == id })
		if i < 0 {
			return compared{}
		}
		return list[i]
	}
	var out []Difference
	seen := map[string]bool{}
	for _, c := range append(slices.Clone(left), right...) {
		id := c.id()
		if seen[id] {
			continue
		}
		seen[id] = true
		if x, y := find(left, id), find(right, id); x.meaning != y.meaning {
			out = append(out, Difference{Object: id, A: x.text, B: y.text, kind: c.kind, name: c.name})
		}
	}
	return out, nil
}

// objectsOf takes a document apart.
//
//nolint:gocognit // a list of the parts, one after the other
func objectsOf(md *Metadata) ([]compared, error) {
	var out []compared
	add := func(kind part, name, sdl string, entry *node, meaning any) error {
		text := sdl
		if entry != nil {
			yaml, err := entry.text()
			if err != nil {
				return err
			}
			if text != "" {
				text += "---\n"
			}
			text += string(yaml)
		}
		data, err := canonical(mustJSON(meaning))
		if err != nil {
			return err
		}
		out = append(out, compared{kind, name, string(data), text})
		return nil
	}
	for _, a := range md.Actions {
		if err := add(partAction, a.Name, actionSDL(a), actionNode(a), a); err != nil {
			return nil, err
		}
	}
	for _, name := range md.CustomTypes.names() {
		one := md.CustomTypes.only([]string{name})
		sub := &Metadata{CustomTypes: one}
		var entry *node
		for _, t := range one.Objects {
			if rels, err := jsonNode(t.Relationships); err == nil {
				entry = mapping()
				entry.add("relationships", rels)
			}
		}
		if err := add(partType, name, renderSDL(sub), entry, json.RawMessage(encodeCustomTypes(one))); err != nil {
			return nil, err
		}
	}
	rest := maps.Clone(md.Rest)
	if rest == nil {
		rest = map[string]json.RawMessage{}
	}
	if len(md.InheritedRoles) > 0 {
		rest["inherited_roles"] = mustJSON(md.InheritedRoles)
	}
	for _, key := range slices.Sorted(maps.Keys(rest)) {
		raw, err := canonical(rest[key])
		if err != nil {
			return nil, err
		}
		if isEmptyJSON(raw) {
			continue
		}
		if key == "sources" {
			if err := tablesOf(raw, add); err != nil {
				return nil, err
			}
			continue
		}
		n, err := jsonNode(raw)
		if err != nil {
			return nil, err
		}
		if err := add(partRest, key, "", n, raw); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// tablesOf takes the sources apart into their tables and what is left of each.
func tablesOf(raw json.RawMessage, add func(part, string, string, *node, any) error) error {
	var sources []map[string]json.RawMessage
	if err := json.Unmarshal(raw, &sources); err != nil {
		return fmt.Errorf("read the sources: %w", err)
	}
	for _, s := range sources {
		var name string
		_ = json.Unmarshal(s["name"], &name)
		var tables []json.RawMessage
		if t := s["tables"]; t != nil {
			if err := json.Unmarshal(t, &tables); err != nil {
				return fmt.Errorf("read the tables of source %s: %w", name, err)
			}
		}
		delete(s, "tables")
		whole := mustJSON(s)
		n, err := jsonNode(whole)
		if err != nil {
			return err
		}
		if err := add(partSource, name, "", n, json.RawMessage(whole)); err != nil {
			return err
		}
		for _, t := range tables {
			n, err := jsonNode(t)
			if err != nil {
				return err
			}
			if err := add(partTable, name+" "+tableName(t), "", n, t); err != nil {
				return err
			}
		}
	}
	return nil
}

// tableName is what an entry of a source tracks, with its schema: "public.users".
func tableName(entry json.RawMessage) string {
	var t struct {
		Table json.RawMessage `json:"table"`
	}
	if json.Unmarshal(entry, &t) == nil {
		if table, err := decodeTable(value{path: "$", raw: t.Table}); err == nil {
			return cmp.Or(table.Schema, "public") + "." + table.Name
		}
	}
	return string(t.Table)
}

// canonical is JSON with sorted keys and without members that say nothing, the lists of named things sorted by name.
func canonical(raw []byte) (json.RawMessage, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, fmt.Errorf("read the metadata: %w", err)
	}
	return mustJSON(plain(v)), nil
}

func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, member := range v {
			switch member := plain(member).(type) {
			case nil:
			case map[string]any:
				if len(member) > 0 || meaningfulWhenEmpty(key) {
					out[key] = member
				}
			case []any:
				if len(member) > 0 || meaningfulWhenEmpty(key) {
					out[key] = member
				}
			default:
				out[key] = member
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = plain(item)
		}
		if named := namesOf(out); named != nil {
			slices.SortStableFunc(out, func(a, b any) int { return strings.Compare(named(a), named(b)) })
		}
		return out
	}
	return v
}

// meaningfulWhenEmpty are the members that mean something without content: a filter that lets every row pass, a list of
// headers that ignores none.
func meaningfulWhenEmpty(key string) bool {
	return key == "filter" || key == "check" || key == "columns" || key == "ignored_client_headers"
}

// namesOf returns what identifies the elements of a list that Hasura keeps by name; nil for another list. Arguments and
// fields keep their order, which is that of the schema.
func namesOf(list []any) func(any) string {
	for _, key := range []string{"table", "role", "role_name"} {
		name := func(v any) string {
			m, ok := v.(map[string]any)
			if !ok || m[key] == nil {
				return ""
			}
			return string(mustJSON(m[key]))
		}
		if !slices.ContainsFunc(list, func(v any) bool { return name(v) == "" }) {
			return name
		}
	}
	return nil
}

// Empty tells whether a document says nothing beyond its connections: that of an engine that has just been set up.
func (m *Metadata) Empty() bool {
	objects, err := objectsOf(m)
	if err != nil {
		return false
	}
	return !slices.ContainsFunc(objects, func(c compared) bool { return c.kind != partSource })
}
