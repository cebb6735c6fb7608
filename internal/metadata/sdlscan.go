package metadata

import (
	"slices"
	"strings"
)

// sdlToken is a token of SDL with its place in bytes. The GraphQL parser counts runes and drops where things end, which
// is not enough to cut text out; it has accepted the text before the scanner sees it.
type sdlToken struct {
	kind       tokenKind
	start, end int
}

type tokenKind byte

const (
	tokenName tokenKind = iota
	tokenString
	tokenComment
	tokenOther // punctuators and numbers, a byte at a time
)

func scanSDL(text string) []sdlToken {
	var out []sdlToken
	for i := 0; i < len(text); {
		start := i
		kind := tokenOther
		switch c := text[i]; {
		case strings.IndexByte(" \t\r\n,", c) >= 0:
			i++
			continue
		case strings.HasPrefix(text[i:], "\uFEFF"):
			i += len("\uFEFF")
			continue
		case c == '#':
			kind = tokenComment
			for i < len(text) && text[i] != '\n' && text[i] != '\r' {
				i++
			}
		case c == '"':
			kind = tokenString
			i = stringEnd(text, i)
		case nameLength(text[i:i+1]) > 0:
			kind = tokenName
			i += nameLength(text[i:])
		default:
			i++
		}
		out = append(out, sdlToken{kind: kind, start: start, end: i})
	}
	return out
}

// stringEnd returns where the string that starts at i ends.
func stringEnd(text string, i int) int {
	quote := `"`
	if strings.HasPrefix(text[i:], `"""`) {
		quote = `"""`
	}
	for i += len(quote); i < len(text); {
		switch {
		case quote == `"""` && strings.HasPrefix(text[i:], `\"""`):
			i += 4
		case quote == `"` && text[i] == '\\':
			i += 2
		case strings.HasPrefix(text[i:], quote):
			return i + len(quote)
		default:
			i++
		}
	}
	return len(text)
}

// sdlPiece is a definition, or a field of one: the bytes from its comments and description to its end.
type sdlPiece struct {
	keyword    string // type, input, ...; empty for a field
	extend     bool
	name       string
	start, end int
	// open and shut are the places of the braces; zero without any.
	open, shut int
	fields     []sdlPiece // of types, inputs and enums
}

func (p *sdlPiece) isRoot(typ ActionType) bool {
	name := "Mutation"
	if typ == Query {
		name = "Query"
	}
	return p.keyword == "type" && p.name == name
}

// sdlCutter walks the tokens of a document that the GraphQL parser has accepted.
type sdlCutter struct {
	text string
	all  []sdlToken
	toks []sdlToken // all without comments
	i    int
}

func newCutter(text string) *sdlCutter {
	c := &sdlCutter{text: text, all: scanSDL(text)}
	c.toks = slices.DeleteFunc(slices.Clone(c.all), func(t sdlToken) bool { return t.kind == tokenComment })
	return c
}

// cutSDL returns the definitions of a document in order.
func cutSDL(text string) []sdlPiece {
	c := newCutter(text)
	var out []sdlPiece
	for c.i < len(c.toks) {
		out = append(out, c.definition())
	}
	return out
}

func (c *sdlCutter) peek() string {
	if c.i >= len(c.toks) {
		return ""
	}
	return c.text[c.toks[c.i].start:c.toks[c.i].end]
}

func (c *sdlCutter) next() string {
	s := c.peek()
	c.i++
	return s
}

func (c *sdlCutter) definition() sdlPiece {
	first := c.i
	if c.toks[c.i].kind == tokenString {
		c.i++
	}
	var p sdlPiece
	p.keyword = c.next()
	if p.keyword == "extend" {
		p.extend = true
		p.keyword = c.next()
	}
	if p.keyword != "schema" {
		if p.keyword == "directive" {
			c.next() // @
		}
		p.name = c.next()
	}
	if c.peek() == "implements" {
		c.next()
		c.names("&")
	}
	if c.peek() == "(" { // arguments of a directive's definition
		c.group()
	}
	c.directives()
	switch c.peek() {
	case "=":
		c.next()
		c.names("|")
	case "{":
		p.open = c.toks[c.i].start
		body := c.i + 1
		c.group()
		p.shut = c.toks[c.i-1].start
		if p.keyword == "type" || p.keyword == "input" || p.keyword == "enum" {
			end := c.i
			c.i = body
			for c.i < end-1 {
				p.fields = append(p.fields, c.member(p.keyword))
			}
			c.i = end
		}
	case "repeatable", "on":
		if c.next() == "repeatable" {
			c.next()
		}
		c.names("|")
	}
	p.start, p.end = c.span(first, c.i-1)
	return p
}

