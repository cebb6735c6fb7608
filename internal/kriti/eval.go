package kriti

import "unsafe"

// evaluator is the state of one evaluation.
type evaluator struct {
	scope  *Scope
	budget int // nodes that may still be visited
}

// binding is a variable of a range, and those around it.
type binding struct {
	name  string
	value Value
	outer *binding
}

// step counts a node.
func (e *evaluator) step(at Position) *Error { return e.charge(1, at) }

// charge counts work that is worth n nodes.
func (e *evaluator) charge(n int, at Position) *Error {
	if e.budget -= n; e.budget < 0 {
		return limitError("Template takes too long to evaluate", at)
	}
	return nil
}

// bytesPerStep is how many bytes of a value are read or written in about the time that a node takes.
const bytesPerStep = 64

// bounded refuses a value that has become too large.
func bounded(v Value, at Position) (Value, *Error) {
	if v.size > maxValueBytes {
		return Value{}, limitError("Template makes a value that is too large", at)
	}
	return v, nil
}

func (n *literal) eval(*evaluator, *binding) (Value, *Error) { return n.value, nil }

func (n *variable) eval(e *evaluator, local *binding) (Value, *Error) {
	for b := local; b != nil; b = b.outer {
		if b.name == n.name {
			return b.value, nil
		}
	}
	for i := range e.scope.Bindings {
		if e.scope.Bindings[i].Name == n.name {
			return e.scope.Bindings[i].Value, nil
		}
	}
	return Value{}, nameError(n.name, n.at)
}

func (n *templateText) eval(e *evaluator, local *binding) (Value, *Error) {
	if err := e.step(n.at); err != nil {
		return Value{}, err
	}
	if len(n.parts) == 1 {
		v, err := n.parts[0].eval(e, local)
		if err != nil || v.kind == String {
			return v, err
		}
		if err := e.charge(int(v.size/bytesPerStep), n.at); err != nil {
			return Value{}, err
		}
		return bounded(StringValue(unsafeString(v.AppendJSON(make([]byte, 0, int(v.size)+8)))), n.at)
	}
	var text []byte
	for _, part := range n.parts {
		v, err := part.eval(e, local)
		if err != nil {
			return Value{}, err
		}
		if uint64(len(text))+uint64(v.size) > maxValueBytes {
			return Value{}, limitError("Template makes a value that is too large", n.at)
		}
		if err := e.charge(int(v.size/bytesPerStep), n.at); err != nil {
			return Value{}, err
		}
		if v.kind == String {
			text = append(text, v.text...)
		} else {
			text = v.AppendJSON(text)
		}
	}
	return StringValue(unsafeString(text)), nil
}

// unsafeString returns b as a string without a copy; b must not be changed afterwards.
func unsafeString(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b)) //nolint:gosec // saves a copy of every header
}

func (n *arrayLiteral) eval(e *evaluator, local *binding) (Value, *Error) {
	if err := e.step(n.at); err != nil {
		return Value{}, err
	}
	items := make([]Value, len(n.items))
	for i, item := range n.items {
		v, err := item.eval(e, local)
		if err != nil {
			return Value{}, err
		}
		items[i] = v
	}
	return bounded(ArrayValue(items), n.at)
}

func (n *objectLiteral) eval(e *evaluator, local *binding) (Value, *Error) {
	if err := e.step(n.at); err != nil {
		return Value{}, err
	}
	fields := make([]Field, len(n.fields))
	for i, field := range n.fields {
		v, err := field.value.eval(e, local)
		if err != nil {
			return Value{}, err
		}
		fields[i] = Field{field.name, v}
	}
	return bounded(sortedObject(fields), n.at)
}

func (n *required) eval(e *evaluator, local *binding) (Value, *Error) {
	if err := e.step(n.at); err != nil {
		return Value{}, err
	}
	of, err := n.of.eval(e, local)
	if err != nil {
		return Value{}, err
	}
	switch {
	case of.kind == Object:
		name := n.key.name
		if n.key.key != nil {
			key, err := n.key.key.eval(e, local)
			if err != nil {
				return Value{}, err
			}
			if key.kind != String {
				return Value{}, typeError("String", key, n.of.position())
			}
			name = key.text
		}
		if v, ok := of.Get(name); ok {
			return v, nil
		}
		return Value{}, attributeError(name, n.at)
	case of.kind == Array && (n.key.key != nil || n.key.bracket):
		key := StringValue(n.key.name)
		if n.key.key != nil {
			if key, err = n.key.key.eval(e, local); err != nil {
				return Value{}, err
			}
		}
		i, ok := indexOf(key)
		if !ok {
			return Value{}, typeError("Integer", key, n.at)
		}
		if i < 0 || i >= len(of.items) {
			return Value{}, indexError(n.at)
		}
		return of.items[i], nil
	}
	return Value{}, typeError("Object", of, n.of.position())
}

