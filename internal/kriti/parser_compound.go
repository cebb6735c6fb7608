package kriti

import "strings"

// text parses a string: pieces of text and templates between double quotes.
func (p *parser) text() (node, *Error) {
	open := p.tokens[p.next]
	p.next++
	var parts []node
	for {
		t := p.peek(0)
		switch {
		case t.is(`"`):
			p.next++
			return newTemplateText(parts, open.at.to(t.at)), nil
		case t.kind == tokenText && p.next < len(p.tokens):
			p.next++
			parts = append(parts, &literal{StringValue(t.text), t.at})
		case t.is("{{"):
			p.next++
			part, err := p.expr()
			if err != nil {
				return nil, err
			}
			if _, err := p.symbol("}}"); err != nil {
				return nil, err
			}
			parts = append(parts, part)
		default:
			return nil, p.unexpected()
		}
	}
}

func (p *parser) array() (node, *Error) {
	open := p.tokens[p.next]
	p.next++
	a := &arrayLiteral{}
	if !p.peek(0).is("]") {
		for {
			item, err := p.expr()
			if err != nil {
				return nil, err
			}
			a.items = append(a.items, item)
			if !p.accept(",") {
				break
			}
		}
	}
	closing, err := p.symbol("]")
	a.at = open.at.to(closing.at)
	return a, err
}

func (p *parser) object() (node, *Error) {
	open := p.tokens[p.next]
	p.next++
	o := &objectLiteral{}
	seen := map[string]bool{}
	if !p.peek(0).is("}") {
		for {
			name, err := p.objectKey()
			if err != nil {
				return nil, err
			}
			value, err := p.expr()
			if err != nil {
				return nil, err
			}
			if !seen[name] { // of equal keys the original keeps the first
				seen[name] = true
				o.fields = append(o.fields, fieldLiteral{name, value})
			}
			if !p.accept(",") {
				break
			}
		}
	}
	closing, err := p.symbol("}")
	o.at = open.at.to(closing.at)
	o.sort()
	return o, err
}

// objectKey parses a constant string and the colon.
func (p *parser) objectKey() (string, *Error) {
	if _, err := p.symbol(`"`); err != nil {
		return "", err
	}
	var name strings.Builder
	for p.next < len(p.tokens) && p.peek(0).kind == tokenText {
		name.WriteString(p.peek(0).text)
		p.next++
	}
	if _, err := p.symbol(`"`); err != nil {
		return "", err
	}
	_, err := p.symbol(":")
	return name.String(), err
}

// condition parses {{ if c }} a {{ elif c }} b {{ else }} d {{ end }}.
func (p *parser) condition() (node, *Error) {
	open := p.tokens[p.next]
	p.next += 2
	c := &conditional{}
	first, err := p.branch()
	if err != nil {
		return nil, err
	}
	c.branches = append(c.branches, first)
	for p.directive("elif") {
		p.next++
		at := p.tokens[p.next].at
		p.next++
		b, err := p.branch()
		if err != nil {
			return nil, err
		}
		b.at = at.to(b.condition.position())
		c.branches = append(c.branches, b)
	}
	if err := p.bare("else"); err != nil {
		return nil, err
	}
	if c.otherwise, err = p.expr(); err != nil {
		return nil, err
	}
	closing, err := p.ending()
	c.at = open.at.to(closing)
	c.branches[0].at = c.at
	return c, err
}

// branch parses the rest of if and elif: c }} a.
func (p *parser) branch() (branch, *Error) {
	condition, err := p.expr()
	if err != nil {
		return branch{}, err
	}
	if _, err := p.symbol("}}"); err != nil {
		return branch{}, err
	}
	then, err := p.expr()
	return branch{condition: condition, then: then}, err
}

// bare parses {{ word }}.
func (p *parser) bare(word string) *Error {
	if _, err := p.symbol("{{"); err != nil {
		return err
	}
	if _, err := p.keyword(word); err != nil {
		return err
	}
	_, err := p.symbol("}}")
	return err
}

// ending parses {{ end }} and returns the position of its closing braces.
func (p *parser) ending() (Position, *Error) {
	if err := p.bare("end"); err != nil {
		return Position{}, err
	}
	return p.tokens[p.next-1].at, nil
}

// loop parses {{ range i, x := list }} body {{ end }}.
func (p *parser) loop() (node, *Error) {
	open := p.tokens[p.next]
	p.next += 2
	r := &loop{}
	if !p.accept("_") {
		index, err := p.identifier()
		if err != nil {
			return nil, err
		}
		r.index = index.text
	}
	if _, err := p.symbol(","); err != nil {
		return nil, err
	}
	item, err := p.identifier()
	if err != nil {
		return nil, err
	}
	r.item = item.text
	if _, err := p.symbol(":="); err != nil {
		return nil, err
	}
	if r.list, err = p.expr(); err != nil {
		return nil, err
	}
	if _, err := p.symbol("}}"); err != nil {
		return nil, err
	}
	if r.body, err = p.expr(); err != nil {
		return nil, err
	}
	closing, err := p.ending()
	r.at = open.at.to(closing)
	return r, err
}