// field cuts `"""description""" name(arguments): Type = default @directives`.
func (c *sdlCutter) field() sdlPiece { return c.member("type") }

// member cuts a field, or a value of an enum.
func (c *sdlCutter) member(keyword string) sdlPiece {
	first := c.i
	if c.toks[c.i].kind == tokenString {
		c.i++
	}
	p := sdlPiece{name: c.next()}
	if keyword == "enum" {
		c.directives()
		p.start, p.end = c.span(first, c.i-1)
		return p
	}
	if c.peek() == "(" {
		c.group()
	}
	c.next() // :
	for c.peek() == "[" {
		c.next()
	}
	c.next() // the type's name
	for c.peek() == "]" || c.peek() == "!" {
		c.next()
	}
	if c.peek() == "=" {
		c.next()
		c.value()
	}
	c.directives()
	p.start, p.end = c.span(first, c.i-1)
	return p
}

// value skips a default value. A number is several tokens that touch each other.
func (c *sdlCutter) value() {
	if s := c.peek(); s == "[" || s == "{" {
		c.group()
		return
	}
	for c.next(); c.i < len(c.toks); c.i++ {
		last, tok := c.toks[c.i-1], c.toks[c.i]
		if last.kind == tokenString || tok.start != last.end || tok.kind == tokenString || c.text[tok.start] == '}' || c.text[tok.start] == '@' {
			return
		}
	}
}

func (c *sdlCutter) names(separator string) {
	if c.peek() == separator {
		c.next()
	}
	c.next()
	for c.peek() == separator {
		c.next()
		c.next()
	}
}

func (c *sdlCutter) directives() {
	for c.peek() == "@" {
		c.next()
		c.next()
		if c.peek() == "(" {
			c.group()
		}
	}
}

// group skips a bracket and all up to the one that closes it.
func (c *sdlCutter) group() {
	for depth := 0; c.i < len(c.toks); {
		switch c.next() {
		case "{", "(", "[":
			depth++
		case "}", ")", "]":
			depth--
			if depth == 0 {
				return
			}
		}
	}
}

// firstFrom is the index, among all tokens, of the first that starts at pos or behind it.
func (c *sdlCutter) firstFrom(pos int) int {
	i, _ := slices.BinarySearchFunc(c.all, pos, func(t sdlToken, pos int) int { return t.start - pos })
	return i
}

// span widens tokens first to last (of toks) to the comments that belong to them: those directly above, without a blank
// line between, and one behind on the same line.
func (c *sdlCutter) span(first, last int) (start, end int) {
	last = min(last, len(c.toks)-1)
	start, end = c.toks[first].start, c.toks[last].end
	at := c.firstFrom(start)
	for at > 0 && c.all[at-1].kind == tokenComment && c.ownLine(at-1) {
		between := c.text[c.all[at-1].end:start]
		if strings.Count(between, "\n") > 1 || strings.Count(between, "\r") > 1 {
			break
		}
		at--
		start = c.all[at].start
	}
	after := c.firstFrom(end)
	if after < len(c.all) && c.all[after].kind == tokenComment && !strings.ContainsAny(c.text[end:c.all[after].start], "\r\n") {
		end = c.all[after].end
	}
	return start, end
}

// ownLine says whether nothing but blanks stands before a token on its line.
func (c *sdlCutter) ownLine(at int) bool {
	line := c.text[:c.all[at].start]
	if i := strings.LastIndexAny(line, "\r\n"); i >= 0 {
		line = line[i+1:]
	}
	return strings.Trim(line, " \t,\uFEFF") == ""
}