// indexOf returns a number as an index.
func indexOf(v Value) (int, bool) {
	if v.kind != Number {
		return 0, false
	}
	return parseDecimal(v.text).int()
}

// eval gives null for whatever is missing, errors before the question mark included.
func (n *optional) eval(e *evaluator, local *binding) (Value, *Error) {
	if err := e.step(n.at); err != nil {
		return Value{}, err
	}
	v, err := n.of.eval(e, local)
	if err != nil {
		if err.Code == CodeLimit {
			return Value{}, err
		}
		v = NullValue()
	}
	found := true
	if v.kind != Object && v.kind != Array && v.kind != Null {
		err = typeError("Object", v, n.of.position())
	} else {
		err = nil
	}
	current := v
	for i := range n.keys {
		key := StringValue(n.keys[i].name)
		if n.keys[i].key != nil { // keys are evaluated, and fail, even where there is nothing to look into
			var fault *Error
			if key, fault = n.keys[i].key.eval(e, local); fault != nil {
				return Value{}, fault
			}
		}
		if found {
			current, found = lookUp(current, key)
		}
	}
	switch {
	case err != nil:
		return Value{}, err
	case !found:
		return NullValue(), nil
	}
	return current, nil
}

// lookUp takes one step of an optional chain.
func lookUp(v, key Value) (Value, bool) {
	switch {
	case v.kind == Object && key.kind == String:
		return v.Get(key.text)
	case v.kind == Array:
		if i, ok := indexOf(key); ok && i >= 0 && i < len(v.items) {
			return v.items[i], true
		}
	}
	return Value{}, false
}

func (n *call) eval(e *evaluator, local *binding) (Value, *Error) {
	if err := e.step(n.at); err != nil {
		return Value{}, err
	}
	argument, err := n.argument.eval(e, local)
	if err != nil {
		return Value{}, err
	}
	if n.function == nil {
		return Value{}, nameError(n.name, n.at)
	}
	if err := e.charge(int(argument.size/bytesPerStep), n.at); err != nil {
		return Value{}, err
	}
	v, fault := n.function(e, argument)
	if fault != nil {
		return Value{}, &Error{Code: CodeFunction, Message: fault.Error(), Position: n.argument.position()}
	}
	return bounded(v, n.at)
}

func (n *conditional) eval(e *evaluator, local *binding) (Value, *Error) {
	if err := e.step(n.at); err != nil {
		return Value{}, err
	}
	for i := range n.branches {
		b := &n.branches[i]
		condition, err := b.condition.eval(e, local)
		switch {
		case err != nil:
			return Value{}, err
		case condition.kind != Bool:
			return Value{}, typeError("Boolean", condition, b.at)
		case condition.truth:
			return b.then.eval(e, local)
		}
	}
	return n.otherwise.eval(e, local)
}

func (n *loop) eval(e *evaluator, local *binding) (Value, *Error) {
	if err := e.step(n.at); err != nil {
		return Value{}, err
	}
	list, err := n.list.eval(e, local)
	if err != nil {
		return Value{}, err
	}
	if list.kind != Array {
		return Value{}, typeError("Array", list, n.at)
	}
	items := make([]Value, len(list.items))
	item := binding{name: n.item, outer: local}
	inner := &item
	var index binding
	if n.index != "" {
		index = binding{name: n.index, outer: &item} // in front: of equal names the index is seen
		inner = &index
	}
	size := uint64(0)
	for i := range list.items {
		if err := e.step(n.at); err != nil {
			return Value{}, err
		}
		item.value, index.value = list.items[i], Value{}
		if n.index != "" {
			index.value = IntValue(i)
		}
		if items[i], err = n.body.eval(e, inner); err != nil {
			return Value{}, err
		}
		if size += uint64(items[i].size); size > maxValueBytes {
			return Value{}, limitError("Template makes a value that is too large", n.at)
		}
	}
	return bounded(ArrayValue(items), n.at)
}
