package kriti

import (
	"slices"
	"strings"
)

// concat joins arrays, strings or objects. Of values of mixed kinds it complains about the first that is not an object,
// which is the last thing that the original tries.
func concat(_ *evaluator, v Value) (Value, error) {
	if v.kind != Array {
		return Value{}, mismatch("Array", "Array", v)
	}
	all := func(kind Kind) bool {
		return !slices.ContainsFunc(v.items, func(item Value) bool { return item.kind != kind })
	}
	total := uint64(0)
	for i := range v.items {
		total += uint64(v.items[i].size)
	}
	if total > maxValueBytes {
		return Value{size: maxValueBytes + 1}, nil // the caller reports it
	}
	switch {
	case all(Array):
		var items []Value
		for _, list := range v.items {
			items = append(items, list.items...)
		}
		return ArrayValue(items), nil
	case all(String):
		var text strings.Builder
		for _, s := range v.items {
			text.WriteString(s.text)
		}
		return StringValue(text.String()), nil
	case all(Object):
		var fields []Field
		for _, o := range v.items {
			fields = append(fields, o.Fields()...)
		}
		return ObjectValue(fields), nil
	}
	i := slices.IndexFunc(v.items, func(item Value) bool { return item.kind != Object })
	return Value{}, mismatch("Nested Object", "Object", v.items[i])
}

func toPairs(_ *evaluator, v Value) (Value, error) {
	if v.kind != Object {
		return Value{}, mismatch("Object", "Object", v)
	}
	fields := v.Fields()
	items := make([]Value, len(fields))
	for i, f := range fields {
		items[i] = ArrayValue([]Value{StringValue(f.Name), f.Value})
	}
	return ArrayValue(items), nil
}

func fromPairs(_ *evaluator, v Value) (Value, error) {
	if v.kind != Array {
		return Value{}, mismatch("Nested Arrays", "Array", v)
	}
	fields := make([]Field, len(v.items))
	for i, pair := range v.items {
		switch {
		case pair.kind != Array:
			return Value{}, mismatch("Array of Pair", "Array", pair)
		case len(pair.items) != 2:
			return Value{}, failure("Expected an array of shape [ [k1,v1], [k2,v2] ... ] - With String keys.")
		case pair.items[0].kind != String:
			return Value{}, mismatch("Key", "String", pair.items[0])
		}
		fields[i] = Field{pair.items[0].text, pair.items[1]}
	}
	return ObjectValue(fields), nil
}

func removeNulls(_ *evaluator, v Value) (Value, error) {
	if v.kind != Array {
		return Value{}, mismatch("Array", "Array", v)
	}
	items := make([]Value, 0, len(v.items))
	for _, item := range v.items {
		if item.kind != Null {
			items = append(items, item)
		}
	}
	return ArrayValue(items), nil
}
