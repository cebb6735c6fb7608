package metadata

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// plainReader reads the YAML that tools write: block mappings and lists, a scalar on one line. It takes a tenth of the
// time of the full parser, and gives up where that would have to think: other scalars, flow collections with something in
// them, comments behind a value.
//
// A reader may read several texts; what it has read before is not valid any more then.
type plainReader struct {
	lines    []plainLine
	at       int
	nodes    []yaml.Node  // in use, of those that there is room for
	pointers []*yaml.Node // the same, to children
	open     []*yaml.Node // children of the blocks around the present line
}

// plainLine is a line with something on it.
type plainLine struct {
	text   string // without the indentation
	indent int
	number int // from 1
}

// read returns the root node of a text, which must have no tabs, carriage returns or control characters.
func (r *plainReader) read(text string) (root *yaml.Node, ok bool) {
	clear(r.nodes)
	clear(r.pointers)
	r.lines, r.at, r.nodes, r.pointers, r.open = r.lines[:0], 0, r.nodes[:0], r.pointers[:0], r.open[:0]
	number := 0
	for line := range strings.SplitSeq(text, "\n") {
		number++
		rest := strings.TrimLeft(line, " ")
		if rest != "" && rest[0] != '#' {
			r.lines = append(r.lines, plainLine{text: strings.TrimRight(rest, " "), indent: len(line) - len(rest), number: number})
		}
	}
	if len(r.lines) == 0 {
		return nil, false
	}
	// A line has a key and a value, and a mapping where it begins an item. Where that is too few the nodes move, and those
	// that are pointed at stay.
	if usual := 3*len(r.lines) + 16; cap(r.nodes) < usual {
		r.nodes, r.pointers = make([]yaml.Node, 0, usual), make([]*yaml.Node, 0, usual)
	}
	root, ok = r.block(r.lines[0].indent)
	return root, ok && r.at == len(r.lines)
}

// node returns a new node on the present line.
func (r *plainReader) node(kind yaml.Kind) *yaml.Node {
	r.nodes = append(r.nodes, yaml.Node{Kind: kind, Line: r.lines[r.at].number})
	return &r.nodes[len(r.nodes)-1]
}

// adopt makes those that were opened after the first mark nodes the children of n.
func (r *plainReader) adopt(n *yaml.Node, mark int) {
	from := len(r.pointers)
	r.pointers = append(r.pointers, r.open[mark:]...)
	n.Content = r.pointers[from:len(r.pointers):len(r.pointers)]
	r.open = r.open[:mark]
}

// block reads what begins on the present line, which is indented by so much.
func (r *plainReader) block(indent int) (*yaml.Node, bool) {
	if indent > 2*maxYAMLDepth {
		return nil, false
	}
	if isItem(r.lines[r.at].text) {
		return r.list(indent)
	}
	return r.mapping(indent)
}

func isItem(text string) bool { return text == "-" || strings.HasPrefix(text, "- ") }

// list reads items at indent.
func (r *plainReader) list(indent int) (*yaml.Node, bool) {
	n := r.node(yaml.SequenceNode)
	n.Tag = "!!seq"
	mark := len(r.open)
	for r.at < len(r.lines) {
		line := &r.lines[r.at]
		if line.indent != indent || !isItem(line.text) {
			break
		}
		if len(line.text) < len("- x") || line.text[2] == ' ' || isItem(line.text[2:]) {
			return nil, false
		}
		// The item begins a block of its own behind the dash.
		line.text, line.indent = line.text[2:], indent+2
		var (
			item *yaml.Node
			ok   bool
		)
		if _, _, pair := cutPair(line.text); pair {
			item, ok = r.mapping(indent + 2)
		} else {
			item, ok = r.scalar(line.text, indent)
		}
		if !ok {
			return nil, false
		}
		r.open = append(r.open, item)
	}
	r.adopt(n, mark)
	return n, r.ends(indent)
}

// ends tells whether the present line does not belong to a block at indent that has ended before it.
func (r *plainReader) ends(indent int) bool {
	return r.at == len(r.lines) || r.lines[r.at].indent < indent
}

