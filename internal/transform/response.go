package transform

import (
	"bytes"
	"encoding/json"

	"github.com/nself-org/nself/internal/kriti"
)

// Response is a compiled response_transform. It is immutable and safe for concurrent use.
type Response struct {
	body body
	uses map[string]bool
}

// CompileResponse compiles the JSON of a response_transform. Empty JSON and null give a nil Response. Errors are as
// those of [CompileRequest].
func CompileResponse(raw json.RawMessage) (*Response, error) {
	raw = bytes.TrimSpace(raw)
	if absent(raw) {
		return nil, nil
	}
	c := compiler{uses: map[string]bool{}}
	entries := c.object("", "MetadataResponseTransform", raw)
	version := c.version(entries)
	c.engine(entries)
	r := &Response{body: c.body(version, find(entries, "body")), uses: c.uses}
	if err := c.err(); err != nil {
		return nil, err
	}
	return r, nil
}

// Apply returns the body that takes the place of the handler's; it is empty where the transform removes the body. An
// error is [Errors].
func (r *Response) Apply(vars ResponseVars) ([]byte, error) {
	out, errs := r.body.apply(vars.Body, r.scope(vars))
	if len(errs) > 0 {
		return nil, errs
	}
	return out, nil
}

func (r *Response) scope(vars ResponseVars) *kriti.Scope {
	scope := &kriti.Scope{Session: vars.Session}
	add := func(name string, value kriti.Value) {
		scope.Bindings = append(scope.Bindings, kriti.Binding{Name: name, Value: value})
	}
	if r.uses["$body"] {
		add("$body", parseOrNull(vars.Body))
	}
	if r.uses["$response"] {
		add("$response", kriti.ObjectValue([]kriti.Field{{Name: "status", Value: kriti.IntValue(vars.Status)}}))
	}
	if r.uses["$session_variables"] {
		add("$session_variables", kriti.SessionValue(vars.Session))
	}
	if r.uses["$request"] {
		add("$request", requestValue(vars.Request))
	}
	return scope
}

// requestValue is $request: the variables of the request transform, once for each part of a request.
func requestValue(vars *RequestVars) kriti.Value {
	if vars == nil {
		return kriti.NullValue()
	}
	seen := kriti.ObjectValue([]kriti.Field{
		{Name: "body", Value: parseOrNull(vars.Body)},
		{Name: "session_variables", Value: kriti.SessionValue(vars.Session)},
		{Name: "base_url", Value: kriti.StringValue(vars.BaseURL)},
		{Name: "query_params", Value: queryParams(vars.BaseURL)},
	})
	var fields []kriti.Field
	for _, name := range []string{"method", "url", "body", "query_params", "request_headers"} {
		fields = append(fields, kriti.Field{Name: name, Value: seen})
	}
	return kriti.ObjectValue(fields)
}
