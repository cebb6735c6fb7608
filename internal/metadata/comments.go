package metadata

import (
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// rewriting is how a file came to say something else.
type rewriting int

const (
	bare      rewriting = iota // its comments are lost
	rewritten                  // written anew, each comment at what it stood at
	inPlace                    // only what differs was touched
)

// rewriteYAML writes what n says in the place of old, with as many of old's comments as there can be.
func rewriteYAML(old []byte, n *node) (text []byte, how rewriting, err error) {
	text, err = n.text()
	if err != nil {
		return nil, bare, err
	}
	want, err := decodeAny(text)
	if err != nil {
		return nil, bare, err
	}
	old = trimBOM(old)
	var ps Problems
	root := parseYAML(old, "", &ps)
	if root == nil {
		return append(slices.Clone(old), text...), inPlace, nil // nothing but comments
	}
	if countComments(old) == 0 {
		how = rewritten
	}
	most := -1
	for _, c := range []struct {
		text []byte
		how  rewriting
	}{{morphed(old, root, n), inPlace}, {grafted(old, n), rewritten}} {
		got, err := decodeAny(c.text)
		if c.text == nil || err != nil || !reflect.DeepEqual(want, got) {
			continue
		}
		if count := countComments(c.text); count > most {
			text, how, most = c.text, c.how, count
		}
	}
	return text, how, nil
}

// morphed changes only what differs in a file that is a mapping; nil where that cannot be done safely.
func morphed(old []byte, root *yaml.Node, n *node) []byte {
	if root = resolve(root); root.Kind != yaml.MappingNode || n.Kind != yaml.MappingNode {
		return nil
	}
	r := yamlReader{ps: &Problems{}}
	before, err := jsonNode(r.raw(root, ""))
	if err != nil || len(*r.ps) > 0 {
		return nil
	}
	e := &yamlEditor{text: slices.Clone(old), eol: lineEnding(old)}
	if e.morph(nil, before, n) != nil {
		return nil
	}
	return e.text
}

// grafted writes n with the comments, and the styles, of the nodes of old that it has; nil where old cannot be read.
func grafted(old []byte, n *node) []byte {
	var doc yaml.Node
	if yaml.Unmarshal(old, &doc) != nil || len(doc.Content) != 1 {
		return nil
	}
	out := yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{graft(doc.Content[0], (*yaml.Node)(n))}}
	takeComments(&out, &doc)
	text, err := (*node)(&out).text()
	if err != nil {
		return nil
	}
	return text
}

// graft returns fresh with the comments of old: those of equal keys, and of the items of lists that are the same.
func graft(old, fresh *yaml.Node) *yaml.Node {
	out := *fresh
	takeComments(&out, old)
	if old = resolve(old); old == nil || old.Kind != fresh.Kind {
		return &out
	}
	if old.Kind != yaml.ScalarNode || old.Value == fresh.Value {
		out.Style = old.Style &^ yaml.TaggedStyle
	}
	out.Content = nil
	switch {
	case len(fresh.Content) == 0:
		out.Style = fresh.Style | out.Style&^yaml.FlowStyle
	case fresh.Kind == yaml.MappingNode:
		graftKeys(&out, old, fresh)
	default:
		for i, was := range sameItems(old.Content, fresh.Content) {
			item := fresh.Content[i]
			if was != nil {
				item = graft(was, item)
			}
			out.Content = append(out.Content, item)
		}
	}
	return &out
}

// graftKeys gives out the keys of fresh: first those that old has, in its order.
func graftKeys(out, old, fresh *yaml.Node) {
	for i := 0; i+1 < len(old.Content); i += 2 {
		k, v := lookup(fresh, old.Content[i].Value)
		if v == nil {
			continue
		}
		key := *k
		takeComments(&key, old.Content[i])
		out.Content = append(out.Content, &key, graft(old.Content[i+1], v))
	}
	for i := 0; i+1 < len(fresh.Content); i += 2 {
		if _, v := lookup(old, fresh.Content[i].Value); v == nil {
			out.Content = append(out.Content, fresh.Content[i], fresh.Content[i+1])
		}
	}
}

// itemKeys are those that tell what an item of one of Hasura's lists is about.
func itemKeys() []string {
	return []string{"name", "role", "role_name", "table", "function", "collection", "remote_table", "type", "url"}
}

