package kriti

// parser builds the tree of a template by recursive descent. The grammar, in the order of the methods:
//
//	expr    = atom [OP atom] | IDENT "(" expr ")" | "not" expr | "{{" expr "}}"
//	atom    = primary { "." IDENT | "['" text "']" | "[" atom "]" | "?" { access } }
//	primary = IDENT | literal | if | range | "(" expr ")"
type parser struct {
	tokens []token
	next   int
	depth  int
	// end is where every syntax error is reported: the original has the last lexeme's position at hand, not the
	// token's.
	end  Position
	uses map[string]bool
}

// template parses the whole token stream.
func (p *parser) template() (node, *Error) {
	root, err := p.expr()
	if err != nil {
		return nil, err
	}
	if p.next < len(p.tokens) {
		return nil, p.unexpected()
	}
	return root, nil
}

// peek returns the token n places ahead, or one that is nothing at the end.
func (p *parser) peek(n int) token {
	if p.next+n < len(p.tokens) {
		return p.tokens[p.next+n]
	}
	return token{}
}

func (p *parser) unexpected() *Error {
	if p.next >= len(p.tokens) {
		return &Error{Code: CodeParse, Message: "ParseError: Empty token stream.", Position: p.end}
	}
	return &Error{Code: CodeParse, Message: "Unexpected token '" + p.tokens[p.next].String() + "'.", Position: p.end}
}

// symbol consumes a symbol that must be next.
func (p *parser) symbol(s string) (token, *Error) {
	t := p.peek(0)
	if !t.is(s) {
		return token{}, p.unexpected()
	}
	p.next++
	return t, nil
}

// accept consumes a symbol when it is next.
func (p *parser) accept(s string) bool {
	if p.peek(0).is(s) {
		p.next++
		return true
	}
	return false
}

// keyword consumes a keyword that must be next.
func (p *parser) keyword(word string) (token, *Error) {
	t := p.peek(0)
	if !t.isKeyword(word) {
		return token{}, p.unexpected()
	}
	p.next++
	return t, nil
}

func (p *parser) identifier() (token, *Error) {
	t := p.peek(0)
	if t.kind != tokenIdentifier {
		return token{}, p.unexpected()
	}
	p.next++
	return t, nil
}

// enter counts a level of nesting; leave ends it.
func (p *parser) enter() *Error {
	if p.depth++; p.depth > maxTemplateDepth {
		return limitError("Template is nested too deeply", p.end)
	}
	return nil
}

func (p *parser) leave() { p.depth-- }

// directive tells whether {{ and the given keyword are next.
func (p *parser) directive(word string) bool {
	return p.peek(0).is("{{") && p.peek(1).isKeyword(word)
}

func (p *parser) expr() (node, *Error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	switch t := p.peek(0); {
	case t.isKeyword("not"):
		p.next++
		operand, err := p.expr()
		if err != nil {
			return nil, err
		}
		return newCall("not", operand, t.at.to(operand.position())), nil
	case t.kind == tokenIdentifier && p.peek(1).is("("):
		return p.call()
	case t.is("{{") && !p.directive("if") && !p.directive("range"):
		p.next++
		inner, err := p.expr()
		if err != nil {
			return nil, err
		}
		_, err = p.symbol("}}")
		return inner, err
	}
	left, err := p.atom()
	if err != nil {
		return nil, err
	}
	operator := p.peek(0)
	if !isOperator(operator) {
		return left, nil
	}
	p.next++
	right, err := p.atom()
	if err != nil {
		return nil, err
	}
	return &binary{operator.text, left, right, left.position().to(right.position())}, nil
}

func isOperator(t token) bool {
	if t.kind == tokenSymbol {
		switch t.text {
		case ">", "<", ">=", "<=", "==", "!=", "&&", "||", "??":
			return true
		}
	}
	return t.isKeyword("in")
}

func (p *parser) call() (node, *Error) {
	name := p.tokens[p.next]
	p.next += 2
	argument, err := p.expr()
	if err != nil {
		return nil, err
	}
	closing, err := p.symbol(")")
	if err != nil {
		return nil, err
	}
	return newCall(name.text, argument, name.at.to(closing.at)), nil
}

// atom parses a primary and the accesses that follow it. The chain costs evaluation a level for each link, so links
// count as nesting.
func (p *parser) atom() (node, *Error) {
	outer := p.depth
	defer func() { p.depth = outer }()
	if err := p.enter(); err != nil {
		return nil, err
	}
	n, err := p.primary()
	for err == nil {
		switch t := p.peek(0); {
		case t.is(".") || t.is("["):
			var key accessor
			if key, err = p.access(); err == nil {
				n = &required{n, key, n.position().to(key.at)}
			}
		case t.is("?"):
			p.next++
			var keys []accessor
			for err == nil && (p.peek(0).is(".") || p.peek(0).is("[")) {
				var key accessor
				key, err = p.access()
				keys = append(keys, key)
			}
			n = &optional{n, keys, n.position()}
		default:
			return n, nil
		}
		if err == nil {
			err = p.enter()
		}
	}
	return nil, err
}

// access parses .name, ['text'] or [atom].
func (p *parser) access() (accessor, *Error) {
	open := p.tokens[p.next]
	p.next++
	if open.is(".") {
		name, err := p.identifier()
		return accessor{name: name.text, at: open.at.to(name.at)}, err
	}
	if p.accept("'") {
		text := p.peek(0)
		if text.kind != tokenText {
			return accessor{}, p.unexpected()
		}
		p.next++
		if _, err := p.symbol("'"); err != nil {
			return accessor{}, err
		}
		closing, err := p.symbol("]")
		return accessor{name: text.text, bracket: true, at: open.at.to(closing.at)}, err
	}
	key, err := p.atom()
	if err != nil {
		return accessor{}, err
	}
	closing, err := p.symbol("]")
	return accessor{key: key, at: open.at.to(closing.at)}, err
}

func (p *parser) primary() (node, *Error) {
	t := p.peek(0)
	switch {
	case p.next >= len(p.tokens):
		return nil, p.unexpected()
	case p.directive("if"):
		return p.condition()
	case p.directive("range"):
		return p.loop()
	case t.is("["):
		return p.array()
	case t.is("{"):
		return p.object()
	case t.is(`"`):
		return p.text()
	case t.is("("):
		p.next++
		inner, err := p.expr()
		if err != nil {
			return nil, err
		}
		_, err = p.symbol(")")
		return inner, err
	case t.kind == tokenIdentifier:
		p.next++
		p.uses[t.text] = true
		return &variable{t.text, t.at}, nil
	case t.kind == tokenInt || t.kind == tokenNumber:
		p.next++
		return &literal{numberText(canonicalNumber(t.text)), t.at}, nil
	case t.kind == tokenBool:
		p.next++
		return &literal{BoolValue(t.text == "true"), t.at}, nil
	case t.isKeyword("null"):
		p.next++
		return &literal{NullValue(), t.at}, nil
	}
	return nil, p.unexpected()
}
