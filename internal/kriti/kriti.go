// Package kriti is the template language of Hasura's request and response transforms: JSON with expressions in double
// braces. A template is parsed once and evaluated often; evaluation yields a JSON value.
//
// The language, its quirks and its error texts follow kriti-lang as Hasura v2.48 uses it. Three things are ours:
// limits on the size, depth and work of templates and values, an error where the original would fail without one
// (tail of nothing, reciprocals without a finite form), and surrogate pairs in \u escapes, which are joined.
package kriti

import "strings"

const (
	// maxTemplateBytes bounds a template's text. Templates are written by hand; the largest in Hasura's documents is
	// 2 KB.
	maxTemplateBytes = 1 << 20
	// maxTemplateDepth bounds nesting, and with it the stack that parsing and evaluation need. A level of JSON counts
	// two, a link of a chain of accesses one.
	maxTemplateDepth = 500
	// maxJSONDepth bounds nesting of JSON from outside, far beyond any handler's answer and cheap on the stack.
	maxJSONDepth = 1000
	// maxJSONValues bounds the values in JSON from outside: each takes some sixty bytes, however short its text is.
	maxJSONValues = 4_000_000
	// maxValueBytes bounds one value, counted as its JSON text and a little more. Nested ranges could otherwise
	// double a value at each level and ask for more memory than there is. It is above every limit on bodies that the
	// gateway has.
	maxValueBytes = 64 << 20
	// maxSteps bounds the nodes that one evaluation visits: half a second of work, and enough for a template to visit
	// every value of the largest body. Nested ranges over foreign input could otherwise keep a core busy for hours.
	maxSteps = 4_000_000
)

// Template is a parsed template. It is immutable and safe for concurrent use.
type Template struct {
	root node
	uses map[string]bool
}

// Parse parses a template. An error is an [*Error] with code [CodeParse], [CodeLex] or [CodeLimit].
func Parse(src string) (*Template, error) {
	if len(src) > maxTemplateBytes {
		return nil, limitError("Template is too long", Position{})
	}
	tokens, end, err := lex(src)
	if err != nil {
		return nil, err
	}
	p := parser{tokens: tokens, end: end, uses: map[string]bool{}}
	root, err := p.template()
	if err != nil {
		return nil, err
	}
	return &Template{root: root, uses: p.uses}, nil
}

// ParseUnescaped parses a template that is written without the quotes of a string, such as a URL or the value of a
// header. Positions in errors count the quote that is put before it, as Hasura's do.
func ParseUnescaped(src string) (*Template, error) {
	var b strings.Builder
	b.Grow(len(src) + 2)
	b.WriteByte('"')
	b.WriteString(src)
	b.WriteByte('"')
	return Parse(b.String())
}

// Uses tells whether the template mentions a variable, such as "$body". A variable that is not used need not be
// provided.
func (t *Template) Uses(name string) bool { return t.uses[name] }

// Binding is a variable of a template.
type Binding struct {
	// Name includes the dollar sign where there is one: "$body".
	Name string
	// Value is what the variable stands for.
	Value Value
}

// Scope is what a template can see.
type Scope struct {
	// Bindings are the variables; of two with one name the first counts.
	Bindings []Binding
	// Session is what getSessionVariable finds, by lower-case name. Nil: nothing.
	Session map[string]string
}

// Eval evaluates the template; a nil scope is an empty one. An error is an [*Error].
func (t *Template) Eval(scope *Scope) (Value, error) {
	if scope == nil {
		scope = &Scope{}
	}
	e := evaluator{scope: scope, budget: maxSteps}
	v, err := t.root.eval(&e, nil)
	if err != nil {
		return Value{}, err
	}
	return v, nil
}
