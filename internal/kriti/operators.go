package kriti

func (n *binary) eval(e *evaluator, local *binding) (Value, *Error) {
	if err := e.step(n.at); err != nil {
		return Value{}, err
	}
	left, err := n.left.eval(e, local)
	if err != nil {
		return Value{}, err
	}
	if n.operator == "??" { // the only operator that does not look at its right side when it need not
		if left.kind != Null {
			return left, nil
		}
		return n.right.eval(e, local)
	}
	right, err := n.right.eval(e, local)
	if err != nil {
		return Value{}, err
	}
	switch n.operator {
	case "&&", "||":
		return n.logic(left, right)
	case "in":
		if err := e.charge(1+len(right.items)+int(left.size/bytesPerStep)*len(right.items), n.at); err != nil {
			return Value{}, err
		}
		return n.member(left, right)
	}
	if err := e.charge(int(min(left.size, right.size)/bytesPerStep), n.at); err != nil {
		return Value{}, err
	}
	return BoolValue(n.holds(compare(left, right))), nil
}

// holds tells whether a comparison has the outcome that the operator asks for.
func (n *binary) holds(order int) bool {
	switch n.operator {
	case "==":
		return order == 0
	case "!=":
		return order != 0
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	}
	return order >= 0
}

func (n *binary) logic(left, right Value) (Value, *Error) {
	switch {
	case right.kind != Bool:
		return Value{}, typeError("Boolean", right, n.at)
	case left.kind != Bool:
		return Value{}, typeError("Boolean", left, n.at)
	case n.operator == "&&":
		return BoolValue(left.truth && right.truth), nil
	}
	return BoolValue(left.truth || right.truth), nil
}

func (n *binary) member(left, right Value) (Value, *Error) {
	switch right.kind {
	case Object:
		if left.kind != String {
			return Value{}, typeError("String", left, n.at)
		}
		_, ok := right.Get(left.text)
		return BoolValue(ok), nil
	case Array:
		for i := range right.items {
			if compare(left, right.items[i]) == 0 {
				return BoolValue(true), nil
			}
		}
		return BoolValue(false), nil
	}
	return Value{}, typeError("Array", right, n.at)
}
