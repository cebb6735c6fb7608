package kriti_test

import (
	"encoding/json"
	"errors"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/kriti"
)

// testScope is what the templates of the tests see.
func testScope(t testing.TB) *kriti.Scope {
	t.Helper()
	body, err := kriti.ParseJSON([]byte(`{
		"input": {"sku": "A/1 ü", "qty": 3, "price": 1.50, "none": null, "yes": true, "a-b": 1, "end": 2, "two words": 3},
		"items": [{"n": 1}, {"n": 2}], "z": 1, "a": "first", "empty": [], "nested": [[1, 2], [3]]
	}`))
	if err != nil {
		t.Fatal(err)
	}
	session := map[string]string{"x-hasura-user-id": "42", "x-hasura-role": "user", "x-hasura-org": "a\"b"}
	return &kriti.Scope{
		Bindings: []kriti.Binding{
			{Name: "$body", Value: body},
			{Name: "$base_url", Value: kriti.StringValue("http://h")},
			{Name: "$session_variables", Value: kriti.SessionValue(session)},
		},
		Session: session,
	}
}

func TestEval(t *testing.T) {
	t.Parallel()
	tests := []struct{ template, want string }{
		// JSON
		{`null`, `null`},
		{`true`, `true`},
		{` [ 1 , "a" , { } , [ ] ] `, `[1,"a",{},[]]`},
		{`{"b": 1, "a": {"d": 2, "c": {"e": 3}}}`, `{"a":{"c":{"e":3},"d":2},"b":1}`},
		{`{"": 1}`, `{"":1}`},
		{`{"a{b": 1}`, `{"a{b":1}`},
		{`{"k": 1, "k": 2}`, `{"k":1}`},
		{"# comment\n[1, # one \"\n2]#end", `[1,2]`},
		{`"# not a comment"`, `"# not a comment"`},
		{`"line` + "\n" + `two"`, `"line\ntwo"`},
		{`"\"\\\b\f\n\r\t\u00e9\{{"`, `"\"\\\u0008\u000c\n\r\té{{"`},
		{`"\ud83d\ude00 \ud83d"`, `"😀 ` + "\uFFFD" + `"`},
		{`"a\/b"`, `"a\\/b"`},
		{`"{ single {brace} }"`, `"{ single {brace} }"`},
		// numbers
		{`[0, -1, 007, 10000000000000000000000]`, `[0,-1,7,10000000000000000000000]`},
		{
			`[1.0, 1.50, 1e3, 1.5e3, 0.1, 0.05, 1234567.5, 12345678.5, -0, -0.0, 1e-7, 2.5E+1]`,
			`[1.0,1.5,1000,1500,0.1,5.0e-2,1234567.5,1.23456785e7,0,0.0,1.0e-7,25]`,
		},
		// interpolation
		{`{{ $body.input.qty }}`, `3`},
		{`{ "a": $body.input.qty }`, `{"a":3}`},
		{`{{ {{ 1 }} }}`, `1`},
		{`"{{$base_url}}/x/{{$body.input.qty}}"`, `"http://h/x/3"`},
		{`"{{ "inner {{ "deep" }}" }}"`, `"inner deep"`},
		{`"{{null}} {{true}} {{1.50}} {{[1,"a"]}} {{ { "b": 1 } }}"`, `"null true 1.5 [1,\"a\"] {\"b\":1}"`},
		{`"{{$session_variables}}"`, `"{\"x-hasura-org\":\"a\\\"b\",\"x-hasura-role\":\"user\",\"x-hasura-user-id\":\"42\"}"`},
		{`$session_variables`, `{"x-hasura-org":"a\"b","x-hasura-role":"user","x-hasura-user-id":"42"}`},
		{`""`, `""`},
		// access
		{`{{ $body.items[1].n }}`, `2`},
		{`{{ $body['input']['sku'] }}`, `"A/1 ü"`},
		{`{{ $body.input['two words'] }}`, `3`},
		{`{{ $body["input"]["a-b"] }}`, `1`},
		{`{{ $body.input['end'] }}`, `2`},
		{`{{ $body.input.a-b }}`, `1`},
		{`{{ $body.items[1.0].n }}`, `2`},
		{`{{ {"a": {"k": 5} }.a.k }}`, `5`},
		{`{{ [1,2,3][2] }}`, `3`},
		{`{{ ($body.items)[0]["n"] }}`, `1`},
		{`{{ $session_variables['x-hasura-role'] }}`, `"user"`},
		// optional access
		{`{{ $body?.nope }}`, `null`},
		{`{{ $body?.nope.deeper[3]['x'] }}`, `null`},
		{`{{ $body?.input.sku.too.far }}`, `null`},
		{`{{ $body?["input"]['qty'] }}`, `3`},
		{`{{ $body?.items[7] }}`, `null`},
		{`{{ $body?.items["x"] }}`, `null`},
		{`{{ $body.input?.none.x }}`, `null`},
		{`{{ $nope?.x }}`, `null`},
		{`{{ $nope.x.y? }}`, `null`},
		{`{{ $body?.input?.qty }}`, `3`},
		{`{{ $body?.nope ?? "en" }}`, `"en"`},
		{`{{ $session_variables?['x-hasura-nope'] ?? "" }}`, `""`},
		{`{{ $body.input.none ?? (null ?? 7) }}`, `7`},
		{`{{ 1 ?? $nope }}`, `1`},
		{`{{ false ?? 1 }}`, `false`},
		// operators
		{`[1 == 1.0, 1 != 2, "a" == "a", null == null, {"a":1,"b":2} == {"b":2,"a":1}, [1,2] == [1,3]]`, `[true,true,true,true,true,false]`},
		{
			`[1 < 2, 2 <= 2, 3 > 4, 3 >= 4, "a" < "b", false < true, [1] < [1,2], -5 < -4.5, 1e400 > 9e399]`,
			`[true,true,false,false,true,true,true,true,true]`,
		},
		{`[{} < [], [] < "", "" < 0, 0 < false, true < null]`, `[true,true,true,true,true]`},
		{`(true && false) || true`, `true`},
		{`not $body.input.yes == false`, `true`},
		{`not (not true)`, `true`},
		{`["sku" in $body.input, "nope" in $body.input, 2 in [1, 2], {"n": 1} in $body.items]`, `[true,false,true,true]`},
		{`(size($body.items)) > 1`, `true`},
		// if
		{`{{ if true }} 1 {{ else }} 2 {{ end }}`, `1`},
		{`{{ if 1 == 2 }} 1 {{ elif true }} {"a": {"b": 3}} {{ else }} 2 {{ end }}`, `{"a":{"b":3}}`},
		{`{{ if false }} 1 {{ elif false }} 2 {{ elif false }} 4 {{ else }} 3 {{ end }}`, `3`},
		{`{"x": {{ if "a" in $body }} "yes" {{ else }} $nope {{ end }}}`, `{"x":"yes"}`},
		{`{{ if true }} [1] {{ else }} [2] {{ end }}[0]`, `1`},
		{`"{{ {{ if true }} "a" {{ else }} "b" {{ end }} }}"`, `"a"`},
		// range
		{`{{ range i, x := $body.items }} {"i": {{i}}, "n": {{x.n}} } {{ end }}`, `[{"i":0,"n":1},{"i":1,"n":2}]`},
		{`{{ range _, x := $body.nested }} {{ range _, y := x }} y {{ end }} {{ end }}`, `[[1,2],[3]]`},
		{`{{ range x, x := ["a", "b"] }} x {{ end }}`, `[0,1]`},
		{`{{ range _, x := [1] }} {{ range _, x := [2] }} x {{ end }} {{ end }}`, `[[2]]`},
		{`{{ range _, $body := [1] }} $body {{ end }}`, `[1]`},
		{`{{ range _, x := $body.empty }} $nope {{ end }}`, `[]`},
		// functions
		{
			`[empty({}), empty({"a":1}), empty([]), empty(" \n"), empty("x"), empty(0.0), empty(1), empty(null)]`,
			`[true,false,true,true,false,true,false,true]`,
		},
		{
			`[size({"a":1}), size([1,2]), size("üx"), size(1.5), size(true), size(false), size(null), size($session_variables)]`,
			`[1,2,2,1.5,1,0,0,3]`,
		},
		{
			`[inverse([1,2]), inverse("aü"), inverse(4), inverse(-0.5), inverse(true), inverse({"a":1}), inverse(null), inverse(100)]`,
			`[[2,1],"üa",0.25,-2,false,{"a":1},null,1.0e-2]`,
		},
		{`[head([1,2]), head("üx"), tail([1,2]), tail("üx"), tail([1])]`, `[1,"ü",[2],"x",[]]`},
		{
			`[toLower("ÄbΣ"), toUpper("äß"), toTitle("the qUICK don't 1abc"), toCaseFold("AbCß")]`,
			`["äbσ","ÄSS","The Quick Don't 1Abc","abcss"]`,
		},
		{`[concat([[1],[2,3]]), concat(["a","b"]), concat([{"a":1,"b":2},{"b":3}]), concat([])]`, `[[1,2,3],"ab",{"a":1,"b":3},[]]`},
		{`escapeUri($body.input.sku)`, `"A%2F1%20%C3%BC"`},
		{`escapeUri("aZ09-._~")`, `"aZ09-._~"`},
		{`toPairs({"b":1,"a":2})`, `[["a",2],["b",1]]`},
		{`fromPairs([["b",1],["a",2],["b",3]])`, `{"a":2,"b":3}`},
		{`removeNulls([1,null,2])`, `[1,2]`},
		{`not(true)`, `false`},
		{`[getSessionVariable("x-hasura-user-id"), getSessionVariable("X-Hasura-User-Id"), getSessionVariable(null)]`, `["42","42",null]`},
		{`size(concat([[1],[2]]))`, `2`},
	}
	scope := testScope(t)
	for _, tt := range tests {
		t.Run(tt.template, func(t *testing.T) {
			t.Parallel()
			template, err := kriti.Parse(tt.template)
			if err != nil {
				t.Fatal(err)
			}
			got, err := template.Eval(scope)
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(got)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got.AppendJSON(nil))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if !json.Valid(text) {
				t.Errorf("not JSON: %s", text)
			}
		})
	}
}

