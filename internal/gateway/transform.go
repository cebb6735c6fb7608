package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/nself-org/nself/internal/action"
	"github.com/nself-org/nself/internal/transform"
	"github.com/nself-org/nself/internal/webhook"
)

// transforms are the compiled transforms of an action; each may be nil.
type transforms struct {
	request  *transform.Request
	response *transform.Response
}

func compileTransforms(request, response json.RawMessage) (transforms, error) {
	var (
		t   transforms
		err error
	)
	if t.request, err = transform.CompileRequest(request); err != nil {
		return t, fmt.Errorf("request transform validation failed: %w", err)
	}
	if t.response, err = transform.CompileResponse(response); err != nil {
		return t, fmt.Errorf("response transform validation failed: %w", err)
	}
	return t, nil
}

// transformRequest rewrites the call by the action's template.
func (x *exchange) transformRequest(a *boundAction, req *webhook.Request, d *callDetails) *action.Error {
	out := transform.Outgoing{Method: http.MethodPost, URL: a.url, Body: req.Body}
	out.Headers = make([]transform.Header, 0, len(req.Header)+4) // and some that the template may add
	for _, h := range req.Header {
		out.Headers = append(out.Headers, transform.Header(h))
	}
	d.vars = &transform.RequestVars{Body: req.Body, BaseURL: a.url, Session: x.session.Vars}
	out, err := a.transform.request.Apply(*d.vars, out)
	if err != nil {
		return transformFailed("Request Transformation Failed", err)
	}
	x.headers = x.headers[:0]
	for _, h := range out.Headers {
		x.headers = append(x.headers, webhook.Field(h))
	}
	req.Method, req.Header, req.Body = out.Method, x.headers, out.Body
	if out.URL != a.url {
		if req.Target, err = a.allowed.target(x.engine.client, out.URL); err != nil {
			return transformFailed("Request Transformation Failed",
				transform.Errors{&transform.Failure{Code: "TransformationError", Message: "Invalid URL: " + out.URL}})
		}
	}
	d.transformed = &out
	return nil
}

// transformResponse rewrites the answer's body by the action's template, whatever its status.
func (x *exchange) transformResponse(a *boundAction, resp *webhook.Response, d *callDetails) ([]byte, *action.Error) {
	body, err := a.transform.response.Apply(transform.ResponseVars{
		Body: resp.Body, Status: resp.Status, Session: x.session.Vars, Request: d.vars,
	})
	if err != nil {
		return nil, transformFailed("Response Transformation Failed", err)
	}
	return body, nil
}

// transformFailed reports the faults of templates; the details are the list of them.
func transformFailed(message string, err error) *action.Error {
	e := &action.Error{Status: http.StatusInternalServerError, Code: action.CodeUnexpected, Message: message}
	if internal, encodeErr := json.Marshal(err); encodeErr == nil {
		e.Internal = internal
	}
	return e
}

// appendTransformed appends the rewritten call as JSON. Values of headers that carry credentials stay out: in
// development mode every role sees this.
func (d *callDetails) appendTransformed(dst []byte) []byte {
	if d.transformed == nil {
		return append(dst, "null"...)
	}
	t := d.transformed
	url, query, hasQuery := strings.Cut(t.URL, "?")
	if hasQuery {
		query = "?" + query
	}
	dst = append(dst, `{"url":`...)
	dst = action.AppendString(dst, url)
	dst = append(dst, `,"method":`...)
	dst = action.AppendString(dst, t.Method)
	dst = append(dst, `,"headers":[`...)
	for i, h := range t.Headers {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '[')
		dst = action.AppendString(dst, h.Name)
		dst = append(dst, ',')
		value := h.Value
		if d.action.secret(h.Name) {
			value = "[redacted]"
		}
		dst = action.AppendString(dst, value)
		dst = append(dst, ']')
	}
	dst = append(dst, `],"body":`...)
	switch {
	case len(t.Body) == 0:
		dst = append(dst, "null"...)
	case action.ValidJSON(t.Body):
		dst = append(dst, action.Trim(action.Text(t.Body))...)
	default:
		dst = action.AppendString(dst, action.Text(t.Body))
	}
	dst = append(dst, `,"query_string":`...)
	dst = action.AppendString(dst, query)
	dst = append(dst, `,"response_timeout":"ResponseTimeoutMicro `...)
	dst = strconv.AppendInt(dst, d.action.waits().Microseconds(), 10)
	return append(dst, `"}`...)
}

// secret tells whether a header of the call carries a credential: by its name, or because its value comes from the
// environment.
func (a *boundAction) secret(name string) bool {
	switch strings.ToLower(name) {
	case "authorization", "cookie", "proxy-authorization", "x-hasura-admin-secret":
		return true
	}
	return slices.ContainsFunc(a.headers.Configured, func(c webhook.Configured) bool {
		return strings.EqualFold(c.Name, name) && (c.FromEnv != "" || strings.Contains(c.Value, "{{"))
	})
}
