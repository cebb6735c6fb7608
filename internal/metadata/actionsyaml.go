package metadata

import (
	"encoding/json"
	"slices"

	"go.yaml.in/yaml/v3"
)

// actionsFile is what actions.yaml says: handlers and permissions of actions, descriptions and relationships of types.
type actionsFile struct {
	actions []Action
	types   []yamlType
}

// yamlType is an entry of custom_types.
type yamlType struct {
	list          string // objects, input_objects, scalars or enums
	name          string
	description   string
	relationships json.RawMessage
	pos           Pos
}

// typeLists are the keys of custom_types in the order of Hasura's export.
var typeLists = []string{"enums", "input_objects", "objects", "scalars"}

var (
	entryKeys      = []string{"name", "definition", "permissions", "comment"}
	definitionKeys = []string{
		"kind", "handler", "forward_client_headers", "ignored_client_headers", "headers", "timeout", "request_transform",
		"response_transform", "type", "arguments", "output_type",
	}
)

func parseActionsYAML(text []byte, file string) (*actionsFile, Problems) {
	if len(text) >= piecesFrom {
		if f, ps, ok := parsePieces(text, file, pieceBytes); ok {
			return f, ps
		}
	}
	var ps Problems
	f := &actionsFile{}
	if root := parseYAML(text, file, &ps); root != nil {
		r := &yamlReader{file: file, ps: &ps, size: len(text)}
		r.actionsFile(root, f)
	}
	return f, ps
}

// actionsFile reads the keys of the file.
func (r *yamlReader) actionsFile(root *yaml.Node, f *actionsFile) {
	pairs, _ := r.mapping(root, "the file")
	for _, p := range pairs {
		switch p.key {
		case "actions":
			for _, n := range r.list(p.value, "actions") {
				r.actionEntry(n, f)
			}
		case "custom_types":
			r.customTypes(p.value, f)
		default:
			r.unknown(p, "the file", []string{"actions", "custom_types"})
		}
	}
}

func (r *yamlReader) actionEntry(n *yaml.Node, f *actionsFile) {
	if r.spend(n, "actions") {
		return
	}
	pairs, ok := r.mapping(n, "action")
	if !ok {
		return
	}
	a := Action{YAMLPos: r.pos(n), Pos: r.pos(n), KeyPos: map[string]Pos{}}
	for _, p := range pairs {
		if p.key == "name" {
			a.Name = r.text(p.value, "action: name")
		}
	}
	if a.Name == "" {
		r.ps.errorf(a.YAMLPos, "action without a name").hint("add a \"name\" key")
		return
	}
	what := "action \"" + a.Name + "\""
	for _, p := range pairs {
		a.KeyPos[p.key] = p.pos
		switch p.key {
		case "name":
		case "comment":
			a.Comment = r.text(p.value, what+": comment")
		case "permissions":
			a.Permissions = r.permissions(p.value, what)
		case "definition":
			r.definition(p.value, what, &a)
		default:
			r.unknown(p, what, entryKeys)
		}
	}
	f.actions = append(f.actions, a)
}

func (r *yamlReader) permissions(n *yaml.Node, what string) []Permission {
	what += ": permissions"
	var out []Permission
	for _, item := range r.list(n, what) {
		if r.spend(item, what) {
			break
		}
		perm := Permission{Pos: r.pos(item)}
		pairs, ok := r.mapping(item, what)
		if !ok {
			continue
		}
		for _, p := range pairs {
			switch p.key {
			case "role":
				perm.Role = r.text(p.value, what+": role")
			case "comment":
				perm.Comment = r.text(p.value, what+": comment")
			case "definition": // the form of Hasura 1
			default:
				r.unknown(p, what, []string{"role", "comment"})
			}
		}
		out = append(out, perm)
	}
	return out
}