func at(startLine, startColumn, endLine, endColumn int) kriti.Position {
	return kriti.Position{StartLine: startLine, StartColumn: startColumn, EndLine: endLine, EndColumn: endColumn}
}

func TestEvalErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		template string
		code     kriti.Code
		message  string
		position kriti.Position
	}{
		{`{{ $body.world }}`, "Attribute Error", "'Object' has no attritubte 'world'.", at(0, 4, 0, 15)},
		{`{{ $body['world'] }}`, "Attribute Error", "'Object' has no attritubte 'world'.", at(0, 4, 0, 18)},
		{"{\n  \"ü\": {{ $nope }} }", "Name Error", "Variable '$nope' not in scope", at(1, 11, 1, 16)},
		{`nope("x")`, "Name Error", "Variable 'nope' not in scope", at(0, 1, 0, 10)},
		{`nope($nope)`, "Name Error", "Variable '$nope' not in scope", at(0, 6, 0, 11)},
		{`$body.a.b`, "Type Error", "Couldn't match expected type 'Object' with actual type 'String'.", at(0, 1, 0, 8)},
		{`$body.input.none.b`, "Type Error", "Couldn't match expected type 'Object' with actual type 'Null'.", at(0, 1, 0, 17)},
		{`$body.items.b`, "Type Error", "Couldn't match expected type 'Object' with actual type 'Array'.", at(0, 1, 0, 12)},
		{`$body.items['b']`, "Type Error", "Couldn't match expected type 'Integer' with actual type 'String'.", at(0, 1, 0, 17)},
		{`$body.items[0.5]`, "Type Error", "Couldn't match expected type 'Integer' with actual type 'Number'.", at(0, 1, 0, 17)},
		{`$body[0]`, "Type Error", "Couldn't match expected type 'String' with actual type 'Number'.", at(0, 1, 0, 6)},
		{`$body.items[2]`, "Index Error", "Can only range over an array", at(0, 1, 0, 15)},
		{`$body.items[-1]`, "Index Error", "Can only range over an array", at(0, 1, 0, 16)},
		{`$body.items[99999999999999999999]`, "Type Error", "Couldn't match expected type 'Integer' with actual type 'Number'.", at(0, 1, 0, 34)},
		{`$body.a?.b`, "Type Error", "Couldn't match expected type 'Object' with actual type 'String'.", at(0, 1, 0, 8)},
		{`$body?[$nope]`, "Name Error", "Variable '$nope' not in scope", at(0, 8, 0, 13)},
		{`$nope ?? 1`, "Name Error", "Variable '$nope' not in scope", at(0, 1, 0, 6)},
		{`{{ if 1 }} 1 {{ else }} 2 {{ end }}`, "Type Error", "Couldn't match expected type 'Boolean' with actual type 'Number'.", at(0, 1, 0, 36)},
		{
			`{{ if false }} 1 {{ elif "x" }} 2 {{ else }} 3 {{ end }}`, "Type Error",
			"Couldn't match expected type 'Boolean' with actual type 'String'.", at(0, 21, 0, 29),
		},
		{`{{ range _, x := $body }} x {{ end }}`, "Type Error", "Couldn't match expected type 'Array' with actual type 'Object'.", at(0, 1, 0, 38)},
		{`{{ range _, x := [1] }} $nope {{ end }}`, "Name Error", "Variable '$nope' not in scope", at(0, 25, 0, 30)},
		{`1 && true`, "Type Error", "Couldn't match expected type 'Boolean' with actual type 'Number'.", at(0, 1, 0, 10)},
		{`"" || null`, "Type Error", "Couldn't match expected type 'Boolean' with actual type 'Null'.", at(0, 1, 0, 11)},
		{`false && $nope`, "Name Error", "Variable '$nope' not in scope", at(0, 10, 0, 15)},
		{`1 in {}`, "Type Error", "Couldn't match expected type 'String' with actual type 'Number'.", at(0, 1, 0, 8)},
		{`1 in 2`, "Type Error", "Couldn't match expected type 'Array' with actual type 'Number'.", at(0, 1, 0, 7)},
		{`not 1`, "Function Error", "parsing Bool failed, expected Boolean, but encountered Number", at(0, 5, 0, 6)},
		{`empty(true)`, "Function Error", "Cannot define emptiness for a boolean", at(0, 7, 0, 11)},
		{`head([])`, "Function Error", "Empty array", at(0, 6, 0, 8)},
		{`head("")`, "Function Error", "Empty string", at(0, 6, 0, 8)},
		{`head(1)`, "Function Error", "Expected an array or string", at(0, 6, 0, 7)},
		{`tail([])`, "Function Error", "Empty array", at(0, 6, 0, 8)},
		{`tail("")`, "Function Error", "Empty string", at(0, 6, 0, 8)},
		{`tail(null)`, "Function Error", "Expected an array or string", at(0, 6, 0, 10)},
		{`inverse(0)`, "Function Error", "The reciprocal of 0 is not a finite decimal number", at(0, 9, 0, 10)},
		{`inverse(3)`, "Function Error", "The reciprocal of 3 is not a finite decimal number", at(0, 9, 0, 10)},
		{`toLower(1)`, "Function Error", "parsing String failed, expected String, but encountered Number", at(0, 9, 0, 10)},
		{`toUpper(null)`, "Function Error", "parsing String failed, expected String, but encountered Null", at(0, 9, 0, 13)},
		{`toTitle([])`, "Function Error", "parsing String failed, expected String, but encountered Array", at(0, 9, 0, 11)},
		{`toCaseFold({})`, "Function Error", "parsing String failed, expected String, but encountered Object", at(0, 12, 0, 14)},
		{`escapeUri(true)`, "Function Error", "parsing String failed, expected String, but encountered Boolean", at(0, 11, 0, 15)},
		{`concat(1)`, "Function Error", "parsing Array failed, expected Array, but encountered Number", at(0, 8, 0, 9)},
		{`concat([{}, "a", 1])`, "Function Error", "parsing Nested Object failed, expected Object, but encountered String", at(0, 8, 0, 20)},
		{`toPairs([])`, "Function Error", "parsing Object failed, expected Object, but encountered Array", at(0, 9, 0, 11)},
		{`fromPairs({})`, "Function Error", "parsing Nested Arrays failed, expected Array, but encountered Object", at(0, 11, 0, 13)},
		{`fromPairs([1])`, "Function Error", "parsing Array of Pair failed, expected Array, but encountered Number", at(0, 11, 0, 14)},
		{
			`fromPairs([["a"]])`, "Function Error",
			"Expected an array of shape [ [k1,v1], [k2,v2] ... ] - With String keys.", at(0, 11, 0, 18),
		},
		{`fromPairs([[1,2]])`, "Function Error", "parsing Key failed, expected String, but encountered Number", at(0, 11, 0, 18)},
		{`removeNulls({})`, "Function Error", "parsing Array failed, expected Array, but encountered Object", at(0, 13, 0, 15)},
		{`getSessionVariable("x-hasura-nope")`, "Function Error", `Session variable "x-hasura-nope" not found`, at(0, 20, 0, 35)},
		{`getSessionVariable("user-id")`, "Function Error", `Session variable "user-id" not found`, at(0, 20, 0, 29)},
		{`getSessionVariable(1)`, "Function Error", "Session variable name should be a string", at(0, 20, 0, 21)},
	}
	scope := testScope(t)
	for _, tt := range tests {
		t.Run(tt.template, func(t *testing.T) {
			t.Parallel()
			template, err := kriti.Parse(tt.template)
			if err != nil {
				t.Fatal(err)
			}
			_, err = template.Eval(scope)
			got, _ := errors.AsType[*kriti.Error](err)
			want := &kriti.Error{Code: tt.code, Message: tt.message, Position: tt.position}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	_, err := kriti.Parse("{\n  ]")
	if err == nil {
		t.Fatal("no error")
	}
	if want := "line 2, column 3: Parse Error: Unexpected token ']'."; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
	text, _ := json.Marshal(err)
	want := `{"error_code":"Parse Error","message":"Unexpected token ']'.",` +
		`"source_position":{"start_line":1,"start_column":3,"end_line":1,"end_column":4}}`
	if string(text) != want {
		t.Errorf("got %s, want %s", text, want)
	}
}

// A session prints in the order of its names, however many there are.
func TestSessionValueOrder(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 5, 16, 17, 100} {
		vars := map[string]string{}
		for i := range n {
			vars["x-hasura-"+strconv.Itoa(i*7919%1000)] = strconv.Itoa(i)
		}
		want, err := json.Marshal(vars) // sorts by name, too
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(kriti.SessionValue(vars).AppendJSON(nil))); diff != "" {
			t.Errorf("%d variables (-want +got):\n%s", n, diff)
		}
	}
	if got := kriti.SessionValue(nil); !got.IsNull() {
		t.Errorf("no session is %s, want null", got.AppendJSON(nil))
	}
}