// sameItems finds the item of the old list that each of the new ones is; nil where none is. In lists of equal length what
// is left stands for what is in its place: it was renamed.
func sameItems(old, fresh []*yaml.Node) []*yaml.Node {
	taken := make([]bool, len(old))
	same := make([]*yaml.Node, len(fresh))
	for i, item := range fresh {
		if at := sameItem(old, taken, item); at >= 0 {
			taken[at], same[i] = true, old[at]
		}
	}
	for i := range fresh {
		if len(old) == len(fresh) && same[i] == nil && !taken[i] {
			same[i] = old[i]
		}
	}
	return same
}

// sameItem finds the item of the old list that the new one is: an equal one, else one with the same name, role or table.
func sameItem(list []*yaml.Node, taken []bool, item *yaml.Node) int {
	text := func(n *yaml.Node) string { return flowText((*node)(n)) }
	for i, n := range list {
		if n = resolve(n); !taken[i] && n != nil && n.Kind == item.Kind && text(n) == text(item) {
			return i
		}
	}
	if item.Kind != yaml.MappingNode {
		return -1
	}
	for _, key := range itemKeys() {
		_, want := lookup(item, key)
		if want == nil {
			continue
		}
		for i, n := range list {
			if n = resolve(n); taken[i] || n == nil || n.Kind != yaml.MappingNode {
				continue
			}
			if _, v := lookup(n, key); v != nil && text(v) == text(want) {
				return i
			}
		}
		return -1
	}
	return -1
}

func takeComments(to, from *yaml.Node) {
	to.HeadComment, to.LineComment, to.FootComment = from.HeadComment, from.LineComment, from.FootComment
}

// countComments counts the lines of comments in a YAML document.
func countComments(text []byte) int {
	var doc yaml.Node
	if yaml.Unmarshal(text, &doc) != nil {
		return 0
	}
	var count func(n *yaml.Node) int
	count = func(n *yaml.Node) int {
		sum := 0
		for _, c := range []string{n.HeadComment, n.LineComment, n.FootComment} {
			sum += strings.Count(c, "#")
		}
		for _, child := range n.Content {
			sum += count(child)
		}
		return sum
	}
	return count(&doc)
}

// rewrittenSDL writes the actions and types of fresh, a whole file, in the place of those of old. What both have keeps its
// comments and its place; what is new stands at the end.
func rewrittenSDL(old, fresh string) string {
	eol := lineEnding([]byte(old))
	now := indexSDL(fresh)
	for name, p := range indexSDL(old) {
		if _, stays := now[name]; stays {
			continue
		}
		if p.keyword == "" {
			old = string(cutActionSDL(old, p.name))
		} else {
			old = cutTypeSDL(old, p.name)
		}
	}
	var edits []sdlEdit
	had := indexSDL(old)
	for name, p := range had {
		f := now[name]
		switch {
		case p.keyword == "":
			edits = append(edits, replacePiece(old, p, dedent(fresh, f)))
		case bareSDL(old[p.start:p.end]) != bareSDL(fresh[f.start:f.end]):
			edits = append(edits, sdlEdit{p.start, p.end, mergePieces(old, p, fresh, f)})
		}
	}
	slices.SortFunc(edits, func(a, b sdlEdit) int { return b.start - a.start })
	text := old
	for _, e := range edits {
		text = text[:e.start] + strings.ReplaceAll(strings.ReplaceAll(e.with, "\r\n", "\n"), "\n", eol) + text[e.end:]
	}
	var added strings.Builder
	for _, p := range cutSDL(fresh) {
		if !p.isRoot(Mutation) && !p.isRoot(Query) {
			if _, ok := had[p.name]; !ok {
				added.WriteString("\n" + fresh[p.start:p.end] + "\n")
			}
			continue
		}
		for _, field := range p.fields {
			if _, ok := had[p.name+"."+field.name]; !ok {
				added.WriteString("\ntype " + p.name + " {\n" + indent(dedent(fresh, field), "  ") + "\n}\n")
			}
		}
	}
	if added.Len() > 0 && text != "" && !strings.HasSuffix(text, "\n") {
		text += eol
	}
	return text + strings.ReplaceAll(added.String(), "\n", eol)
}

// indexSDL finds the types of a text by name, and its actions by Mutation.name or Query.name.
func indexSDL(text string) map[string]sdlPiece {
	index := map[string]sdlPiece{}
	for _, p := range cutSDL(text) {
		switch {
		case p.isRoot(Mutation), p.isRoot(Query):
			for _, field := range p.fields {
				index[p.name+"."+field.name] = field
			}
		case !p.extend && p.keyword != "directive" && p.keyword != "schema":
			index[p.name] = p
		}
	}
	return index
}

// yamlNode reads a file that was rendered before.
func yamlNode(text []byte) (*node, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil || len(doc.Content) == 0 {
		return nil, err
	}
	return (*node)(doc.Content[0]), nil
}
