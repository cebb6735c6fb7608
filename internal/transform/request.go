package transform

import (
	"bytes"
	"encoding/json"
	"net/textproto"
	"slices"
	"strings"

	"github.com/nself-org/nself/internal/kriti"
)

// Request is a compiled request_transform. It is immutable and safe for concurrent use.
type Request struct {
	method  string
	url     *kriti.Template
	body    body
	query   query
	removed []string
	added   []addedHeader
	uses    map[string]bool
}

type addedHeader struct {
	name  string
	value *kriti.Template
}

// CompileRequest compiles the JSON of a request_transform. Empty JSON and null give a nil Request. An error is a
// [*ShapeError], or [Errors] with every template's fault.
func CompileRequest(raw json.RawMessage) (*Request, error) {
	raw = bytes.TrimSpace(raw)
	if absent(raw) {
		return nil, nil
	}
	c := compiler{uses: map[string]bool{}}
	entries := c.object("", "RequestTransform", raw)
	version := c.version(entries)
	c.engine(entries)
	r := &Request{uses: c.uses}
	if method := find(entries, "method"); !absent(method) {
		r.method = c.text(".method", method)
	}
	if url := find(entries, "url"); !absent(url) {
		r.url = c.unescaped(c.text(".url", url))
	}
	r.body = c.body(version, find(entries, "body"))
	r.query = c.query(find(entries, "query_params"))
	if headers := find(entries, "request_headers"); !absent(headers) {
		r.removed, r.added = c.headers(headers)
	}
	if err := c.err(); err != nil {
		return nil, err
	}
	return r, nil
}

func (c *compiler) headers(raw json.RawMessage) (removed []string, added []addedHeader) {
	entries := c.object(".request_headers", "HeadersTransformFn", raw)
	if list := find(entries, "remove_headers"); !absent(list) {
		if err := json.Unmarshal(list, &removed); err != nil {
			c.fail(".request_headers.remove_headers", "parsing [] failed, expected a list of strings")
		}
	}
	if adds := find(entries, "add_headers"); !absent(adds) {
		for _, e := range c.object(".request_headers.add_headers", "HashMap", adds) {
			value := c.text(".request_headers.add_headers."+e.name, e.value)
			added = append(added, addedHeader{e.name, c.unescaped(value)})
		}
	}
	return removed, added
}

// Apply returns the transformed call; out itself is not changed, though results may share its memory. Every template
// sees the call as it was before. An error is [Errors], of the first part that fails in the order method, URL, body,
// query, headers.
func (r *Request) Apply(vars RequestVars, out Outgoing) (Outgoing, error) {
	scope := r.scope(vars)
	if r.method != "" {
		out.Method = r.method
	}
	if r.url != nil {
		url, err := renderURL(r.url, scope)
		if err != nil {
			return Outgoing{}, Errors{err}
		}
		out.URL = url
	}
	content, errs := r.body.apply(out.Body, scope)
	if len(errs) > 0 {
		return Outgoing{}, errs
	}
	out.Body = content
	if r.query.given {
		query, errs := r.query.apply(scope)
		if len(errs) > 0 {
			return Outgoing{}, errs
		}
		out.URL = withQuery(out.URL, query)
	}
	if out.Headers, errs = r.headers(out.Headers, scope); len(errs) > 0 {
		return Outgoing{}, errs
	}
	return out, nil
}

// headers drops the removed headers and appends the added ones, which may repeat those that are there.
func (r *Request) headers(original []Header, scope *kriti.Scope) ([]Header, Errors) {
	if len(r.removed) == 0 && len(r.added) == 0 {
		return original, nil
	}
	headers := make([]Header, 0, len(original)+len(r.added))
	for _, h := range original {
		if !slices.ContainsFunc(r.removed, func(name string) bool { return strings.EqualFold(name, h.Name) }) {
			headers = append(headers, h)
		}
	}
	var errs Errors
	for i := range r.added {
		value, err := renderText(r.added[i].value, scope)
		if err == nil && !validHeaderValue(value) {
			err = failure("Header " + textproto.CanonicalMIMEHeaderKey(r.added[i].name) + ": the value has a control character")
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		headers = append(headers, Header{r.added[i].name, value})
	}
	return headers, errs
}

// validHeaderValue refuses line breaks and other control characters: a value may come from the client, and must not be
// able to add headers of its own.
func validHeaderValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// scope makes the variables that the templates mention, and no others.
func (r *Request) scope(vars RequestVars) *kriti.Scope {
	scope := &kriti.Scope{Session: vars.Session}
	add := func(name string, value kriti.Value) {
		scope.Bindings = append(scope.Bindings, kriti.Binding{Name: name, Value: value})
	}
	if r.uses["$session_variables"] {
		add("$session_variables", kriti.SessionValue(vars.Session))
	}
	if r.uses["$body"] {
		add("$body", parseOrNull(vars.Body))
	}
	if r.uses["$base_url"] {
		add("$base_url", kriti.StringValue(vars.BaseURL))
	}
	if r.uses["$query_params"] {
		add("$query_params", queryParams(vars.BaseURL))
	}
	return scope
}

// parseOrNull reads JSON; what is none counts as null.
func parseOrNull(data []byte) kriti.Value {
	v, err := kriti.ParseJSON(data)
	if err != nil {
		return kriti.NullValue()
	}
	return v
}
