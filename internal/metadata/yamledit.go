package metadata

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// yamlEditor changes YAML by putting text between its bytes, so that comments, quoting and order stay as they are.
type yamlEditor struct {
	text []byte
	eol  string
}

// appendItem appends a mapping to the list at path, and creates what is missing on the way. Where the place for the
// new text is a matter of reading (a comment or a text block at the end can belong to either side), each place is
// tried, and the first whose outcome reads as the old content plus the item is taken.
func (e *yamlEditor) appendItem(path []string, item *node) error {
	return e.appendItems(path, []*node{item})
}

// appendItems is appendItem for several at once, which reads the file once.
func (e *yamlEditor) appendItems(path []string, items []*node) error {
	if len(items) == 0 {
		return nil
	}
	before, err := decodeAny(e.text)
	if err != nil {
		return err
	}
	want := before
	p := &yamlPlace{editor: e}
	for _, item := range items {
		entry, err := item.text()
		if err != nil {
			return err
		}
		added, err := decodeAny(entry)
		if err != nil {
			return err
		}
		var ok bool
		if want, ok = withItem(want, path, added); !ok {
			return invalidf("edit the file by hand", "%s: %s is not a list", YAMLFile, strings.Join(path, "."))
		}
		p.add(string(entry), flowText(item))
	}
	for _, candidate := range p.candidates(path) {
		got, err := decodeAny(candidate)
		if err == nil && reflect.DeepEqual(want, got) {
			e.text = candidate
			return nil
		}
	}
	return invalidf("write the lists in block style, one \"- name:\" per entry, or edit the file by hand",
		"%s: %s is written in a way that cannot be extended safely", YAMLFile, strings.Join(path, "."))
}

// decodeAny reads the first document; an empty one is nil.
func decodeAny(text []byte) (any, error) {
	var v any
	err := yaml.NewDecoder(bytes.NewReader(text)).Decode(&v)
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	return v, err
}

// withItem is the meaning of the edit: a copy of v whose list at path ends with item.
func withItem(v any, path []string, item any) (any, bool) {
	if len(path) == 0 {
		list, ok := v.([]any)
		if !ok && v != nil {
			return nil, false
		}
		return append(append([]any{}, list...), item), true
	}
	m, ok := v.(map[string]any)
	if !ok && v != nil {
		return nil, false
	}
	out := map[string]any{}
	maps.Copy(out, m)
	child, ok := withItem(m[path[0]], path[1:], item)
	out[path[0]] = child
	return out, ok
}

// flowText writes the item as JSON, for lists in flow style.
func flowText(item *node) string {
	r := yamlReader{ps: &Problems{}}
	return string(r.raw((*yaml.Node)(item), ""))
}

// yamlPlace finds the places where an item can go.
type yamlPlace struct {
	editor *yamlEditor
	lines  string // the items in block style, each with its dash, from column zero
	json   string // the items in flow style
}

// add takes an item in both styles.
func (p *yamlPlace) add(entry, json string) {
	if p.lines != "" {
		p.lines += "\n"
		p.json += ", "
	}
	p.lines += listItem(strings.TrimSuffix(entry, "\n"))
	p.json += json
}

func (p *yamlPlace) candidates(path []string) [][]byte {
	var ps Problems
	root := parseYAML(p.editor.text, YAMLFile, &ps)
	if root == nil || root.Kind == yaml.ScalarNode && root.Tag == "!!null" && root.Value == "" {
		return [][]byte{p.insertLines(len(p.editor.text), 0, p.block(path))}
	}
	flow := false
	for cur := root; ; {
		if cur.Kind == yaml.MappingNode && len(path) > 0 {
			flow = flow || cur.Style&yaml.FlowStyle != 0
			key, val := lookup(cur, path[0])
			if val == nil {
				return p.intoMapping(cur, path, flow)
			}
			path = path[1:]
			if val.Kind == yaml.ScalarNode || len(val.Content) == 0 && val.Kind != yaml.AliasNode {
				return p.intoEmpty(key, val, path, flow)
			}
			cur = val
			continue
		}
		if cur.Kind == yaml.SequenceNode && len(path) == 0 {
			if cur.Style&yaml.FlowStyle != 0 {
				return p.beforeBracket(cur, p.json)
			}
			return p.intoBlock(cur, p.listIndent(cur), p.lines)
		}
		return nil
	}
}

