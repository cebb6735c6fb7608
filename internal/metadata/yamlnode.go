package metadata

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// maxYAMLNodes, beside a file's size, and maxYAMLDepth bound what it can expand to: aliases make small files large.
const (
	maxYAMLNodes = 200_000
	maxYAMLDepth = 200
)

// yamlReader walks YAML nodes and notes what does not fit, with the line.
type yamlReader struct {
	file string
	ps   *Problems
	// include reads the file that `!include path` names; nil where a file has no such thing.
	include func(path string, pos Pos) json.RawMessage
	line    int // lines of the file before the text
	size    int // bytes of the text
	nodes   int
}

// yamlPair is one entry of a mapping.
type yamlPair struct {
	key   string
	pos   Pos
	value *yaml.Node
}

var yamlLine = regexp.MustCompile(`^yaml: (?:unmarshal errors:\n\s*)?line (\d+): `)

// parseYAML returns the root node of the first document; nil for an empty one.
func parseYAML(text []byte, file string, ps *Problems) *yaml.Node {
	var doc yaml.Node
	err := yaml.NewDecoder(bytes.NewReader(text)).Decode(&doc)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		pos, msg := Pos{File: file}, err.Error()
		if m := yamlLine.FindStringSubmatch(msg); m != nil {
			pos.Line, _ = strconv.Atoi(m[1])
			msg = msg[len(m[0]):]
		} else {
			msg = string(bytes.TrimPrefix([]byte(msg), []byte("yaml: ")))
		}
		ps.errorf(pos, "syntax: %s", msg).hint("check indentation, quotes and brackets there and in the lines above")
		return nil
	}
	if len(doc.Content) == 0 {
		return nil
	}
	return doc.Content[0]
}

func (r *yamlReader) pos(n *yaml.Node) Pos { return Pos{File: r.file, Line: r.line + n.Line} }

// resolve follows an alias.
func resolve(n *yaml.Node) *yaml.Node {
	for range maxYAMLDepth {
		if n == nil || n.Kind != yaml.AliasNode {
			return n
		}
		n = n.Alias
	}
	return nil
}

func isNull(n *yaml.Node) bool {
	n = resolve(n)
	return n == nil || n.Kind == yaml.ScalarNode && n.Tag == "!!null"
}

// mapping returns the entries of a mapping in order, merge keys expanded; a null is an empty one. ok is false, and a
// problem is noted, when n is something else.
func (r *yamlReader) mapping(n *yaml.Node, what string) (pairs []yamlPair, ok bool) {
	return r.mappingAt(n, what, 0)
}

func (r *yamlReader) mappingAt(n *yaml.Node, what string, depth int) (pairs []yamlPair, ok bool) {
	if isNull(n) {
		return nil, true
	}
	node := resolve(n)
	if node.Kind != yaml.MappingNode || depth > maxYAMLDepth {
		r.ps.errorf(r.pos(n), "%s: expected a mapping, found %s", what, describe(node))
		return nil, false
	}
	seen := map[string]int{}
	var merged []yamlPair
	for i := 0; i+1 < len(node.Content); i += 2 {
		k, v := resolve(node.Content[i]), node.Content[i+1]
		if k == nil || k.Kind != yaml.ScalarNode {
			r.ps.errorf(r.pos(node.Content[i]), "%s: a key must be a word", what)
			continue
		}
		if k.Tag == "!!merge" {
			merged = append(merged, r.merge(v, what, depth)...)
			continue
		}
		if first, dup := seen[k.Value]; dup {
			r.ps.errorf(r.pos(k), "%s: key %q stands here twice, first on line %d", what, k.Value, first).hint("remove one of the two")
			continue
		}
		seen[k.Value] = r.line + k.Line
		pairs = append(pairs, yamlPair{key: k.Value, pos: r.pos(k), value: v})
	}
	for _, p := range merged {
		if _, own := seen[p.key]; !own {
			seen[p.key] = p.pos.Line
			pairs = append(pairs, p)
		}
	}
	return pairs, true
}

// merge returns the entries of a merge key's value: a mapping, or a list of mappings of which earlier ones win.
func (r *yamlReader) merge(v *yaml.Node, what string, depth int) []yamlPair {
	node := resolve(v)
	if node == nil || r.spend(v, what) {
		return nil
	}
	if node.Kind != yaml.SequenceNode {
		pairs, _ := r.mappingAt(v, what, depth+1)
		return pairs
	}
	var out []yamlPair
	for _, item := range node.Content {
		pairs, _ := r.mappingAt(item, what, depth+1)
		out = append(out, pairs...)
	}
	return out
}

// list returns the elements of a list; a null is an empty one.
func (r *yamlReader) list(n *yaml.Node, what string) []*yaml.Node {
	if isNull(n) {
		return nil
	}
	node := resolve(n)
	if node.Kind != yaml.SequenceNode {
		r.ps.errorf(r.pos(n), "%s: expected a list, found %s", what, describe(node))
		return nil
	}
	return node.Content
}

