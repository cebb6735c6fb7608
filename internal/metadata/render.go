package metadata

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Render writes the document as a v3 directory, as the Hasura CLI exports it: file contents by path relative to the
// project. Sources stand whole in databases.yaml, without files per table. Default values of fields, which Hasura
// does not keep, are left out.
func Render(md *Metadata) (map[string][]byte, error) {
	files := map[string][]byte{
		Folder + "/version.yaml": []byte("version: 3\n"),
		SDLFile:                  []byte(renderSDL(md)),
	}
	actions := mapping()
	actions.add("actions", sequence(md.Actions, actionNode))
	actions.add("custom_types", typesNode(&md.CustomTypes))
	documents := map[string]*node{YAMLFile: actions}
	if len(md.InheritedRoles) > 0 {
		roles, err := jsonNode(encodeList(md.InheritedRoles, func(r InheritedRole) []byte { return mustJSON(r) }))
		if err != nil {
			return nil, err
		}
		documents[Folder+"/inherited_roles.yaml"] = roles
	}
	for _, f := range restFiles {
		raw, ok := md.Rest[f.key]
		if !ok {
			continue
		}
		n, err := jsonNode(raw)
		if err != nil {
			return nil, err
		}
		documents[Folder+"/"+f.file] = n
	}
	for path, n := range documents {
		text, err := n.text()
		if err != nil {
			return nil, err
		}
		files[path] = text
	}
	return files, nil
}

// node is a YAML node under construction.
type node yaml.Node

func mapping() *node { return &node{Kind: yaml.MappingNode, Tag: "!!map"} }

func scalar(s string) *node { return &node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s} }

func sequence[T any](items []T, convert func(T) *node) *node {
	n := &node{Kind: yaml.SequenceNode, Tag: "!!seq"}
	if len(items) == 0 {
		n.Style = yaml.FlowStyle
	}
	for _, item := range items {
		n.Content = append(n.Content, (*yaml.Node)(convert(item)))
	}
	return n
}

func (n *node) add(key string, v *node) {
	n.Content = append(n.Content, (*yaml.Node)(scalar(key)), (*yaml.Node)(v))
}

// put adds a text that is there.
func (n *node) put(key, v string) {
	if v != "" {
		n.add(key, scalar(v))
	}
}

func (n *node) text() ([]byte, error) {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode((*yaml.Node)(n)); err != nil {
		return nil, err
	}
	if err := enc.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// jsonNode turns JSON into YAML with the keys in their order.
func jsonNode(raw []byte) (*node, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	return decodeNode(dec)
}

func decodeNode(dec *json.Decoder) (*node, error) {
	tok, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch t := tok.(type) {
	case json.Delim:
		n := mapping()
		if t == '[' {
			n = &node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		}
		for dec.More() {
			child, err := decodeNode(dec) // a key is a string token like any other
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, (*yaml.Node)(child))
		}
		if len(n.Content) == 0 {
			n.Style = yaml.FlowStyle
		}
		_, err := dec.Token()
		return n, err
	case string:
		return scalar(t), nil
	case json.Number:
		tag := "!!int"
		if strings.ContainsAny(t.String(), ".eE") {
			tag = "!!float"
		}
		return &node{Kind: yaml.ScalarNode, Tag: tag, Value: t.String()}, nil
	case bool:
		v := "false"
		if t {
			v = "true"
		}
		return &node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: v}, nil
	default:
		return &node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}, nil
	}
}

// actionNode is an entry of actions.yaml.
func actionNode(a Action) *node {
	d := a.Definition
	def := mapping()
	kind := string(d.Kind)
	if d.Type == Query {
		kind = "" // what the Hasura CLI writes for a query
	} else if kind == "" {
		kind = string(Synchronous)
	}
	def.add("kind", scalar(kind))
	def.add("handler", scalar(d.Handler))
	if d.ForwardClientHeaders {
		def.add("forward_client_headers", &node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: "true"})
	}
	if d.IgnoredClientHeaders != nil && !slices.Equal(d.IgnoredClientHeaders, DefaultIgnoredClientHeaders()) {
		def.add("ignored_client_headers", sequence(d.IgnoredClientHeaders, scalar))
	}
	if len(d.Headers) > 0 {
		def.add("headers", sequence(d.Headers, func(h Header) *node {
			n := mapping()
			n.add("name", scalar(h.Name))
			if h.ValueFromEnv != "" {
				n.add("value_from_env", scalar(h.ValueFromEnv))
			} else {
				n.add("value", scalar(h.Value))
			}
			return n
		}))
	}
	if d.Timeout != 0 && d.Timeout != DefaultTimeout {
		def.add("timeout", &node{Kind: yaml.ScalarNode, Tag: "!!int", Value: string(mustJSON(d.Timeout))})
	}
	for _, t := range []struct {
		key string
		raw json.RawMessage
	}{{"request_transform", d.RequestTransform}, {"response_transform", d.ResponseTransform}} {
		if n, err := jsonNode(t.raw); err == nil { // only absent ones fail: the document's JSON was checked on the way in
			def.add(t.key, n)
		}
	}
	n := mapping()
	n.add("name", scalar(a.Name))
	n.add("definition", def)
	if len(a.Permissions) > 0 {
		n.add("permissions", sequence(a.Permissions, func(p Permission) *node {
			n := mapping()
			n.add("role", scalar(p.Role))
			n.put("comment", p.Comment)
			return n
		}))
	}
	n.put("comment", a.Comment)
	return n
}

func typeNode(name, description string) *node {
	n := mapping()
	n.add("name", scalar(name))
	n.put("description", description)
	return n
}

func typesNode(ct *CustomTypes) *node {
	n := mapping()
	n.add("enums", sequence(ct.Enums, func(t Enum) *node { return typeNode(t.Name, t.Description) }))
	n.add("input_objects", sequence(ct.InputObjects, func(t InputObject) *node { return typeNode(t.Name, t.Description) }))
	n.add("objects", sequence(ct.Objects, func(t Object) *node {
		n := typeNode(t.Name, t.Description)
		if rels, err := jsonNode(t.Relationships); err == nil {
			n.add("relationships", rels)
		}
		return n
	}))
	n.add("scalars", sequence(ct.Scalars, func(t Scalar) *node { return typeNode(t.Name, t.Description) }))
	return n
}