func lookup(m *yaml.Node, key string) (k, v *yaml.Node) {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			return m.Content[i], m.Content[i+1]
		}
	}
	return nil, nil
}

// listItem puts the dash before an entry.
func listItem(entry string) string { return "- " + strings.TrimPrefix(indent(entry, "  "), "  ") }

// block is the item inside the keys of path, in block style.
func (p *yamlPlace) block(path []string) string {
	text := p.lines
	for _, p := range slices.Backward(path) {
		text = p + ":\n" + indent(text, "  ")
	}
	return text
}

// flowBlock is the item inside the keys of path, in flow style.
func (p *yamlPlace) flowBlock(path []string) string {
	text := "[" + p.json + "]"
	for _, p := range slices.Backward(path) {
		text = "{" + string(mustJSON(p)) + ": " + text + "}"
	}
	return text
}

// intoMapping adds a key that is missing.
func (p *yamlPlace) intoMapping(m *yaml.Node, path []string, flow bool) [][]byte {
	if flow {
		pair := p.flowBlock(path)
		return p.beforeBracket(m, pair[1:len(pair)-1])
	}
	column := p.column(m.Content[0])
	out := p.intoBlock(m, column, p.block(path))
	if column == 0 { // at the very end first, behind comments that close the file
		out = append([][]byte{p.insertLines(len(p.editor.text), 0, p.block(path))}, out...)
	}
	return out
}

// intoEmpty fills a value that is null, [] or {}.
func (p *yamlPlace) intoEmpty(key, val *yaml.Node, path []string, flow bool) [][]byte {
	text := p.editor.text
	start := p.offset(val.Line, val.Column)
	var end int
	switch {
	case val.Kind == yaml.ScalarNode && val.Value == "":
		start = p.offset(key.Line, key.Column)
		if i := bytes.IndexByte(text[start:], ':'); i >= 0 {
			start += i + 1
		}
		end = start
	case val.Kind == yaml.ScalarNode:
		end = start + len(val.Value)
	default:
		end = flowEnd(text, start) + 1
	}
	if end > len(text) || end < start {
		return nil
	}
	if flow {
		block := p.flowBlock(path)
		if start == end {
			block = " " + block // behind the key's colon
		}
		return [][]byte{splice(text, start, end, block)}
	}
	without := splice(text, start, end, "")
	lineEnd := endOfLine(without, start)
	if len(bytes.TrimSpace(without[start:lineEnd])) == 0 { // no blanks at the end of the key's line
		from := len(bytes.TrimRight(without[:start], " \t"))
		without = splice(without, from, start+len(bytes.TrimRight(without[start:lineEnd], "\r\n")), "")
		lineEnd = endOfLine(without, from)
	}
	q := &yamlPlace{editor: &yamlEditor{text: without, eol: p.editor.eol}, lines: p.lines, json: p.json}
	return [][]byte{q.insertLines(lineEnd, p.column(key)+2, p.block(path))}
}

// intoBlock adds lines at the end of a block that begins at a column. All following lines that are indented deeper are
// part of it; blank lines behind them can be, when a text block keeps them.
func (p *yamlPlace) intoBlock(n *yaml.Node, column int, lines string) [][]byte {
	text := p.editor.text
	last := n.Content[len(n.Content)-1]
	at := endOfLine(text, p.offset(last.Line, last.Column))
	withBlanks := at
	for pos := at; pos < len(text); {
		end := endOfLine(text, pos)
		line := bytes.TrimRight(text[pos:end], "\r\n")
		trimmed := bytes.TrimLeft(line, " ")
		deeper := len(line)-len(trimmed) > column
		if len(bytes.TrimSpace(line)) > 0 {
			if !deeper {
				break
			}
			at = end
		}
		withBlanks = end
		pos = end
	}
	out := [][]byte{p.insertLines(at, column, lines)}
	if withBlanks != at {
		out = append(out, p.insertLines(withBlanks, column, lines))
	}
	return out
}

