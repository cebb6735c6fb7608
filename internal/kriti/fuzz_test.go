package kriti_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/nself-org/nself/internal/kriti"
)

// FuzzParse looks for panics, and for errors that are not the package's own.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"a": {{ $body.x?['y'][0] ?? "z{{1}}" }}}`, `{{ if a }} 1 {{ elif b }} 2 {{ else }} 3 {{ end }}`,
		`{{ range i, x := $a }} not (x in [1.5e3]) {{ end }}`, `"\u00e9\{"`, "#\n", `{"a{": 1}`, `"\`, `$body['`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, src string) {
		template, err := kriti.Parse(src)
		if err == nil {
			if template == nil {
				t.Fatal("neither template nor error")
			}
			return
		}
		fault, ok := errors.AsType[*kriti.Error](err)
		if !ok || fault.Message == "" || fault.Position.StartLine > fault.Position.EndLine {
			t.Fatalf("error %#v", err)
		}
	})
}

// FuzzEval looks for panics and for results that are not JSON.
func FuzzEval(f *testing.F) {
	f.Add(`{{ range i, x := $body }} "{{i}}{{x}}" {{ end }}`, `[1,{"a":null},"x"]`)
	f.Add(`concat([$body, {"b": inverse($body.n)}])`, `{"n":0.125}`)
	f.Add(`[toTitle($body), tail($body), escapeUri($body), $body < "z"]`, `"don't ß"`)
	f.Add(`fromPairs(toPairs($body))`, `{"b":1,"a":1e5}`)
	f.Add(`{{ if $body?.a.b in [1] }} head($body) {{ else }} size($body) {{ end }}`, `{}`)
	f.Fuzz(func(t *testing.T, src, body string) {
		template, err := kriti.Parse(src)
		if err != nil {
			return
		}
		value, err := kriti.ParseJSON([]byte(body))
		if err != nil {
			return
		}
		result, err := template.Eval(&kriti.Scope{
			Bindings: []kriti.Binding{{Name: "$body", Value: value}},
			Session:  map[string]string{"x-hasura-role": "user"},
		})
		if err != nil {
			if _, ok := errors.AsType[*kriti.Error](err); !ok {
				t.Fatalf("error %#v", err)
			}
			return
		}
		if text := result.AppendJSON(nil); !json.Valid(text) {
			t.Fatalf("not JSON: %q", text)
		}
	})
}

func BenchmarkEvalHeaders(b *testing.B) {
	var templates []*kriti.Template
	for _, src := range []string{
		`{{$session_variables['x-hasura-role']}}`, `{{$session_variables?['x-hasura-user-id'] ?? ""}}`, `{{$session_variables}}`,
	} {
		template, err := kriti.ParseUnescaped(src)
		if err != nil {
			b.Fatal(err)
		}
		templates = append(templates, template)
	}
	vars := map[string]string{"x-hasura-role": "user", "x-hasura-user-id": "42", "x-hasura-org": "acme"}
	b.ReportAllocs()
	for b.Loop() {
		scope := &kriti.Scope{Bindings: []kriti.Binding{{Name: "$session_variables", Value: kriti.SessionValue(vars)}}, Session: vars}
		for _, template := range templates {
			if _, err := template.Eval(scope); err != nil {
				b.Fatal(err)
			}
		}
	}
}