// mapping reads keys at indent.
func (r *plainReader) mapping(indent int) (*yaml.Node, bool) {
	n := r.node(yaml.MappingNode)
	n.Tag = "!!map"
	mark := len(r.open)
	for r.at < len(r.lines) && r.lines[r.at].indent == indent {
		key, value, ok := cutPair(r.lines[r.at].text)
		if !ok {
			return nil, false
		}
		k := r.node(yaml.ScalarNode)
		k.Tag, k.Value = "!!str", key
		v, ok := r.value(value, indent)
		if !ok {
			return nil, false
		}
		r.open = append(r.open, k, v)
	}
	r.adopt(n, mark)
	return n, r.ends(indent)
}

// value reads what stands behind a key at indent: text, or a block on the lines below.
func (r *plainReader) value(text string, indent int) (*yaml.Node, bool) {
	if text != "" {
		return r.scalar(text, indent)
	}
	if next := r.at + 1; next < len(r.lines) {
		below := r.lines[next]
		if below.indent > indent || below.indent == indent && isItem(below.text) {
			r.at++
			if below.indent == indent {
				return r.itemsOf(indent)
			}
			return r.block(below.indent)
		}
	}
	n := r.node(yaml.ScalarNode)
	n.Tag = "!!null"
	r.at++
	return n, true
}

// itemsOf reads a list that is indented as its key is; the next key ends it.
func (r *plainReader) itemsOf(indent int) (*yaml.Node, bool) {
	n, _ := r.list(indent)
	return n, n != nil && (r.at == len(r.lines) || r.lines[r.at].indent <= indent)
}

// scalar reads the rest of the present line. A line below that is indented deeper may go on with it.
func (r *plainReader) scalar(text string, indent int) (*yaml.Node, bool) {
	n := r.node(yaml.ScalarNode)
	switch last := len(text) - 1; {
	case text == "[]":
		n.Kind, n.Tag, n.Style = yaml.SequenceNode, "!!seq", yaml.FlowStyle
	case text == "{}":
		n.Kind, n.Tag, n.Style = yaml.MappingNode, "!!map", yaml.FlowStyle
	case text[0] == '\'':
		if last < 1 || text[last] != '\'' {
			return nil, false
		}
		inner := text[1:last]
		if strings.Contains(strings.ReplaceAll(inner, "''", ""), "'") {
			return nil, false
		}
		n.Tag, n.Style, n.Value = "!!str", yaml.SingleQuotedStyle, strings.ReplaceAll(inner, "''", "'")
	case text[0] == '"':
		if last < 1 || text[last] != '"' || strings.ContainsAny(text[1:last], `"\`) {
			return nil, false
		}
		n.Tag, n.Style, n.Value = "!!str", yaml.DoubleQuotedStyle, text[1:last]
	default:
		if n.Tag = plainTag(text); n.Tag == "" {
			return nil, false
		}
		n.Value = text
	}
	r.at++
	return n, r.at == len(r.lines) || r.lines[r.at].indent <= indent
}

// plainTag is the tag of a scalar without quotes; empty where the full parser is to say.
func plainTag(text string) string {
	c := text[0]
	letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '/'
	switch {
	case text == "true", text == "false":
		return "!!bool"
	case c >= '1' && c <= '9' && len(text) < 10 && strings.Trim(text, "0123456789") == "":
		return "!!int"
	case !letter, strings.Contains(text, ": "), strings.Contains(text, " #"), text[len(text)-1] == ':':
		return ""
	}
	if len(text) <= len("false") {
		switch strings.ToLower(text) {
		case "y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf":
			return ""
		}
	}
	return "!!str"
}

// maxPlainKey bounds a key. YAML has a bound of its own, above which it takes a key for something else.
const maxPlainKey = 200

// cutPair cuts "key: value" and "key:" where the key is a plain word.
func cutPair(text string) (key, value string, ok bool) {
	end := 0
	for end < len(text) && (nameLength(text[end:end+1]) > 0 || end > 0 && (text[end] == '-' || text[end] >= '0' && text[end] <= '9')) {
		end++
	}
	if end == 0 || end > maxPlainKey || end == len(text) || text[end] != ':' || plainTag(text[:end]) != "!!str" {
		return "", "", false
	}
	rest := text[end+1:]
	if rest != "" && rest[0] != ' ' {
		return "", "", false
	}
	return text[:end], strings.TrimLeft(rest, " "), true
}
