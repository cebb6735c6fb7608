package gateway

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/metadata"
)

// TestGuideHeaders holds that handlers get the caller as headers, the way that generated metadata asks for.
func TestGuideHeaders(t *testing.T) {
	t.Parallel()
	var got http.Header
	var body string
	url := handlerServer(t, func(w http.ResponseWriter, r *http.Request, payload string) {
		got, body = r.Header.Clone(), payload
		answer(200, "1")(w, r, payload)
	})
	e := newEngine(t, Options{Lookup: environment(map[string]string{"HASURA_ADMIN_SECRET": "s"})},
		one(url, func(d *metadata.ActionDefinition) {
			d.Headers = []metadata.Header{{Name: "X-Hasura-Admin-Secret", ValueFromEnv: "HASURA_ADMIN_SECRET"}}
			d.RequestTransform = json.RawMessage(
				`{"version":2,"template_engine":"Kriti","request_headers":{"add_headers":{
				"X-Hasura-Role":"{{$session_variables['x-hasura-role']}}",
				"X-Hasura-User-Id":"{{$session_variables?['x-hasura-user-id'] ?? \"\"}}"}}}`,
			)
		}))
	send(
		t,
		e,
		request{body: `{"query":"{ a }"}`, header: map[string]string{"X-Hasura-Role": "user", "X-Hasura-User-Id": "7"}},
	)
	want := []string{"user", "7", "s", "application/json"}
	have := []string{
		got.Get(
			"X-Hasura-Role",
		), got.Get("X-Hasura-User-Id"), got.Get("X-Hasura-Admin-Secret"), got.Get("Content-Type"),
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !strings.HasPrefix(body, `{"action":{"name":"a"}`) {
		t.Errorf("got body %s", body)
	}
}

func TestRequestTransform(t *testing.T) {
	t.Parallel()
	var got string
	url := handlerServer(t, func(w http.ResponseWriter, r *http.Request, payload string) {
		got = r.Method + " " + r.URL.String() + " " + r.Header.Get("Content-Type") + " " + payload
		answer(500, `{}`)(w, r, payload)
	})
	e := newEngine(t, Options{Lookup: environment(map[string]string{"BASE": url})},
		one("{{BASE}}/x", func(d *metadata.ActionDefinition) {
			d.Arguments = []metadata.Argument{{Name: "sku", Type: "String!"}}
			d.RequestTransform = json.RawMessage(`{"version":2,"method":"PUT","url":"{{$base_url}}/{{$body.input.sku}}",
				"query_params":{"q":"{{$body.action.name}}"},
				"request_headers":{"remove_headers":["content-type"],"add_headers":{"content-type":"text/x","Authorization":"Bearer t"}},
				"body":{"action":"transform","template":"{\"s\":{{$body.input.sku}}}"}}`)
		}))
	body := query(t, e, "", `{ a(sku: "A1") }`, "")
	if want := `PUT /x/A1?q=a text/x {"s":"A1"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	var answer gqlError
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatal(err)
	}
	var internal struct {
		Request struct {
			TransformedRequest struct {
				URL, Method     string
				Headers         [][2]string
				Body            json.RawMessage
				QueryString     string `json:"query_string"`
				ResponseTimeout string `json:"response_timeout"`
			} `json:"transformed_request"`
		}
	}
	if err := json.Unmarshal(answer.Errors[0].Extensions.Internal, &internal); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	tr := internal.Request.TransformedRequest
	if tr.URL != url+"/x/A1" || tr.Method != http.MethodPut || tr.QueryString != "?q=a" || string(tr.Body) != `{"s":"A1"}` ||
		tr.ResponseTimeout != "ResponseTimeoutMicro 30000000" {
		t.Errorf("got %s", body)
	}
	if strings.Contains(body, "Bearer") {
		t.Errorf("a credential is shown: %s", body)
	}
}

// TestTransformToGet holds that a call can become a GET without a body or what describes one.
func TestTransformToGet(t *testing.T) {
	t.Parallel()
	var got string
	url := handlerServer(t, func(w http.ResponseWriter, r *http.Request, payload string) {
		got = r.Method + " " + r.URL.String() + " " + r.Header.Get(
			"Content-Type",
		) + r.Header.Get(
			"Content-Length",
		) + payload
		answer(200, "1")(w, r, payload)
	})
	e := newEngine(t, Options{}, one(url, func(d *metadata.ActionDefinition) {
		d.RequestTransform = json.RawMessage(
			`{"version":2,"method":"GET","body":{"action":"remove"},"query_params":{"a":"b c"},
			"request_headers":{"remove_headers":["Content-Type"]}}`,
		)
	}))
	if body := query(t, e, "", "{ a }", ""); body != `{"data":{"a":1}}` || got != "GET /?a=b%20c " {
		t.Errorf("got %s after %q", body, got)
	}
}

func TestTransformFailures(t *testing.T) {
	t.Parallel()
	url := handlerServer(t, answer(200, `{}`))
	request := json.RawMessage(`{"version":2,"url":"{{$body.nope}}"}`)
	response := json.RawMessage(`{"version":2,"body":{"action":"transform","template":"{{$body.nope}}"}}`)
	for message, edit := range map[string]func(*metadata.ActionDefinition){
		"Request Transformation Failed":  func(d *metadata.ActionDefinition) { d.RequestTransform = request },
		"Response Transformation Failed": func(d *metadata.ActionDefinition) { d.ResponseTransform = response },
	} {
		var got gqlError
		body := query(t, newEngine(t, Options{}, one(url, edit)), "", "{ a }", "")
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Fatal(err)
		}
		var faults []struct {
			Code string `json:"error_code"`
		}
		if err := json.Unmarshal(got.Errors[0].Extensions.Internal, &faults); err != nil || len(faults) != 1 ||
			faults[0].Code == "" {
			t.Errorf("%s: got %s", message, body)
		}
		if got.Errors[0].Message != message || got.Errors[0].Extensions.Code != "unexpected" {
			t.Errorf("got %s", body)
		}
	}
}

// TestResponseTransform holds that answers of every status are rewritten, before anything else looks at them.
func TestResponseTransform(t *testing.T) {
	t.Parallel()
	template := json.RawMessage(`{"version":2,"body":{"action":"transform","template":
		"{{ if $response.status == 200 }}{{ $body.price.cents }}{{ else }}{\"message\":{{ $body?.error ?? \"failed\" }},\"code\":\"up\"}{{ end }}"}}`)
	for _, c := range []struct {
		status     int
		body, want string
	}{
		{200, `{"price":{"cents":12}}`, `{"data":{"a":12}}`},
		{404, `{"error":"gone"}`, `{"errors":[{"message":"gone","extensions":{"path":"$","code":"up"}}]}`},
		{404, `<html>`, `{"errors":[{"message":"failed","extensions":{"path":"$","code":"up"}}]}`},
	} {
		e := newEngine(
			t,
			Options{},
			one(handlerServer(t, answer(c.status, c.body)), func(d *metadata.ActionDefinition) {
				d.ResponseTransform = template
			}),
		)
		if diff := cmp.Diff(c.want, query(t, e, "", "{ a }", "")); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// TestInternalOfTransformedResponse holds that details show what the handler sent where a transform leaves no JSON.
func TestInternalOfTransformedResponse(t *testing.T) {
	t.Parallel()
	url := handlerServer(t, answer(200, `{"k":"v"}`))
	for _, body := range []string{`{"action":"remove"}`, `{"action":"x_www_form_urlencoded","form_template":{"a":"b"}}`} {
		e := newEngine(t, Options{}, one(url, func(d *metadata.ActionDefinition) {
			d.ResponseTransform = json.RawMessage(`{"version":2,"body":` + body + `}`)
		}))
		got := query(t, e, "", "{ a }", "")
		if !strings.Contains(got, `"message":"not a valid json response from webhook"`) ||
			!strings.Contains(got, `"body":"{\"k\":\"v\"}"`) {
			t.Errorf("%s: got %s", body, got)
		}
	}
}

// TestInconsistent holds that what cannot be served is reported and absent, and that the rest is served.
func TestInconsistent(t *testing.T) {
	t.Parallel()
	url := handlerServer(t, answer(200, "1"))
	bad := map[string]func(*metadata.ActionDefinition){
		`Inconsistent object: in action "b"; Value for environment variables not found: GONE`:            func(d *metadata.ActionDefinition) { d.Handler = "{{GONE}}/x" },
		`Inconsistent object: in action "b"; the handler "ftp://x" is not an absolute http or https URL`: func(d *metadata.ActionDefinition) { d.Handler = "ftp://x" },
		`Inconsistent object: in action "b"; the type: "Gone" is not an object or scalar type defined in custom types`: func(d *metadata.ActionDefinition) {
			d.OutputType = "Gone"
		},
		`Inconsistent object: in action "b"; asynchronous actions need an action log, which this gateway does not have`: func(d *metadata.ActionDefinition) {
			d.Type, d.Kind = metadata.Mutation, metadata.Asynchronous
		},
	}
	for reason, edit := range bad {
		md := one(url, nil)
		md.Actions = append(md.Actions, one(url, edit).Actions[0])
		md.Actions[1].Name = "b"
		e, got := loadEngine(t, Options{}, md)
		if len(got) != 1 || got[0].Name != "action b" || got[0].Reason != reason || !json.Valid(got[0].Definition) {
			t.Errorf("got %+v, want %s", got, reason)
		}
		if body := query(t, e, "", "{ a }", ""); body != `{"data":{"a":1}}` {
			t.Errorf("got %s", body)
		}
		if message, _, _ := firstError(t, query(t, e, "", "{ b }", "")); message != "field 'b' not found in type: 'query_root'" {
			t.Errorf("got %s", message)
		}
		if w := send(t, e, request{method: "GET", path: "/healthz"}); w.Body.String() != "WARN: inconsistent objects in schema" ||
			w.Code != 200 {
			t.Errorf("got %d %s", w.Code, w.Body)
		}
		if w := send(t, e, request{method: "GET", path: "/healthz?strict=true"}); w.Body.String() != "ERROR: inconsistent objects in schema" ||
			w.Code != 500 {
			t.Errorf("got %d %s", w.Code, w.Body)
		}
	}
}