func (r *yamlReader) definition(n *yaml.Node, what string, a *Action) {
	pairs, _ := r.mapping(n, what+": definition")
	d := &a.Definition
	for _, p := range pairs {
		a.KeyPos[p.key] = p.pos
		key := what + ": " + p.key
		switch p.key {
		case "kind":
			d.Kind = ActionKind(r.text(p.value, key))
		case "handler":
			d.Handler = r.text(p.value, key)
		case "forward_client_headers":
			d.ForwardClientHeaders = r.boolean(p.value, key)
		case "ignored_client_headers":
			for _, item := range r.list(p.value, key) {
				d.IgnoredClientHeaders = append(d.IgnoredClientHeaders, r.text(item, key))
			}
			if d.IgnoredClientHeaders == nil && !isNull(p.value) {
				d.IgnoredClientHeaders = []string{}
			}
		case "headers":
			d.Headers = r.headers(p.value, what)
		case "timeout":
			var given bool
			if d.Timeout, given = r.integer(p.value, key); given && d.Timeout == 0 {
				r.ps.warnf(p.pos, "%s: timeout: 0 is read as Hasura's default of 30 seconds", what)
			}
		case "request_transform":
			d.RequestTransform = r.raw(p.value, key)
		case "response_transform":
			d.ResponseTransform = r.raw(p.value, key)
		case "type", "arguments", "output_type":
			r.ps.warnf(p.pos, "%s: key %q belongs into actions.graphql and is ignored here", what, p.key)
		default:
			r.unknown(p, what, definitionKeys)
		}
	}
}

func (r *yamlReader) headers(n *yaml.Node, what string) []Header {
	what += ": headers"
	var out []Header
	for _, item := range r.list(n, what) {
		if r.spend(item, what) {
			break
		}
		pairs, ok := r.mapping(item, what)
		if !ok {
			continue
		}
		h := Header{Pos: r.pos(item)}
		var keys []string
		for _, p := range pairs {
			keys = append(keys, p.key)
			switch p.key {
			case "name":
				h.Name = r.text(p.value, what+": name")
			case "value":
				h.Value = r.text(p.value, what+": value")
			case "value_from_env":
				h.ValueFromEnv = r.text(p.value, what+": value_from_env")
			default:
				r.unknown(p, what, []string{"name", "value", "value_from_env"})
			}
		}
		hasValue, hasEnv := slices.Contains(keys, "value"), slices.Contains(keys, "value_from_env")
		if hasValue == hasEnv {
			how := "has neither value nor value_from_env"
			if hasValue {
				how = "has both value and value_from_env"
			}
			r.ps.errorf(h.Pos, "%s: header %q %s", what, h.Name, how).hint("give it exactly one of the two")
		}
		out = append(out, h)
	}
	return out
}

func (r *yamlReader) customTypes(n *yaml.Node, f *actionsFile) {
	lists, _ := r.mapping(n, "custom_types")
	for _, l := range lists {
		if !slices.Contains(typeLists, l.key) {
			r.unknown(l, "custom_types", typeLists)
			continue
		}
		for _, n := range r.list(l.value, "custom_types: "+l.key) {
			if r.spend(n, "custom_types") {
				return
			}
			r.typeEntry(n, l.key, f)
		}
	}
}

func (r *yamlReader) typeEntry(n *yaml.Node, list string, f *actionsFile) {
	pairs, ok := r.mapping(n, "custom_types: "+list)
	if !ok {
		return
	}
	t := yamlType{list: list, pos: r.pos(n)}
	for _, p := range pairs {
		what := "custom_types: " + list + ": " + p.key
		switch p.key {
		case "name":
			t.name = r.text(p.value, what)
		case "description":
			t.description = r.text(p.value, what)
		case "relationships":
			t.relationships = r.raw(p.value, what)
		case "values", "fields": // written by some exports; actions.graphql decides
		default:
			r.unknown(p, "custom_types: "+list, []string{"name", "description", "relationships"})
		}
	}
	if t.name == "" {
		r.ps.errorf(t.pos, "custom_types: %s: type without a name", list).hint("add a \"name\" key")
		return
	}
	f.types = append(f.types, t)
}
