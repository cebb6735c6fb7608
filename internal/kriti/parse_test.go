package kriti_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/kriti"
)

func TestParseErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		template string
		code     kriti.Code
		message  string
		position kriti.Position
	}{
		{``, "Parse Error", "ParseError: Empty token stream.", at(0, 1, 0, 1)},
		{`  # nothing`, "Parse Error", "ParseError: Empty token stream.", at(0, 3, 0, 12)},
		// Outside of a template }} is two tokens, and the position is that of the last lexeme.
		{`$body.hello }}`, "Parse Error", "Unexpected token '}'.", at(0, 14, 0, 15)},
		{`{{ $body`, "Parse Error", "ParseError: Empty token stream.", at(0, 4, 0, 9)},
		{`"unterminated`, "Parse Error", "ParseError: Empty token stream.", at(0, 2, 0, 14)},
		{`[1,]`, "Parse Error", "Unexpected token ']'.", at(0, 4, 0, 5)},
		{`{1: 2}`, "Parse Error", "Unexpected token '1'.", at(0, 6, 0, 7)},
		{`{"a" 2}`, "Parse Error", "Unexpected token '2'.", at(0, 7, 0, 8)},
		{`{"a{{1}}": 2}`, "Parse Error", "Unexpected token '{{'.", at(0, 13, 0, 14)},
		{`1 == 2 == 3`, "Parse Error", "Unexpected token '=='.", at(0, 11, 0, 12)},
		{`size($a) > 1`, "Parse Error", "Unexpected token '>'.", at(0, 12, 0, 13)},
		{`1 < size($a)`, "Parse Error", "Unexpected token '('.", at(0, 12, 0, 13)},
		{`concat($a).b`, "Parse Error", "Unexpected token '.'.", at(0, 12, 0, 13)},
		{`{{ $a }} == 1`, "Parse Error", "Unexpected token '=='.", at(0, 13, 0, 14)},
		{`size()`, "Parse Error", "Unexpected token ')'.", at(0, 6, 0, 7)},
		{`size(1, 2)`, "Parse Error", "Unexpected token ','.", at(0, 10, 0, 11)},
		{`$body.end`, "Parse Error", "Unexpected token 'end'.", at(0, 7, 0, 10)},
		{`$body.`, "Parse Error", "ParseError: Empty token stream.", at(0, 6, 0, 7)},
		{`$body['']`, "Parse Error", "Unexpected token '''.", at(0, 9, 0, 10)},
		{`{{ if true }} 1 {{ end }}`, "Parse Error", "Unexpected token 'end'.", at(0, 24, 0, 26)},
		{`{{ range x := [1] }} x {{ end }}`, "Parse Error", "Unexpected token ':='.", at(0, 31, 0, 33)},
		{`{{ {"a": {"b": 1}} }}`, "Parse Error", "Unexpected token '}}'.", at(0, 21, 0, 22)},
		{`1 2`, "Parse Error", "Unexpected token '2'.", at(0, 3, 0, 4)},
		{`"a" "b"`, "Parse Error", `Unexpected token '"'.`, at(0, 7, 0, 8)},
		{`{"a": "b" "c" }`, "Parse Error", `Unexpected token '"'.`, at(0, 15, 0, 16)},
		{`$a ? b : c`, "Parse Error", `Unexpected token 'b'.`, at(0, 10, 0, 11)},
		{"[1,\n ~]", "Lex Error", "Invalid Lexeme: '~]'", at(1, 2, 1, 4)},
		{`1 & 2`, "Lex Error", "Invalid Lexeme: ' 2'", at(0, 4, 0, 6)},
		{`"\x"`, "Lex Error", `Invalid Lexeme: 'x"'`, at(0, 3, 0, 5)},
		{`"\u12"`, "Lex Error", `Invalid Lexeme: '12"'`, at(0, 4, 0, 7)},
		{`$body['a{']`, "Lex Error", `Invalid Lexeme: '{']'`, at(0, 9, 0, 12)},
		{`] ~`, "Lex Error", `Invalid Lexeme: '~'`, at(0, 3, 0, 4)},
	}
	for _, tt := range tests {
		t.Run(tt.template, func(t *testing.T) {
			t.Parallel()
			_, err := kriti.Parse(tt.template)
			got, _ := errors.AsType[*kriti.Error](err)
			want := &kriti.Error{Code: tt.code, Message: tt.message, Position: tt.position}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseUnescaped(t *testing.T) {
	t.Parallel()
	template, err := kriti.ParseUnescaped(`{{$base_url}}/{{$body.input?.lang ?? "en"}}`)
	if err != nil {
		t.Fatal(err)
	}
	v, err := template.Eval(testScope(t))
	if text, _ := v.Text(); err != nil || text != "http://h/en" {
		t.Errorf("got %q, %v", text, err)
	}
	_, err = kriti.ParseUnescaped(`{{`)
	if got, _ := errors.AsType[*kriti.Error](err); got == nil || got.Position != at(0, 4, 0, 5) {
		t.Errorf("error %+v, want the position behind the added quote", got)
	}
}

func TestUses(t *testing.T) {
	t.Parallel()
	template, err := kriti.Parse(`"{{$session_variables?['$body'] ?? (size(x))}}"`)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"$session_variables": true, "x": true, "$body": false, "size": false} {
		if got := template.Uses(name); got != want {
			t.Errorf("Uses(%q) = %t", name, got)
		}
	}
}

// A template is parsed once and used by every request.
func TestTemplateIsConcurrent(t *testing.T) {
	t.Parallel()
	template, err := kriti.Parse(`{{ range i, x := $list }} "{{i}} {{ toUpper(x) }} {{ toCaseFold(x) }} {{ toTitle(x) }} {{ toLower(x) }}" {{ end }}`)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for _, text := range []string{"aß", "Bc", "dé", "éf"} {
		group.Go(func() {
			list := kriti.ArrayValue([]kriti.Value{kriti.StringValue(text), kriti.StringValue(text)})
			scope := &kriti.Scope{Bindings: []kriti.Binding{{Name: "$list", Value: list}}}
			first, err := template.Eval(scope)
			if err != nil {
				t.Error(err)
				return
			}
			for range 100 {
				again, err := template.Eval(scope)
				if err != nil || string(again.AppendJSON(nil)) != string(first.AppendJSON(nil)) {
					t.Errorf("%s, then %s, %v", first.AppendJSON(nil), again.AppendJSON(nil), err)
				}
			}
		})
	}
	group.Wait()
}

// Neither the author of a template nor the sender of a body may take the server down.
func TestLimits(t *testing.T) {
	t.Parallel()
	doubling := `"x"`
	for range 60 {
		doubling = `{{ range _, a := [` + doubling + `] }} [a, a, a, a] {{ end }}`
	}
	text := `"xxxxxxxx"`
	for range 60 {
		text = `concat([{{ range _, a := [` + text + `] }} "{{a}}{{a}}{{a}}{{a}}" {{ end }}])`
		text = strings.Replace(text, "concat([", "(concat(", 1)
		text = strings.TrimSuffix(text, "])") + "))"
	}
	loops := `1`
	for range 12 {
		loops = `{{ range _, a := $list }} ` + loops + ` {{ end }}`
	}
	list := make([]kriti.Value, 100)
	for i := range list {
		list[i] = kriti.IntValue(i)
	}
	scope := &kriti.Scope{Bindings: []kriti.Binding{{Name: "$list", Value: kriti.ArrayValue(list)}}}
	for name, src := range map[string]string{
		"long":            strings.Repeat(" ", 1<<20+1),
		"deep arrays":     strings.Repeat("[", 100_000),
		"deep strings":    strings.Repeat(`"{{`, 100_000),
		"deep negation":   strings.Repeat("not ", 100_000),
		"deep chain":      "$list" + strings.Repeat("[0]", 100_000),
		"deep optional":   "$list" + strings.Repeat("? ", 100_000),
		"doubling values": doubling,
		"doubling text":   text,
		"nested loops":    loops,
		"membership":      `{{ range _, a := $list }} {{ range _, b := $list }} {{ range _, c := $list }} (-1 in $list) {{ end }} {{ end }} {{ end }}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			template, err := kriti.Parse(src)
			if err == nil {
				_, err = template.Eval(scope)
			}
			if got, _ := errors.AsType[*kriti.Error](err); got == nil || got.Code != kriti.CodeLimit {
				t.Errorf("got %.200v, want a %s", err, kriti.CodeLimit)
			}
		})
	}
}
