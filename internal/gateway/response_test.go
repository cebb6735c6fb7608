package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/metadata"
)

// outputs is metadata with one query action per output type, all with the same handler.
func outputs(url string, types ...string) *metadata.Metadata {
	md := shop(url)
	md.Actions = nil
	for i, typ := range types {
		md.Actions = append(md.Actions, metadata.Action{
			Name: fmt.Sprintf("a%d", i),
			Definition: metadata.ActionDefinition{
				Type: metadata.Query, Handler: "{{BASE}}/x", OutputType: typ,
				Arguments: []metadata.Argument{{Name: "x", Type: "Int"}},
			},
		})
	}
	return md
}

// TestResponses holds what a handler's answer becomes.
func TestResponses(t *testing.T) {
	t.Parallel()
	const (
		noJSON   = "not a valid json response from webhook"
		notFound = "expecting array for the action webhook response"
	)
	data := func(value string) string { return `{"data":{"a0":` + value + `}}` }
	failure := func(message string) string {
		m, _ := json.Marshal(message)
		return `{"errors":[{"message":` + string(m) + `,"extensions":{"path":"$","code":"unexpected"}}]}`
	}
	cases := []struct {
		typ    string
		status int
		body   string
		want   string
	}{
		{"Receipt", 200, ``, failure(noJSON)},
		{"Receipt", 204, ``, failure(noJSON)},
		{"Receipt", 200, `<html>`, failure(noJSON)},
		{"Receipt", 200, "\"\xff\"", failure(noJSON)},
		{"Receipt", 200, strings.Repeat("[", 100_000), failure(noJSON)},
		{"Receipt", 500, `oops`, failure(noJSON)},
		{"Receipt", 400, `oops`, failure(noJSON)},
		{"Receipt", 500, `{"message":"boom"}`, failure("internal error")},
		{"Receipt", 304, ``, failure(noJSON)},
		{"Receipt", 302, `{}`, failure("internal error")},

		{"Receipt", 200, `null`, data(`null`)},
		{"Int", 200, `null`, data(`null`)},
		{"[Int]", 200, `null`, data(`null`)},
		{"Receipt!", 200, `null`, failure("got null for the action webhook response")},
		{"String!", 200, `null`, failure("got null for the action webhook response")},
		{"[Receipt]!", 200, `null`, failure("got null for the action webhook response")},
		{"[String!]!", 200, `["a",null]`, failure("got null for the action webhook response")},
		{"[String]!", 200, `["a",null]`, data(`["a",null]`)},

		{"Receipt", 200, `{"id":"1"}`, data(`{"id":"1"}`)},
		{"Receipt!", 299, " {\"id\"\n: \"1\"} ", data(`{"id":"1"}`)},
		{"[Receipt]", 200, `{"id":"1"}`, failure(notFound)},
		{"String", 200, `{}`, failure("got object for the action webhook response, expecting String")},
		{"Receipt", 200, `[{"id":"1"}]`, failure("got array for the action webhook response, expecting Receipt")},
		{"Int", 200, `[1]`, failure("got array for the action webhook response, expecting Int")},
		{"Receipt", 200, `"x"`, failure("got scalar String for the action webhook response, expecting Receipt")},
		{"Int", 200, `"1"`, failure("got scalar String for the action webhook response, expecting Int")},
		{"Receipt", 200, `1`, failure("got scalar String for the action webhook response, expecting Receipt")},
		{"String", 200, `1`, failure("got scalar String for the action webhook response, expecting String")},
		{"ID", 200, `1`, failure("got scalar String for the action webhook response, expecting ID")},
		{"Receipt", 200, `true`, failure("got scalar Boolean for the action webhook response, expecting Receipt")},
		{"Int", 200, `false`, failure("got scalar Boolean for the action webhook response, expecting Int")},
		{"[Int]", 200, `1`, failure(notFound)},
		{"[[Money!]]!", 200, `[{"a":1}]`, failure(notFound)},

		{"String", 200, `"x\u0041"`, data(`"x\u0041"`)},
		{"ID", 200, `"x"`, data(`"x"`)},
		{"Int!", 201, `1.5`, data(`1.5`)},
		{"Float", 200, `-2e3`, data(`-2e3`)},
		{"Boolean", 200, `true`, data(`true`)},
		{"[Receipt!]", 200, `[ {"id":1} , {"id":"2"} ]`, data(`[{"id":1},{"id":"2"}]`)},
		{"[[Int]]", 200, `[[1],null,[]]`, data(`[[1],null,[]]`)},
		{"[Receipt]", 200, `[null]`, data(`[null]`)},
		{"[Receipt]", 200, `[{"id":1},{}]`, failure(`field "id" expected in webhook response, but not found`)},

		{"Money", 200, `{"a":[1]}`, data(`{"a":[1]}`)},
		{"Money!", 200, `null`, data(`null`)},
		{"uuid!", 200, `17`, data(`17`)},
		{"[jsonb!]", 200, `[null,{}]`, data(`[null,{}]`)},

		{"Receipt", 200, `{"total":1}`, failure(`field "id" expected in webhook response, but not found`)},
		{"Receipt", 200, `{"id":null}`, failure(`expecting not null value for field "id"`)},
		{"Receipt", 200, `{"id":{"any":"thing"}}`, data(`{"id":{"any":"thing"}}`)},
		{"Receipt", 200, `{"id":1,"id":2}`, data(`{"id":2}`)},
	}
	for _, c := range cases {
		t.Run(fmt.Sprint(c.typ, " ", c.status, " ", c.body[:min(len(c.body), 20)]), func(t *testing.T) {
			t.Parallel()
			url := handlerServer(t, answer(c.status, c.body))
			o := Options{HideAdminInternals: true, Lookup: environment(map[string]string{"BASE": url})}
			e := newEngine(t, o, outputs(url, c.typ))
			text := "{ a0 }"
			if strings.Contains(c.typ, "Receipt") {
				text = "{ a0 { id } }"
			}
			if diff := cmp.Diff(c.want, query(t, e, "", text, "")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestProjection holds what of an object reaches the client.
func TestProjection(t *testing.T) {
	t.Parallel()
	cases := []struct{ name, selection, body, want string }{
		{"missing scalar", "total size", `{"id":1}`, `{"total":null,"size":null}`},
		{"missing object", "id first { sku }", `{"id":1}`, `{"id":1}`},
		{"null object", "first { sku }", `{"id":1,"first":null}`, `{"first":null}`},
		{"scalar for an object", "first { sku } id", `{"id":1,"first":"x"}`, `{"id":1}`},
		{"missing nested field", "first { sku }", `{"id":1,"first":{}}`, `{"first":{"sku":null}}`},
		{"list for an object", "first { sku }", `{"id":1,"first":[{"sku":1}]}`, `{"first":[{"sku":1}]}`},
		{"object for a list", "lines { sku }", `{"id":1,"lines":{"sku":1}}`, `{"lines":{"sku":1}}`},
		{
			"scalars in a list", "lines { sku }", `{"id":1,"lines":[1,{"sku":1},"x",null,true]}`,
			`{"lines":[{"sku":1},null]}`,
		},
		{"nested lists", "lines { sku }", `{"id":1,"lines":[[{"sku":1}],[]]}`, `{"lines":[[{"sku":1}],[]]}`},
		{
			"recursion", "first { parent { parent { sku } } }", `{"id":1,"first":{"parent":{"parent":{"sku":3}}}}`,
			`{"first":{"parent":{"parent":{"sku":3}}}}`,
		},
		{"object in a scalar", "total", `{"id":1,"total":{"a":[1, 2]}}`, `{"total":{"a":[1, 2]}}`},
		{
			"type names", "__typename first { t: __typename }", `{"id":1,"first":{}}`,
			`{"__typename":"Receipt","first":{"t":"Line"}}`,
		},
		{"escaped keys", "total", `{"id":1,"t\u006ftal":4}`, `{"total":4}`},
		{"braces in strings", "total", `{"id":1,"a":"}{\"","total":4}`, `{"total":4}`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			url := handlerServer(t, answer(http.StatusOK, c.body))
			e := newEngine(t, Options{Lookup: environment(map[string]string{"BASE": url})}, outputs(url, "Receipt"))
			got := query(t, e, "", "{ a0 { "+c.selection+" } }", "")
			if diff := cmp.Diff(`{"data":{"a0":`+c.want+`}}`, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestHandlerErrors holds how a handler's own error object reaches the client.
func TestHandlerErrors(t *testing.T) {
	t.Parallel()
	const reader = "parsing Hasura.GraphQL.Execute.Action.Types.ActionWebhookErrorResponse" +
		"(ActionWebhookErrorResponse) failed, "
	cases := []struct{ name, body, message, extensions string }{
		{"message", `{"message":"m"}`, "m", `{"path":"$","code":"unexpected"}`},
		{"code", `{"message":"m","code":"c"}`, "m", `{"path":"$","code":"c"}`},
		{"extensions", `{"message":"m","code":"c","extensions":{"k":[1, "x"]}}`, "m", `{"k":[1, "x"]}`},
		{"empty extensions", `{"message":"m","code":"c","extensions":{}}`, "m", `{}`},
		{"null extensions", `{"message":"m","code":"c","extensions":null}`, "m", `{"path":"$","code":"c"}`},
		{"escapes", `{"message":"a\"\u00e9"}`, `a\"é`, `{"path":"$","code":"unexpected"}`},
		{"no message", `{"code":"c"}`, reader + `key \"message\" not found`, `{"path":"$","code":"parse-failed"}`},
		{
			"message not a string", `{"message":1}`, reader + `key \"message\" not found`,
			`{"path":"$","code":"parse-failed"}`,
		},
		{
			"not an object", `[1]`, reader + `expected Object, but encountered Array`,
			`{"path":"$","code":"parse-failed"}`,
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			url := handlerServer(t, answer(422, c.body))
			o := Options{HideAdminInternals: true, Lookup: environment(map[string]string{"BASE": url})}
			e := newEngine(t, o, outputs(url, "Receipt"))
			body := `{"query":"{ a0 { id } }"}`
			want := `{"errors":[{"message":"` + c.message + `","extensions":` + c.extensions + `}]}`
			for path, status := range map[string]int{"/v1/graphql": 200, "/v1alpha1/graphql": 422} {
				w := send(t, e, request{path: path, body: body})
				if diff := cmp.Diff(want, w.Body.String()); diff != "" || w.Code != status {
					t.Errorf("%s: status %d, want %d (-want +got):\n%s", path, w.Code, status, diff)
				}
			}
		})
	}
}

// TestErrorStatuses holds the status that an error of each kind has on the endpoint that keeps it.
func TestErrorStatuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		status int
		body   string
		want   int
	}{
		{"does not fit the type", 200, `{}`, 400},
		{"null", 200, `null`, 400},
		{"not JSON", 200, `oops`, 500},
		{"5xx", 503, `{}`, 500},
		{"4xx", 409, `{"message":"m"}`, 409},
		{"4xx without message", 409, `{}`, 409},
	} {
		url := handlerServer(t, answer(c.status, c.body))
		e := newEngine(t, Options{Lookup: environment(map[string]string{"BASE": url})}, outputs(url, "Receipt!"))
		w := send(t, e, request{path: "/v1alpha1/graphql", body: `{"query":"{ a0 { id } }"}`})
		if w.Code != c.want || !strings.Contains(w.Body.String(), `"errors"`) {
			t.Errorf("%s: got status %d with %s, want %d", c.name, w.Code, w.Body, c.want)
		}
	}
}

// TestFirstErrorAborts holds that fields run in order, one after another, and that the first failure ends it.
func TestFirstErrorAborts(t *testing.T) {
	t.Parallel()
	var calls []string // handlers run one after another, so no lock
	url := handlerServer(t, func(w http.ResponseWriter, r *http.Request, payload string) {
		var p struct{ Input struct{ X int } }
		if err := json.Unmarshal([]byte(payload), &p); err != nil {
			t.Error(err)
		}
		calls = append(calls, strconv.Itoa(p.Input.X))
		if p.Input.X == 2 {
			answer(400, `{"message":"no"}`)(w, r, payload)
			return
		}
		answer(200, `1`)(w, r, payload)
	})
	e := newEngine(t, Options{Lookup: environment(map[string]string{"BASE": url})}, outputs(url, "Int"))
	body := query(t, e, "", "{ c: a0(x: 1) b: a0(x: 2) a: a0(x: 3) }", "")
	if message, _, _ := firstError(t, body); message != "no" || strings.Join(calls, " ") != "1 2" {
		t.Errorf("got %s after calls %v", body, calls)
	}
	calls = nil
	body = query(t, e, "", `query($x: Int) { c: a0(x: 1) b: a0(x: $x) }`, `{"x": "bad"}`)
	if _, _, path := firstError(t, body); path != "$.selectionSet.a0.args.x" || calls != nil {
		t.Errorf("got %s after calls %v, want an error before any call", body, calls)
	}
}

// TestInternals holds who sees internal details, and what they say.
func TestInternals(t *testing.T) {
	t.Parallel()
	url := handlerServer(t, func(w http.ResponseWriter, _ *http.Request, _ string) {
		w.Header()["Date"] = nil
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = w.Write([]byte(`{"why":"because"}`))
	})
	md := outputs(url, "Receipt")
	md.Actions[0].Permissions = []metadata.Permission{{Role: "user"}}
	shown := map[string][3]bool{ // dev mode, default, hidden
		"admin": {true, true, false},
		"user":  {true, false, false},
	}
	for role, want := range shown {
		for i, o := range []Options{{DevMode: true, HideAdminInternals: true}, {}, {HideAdminInternals: true}} {
			o.Lookup = environment(map[string]string{"BASE": url})
			e := newEngine(t, o, md)
			body := query(t, e, role, `query Q { a0(x: 3) { id } }`, "")
			var got gqlError
			if err := json.Unmarshal([]byte(body), &got); err != nil {
				t.Fatal(err)
			}
			internal := got.Errors[0].Extensions.Internal
			if (internal != nil) != want[i] {
				t.Errorf("role %s, options %d: got %s", role, i, body)
			}
			if internal == nil {
				continue
			}
			wantInternal := `{"error":"expecting 2xx or 4xx status code, but found 500","request":{"url":"{{BASE}}/x",` +
				`"action":{"name":"a0"},"input":{"x":3},"request_query":"query Q { a0(x: 3) { id } }",` +
				`"transformed_request":null},"response":{"status":500,"body":{"why":"because"},"headers":[` +
				`{"name":"Content-Length","value":"17"},{"name":"Content-Type","value":"application/json"}]}}`
			if diff := cmp.Diff(wantInternal, string(internal)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}
	}
}

// TestInternalCauses holds the cause of each kind of failure.
func TestInternalCauses(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, cause, body string
		handler           handlerFunc
	}{
		{"shape", `"unexpected response"`, `{}`, answer(200, `{}`)},
		{"no message", `"unexpected response"`, `{"a":1}`, answer(400, `{"a":1}`)},
		{"not JSON", `"invalid JSON: Error in $: not a valid json value"`, `"<b>\"</b>"`, answer(200, `<b>"</b>`)},
		{"empty", `"invalid JSON: Error in $: not enough input"`, `""`, answer(200, ``)},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			url := handlerServer(t, c.handler)
			e := newEngine(t, Options{Lookup: environment(map[string]string{"BASE": url})}, outputs(url, "Receipt"))
			var got gqlError
			if err := json.Unmarshal([]byte(query(t, e, "", `{ a0 { id } }`, "")), &got); err != nil {
				t.Fatal(err)
			}
			var internal struct {
				Error    json.RawMessage
				Response struct{ Body json.RawMessage }
			}
			if err := json.Unmarshal(got.Errors[0].Extensions.Internal, &internal); err != nil {
				t.Fatal(err)
			}
			if string(internal.Error) != c.cause || string(internal.Response.Body) != c.body {
				t.Errorf(
					"got cause %s and body %s, want %s and %s",
					internal.Error,
					internal.Response.Body,
					c.cause,
					c.body,
				)
			}
		})
	}
}

// TestNoInternalsOfDescribedErrors: what a handler says itself is all that the client learns.
func TestNoInternalsOfDescribedErrors(t *testing.T) {
	t.Parallel()
	url := handlerServer(t, answer(400, `{"message":"m"}`))
	o := Options{DevMode: true, Lookup: environment(map[string]string{"BASE": url})}
	body := query(t, newEngine(t, o, outputs(url, "Receipt")), "", "{ a0 { id } }", "")
	if strings.Contains(body, "internal") {
		t.Errorf("got %s", body)
	}
}
