package kriti

import (
	"cmp"
	"strings"
)

// compare orders values as aeson does: by kind first, then arrays and objects entry by entry, strings by code point,
// numbers by value, false before true.
func compare(a, b Value) int {
	if a.kind != b.kind {
		return cmp.Compare(a.kind, b.kind)
	}
	switch a.kind {
	case String:
		return strings.Compare(a.text, b.text)
	case Number:
		return compareNumbers(a.text, b.text)
	case Bool:
		switch {
		case a.truth == b.truth:
			return 0
		case b.truth:
			return -1
		}
		return 1
	case Array:
		for i := range min(len(a.items), len(b.items)) {
			if c := compare(a.items[i], b.items[i]); c != 0 {
				return c
			}
		}
		return cmp.Compare(len(a.items), len(b.items))
	case Object:
		return compareObjects(a.Fields(), b.Fields())
	}
	return 0
}

func compareObjects(a, b []Field) int {
	for i := range min(len(a), len(b)) {
		if c := strings.Compare(a[i].Name, b[i].Name); c != 0 {
			return c
		}
		if c := compare(a[i].Value, b[i].Value); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

func compareNumbers(a, b string) int {
	if a == b {
		return 0
	}
	return parseDecimal(a).compare(parseDecimal(b))
}
