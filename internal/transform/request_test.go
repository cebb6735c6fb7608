package transform_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/transform"
)

// vars and call are what every test starts from.
func vars() transform.RequestVars {
	return transform.RequestVars{
		Body:    []byte(`{"action":{"name":"find"},"input":{"sku":"A/1","n":3,"none":null,"list":[1],"bad":"a\r\nX-Evil: 1"},"request_query":null}`),
		BaseURL: "http://shop:3003/find?x=a%20b&y&z=1#f",
		Session: map[string]string{"x-hasura-role": "user", "x-hasura-user-id": "42"},
	}
}

func call() transform.Outgoing {
	return transform.Outgoing{
		Method: "POST", URL: vars().BaseURL, Body: vars().Body,
		Headers: []transform.Header{{Name: "Content-Type", Value: "application/json"}, {Name: "X-Key", Value: "k"}},
	}
}

func TestRequestApply(t *testing.T) {
	t.Parallel()
	withURL := func(url string) transform.Outgoing {
		out := call()
		out.URL = url
		return out
	}
	withBody := func(body string) transform.Outgoing {
		out := call()
		out.Body = []byte(body)
		return out
	}
	withHeaders := func(headers ...transform.Header) transform.Outgoing {
		out := call()
		out.Headers = headers
		return out
	}
	tests := []struct {
		name, transform string
		want            transform.Outgoing
	}{
		{"nothing", `{}`, call()},
		{"everything null", `{"version":null,"method":null,"url":null,"body":null,"query_params":null,"request_headers":null,"template_engine":null}`, call()},
		{"method as written", `{"method":"pAtch"}`, transform.Outgoing{Method: "pAtch", URL: call().URL, Body: call().Body, Headers: call().Headers}},
		{"url", `{"url":"http://h/{{escapeUri($body.input.sku)}}/{{$body.input.n}}?k=v"}`, withURL("http://h/A%2F1/3?k=v")},
		{"base url", `{"url":"{{$base_url}}"}`, call()},
		{
			"query object replaces, in the order of the document",
			`{"query_params":{"q":"{{$body.input.sku}}","flag":null,"{{$body.input.n}} b":"x y","none":"{{$body.input.none}}","{{null}}":"v","e":""}}`,
			withURL("http://shop:3003/find?q=A%2F1&flag&3%20b=x%20y&e=#f"),
		},
		{"empty query object", `{"query_params":{}}`, withURL("http://shop:3003/find#f")},
		{"query string", `{"query_params":"a=1 2&b&c={{$body.input.sku}}&d=%41+1"}`, withURL("http://shop:3003/find?a=1%202&b&c=A%2F1&d=A%201#f")},
		{"query string null", `{"query_params":"{{$body.input.none}}"}`, withURL("http://shop:3003/find#f")},
		{"url and query", `{"url":"http://h/?k=v","query_params":{"a":"b"}}`, withURL("http://h/?a=b")},
		{"query params of the handler", `{"version":1,"body":"$query_params"}`, withBody(`[["x","a b"],["y",null],["z","1"]]`)},
		{"body version 1", `{"body":"{\"n\": {{$body.input.n}} }"}`, withBody(`{"n":3}`)},
		{
			"body version 2", `{"version":2,"body":{"action":"transform","template":"{ \"b\": 1, \"a\": {{$session_variables}} }"}}`,
			withBody(`{"a":{"x-hasura-role":"user","x-hasura-user-id":"42"},"b":1}`),
		},
		{"body removed", `{"version":2,"body":{"action":"remove"}}`, transform.Outgoing{Method: "POST", URL: call().URL, Headers: call().Headers}},
		{
			"form, content type unchanged",
			`{"version":2,"body":{"action":"x_www_form_urlencoded","form_template":{"foo":"bar","b z":"{{$body.input.sku}}","none":"{{$body.input.none}}","t":"{{true}}"}}}`,
			withBody(`foo=bar&b%20z=A%2F1&t=true`),
		},
		{
			"headers removed in any case, added at the end",
			`{"request_headers":{"remove_headers":["CONTENT-TYPE"],"add_headers":{"content-type":"text/plain","x-key":"{{$session_variables['x-hasura-role']}}"}}}`,
			withHeaders(transform.Header{Name: "X-Key", Value: "k"}, transform.Header{Name: "content-type", Value: "text/plain"}, transform.Header{Name: "x-key", Value: "user"}),
		},
		{
			"the headers of the guide",
			`{"version":2,"template_engine":"Kriti","content_type":"x","request_headers":{"remove_headers":["x-key","content-type"],"add_headers":{
				"X-Hasura-Role":"{{$session_variables['x-hasura-role']}}","X-Hasura-Org":"{{$session_variables?['x-hasura-org'] ?? \"\"}}",
				"X-Hasura-Session-Variables":"{{$session_variables}}"}}}`,
			withHeaders(transform.Header{Name: "X-Hasura-Role", Value: "user"}, transform.Header{Name: "X-Hasura-Org"},
				transform.Header{Name: "X-Hasura-Session-Variables", Value: `{"x-hasura-role":"user","x-hasura-user-id":"42"}`}),
		},
		{
			"every part sees the call as it was", `{"url":"http://h/","method":"PUT","version":2,"body":{"action":"remove"},
				"query_params":{"u":"{{$base_url}}"},"request_headers":{"add_headers":{"N":"{{$body.input.n}}"}}}`,
			transform.Outgoing{
				Method: "PUT", URL: "http://h/?u=http%3A%2F%2Fshop%3A3003%2Ffind%3Fx%3Da%2520b%26y%26z%3D1%23f",
				Headers: append(call().Headers, transform.Header{Name: "N", Value: "3"}),
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, err := transform.CompileRequest(json.RawMessage(tt.transform))
			if err != nil {
				t.Fatal(err)
			}
			in := call()
			got, err := r.Apply(vars(), in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(call(), in); diff != "" {
				t.Errorf("the call that was passed in changed:\n%s", diff)
			}
		})
	}
}

func TestRequestApplyErrors(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, transform, want string }{
		{"url", `{"url":"{{$body.input.sku}} x"}`, `[{"error_code":"TransformationError","message":"Invalid URL: A/1 x"}]`},
		{"relative url", `{"url":"/x"}`, `[{"error_code":"TransformationError","message":"Invalid URL: /x"}]`},
		{"url of another kind", `{"url":"ftp://h/"}`, `[{"error_code":"TransformationError","message":"Invalid URL: ftp://h/"}]`},
		{
			"url is no string", `{"url":"\" == \""}`,
			`[{"error_code":"TransformationError","message":"URL Transforms must produce a JSON String: true"}]`,
		},
		{
			"two headers, both reported", `{"request_headers":{"add_headers":{"A":"{{$nope}}","B":"{{$body.x}}"}}}`,
			`[{"error_code":"Name Error","message":"Variable '$nope' not in scope","source_position":{"start_line":0,"start_column":4,"end_line":0,"end_column":9}},` +
				`{"error_code":"Attribute Error","message":"'Object' has no attritubte 'x'.","source_position":{"start_line":0,"start_column":4,"end_line":0,"end_column":11}}]`,
		},
		{
			"the first part that fails is reported", `{"body":"$nope","url":"{{$body.x}}"}`,
			`[{"error_code":"Attribute Error","message":"'Object' has no attritubte 'x'.","source_position":{"start_line":0,"start_column":4,"end_line":0,"end_column":11}}]`,
		},
		{
			"response is unknown to requests", `{"body":"$response.status"}`,
			`[{"error_code":"Name Error","message":"Variable '$response' not in scope","source_position":{"start_line":0,"start_column":1,"end_line":0,"end_column":10}}]`,
		},
		{
			"header injection", `{"request_headers":{"add_headers":{"x-a":"{{$body.input.bad}}"}}}`,
			`[{"error_code":"TransformationError","message":"Header X-A: the value has a control character"}]`,
		},
		{
			"form value", `{"version":2,"body":{"action":"x_www_form_urlencoded","form_template":{"a":"{{$body.input.nope}}"}}}`,
			`[{"error_code":"Attribute Error","message":"'Object' has no attritubte 'nope'.","source_position":{"start_line":0,"start_column":4,"end_line":0,"end_column":20}}]`,
		},
		{
			"query value", `{"query_params":{"a":"{{getSessionVariable(\"x-hasura-nope\")}}"}}`,
			`[{"error_code":"Function Error","message":"Session variable \"x-hasura-nope\" not found","source_position":{"start_line":0,"start_column":23,"end_line":0,"end_column":38}}]`,
		},
		{
			"an object escapes the quotes", `{"request_headers":{"add_headers":{"A":"a\"[0] ?? \"b"}}}`,
			`[{"error_code":"Type Error","message":"Couldn't match expected type 'Object' with actual type 'String'.","source_position":{"start_line":0,"start_column":1,"end_line":0,"end_column":4}}]`,
		},
		{
			"null escapes the quotes", `{"request_headers":{"add_headers":{"A":"\"?.x ?? null #"}}}`,
			`[{"error_code":"Type Error","message":"Couldn't match expected type 'Object' with actual type 'String'.","source_position":{"start_line":0,"start_column":1,"end_line":0,"end_column":3}}]`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, err := transform.CompileRequest(json.RawMessage(tt.transform))
			if err != nil {
				t.Fatal(err)
			}
			_, err = r.Apply(vars(), call())
			got, jsonErr := json.Marshal(err)
			if jsonErr != nil {
				t.Fatal(jsonErr)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestCompileErrors(t *testing.T) {
	t.Parallel()
	tests := []struct{ transform, path, message string }{
		{`[]`, "", "parsing RequestTransform failed, expected Object, but encountered Array"},
		{`{"version":3}`, ".version", "expected 1 or 2, encountered 3"},
		{`{"version":"2"}`, ".version", "parsing Int failed, expected Number, but encountered String"},
		{`{"template_engine":"Go"}`, ".template_engine", "expected Kriti, encountered Go"},
		{`{"version":2,"body":{"action":"replace"}}`, ".body", "invalid transform action"},
		{`{"version":2,"body":{}}`, ".body", `key "action" not found`},
		{`{"version":2,"body":{"action":"transform"}}`, ".body", `key "template" not found`},
		{`{"version":2,"body":{"action":"x_www_form_urlencoded"}}`, ".body", `key "form_template" not found`},
		{`{"version":2,"body":"x"}`, ".body", "parsing BodyTransformFn failed, expected Object, but encountered String"},
		{`{"version":1,"body":{"action":"remove"}}`, ".body", "parsing Text failed, expected String, but encountered Object"},
		{`{"method":1}`, ".method", "parsing Text failed, expected String, but encountered Number"},
		{`{"url":true}`, ".url", "parsing Text failed, expected String, but encountered Boolean"},
		{`{"query_params":{"a":1}}`, ".query_params.a", "parsing Text failed, expected String, but encountered Number"},
		{`{"query_params":7}`, ".query_params", "parsing HashMap failed, expected Object, but encountered Number"},
		{`{"request_headers":{"remove_headers":"x"}}`, ".request_headers.remove_headers", "parsing [] failed, expected a list of strings"},
		{`{"request_headers":{"add_headers":{"a":null}}}`, ".request_headers.add_headers.a", "parsing Text failed, expected String, but encountered Null"},
		{`{"url":`, "", "not valid JSON"},
	}
	for _, tt := range tests {
		t.Run(tt.transform, func(t *testing.T) {
			t.Parallel()
			r, err := transform.CompileRequest(json.RawMessage(tt.transform))
			if diff := cmp.Diff(error(&transform.ShapeError{Path: tt.path, Message: tt.message}), err); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if r != nil {
				t.Error("a transform in spite of the error")
			}
		})
	}
}

// All faulty templates are reported at once, in the order of the parts of a request.
func TestCompileCollectsTemplateErrors(t *testing.T) {
	t.Parallel()
	_, err := transform.CompileRequest(json.RawMessage(`{"version":2,"request_headers":{"add_headers":{"A":"{{"}},"query_params":{"{{":"~{{~"},
		"url":"{{ )","body":{"action":"transform","template":"["}}`))
	got, jsonErr := json.Marshal(err)
	if jsonErr != nil {
		t.Fatal(jsonErr)
	}
	want := `[{"error_code":"Parse Error","message":"Unexpected token ')'.","source_position":{"start_line":0,"start_column":6,"end_line":0,"end_column":7}},` +
		`{"error_code":"Parse Error","message":"ParseError: Empty token stream.","source_position":{"start_line":0,"start_column":1,"end_line":0,"end_column":2}},` +
		`{"error_code":"Parse Error","message":"ParseError: Empty token stream.","source_position":{"start_line":0,"start_column":4,"end_line":0,"end_column":5}},` +
		`{"error_code":"Lex Error","message":"Invalid Lexeme: '~\"'","source_position":{"start_line":0,"start_column":5,"end_line":0,"end_column":7}},` +
		`{"error_code":"Parse Error","message":"ParseError: Empty token stream.","source_position":{"start_line":0,"start_column":4,"end_line":0,"end_column":5}}]`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCompileNothing(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"", "null", " null "} {
		if r, err := transform.CompileRequest(json.RawMessage(raw)); r != nil || err != nil {
			t.Errorf("%q: %v, %v", raw, r, err)
		}
		if r, err := transform.CompileResponse(json.RawMessage(raw)); r != nil || err != nil {
			t.Errorf("%q: %v, %v", raw, r, err)
		}
	}
}

func BenchmarkRequestHeaders(b *testing.B) {
	r, err := transform.CompileRequest(json.RawMessage(`{"version":2,"template_engine":"Kriti","request_headers":{"add_headers":{
		"X-Hasura-Role":"{{$session_variables['x-hasura-role']}}","X-Hasura-User-Id":"{{$session_variables?['x-hasura-user-id'] ?? \"\"}}",
		"X-Hasura-Session-Variables":"{{$session_variables}}"}}}`))
	if err != nil {
		b.Fatal(err)
	}
	in, v := call(), vars()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Apply(v, in); err != nil {
			b.Fatal(err)
		}
	}
}
