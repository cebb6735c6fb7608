package kriti

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// function is a function of the language. Its error is a message for the template's author.
type function func(e *evaluator, v Value) (Value, error)

// failure is an error of a function in the words of the original, which begin with a capital.
type failure string

// Error returns the words.
func (f failure) Error() string { return string(f) }

// newCall resolves the name of a function when the template is parsed. A name that is not defined is an error only once
// the call is evaluated, as in the original.
func newCall(name string, argument node, at Position) *call {
	return &call{name: name, function: functionNamed(name), argument: argument, at: at}
}

// functionNamed returns nil for a name that is not defined. Casers have state and are made anew for each call: a
// template is evaluated by many goroutines at once.
func functionNamed(name string) function {
	switch name {
	case "empty":
		return empty
	case "size":
		return size
	case "inverse":
		return inverse
	case "head":
		return head
	case "tail":
		return tail
	case "toLower":
		return onText(func(s string) string { return cases.Lower(language.Und, cases.HandleFinalSigma(false)).String(s) })
	case "toUpper":
		return onText(func(s string) string { return cases.Upper(language.Und).String(s) })
	case "toTitle":
		return onText(title)
	case "toCaseFold":
		return onText(func(s string) string { return cases.Fold().String(s) })
	case "escapeUri":
		return onText(EscapeURI)
	case "concat":
		return concat
	case "toPairs":
		return toPairs
	case "fromPairs":
		return fromPairs
	case "removeNulls":
		return removeNulls
	case "not":
		return not
	case "getSessionVariable":
		return getSessionVariable
	}
	return nil
}

// mismatch is aeson's message for a value of the wrong kind.
func mismatch(parsing, expected string, v Value) error {
	return failure("parsing " + parsing + " failed, expected " + expected + ", but encountered " + v.kind.String())
}

// onText makes a function of strings.
func onText(f func(string) string) function {
	return func(_ *evaluator, v Value) (Value, error) {
		if v.kind != String {
			return Value{}, mismatch("String", "String", v)
		}
		return StringValue(f(v.text)), nil
	}
}

func empty(_ *evaluator, v Value) (Value, error) {
	switch v.kind {
	case Object:
		return BoolValue(len(v.Fields()) == 0), nil
	case Array:
		return BoolValue(len(v.items) == 0), nil
	case String:
		return BoolValue(strings.TrimSpace(v.text) == ""), nil
	case Number:
		return BoolValue(parseDecimal(v.text).digits == ""), nil
	case Bool:
		return Value{}, failure("Cannot define emptiness for a boolean")
	}
	return BoolValue(true), nil
}

func size(_ *evaluator, v Value) (Value, error) {
	n := 0
	switch v.kind {
	case Object:
		n = len(v.Fields())
	case Array:
		n = len(v.items)
	case String:
		n = utf8.RuneCountInString(v.text)
	case Number:
		return v, nil
	case Bool:
		if v.truth {
			n = 1
		}
	}
	return IntValue(n), nil
}

func inverse(_ *evaluator, v Value) (Value, error) {
	switch v.kind {
	case Array:
		items := slices.Clone(v.items)
		slices.Reverse(items)
		return ArrayValue(items), nil
	case String:
		runes := []rune(v.text)
		slices.Reverse(runes)
		return StringValue(string(runes)), nil
	case Number:
		text, ok := parseDecimal(v.text).reciprocal()
		if !ok {
			return Value{}, failure("The reciprocal of " + v.text + " is not a finite decimal number")
		}
		return numberText(text), nil
	case Bool:
		return BoolValue(!v.truth), nil
	}
	return v, nil
}

// split takes the first element or character off.
func split(v Value) (first, rest Value, err error) {
	switch v.kind {
	case Array:
		if len(v.items) == 0 {
			return Value{}, Value{}, failure("Empty array")
		}
		return v.items[0], ArrayValue(v.items[1:]), nil
	case String:
		if v.text == "" {
			return Value{}, Value{}, failure("Empty string")
		}
		_, n := utf8.DecodeRuneInString(v.text)
		return StringValue(v.text[:n]), StringValue(v.text[n:]), nil
	}
	return Value{}, Value{}, failure("Expected an array or string")
}

func head(_ *evaluator, v Value) (Value, error) {
	first, _, err := split(v)
	return first, err
}

func tail(_ *evaluator, v Value) (Value, error) {
	_, rest, err := split(v)
	return rest, err
}

// title starts each word with a capital and puts the rest in lower case. A word ends at white space only.
func title(s string) string {
	inWord := false
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			inWord = false
			return r
		case inWord:
			return unicode.ToLower(r)
		}
		inWord = unicode.IsLetter(r)
		return unicode.ToTitle(r)
	}, s)
}

// EscapeURI percent-encodes every byte that is not an unreserved character of RFC 3986.
func EscapeURI(s string) string {
	const hex = "0123456789ABCDEF"
	plain := func(c byte) bool {
		return isLetter(c) || isDigit(c) || c == '-' || c == '.' || c == '_' || c == '~'
	}
	extra := 0
	for i := range len(s) {
		if !plain(s[i]) {
			extra += 2
		}
	}
	if extra == 0 {
		return s
	}
	b := make([]byte, 0, len(s)+extra)
	for i := range len(s) {
		if c := s[i]; plain(c) {
			b = append(b, c)
		} else {
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return string(b)
}

func not(_ *evaluator, v Value) (Value, error) {
	if v.kind != Bool {
		return Value{}, mismatch("Bool", "Boolean", v)
	}
	return BoolValue(!v.truth), nil
}

// getSessionVariable gives a variable of the session under any spelling of its name.
func getSessionVariable(e *evaluator, v Value) (Value, error) {
	switch v.kind {
	case Null:
		return v, nil
	case String:
		name := strings.ToLower(v.text)
		if text, ok := e.scope.Session[name]; ok && strings.HasPrefix(name, "x-hasura-") {
			return StringValue(text), nil
		}
		return Value{}, failure(`Session variable "` + v.text + `" not found`)
	}
	return Value{}, failure("Session variable name should be a string")
}
