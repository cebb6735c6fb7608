package metadata

import (
	"bytes"
	"maps"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// RemoveAction takes an action out of the project's two files and returns their new contents by path relative to the
// project; it writes nothing. All else stays byte for byte, comments directly above the action excepted. Types stay,
// since others may use them. The result is checked as in [AddAction].
func RemoveAction(projectDir, name string) (map[string][]byte, error) {
	sdl, err := readFile(projectDir, SDLFile)
	if err != nil {
		return nil, err
	}
	text, err := readFile(projectDir, YAMLFile)
	if err != nil {
		return nil, err
	}
	newSDL, newYAML, err := removeAction(sdl, text, name)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{SDLFile: newSDL, YAMLFile: newYAML}, nil
}

func removeAction(sdl, text []byte, name string) (newSDL, newYAML []byte, err error) {
	before, err := editable(sdl, text)
	if err != nil {
		return nil, nil, err
	}
	want := *before
	want.Actions = slices.DeleteFunc(slices.Clone(before.Actions), func(a Action) bool { return a.Name == name })
	newSDL = cutActionSDL(string(sdl), name)
	e := &yamlEditor{text: text, eol: lineEnding(text)}
	found, err := e.removeItem("actions", name)
	if err != nil {
		return nil, nil, err
	}
	if !found && len(want.Actions) == len(before.Actions) {
		var names []string
		for _, a := range before.Actions {
			names = append(names, a.Name)
		}
		return nil, nil, invalidf("list them with \"nself action list\"", "there is no action %q%s", name, didYouMean(name, names))
	}
	return newSDL, e.text, sameMeaning(before, &want, parseActions(trimBOM(newSDL), trimBOM(e.text)))
}

// cutActionSDL removes the action's field, and its block where it is the only field.
func cutActionSDL(text, name string) []byte {
	for _, p := range cutSDL(text) {
		if !p.isRoot(Mutation) && !p.isRoot(Query) {
			continue
		}
		for _, f := range p.fields {
			if f.name != name {
				continue
			}
			if len(p.fields) == 1 {
				f = p
			}
			return cutLines(text, f.start, f.end)
		}
	}
	return []byte(text)
}

// cutLines removes a range, and the lines it leaves blank.
func cutLines(text string, start, end int) []byte {
	lineStart := strings.LastIndexByte(text[:start], '\n') + 1
	lineEnd := endOfLine([]byte(text), end)
	if strings.TrimSpace(text[lineStart:start]) == "" && strings.Trim(text[end:lineEnd], " \t\r\n,") == "" {
		start, end = lineStart, lineEnd
		// Of the blank lines around it one side is enough.
		if next := endOfLine([]byte(text), end); strings.TrimSpace(text[end:next]) == "" && next > end &&
			(start == 0 || strings.HasSuffix(strings.ReplaceAll(text[:start], "\r", ""), "\n\n")) {
			end = next
		}
	}
	return []byte(text[:start] + text[end:])
}

// removeItem removes the mapping with a name from a list at the root; found is false where there is none.
func (e *yamlEditor) removeItem(key, name string) (found bool, err error) {
	var ps Problems
	root := parseYAML(e.text, YAMLFile, &ps)
	if root == nil || root.Kind != yaml.MappingNode {
		return false, nil
	}
	keyNode, list := lookup(root, key)
	if list == nil || list.Kind != yaml.SequenceNode {
		return false, nil
	}
	i := slices.IndexFunc(list.Content, func(n *yaml.Node) bool {
		item := resolve(n)
		if item == nil || item.Kind != yaml.MappingNode {
			return false
		}
		_, v := lookup(item, "name")
		return v != nil && v.Value == name
	})
	if i < 0 {
		return false, nil
	}
	before, err := decodeAny(e.text)
	if err != nil {
		return true, err
	}
	want := withoutItem(before, key, i)
	p := &yamlPlace{editor: e}
	var candidates [][]byte
	if list.Style&yaml.FlowStyle != 0 {
		candidates = p.withoutFlow(list, i)
	} else {
		candidates = p.withoutBlock(keyNode, list, i)
	}
	for _, c := range candidates {
		if got, err := decodeAny(c); err == nil && reflect.DeepEqual(want, got) {
			e.text = c
			return true, nil
		}
	}
	return true, invalidf("remove the entry by hand", "%s: the entry of action %q cannot be removed safely", YAMLFile, name)
}

func withoutItem(v any, key string, i int) any {
	m, _ := v.(map[string]any)
	list, _ := m[key].([]any)
	out := map[string]any{}
	maps.Copy(out, m)
	out[key] = slices.Delete(slices.Clone(list), i, i+1)
	return out
}

// withoutBlock removes an entry's lines; the last entry leaves an empty list.
func (p *yamlPlace) withoutBlock(key, list *yaml.Node, i int) [][]byte {
	text := p.editor.text
	column := p.listIndent(list)
	start := p.dashLine(list.Content[i])
	end := p.blockEnd(list.Content[i], column)
	keyStart := p.offset(key.Line, key.Column)
	if start < keyStart { // a line break that only YAML knows, such as a lone carriage return
		return nil
	}
	without := splice(text, start, end, "")
	if len(list.Content) > 1 {
		return [][]byte{without}
	}
	colon := bytes.IndexByte(without[keyStart:], ':')
	if colon < 0 {
		return nil
	}
	at := keyStart + colon + 1
	return [][]byte{splice(without, at, at, " []")}
}

// dashLine is where the line with an entry's dash begins.
func (p *yamlPlace) dashLine(item *yaml.Node) int {
	text := p.editor.text
	for line := item.Line; line > 1; line-- {
		start := p.offset(line, 1)
		if bytes.HasPrefix(bytes.TrimLeft(text[start:], " "), []byte("-")) {
			return start
		}
	}
	return p.offset(item.Line, 1)
}

// blockEnd is the end of the last line that is indented deeper than the dash.
func (p *yamlPlace) blockEnd(item *yaml.Node, column int) int {
	text := p.editor.text
	at := endOfLine(text, p.offset(item.Line, item.Column))
	for pos := at; pos < len(text); {
		end := endOfLine(text, pos)
		line := text[pos:end]
		if len(bytes.TrimSpace(line)) > 0 {
			if len(line)-len(bytes.TrimLeft(line, " ")) <= column {
				break
			}
			at = end
		}
		pos = end
	}
	return at
}

// withoutFlow removes an element and the comma beside it.
func (p *yamlPlace) withoutFlow(list *yaml.Node, i int) [][]byte {
	text := p.editor.text
	at := func(i int) int { return p.offset(list.Content[i].Line, list.Content[i].Column) }
	end := min(flowEnd(text, at(i))+1, len(text))
	switch {
	case i+1 < len(list.Content):
		return [][]byte{splice(text, at(i), at(i+1), "")}
	case i > 0:
		return [][]byte{splice(text, min(flowEnd(text, at(i-1))+1, end), end, "")}
	}
	out := [][]byte{splice(text, at(i), end, "")}
	if comma := bytes.IndexByte(text[end:], ','); comma >= 0 {
		out = append(out, splice(text, at(i), end+comma+1, ""))
	}
	return out
}
