package transform_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/transform"
)

func TestResponseApply(t *testing.T) {
	t.Parallel()
	request := vars()
	tests := []struct {
		name, transform, body string
		status                int
		request               *transform.RequestVars
		want                  string
	}{
		{"nothing", `{"version":2}`, `not json`, 200, nil, `not json`},
		{"version 1", `{"body":"{\"c\": {{$body.price.cents}} }"}`, `{"price":{"cents":7}}`, 200, nil, `{"c":7}`},
		{
			"condition on the status",
			`{"version":2,"body":{"action":"transform","template":"{{ if $response.status == 200 }} {\"c\": {{$body.c}} } {{ else }} {\"message\": {{$body?.error ?? \"upstream failed\"}}, \"code\": \"upstream\"} {{ end }}"}}`,
			`oops`, 502, nil, `{"code":"upstream","message":"upstream failed"}`,
		},
		{"body that is not JSON is null", `{"body":"$body"}`, `<html>`, 200, nil, `null`},
		{"session", `{"body":"[$session_variables['x-hasura-role'], getSessionVariable(\"X-Hasura-User-Id\")]"}`, ``, 200, nil, `["user","42"]`},
		{"no request", `{"body":"$request"}`, ``, 200, nil, `null`},
		{
			"request", `{"body":"[$request.body.body.input.n, $request.url.base_url, $request.method.session_variables, $request.request_headers.query_params[1]]"}`,
			``, 200, &request, `[3,"http://shop:3003/find?x=a%20b&y&z=1#f",{"x-hasura-role":"user","x-hasura-user-id":"42"},["y",null]]`,
		},
		{"remove", `{"version":2,"body":{"action":"remove"}}`, `{}`, 200, nil, ``},
		{"form", `{"version":2,"body":{"action":"x_www_form_urlencoded","form_template":{"a":"{{$response.status}}"}}}`, `{}`, 201, nil, `a=201`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, err := transform.CompileResponse(json.RawMessage(tt.transform))
			if err != nil {
				t.Fatal(err)
			}
			got, err := r.Apply(transform.ResponseVars{Body: []byte(tt.body), Status: tt.status, Session: vars().Session, Request: tt.request})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestResponseErrors(t *testing.T) {
	t.Parallel()
	_, err := transform.CompileResponse(json.RawMessage(`{"version":2,"body":{"action":"x"}}`))
	if diff := cmp.Diff(error(&transform.ShapeError{Path: ".body", Message: "invalid transform action"}), err); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err != nil && err.Error() != ".body: invalid transform action" {
		t.Errorf("text %q", err)
	}
	r, err := transform.CompileResponse(json.RawMessage(`{"body":"$body.x"}`))
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.Apply(transform.ResponseVars{Body: []byte(`{}`)})
	got, _ := json.Marshal(err)
	want := `[{"error_code":"Attribute Error","message":"'Object' has no attritubte 'x'.",` +
		`"source_position":{"start_line":0,"start_column":1,"end_line":0,"end_column":8}}]`
	if string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// FuzzCompile looks for panics in what reads an action's definition.
func FuzzCompile(f *testing.F) {
	for _, seed := range []string{
		`{"version":2,"body":{"action":"transform","template":"{{$body}}"}}`,
		`{"query_params":{"a":null,"b":"{{1}}"},"url":"http://h/{{$body.x}}"}`,
		`{"request_headers":{"remove_headers":["a"],"add_headers":{"b":"{{$base_url}}"}}}`,
		`{"version":2,"body":{"action":"x_www_form_urlencoded","form_template":{"a":"b"}}}`,
	} {
		f.Add(seed, `{"x":1}`, "http://h/?a=b")
	}
	f.Fuzz(func(t *testing.T, definition, body, url string) {
		v := transform.RequestVars{Body: []byte(body), BaseURL: url}
		if r, err := transform.CompileRequest(json.RawMessage(definition)); err == nil && r != nil {
			if _, err := r.Apply(v, transform.Outgoing{URL: url}); err != nil {
				if _, jsonErr := json.Marshal(err); jsonErr != nil {
					t.Fatal(jsonErr)
				}
			}
		}
		if r, err := transform.CompileResponse(json.RawMessage(definition)); err == nil && r != nil {
			_, _ = r.Apply(transform.ResponseVars{Body: []byte(body), Request: &v})
		}
	})
}