// listIndent is the column of a block list's dashes.
func (p *yamlPlace) listIndent(n *yaml.Node) int {
	text := p.editor.text
	item := n.Content[len(n.Content)-1]
	for line := item.Line; line > 0; line-- {
		start := p.offset(line, 1)
		rest := bytes.TrimLeft(text[start:endOfLine(text, start)], " ")
		if bytes.HasPrefix(rest, []byte("-")) {
			return endOfLine(text, start) - start - len(rest)
		}
	}
	return n.Column - 1
}

// beforeBracket adds an element at the end of a flow list or mapping.
func (p *yamlPlace) beforeBracket(n *yaml.Node, element string) [][]byte {
	text := p.editor.text
	end := flowEnd(text, p.offset(n.Line, n.Column))
	if end >= len(text) {
		return nil
	}
	at := len(bytes.TrimRight(text[:end], " \t\r\n"))
	comma := ", "
	if len(n.Content) == 0 {
		comma = ""
	}
	// A comma may be there already. One of the candidates has the meaning wanted.
	return [][]byte{
		splice(text, at, at, comma+element), splice(text, at, at, " "+element),
		splice(text, end, end, comma+element), splice(text, end, end, " "+element),
	}
}

// flowEnd returns the place of the bracket that closes the one at start.
func flowEnd(text []byte, start int) int {
	depth := 0
	opens := true // a quote opens a string only where a value can begin
	for i := start; i < len(text); i++ {
		switch c := text[i]; {
		case c == '[' || c == '{':
			depth++
			opens = true
		case c == ']' || c == '}':
			depth--
			if depth == 0 {
				return i
			}
			opens = false
		case c == ',' || c == ':':
			opens = true
		case c == '#' && i > 0 && strings.IndexByte(" \t\r\n", text[i-1]) >= 0:
			for i+1 < len(text) && text[i+1] != '\n' {
				i++
			}
		case (c == '"' || c == '\'') && opens:
			i = quoteEnd(text, i)
			opens = false
		case strings.IndexByte(" \t\r\n", c) < 0:
			opens = false
		}
	}
	return len(text)
}

func quoteEnd(text []byte, start int) int {
	for i := start + 1; i < len(text); i++ {
		switch {
		case text[start] == '"' && text[i] == '\\':
			i++
		case text[start] == '\'' && bytes.HasPrefix(text[i:], []byte("''")):
			i++
		case text[i] == text[start]:
			return i
		}
	}
	return len(text)
}

// insertLines puts whole lines at the start of a line, or behind a last line that lacks its end.
func (p *yamlPlace) insertLines(at, column int, lines string) []byte {
	text := p.editor.text
	added := indent(lines, strings.Repeat(" ", column)) + "\n"
	if at > 0 && text[at-1] != '\n' {
		added = "\n" + added
	}
	return splice(text, at, at, strings.ReplaceAll(added, "\n", p.editor.eol))
}

func splice(text []byte, start, end int, with string) []byte {
	return fmt.Appendf(nil, "%s%s%s", text[:start], with, text[end:])
}

// endOfLine is the start of the line after the one that holds pos.
func endOfLine(text []byte, pos int) int {
	if i := bytes.IndexByte(text[pos:], '\n'); i >= 0 {
		return pos + i + 1
	}
	return len(text)
}

// offset turns a line and a column, both from 1 and in characters, into a place in bytes.
func (p *yamlPlace) offset(line, column int) int {
	text := p.editor.text
	pos := 0
	for ; line > 1 && pos < len(text); line-- {
		pos = endOfLine(text, pos)
	}
	for ; column > 1 && pos < len(text); column-- {
		_, size := utf8.DecodeRune(text[pos:])
		pos += size
	}
	return pos
}

// column is the indentation of a key, from 0.
func (p *yamlPlace) column(n *yaml.Node) int { return n.Column - 1 }
