package metadataapi

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/nself-org/nself/internal/action"
	"github.com/nself-org/nself/internal/metadata"
	"github.com/nself-org/nself/internal/transform"
)

// webhookTest are the arguments of test_webhook_transform.
type webhookTest struct {
	url, body string
	env       map[string]string
	headers   []transform.Header
	session   map[string]string
	request   *transform.Request
}

// webhookResult is the call that a transform would make.
type webhookResult struct {
	URL     string          `json:"webhook_url"`
	Method  string          `json:"method"`
	Headers [][2]string     `json:"headers"`
	Body    json.RawMessage `json:"body"`
}

// testWebhookTransform shows the call that a transform makes of sample data; nobody is called. The environment is that
// of the arguments, never the gateway's.
func testWebhookTransform(_ *run, c command) ([]byte, *action.Error) {
	t, refused := readWebhookTest(c)
	if refused != nil {
		return nil, refused
	}
	target, err := url.Parse(t.url)
	if err != nil || target.Host == "" || target.Scheme != "http" && target.Scheme != "https" {
		return nil, withInternal(refuse(action.CodeValidationFailed, "request transform validation failed"),
			[]*transform.Failure{{Code: "Request Initialization Error", Message: "Invalid URL: " + t.url}})
	}
	out := transform.Outgoing{Method: http.MethodGet, URL: t.url, Body: []byte(t.body)}
	out.Headers = append(out.Headers, transform.Header{Name: "content-type", Value: "application/json"})
	out.Headers = append(out.Headers, t.headers...)
	made, err := t.request.Apply(transform.RequestVars{Body: out.Body, BaseURL: t.url, Session: t.session}, out)
	if err != nil {
		return nil, transformError(".request_transform", "request transform validation failed", err)
	}
	if made.URL == t.url && target.Path == "" {
		target.Path = "/" // as the URL of the untouched request is written
		made.URL = target.String()
	}
	result := webhookResult{URL: made.URL, Method: made.Method, Headers: [][2]string{}, Body: bodyValue(made.Body)}
	for _, h := range made.Headers {
		result.Headers = append(result.Headers, [2]string{strings.ToLower(h.Name), h.Value})
	}
	return encode(result)
}

// bodyValue is a body as JSON: itself, a form as a string, or null.
func bodyValue(body []byte) json.RawMessage {
	switch {
	case len(body) == 0:
		return json.RawMessage("null")
	case action.ValidJSON(body):
		return body
	default:
		return action.AppendString(nil, string(body))
	}
}

func readWebhookTest(c command) (webhookTest, *action.Error) {
	o := readObject(c.args, "TestWebhookTransform")
	t := webhookTest{env: o.texts("env"), session: map[string]string{}}
	for name, value := range o.texts("session_variables") {
		t.session[strings.ToLower(name)] = value
	}
	t.body = string(o.need("body"))
	if t.body == "" {
		t.body = "null"
	}
	o.need("request_transform")
	if o.err != nil {
		return t, o.err
	}
	var err error
	if t.request, err = transform.CompileRequest(o.raw("request_transform")); err != nil {
		return t, transformError(".request_transform", "request transform validation failed", err)
	}
	if t.request == nil {
		t.request = &transform.Request{}
	}
	if _, err = transform.CompileResponse(o.raw("response_transform")); err != nil {
		return t, transformError(".response_transform", "response transform validation failed", err)
	}
	var refused *action.Error
	if t.url, refused = t.webhookURL(o); refused != nil {
		return t, refused
	}
	t.headers, refused = t.sampleHeaders(o)
	return t, refused
}

func (t *webhookTest) webhookURL(o *reader) (string, *action.Error) {
	raw := o.need("webhook_url")
	if metadata.KindOf(raw) == "Object" {
		inner := readObject(raw, "UrlOrEnv")
		name := inner.text("from_env")
		if inner.err != nil {
			return "", inner.err.Under("webhook_url")
		}
		value, ok := t.env[name]
		if !ok {
			return "", refuse(action.CodeNotFound, "Missing Env Var")
		}
		return value, nil
	}
	text := o.text("webhook_url")
	if o.err != nil {
		return "", o.err
	}
	return t.expand(text)
}

// expand fills in {{VARIABLES}} from the sample environment.
func (t *webhookTest) expand(text string) (string, *action.Error) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "{{")
		name, after, closed := strings.Cut(rest, "}}")
		if !found || !closed {
			return b.String() + text, nil
		}
		value, ok := t.env[name]
		if !ok {
			return "", refuse(action.CodeNotFound, "Missing Env Var: "+name+
				". For security reasons when testing request options real environment variable values are not available. "+
				"Please enter a mock value for "+name+" in the Sample Env Variables list. See "+
				"https://hasura.io/docs/latest/graphql/core/actions/rest-connectors/#action-transforms-sample-context")
		}
		b.WriteString(before + value)
		text = after
	}
}

func (t *webhookTest) sampleHeaders(o *reader) ([]transform.Header, *action.Error) {
	raw := o.raw("request_headers")
	if raw == nil {
		return nil, nil
	}
	var pairs [][2]string
	if err := json.Unmarshal(raw, &pairs); err != nil {
		return nil, parseFailed(".request_headers", "expected a list of pairs of strings")
	}
	var out []transform.Header
	for _, pair := range pairs {
		value, refused := t.expand(pair[1])
		if refused != nil {
			return nil, refused
		}
		out = append(out, transform.Header{Name: pair[0], Value: value})
	}
	return out, nil
}