// text returns a string. A number or a boolean without quotes is a problem, since Hasura refuses it.
func (r *yamlReader) text(n *yaml.Node, what string) string {
	if isNull(n) {
		return ""
	}
	node := resolve(n)
	if node.Kind != yaml.ScalarNode {
		r.ps.errorf(r.pos(n), "%s: expected a string, found %s", what, describe(node))
		return ""
	}
	if node.Tag == "!!int" || node.Tag == "!!float" || node.Tag == "!!bool" {
		r.ps.errorf(r.pos(n), "%s: expected a string, found %s", what, describe(node)).hint("write \"%s\" in quotes", node.Value)
		return ""
	}
	return node.Value
}

func (r *yamlReader) boolean(n *yaml.Node, what string) bool {
	if isNull(n) {
		return false
	}
	var b bool
	if node := resolve(n); node.Kind != yaml.ScalarNode || node.Tag != "!!bool" || node.Decode(&b) != nil {
		r.ps.errorf(r.pos(n), "%s: expected true or false, found %s", what, describe(node))
	}
	return b
}

// integer returns a whole number; ok is false for a null, and for anything else, which is a problem.
func (r *yamlReader) integer(n *yaml.Node, what string) (i int, ok bool) {
	if isNull(n) {
		return 0, false
	}
	if node := resolve(n); node.Kind != yaml.ScalarNode || node.Tag != "!!int" || node.Decode(&i) != nil {
		r.ps.errorf(r.pos(n), "%s: expected a whole number, found %s", what, describe(node))
		return 0, false
	}
	return i, true
}

// unknown warns about a key that has no meaning here.
func (r *yamlReader) unknown(p yamlPair, what string, known []string) {
	r.ps.warnf(p.pos, "%s: unknown key %q%s", what, p.key, didYouMean(p.key, known))
}

// spend counts a visited node and notes when the file is too large to expand.
func (r *yamlReader) spend(n *yaml.Node, what string) (exhausted bool) {
	r.nodes++
	limit := maxYAMLNodes + r.size // a file without aliases never gets there
	if r.nodes == limit {
		r.ps.errorf(r.pos(n), "%s: the file's aliases expand to more than %d values", what, limit).hint("write the values out instead of aliases")
	}
	return r.nodes >= limit
}

// raw turns any value into JSON, keys in the file's order; nil for null.
func (r *yamlReader) raw(n *yaml.Node, what string) json.RawMessage {
	if isNull(n) {
		return nil
	}
	var b bytes.Buffer
	if !r.writeJSON(&b, n, what, 0) {
		return nil
	}
	return b.Bytes()
}

func (r *yamlReader) writeJSON(b *bytes.Buffer, n *yaml.Node, what string, depth int) bool {
	if depth > maxYAMLDepth {
		r.ps.errorf(r.pos(n), "%s: nested more than %d deep", what, maxYAMLDepth)
		return false
	}
	if r.spend(n, what) {
		return false
	}
	node := resolve(n)
	if node == nil {
		b.WriteString("null")
		return true
	}
	switch node.Kind {
	case yaml.MappingNode:
		pairs, ok := r.mapping(node, what)
		if !ok {
			return false
		}
		b.WriteByte('{')
		for i, p := range pairs {
			if i > 0 {
				b.WriteByte(',')
			}
			b.Write(mustJSON(p.key))
			b.WriteByte(':')
			if !r.writeJSON(b, p.value, what+"."+p.key, depth+1) {
				return false
			}
		}
		b.WriteByte('}')
		return true
	case yaml.SequenceNode:
		b.WriteByte('[')
		for i, item := range node.Content {
			if i > 0 {
				b.WriteByte(',')
			}
			if !r.writeJSON(b, item, fmt.Sprintf("%s[%d]", what, i), depth+1) {
				return false
			}
		}
		b.WriteByte(']')
		return true
	default:
		return r.writeScalar(b, node, what)
	}
}

var includePattern = regexp.MustCompile(`^!include\s+(\S.*)$`)

func (r *yamlReader) writeScalar(b *bytes.Buffer, node *yaml.Node, what string) bool {
	path := ""
	if node.Tag == "!include" {
		path = node.Value
	} else if m := includePattern.FindStringSubmatch(node.Value); m != nil && node.Tag == "!!str" {
		path = m[1]
	}
	if path != "" && r.include != nil {
		data := r.include(path, r.pos(node))
		if data == nil { // empty, or a problem that has been noted: the rest of the file is worth reading
			data = json.RawMessage("null")
		}
		b.Write(data)
		return true
	}
	var v any
	switch node.Tag {
	case "!!null", "!!bool", "!!int", "!!float":
		if err := node.Decode(&v); err != nil {
			r.ps.errorf(r.pos(node), "%s: %q cannot be read: %v", what, node.Value, err)
			return false
		}
		if f, ok := v.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
			v = node.Value
		}
	default: // a string; a date is one too, since JSON has no dates
		v = node.Value
	}
	b.Write(mustJSON(v))
	return true
}

func describe(n *yaml.Node) string {
	if n == nil {
		return "a reference to itself"
	}
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.Tag {
	case "!!int", "!!float":
		return "the number " + n.Value
	case "!!bool":
		return "the boolean " + n.Value
	default:
		return strconv.Quote(n.Value)
	}
}

// mustJSON encodes scalars, maps and slices of them, which cannot fail, without escaping HTML.
func mustJSON(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(fmt.Sprintf("metadata: encode %T: %v", v, err)) // only a type that cannot be JSON, a fault of this package
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
