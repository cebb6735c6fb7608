package kriti

import (
	"slices"
	"strings"
)

// node is a part of a template that evaluates to a value.
type node interface {
	eval(e *evaluator, local *binding) (Value, *Error)
	position() Position
}

type (
	// literal is a constant.
	literal struct {
		value Value
		at    Position
	}
	// variable is a name.
	variable struct {
		name string
		at   Position
	}
	// templateText is a string with templates in it; every part is a literal string or an expression.
	templateText struct {
		parts []node
		at    Position
	}
	arrayLiteral struct {
		items []node
		at    Position
	}
	objectLiteral struct {
		fields []fieldLiteral
		at     Position
	}
	fieldLiteral struct {
		name  string
		value node
	}
	// accessor is .name, ['name'] or [key].
	accessor struct {
		name    string
		bracket bool
		key     node // nil for the first two
		at      Position
	}
	// required is an access that must find something.
	required struct {
		of  node
		key accessor
		at  Position
	}
	// optional is a chain of accesses that gives null where there is nothing.
	optional struct {
		of   node
		keys []accessor
		at   Position
	}
	binary struct {
		operator    string
		left, right node
		at          Position
	}
	call struct {
		name     string
		function function // nil: not defined, which is an error of evaluation
		argument node
		at       Position
	}
	conditional struct {
		branches  []branch
		otherwise node
		at        Position
	}
	branch struct {
		condition, then node
		at              Position // where a condition that is not a boolean is reported
	}
	loop struct {
		index, item string // index is empty when it is not wanted
		list, body  node
		at          Position
	}
)

func (n *literal) position() Position       { return n.at }
func (n *variable) position() Position      { return n.at }
func (n *templateText) position() Position  { return n.at }
func (n *arrayLiteral) position() Position  { return n.at }
func (n *objectLiteral) position() Position { return n.at }
func (n *required) position() Position      { return n.at }
func (n *optional) position() Position      { return n.at }
func (n *binary) position() Position        { return n.at }
func (n *call) position() Position          { return n.at }
func (n *conditional) position() Position   { return n.at }
func (n *loop) position() Position          { return n.at }

// newTemplateText joins adjacent pieces of text; a string without templates is a literal.
func newTemplateText(parts []node, at Position) node {
	joined := make([]node, 0, len(parts))
	var (
		text    strings.Builder
		pieceAt Position
	)
	flush := func() {
		if text.Len() > 0 {
			joined = append(joined, &literal{StringValue(text.String()), pieceAt})
			text.Reset()
		}
	}
	for _, part := range parts {
		piece, ok := part.(*literal)
		if !ok || piece.value.kind != String {
			flush()
			joined = append(joined, part)
			continue
		}
		if text.Len() == 0 {
			pieceAt = piece.at
		}
		pieceAt = pieceAt.to(piece.at)
		text.WriteString(piece.value.text)
	}
	if len(joined) == 0 {
		return &literal{StringValue(text.String()), at}
	}
	flush()
	return &templateText{joined, at}
}

func (n *objectLiteral) sort() {
	slices.SortFunc(n.fields, func(a, b fieldLiteral) int { return strings.Compare(a.name, b.name) })
}
