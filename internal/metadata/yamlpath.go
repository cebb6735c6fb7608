package metadata

import (
	"bytes"
	"maps"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// step leads from a YAML node to one of its children: the value of a mapping's key, or, with a value, the item of a list
// whose key has that value.
type step struct{ key, value string }

// find walks from the root. key is the node of the last step's key; nil for the item of a list. Nil nodes mean that there
// is nothing at the path.
func find(root *yaml.Node, path []step) (key, node *yaml.Node) {
	node = resolve(root)
	for _, s := range path {
		key = nil
		switch {
		case node == nil:
			return nil, nil
		case s.value == "" && node.Kind == yaml.MappingNode:
			key, node = lookup(node, s.key)
		case s.value != "" && node.Kind == yaml.SequenceNode:
			i := itemIndex(node, s)
			if i < 0 {
				return nil, nil
			}
			node = node.Content[i]
		default:
			return nil, nil
		}
	}
	return key, node
}

// itemIndex finds the item of a list that a step names; -1 where there is none.
func itemIndex(list *yaml.Node, s step) int {
	return slices.IndexFunc(list.Content, func(n *yaml.Node) bool {
		item := resolve(n)
		if item == nil || item.Kind != yaml.MappingNode {
			return false
		}
		_, v := lookup(item, s.key)
		return v != nil && v.Value == s.value
	})
}

// updated is a copy of v in which the value at path is what change makes of it. ok is false where the path leads nowhere.
func updated(v any, path []step, change func(any) (any, bool)) (any, bool) {
	if len(path) == 0 {
		return change(v)
	}
	s := path[0]
	if s.value == "" {
		m, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		child, ok := updated(m[s.key], path[1:], change)
		out := maps.Clone(m)
		out[s.key] = child
		return out, ok
	}
	list, ok := v.([]any)
	if !ok {
		return nil, false
	}
	i := slices.IndexFunc(list, func(item any) bool {
		m, ok := item.(map[string]any)
		return ok && m[s.key] == s.value
	})
	if i < 0 {
		return nil, false
	}
	child, ok := updated(list[i], path[1:], change)
	out := slices.Clone(list)
	out[i] = child
	return out, ok
}

// edit takes the first of the candidates that reads as the old content with the value at path changed.
func (e *yamlEditor) edit(
	path []step, what string, change func(any) (any, bool), candidates func(p *yamlPlace, key, node *yaml.Node) [][]byte,
) error {
	refuse := func() error {
		return invalidf("edit the file by hand", "%s: %s cannot be changed safely as it is written", YAMLFile, what)
	}
	before, err := decodeAny(e.text)
	if err != nil {
		return err
	}
	want, ok := updated(before, path, change)
	if !ok {
		return refuse()
	}
	if reflect.DeepEqual(before, want) {
		return nil
	}
	var ps Problems
	root := parseYAML(e.text, YAMLFile, &ps)
	key, node := find(root, path)
	if node == nil {
		return refuse()
	}
	for _, c := range candidates(&yamlPlace{editor: e}, key, node) {
		if got, err := decodeAny(c); err == nil && reflect.DeepEqual(want, got) {
			e.text = c
			return nil
		}
	}
	return refuse()
}

// set gives a key of the mapping at path a value; a key that is missing is appended.
func (e *yamlEditor) set(path []step, key string, value *node) error {
	text, err := value.text()
	if err != nil {
		return err
	}
	decoded, err := decodeAny(text)
	if err != nil {
		return err
	}
	return e.edit(path, "the key "+key, func(v any) (any, bool) {
		m, ok := v.(map[string]any)
		out := maps.Clone(m)
		if ok {
			out[key] = decoded
		}
		return out, ok
	}, func(p *yamlPlace, _, m *yaml.Node) [][]byte {
		if m = resolve(m); m.Kind != yaml.MappingNode || len(m.Content) == 0 {
			return nil
		}
		block, flow := strings.TrimSuffix(string(text), "\n"), flowText(value)
		k, v := lookup(m, key)
		switch {
		case m.Style&yaml.FlowStyle != 0 && v == nil:
			return p.beforeBracket(m, string(mustJSON(key))+": "+flow)
		case m.Style&yaml.FlowStyle != 0:
			return p.replaceScalar(v, flow, ",]}")
		case v == nil:
			return p.intoBlock(m, p.column(m.Content[0]), keyLines(key, value, block))
		}
		var out [][]byte
		if (*yaml.Node)(value).Kind == yaml.ScalarNode {
			out = p.replaceScalar(v, block, "")
		}
		return append(out, p.replaceBlock(k, v, keyLines(key, value, block))...)
	})
}

// drop removes a key of the mapping at path, where it is there.
func (e *yamlEditor) drop(path []step, key string) error {
	return e.edit(path, "the key "+key, func(v any) (any, bool) {
		m, ok := v.(map[string]any)
		out := maps.Clone(m)
		delete(out, key)
		return out, ok
	}, func(p *yamlPlace, _, m *yaml.Node) [][]byte {
		m = resolve(m)
		k, v := lookup(m, key)
		if m.Style&yaml.FlowStyle != 0 || v == nil {
			return nil
		}
		return p.replaceBlock(k, v, "")
	})
}

// push appends an item to the list at path.
func (e *yamlEditor) push(path []step, item *node) error {
	text, err := item.text()
	if err != nil {
		return err
	}
	decoded, err := decodeAny(text)
	if err != nil {
		return err
	}
	return e.edit(path, "the list "+path[len(path)-1].key, func(v any) (any, bool) {
		list, ok := v.([]any)
		return append(slices.Clone(list), decoded), ok
	}, func(p *yamlPlace, key, list *yaml.Node) [][]byte {
		p.add(string(text), flowText(item))
		switch {
		case list.Kind != yaml.SequenceNode:
			return nil
		case list.Style&yaml.FlowStyle != 0 && len(list.Content) > 0:
			return p.beforeBracket(list, p.json)
		case len(list.Content) == 0 && key != nil:
			return p.intoEmpty(key, list, nil, false)
		case len(list.Content) == 0:
			return nil
		}
		return p.intoBlock(list, p.listIndent(list), p.lines)
	})
}

// pull removes the item that a step names from the list at path, where both are there.
func (e *yamlEditor) pull(path []step, item step) error {
	return e.edit(path, "the list "+path[len(path)-1].key, func(v any) (any, bool) {
		list, ok := v.([]any)
		i := slices.IndexFunc(list, func(v any) bool {
			m, ok := v.(map[string]any)
			return ok && m[item.key] == item.value
		})
		if i < 0 {
			return v, ok
		}
		return slices.Delete(slices.Clone(list), i, i+1), ok
	}, func(p *yamlPlace, key, list *yaml.Node) [][]byte {
		i := itemIndex(list, item)
		if list.Style&yaml.FlowStyle != 0 {
			return p.withoutFlow(list, i)
		}
		return p.withoutBlock(key, list, i)
	})
}

// keyLines is a key with its value in block style.
func keyLines(key string, value *node, block string) string {
	if (*yaml.Node)(value).Kind == yaml.ScalarNode || len((*yaml.Node)(value).Content) == 0 {
		return key + ": " + block
	}
	return key + ":\n" + indent(block, "  ")
}

// replaceScalar puts other text in the place of a scalar on one line, or of a collection in flow style. stops are the
// bytes that end a plain scalar beside a comment.
func (p *yamlPlace) replaceScalar(v *yaml.Node, with, stops string) [][]byte {
	text := p.editor.text
	start := p.offset(v.Line, v.Column)
	if strings.Contains(with, "\n") || start >= len(text) {
		return nil
	}
	var end int
	switch c := text[start]; {
	case c == '"' || c == '\'':
		end = quoteEnd(text, start) + 1
	case c == '[' || c == '{':
		end = flowEnd(text, start) + 1
	case v.Kind != yaml.ScalarNode:
		return nil
	default:
		line := text[start:endOfLine(text, start)]
		if i := bytes.Index(line, []byte(" #")); i >= 0 {
			line = line[:i]
		}
		if i := bytes.IndexAny(line, stops); stops != "" && i >= 0 {
			line = line[:i]
		}
		end = start + len(bytes.TrimRight(line, " \t\r\n"))
	}
	if end > len(text) {
		return nil
	}
	return [][]byte{splice(text, start, end, with)}
}

// replaceBlock puts other lines in the place of a key and its value in block style; no lines remove both.
func (p *yamlPlace) replaceBlock(k, v *yaml.Node, lines string) [][]byte {
	text := p.editor.text
	start := p.offset(k.Line, 1)
	column := p.column(k)
	at := endOfLine(text, start)
	for pos := at; pos < len(text); {
		end := endOfLine(text, pos)
		line := text[pos:end]
		if trimmed := bytes.TrimLeft(line, " "); len(bytes.TrimSpace(line)) > 0 {
			deep := len(line) - len(trimmed)
			dash := deep == column && resolve(v) != nil && v.Kind == yaml.SequenceNode && bytes.HasPrefix(trimmed, []byte("-"))
			if deep <= column && !dash {
				break
			}
			at = end
		}
		pos = end
	}
	head := string(text[start : start+column]) // blanks, or the dash of an item whose first key this is
	if lines == "" {
		if strings.TrimSpace(head) != "" {
			return nil
		}
		return [][]byte{splice(text, start, at, "")}
	}
	added := head + strings.TrimLeft(indent(lines, strings.Repeat(" ", column)), " ")
	if at > 0 && text[at-1] == '\n' {
		added += "\n"
	}
	return [][]byte{splice(text, start, at, strings.ReplaceAll(added, "\n", p.editor.eol))}
}

// morph applies to the value at path what differs between two renderings of it, old and new, and leaves all else alone:
// comments, order, keys that a rendering leaves out because they say the default.
func (e *yamlEditor) morph(path []step, before, after *node) error {
	for i := 0; i < len(before.Content); i += 2 {
		key := before.Content[i].Value
		if _, v := lookup((*yaml.Node)(after), key); v == nil {
			if err := e.drop(path, key); err != nil {
				return err
			}
		}
	}
	for i := 0; i < len(after.Content); i += 2 {
		key, value := after.Content[i].Value, after.Content[i+1]
		_, was := lookup((*yaml.Node)(before), key)
		if err := e.morphKey(path, key, (*node)(was), (*node)(value)); err != nil {
			return err
		}
	}
	return nil
}

func (e *yamlEditor) morphKey(path []step, key string, was, value *node) error {
	child := append(slices.Clone(path), step{key: key})
	switch {
	case was == nil || was.Kind != value.Kind:
		return e.set(path, key, value)
	case flowText(was) == flowText(value):
		return nil
	case value.Kind == yaml.MappingNode:
		return e.morph(child, was, value)
	}
	id := idKey(was, value)
	if id == "" {
		return e.set(path, key, value)
	}
	for _, item := range was.Content {
		_, name := lookup(item, id)
		if itemIndex((*yaml.Node)(value), step{id, name.Value}) < 0 {
			if err := e.pull(child, step{id, name.Value}); err != nil {
				return err
			}
		}
	}
	for _, item := range value.Content {
		_, name := lookup(item, id)
		i := itemIndex((*yaml.Node)(was), step{id, name.Value})
		if i < 0 {
			if err := e.push(child, (*node)(item)); err != nil {
				return err
			}
			continue
		}
		if err := e.morph(append(slices.Clone(child), step{id, name.Value}), (*node)(was.Content[i]), (*node)(item)); err != nil {
			return err
		}
	}
	return nil
}

// idKey is the key that tells the items of two lists apart: name or role; empty where none does.
func idKey(lists ...*node) string {
	for _, id := range []string{"name", "role"} {
		if !slices.ContainsFunc(lists, func(list *node) bool {
			seen := map[string]bool{}
			return list.Kind != yaml.SequenceNode || slices.ContainsFunc(list.Content, func(item *yaml.Node) bool {
				if item.Kind != yaml.MappingNode {
					return true
				}
				_, v := lookup(item, id)
				if v == nil || v.Value == "" || seen[v.Value] {
					return true
				}
				seen[v.Value] = true
				return false
			})
		}) {
			return id
		}
	}
	return ""
}
