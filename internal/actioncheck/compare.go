package actioncheck

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/nself-org/nself/internal/metadata"
)

// Difference is an action or a type that two documents declare differently.
type Difference struct {
	// Name is the action's or the type's.
	Name string
	// Kind is "action" or "type".
	Kind string
	// What says how they differ: "missing", "only there", or the keys that differ, such as "handler, timeout".
	What string
	// Pos is where the first document declares it.
	Pos metadata.Pos
}

// Compare returns how the actions and custom types of there differ from those of here. Both count in the normal form of
// Hasura's export, so that order and explicit defaults make no difference.
func Compare(here, there *metadata.Metadata) []Difference {
	var out []Difference
	theirs := map[string]*metadata.Action{}
	for i := range there.Actions {
		theirs[there.Actions[i].Name] = &there.Actions[i]
	}
	for i := range here.Actions {
		a := &here.Actions[i]
		b, ok := theirs[a.Name]
		delete(theirs, a.Name)
		if !ok {
			out = append(out, Difference{a.Name, "action", "missing", a.Pos})
			continue
		}
		if keys := differingKeys(a, b); len(keys) > 0 {
			out = append(out, Difference{a.Name, "action", strings.Join(keys, ", "), a.Pos})
		}
	}
	for _, name := range sortedNames(theirs) {
		out = append(out, Difference{name, "action", "only there", metadata.Pos{}})
	}
	return append(out, compareTypes(&here.CustomTypes, &there.CustomTypes)...)
}

// typeText is a type's place and its content in a form that can be compared.
type typeText struct {
	pos  metadata.Pos
	text string
}

func compareTypes(here, there *metadata.CustomTypes) []Difference {
	ours, theirs := typeTexts(here), typeTexts(there)
	var out []Difference
	for _, name := range sortedNames(ours) {
		t, ok := theirs[name]
		delete(theirs, name)
		switch {
		case !ok:
			out = append(out, Difference{name, "type", "missing", ours[name].pos})
		case t.text != ours[name].text:
			out = append(out, Difference{name, "type", "fields or values", ours[name].pos})
		}
	}
	for _, name := range sortedNames(theirs) {
		out = append(out, Difference{name, "type", "only there", metadata.Pos{}})
	}
	return out
}

func typeTexts(ct *metadata.CustomTypes) map[string]typeText {
	out := map[string]typeText{}
	fields := func(list []metadata.Field) string {
		var texts []string
		for _, f := range list {
			texts = append(texts, f.Name+": "+f.Type)
		}
		slices.Sort(texts)
		return strings.Join(texts, "\n")
	}
	for _, t := range ct.InputObjects {
		out[t.Name] = typeText{t.Pos, "input\n" + fields(t.Fields)}
	}
	for _, t := range ct.Objects {
		out[t.Name] = typeText{t.Pos, "type\n" + fields(t.Fields)}
	}
	for _, t := range ct.Scalars {
		out[t.Name] = typeText{t.Pos, "scalar"}
	}
	for _, t := range ct.Enums {
		var values []string
		for _, v := range t.Values {
			values = append(values, v.Value)
		}
		slices.Sort(values)
		out[t.Name] = typeText{t.Pos, "enum\n" + strings.Join(values, "\n")}
	}
	return out
}

// differingKeys are the keys of two actions, and of their definitions, whose values differ.
func differingKeys(a, b *metadata.Action) []string {
	x, y := members(a), members(b)
	var keys []string
	for _, key := range sortedNames(x) {
		if !reflect.DeepEqual(x[key], y[key]) {
			keys = append(keys, key)
		}
	}
	for _, key := range sortedNames(y) {
		if _, ok := x[key]; !ok {
			keys = append(keys, key)
		}
	}
	return keys
}

// members are an action's keys in normal form, those of its definition among them; descriptions of arguments do not count.
func members(a *metadata.Action) map[string]any {
	c := *a
	c.Definition.Arguments = slices.Clone(a.Definition.Arguments)
	for i := range c.Definition.Arguments {
		c.Definition.Arguments[i].Description = ""
	}
	out := map[string]any{}
	data, err := json.Marshal(c)
	if err != nil || json.Unmarshal(data, &out) != nil {
		return nil
	}
	if definition, ok := out["definition"].(map[string]any); ok {
		delete(out, "definition")
		maps.Copy(out, definition)
	}
	return out
}

func sortedNames[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Unused returns the custom types that no action uses, directly or through others.
func Unused(md *metadata.Metadata) []Difference {
	used := map[string]bool{}
	for i := range md.Actions {
		sub := metadata.Subset(md, &md.Actions[i])
		for name := range typeTexts(&sub.CustomTypes) {
			used[name] = true
		}
	}
	var out []Difference
	all := typeTexts(&md.CustomTypes)
	for _, name := range sortedNames(all) {
		if !used[name] {
			out = append(out, Difference{name, "type", "unused", all[name].pos})
		}
	}
	return out
}
