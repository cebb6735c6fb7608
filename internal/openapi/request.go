package openapi

import (
	"encoding/json"
	"fmt"
	"mime"
	"regexp"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/nself-org/nself/internal/metadata"
)

// request collects what of an operation becomes arguments and the request transform.
type request struct {
	c                  *converter
	name, method, path string
	taken              map[string]bool // names of arguments
	args               []metadata.Argument
	headers            []metadata.Header
	notes              []string

	url        string
	query      []parameter
	added      map[string]string // headers
	content    *shape
	contentArg string
	form       bool
}

var pathParameter = regexp.MustCompile(`\{([^{}]+)\}`)

// parameter is one of the query.
type parameter struct {
	name, arg string
	shape     *shape
	required  bool
}

func (r *request) note(format string, args ...any) {
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
}

// parameters reads those of the path and of the operation, which wins.
func (r *request) parameters(item *openapi3.PathItem, op *openapi3.Operation) error {
	r.url, r.added = r.path, map[string]string{}
	list := slices.Clone(op.Parameters)
	for _, p := range item.Parameters {
		if p.Value != nil && list.GetByInAndName(p.Value.In, p.Value.Name) == nil {
			list = append(list, p)
		}
	}
	for _, ref := range list {
		if ref.Value == nil {
			continue
		}
		if err := r.parameter(ref.Value); err != nil {
			return err
		}
	}
	for _, m := range pathParameter.FindAllStringSubmatch(r.path, -1) {
		if list.GetByInAndName(openapi3.ParameterInPath, m[1]) == nil {
			return &impossibleError{fmt.Sprintf("its path has a parameter %s that is not declared", m[1])}
		}
	}
	return nil
}

// parameter makes an argument of one.
func (r *request) parameter(p *openapi3.Parameter) error {
	if p.Schema == nil && p.Content != nil {
		return &impossibleError{fmt.Sprintf("parameter %s is sent as a document", p.Name)}
	}
	if p.In == openapi3.ParameterInCookie {
		if p.Required {
			return &impossibleError{"it needs the cookie " + p.Name}
		}
		r.note("the cookie %s is not sent", p.Name)
		return nil
	}
	arg := fieldName(p.Name, r.taken)
	s := r.c.types.of(p.Schema, r.name+" "+arg, true)
	required := p.Required || p.In == openapi3.ParameterInPath
	access := "$body.input?." + arg
	if required {
		access = "$body.input." + arg
	}
	text := "{{" + access + "}}"
	switch p.In {
	case openapi3.ParameterInPath:
		if s.text {
			text = "{{escapeUri(" + access + ")}}"
		}
		r.url = strings.ReplaceAll(r.url, "{"+p.Name+"}", text)
	case openapi3.ParameterInQuery:
		if s.kind == objectShape {
			return &impossibleError{fmt.Sprintf("parameter %s is an object in the query", p.Name)}
		}
		r.query = append(r.query, parameter{p.Name, arg, s, required})
	case openapi3.ParameterInHeader:
		if !required {
			text = "{{" + access + ` ?? ""}}`
		}
		r.added[p.Name] = text
	}
	r.argument(arg, s.typ(required), p.Description)
	return nil
}

func (r *request) argument(name, typ, description string) {
	r.args = append(r.args, metadata.Argument{Name: name, Type: typ, Description: firstParagraph(description)})
}

// body reads what is sent: JSON, or a form.
func (r *request) body(op *openapi3.Operation) error {
	if op.RequestBody == nil || op.RequestBody.Value == nil || len(op.RequestBody.Value.Content) == 0 {
		return nil
	}
	b := op.RequestBody.Value
	media, kind := pick(b.Content)
	switch kind {
	case mediaForm:
		r.form = true
	case mediaOther:
		return &impossibleError{"it sends " + strings.Join(sortedKeys(b.Content), ", ")}
	case mediaJSON:
	}
	r.contentArg = fieldName("body", r.taken)
	r.content = r.c.types.of(media.Schema, r.name+" body", true)
	if r.form && r.content.kind != objectShape {
		return &impossibleError{"its form has no fields"}
	}
	r.argument(r.contentArg, r.content.typ(b.Required), b.Description)
	return nil
}

type mediaKind int

const (
	mediaOther mediaKind = iota
	mediaJSON
	mediaForm
)

// pick takes JSON where it is among the kinds of content, else a form.
func pick(content openapi3.Content) (*openapi3.MediaType, mediaKind) {
	var form *openapi3.MediaType
	for _, name := range sortedKeys(content) {
		base, _, err := mime.ParseMediaType(name)
		if err != nil {
			base = name
		}
		switch {
		case base == "application/json" || strings.HasSuffix(base, "+json") || base == "*/*":
			return content[name], mediaJSON
		case base == "application/x-www-form-urlencoded":
			form = content[name]
		}
	}
	if form != nil {
		return form, mediaForm
	}
	return nil, mediaOther
}

// security adds the headers of the first scheme that headers can satisfy; their values come from the environment.
func (r *request) security(op *openapi3.Operation) {
	required := r.c.doc.Security
	if op.Security != nil {
		required = *op.Security
	}
	if len(required) == 0 || r.c.doc.Components == nil {
		return
	}
	for _, alternative := range required {
		if len(alternative) == 0 {
			return
		}
		headers, ok := r.schemes(alternative)
		if ok {
			r.headers = append(r.headers, headers...)
			return
		}
	}
	r.note("how callers prove themselves to the API is not carried over: add a header with nself action modify %s --header", r.name)
}

func (r *request) schemes(needed openapi3.SecurityRequirement) ([]metadata.Header, bool) {
	var headers []metadata.Header
	for _, name := range sortedKeys(needed) {
		ref := r.c.doc.Components.SecuritySchemes[name]
		if ref == nil || ref.Value == nil {
			return nil, false
		}
		s := ref.Value
		variable := strings.ToUpper(metadata.Snake(lowerCamel(r.c.opts.Prefix + " " + name)))
		switch {
		case s.Type == "apiKey" && s.In == "header":
			headers = append(headers, metadata.Header{Name: s.Name, ValueFromEnv: variable})
		case s.Type == "http" && strings.EqualFold(s.Scheme, "bearer"), s.Type == "oauth2", s.Type == "openIdConnect":
			headers = append(headers, metadata.Header{Name: "Authorization", Value: "Bearer {{" + variable + "}}"})
		case s.Type == "http" && strings.EqualFold(s.Scheme, "basic"):
			headers = append(headers, metadata.Header{Name: "Authorization", Value: "Basic {{" + variable + "}}"})
		default:
			return nil, false
		}
	}
	return headers, true
}

// transform is the request transform.
func (r *request) transform() (json.RawMessage, error) {
	t := requestTransform{
		Version: 2, Engine: "Kriti", Method: r.method, URL: "{{$base_url}}" + r.url, Query: r.queryTransform(),
		Body: bodyTransform{Action: "remove"},
	}
	headers := headerTransform{Add: r.added}
	switch {
	case r.form:
		t.Body = bodyTransform{Action: "x_www_form_urlencoded", Form: map[string]string{}}
		for _, m := range r.content.members {
			t.Body.Form[m.json] = "{{$body.input?." + r.contentArg + "?." + m.graphql + "}}"
		}
		headers.Remove = []string{"Content-Type"}
		headers.Add["Content-Type"] = "application/x-www-form-urlencoded"
	case r.content != nil:
		template, full := carry(r.content, "$body?.input?."+r.contentArg, outward)
		if !full {
			r.note("fields with names that GraphQL does not have are not carried over inside types that contain themselves")
		}
		t.Body = bodyTransform{Action: "transform", Template: template}
	}
	if len(headers.Add) > 0 || len(headers.Remove) > 0 {
		t.Headers = &headers
	}
	return json.Marshal(t)
}

type requestTransform struct {
	Version int              `json:"version"`
	Engine  string           `json:"template_engine"`
	Method  string           `json:"method,omitempty"`
	URL     string           `json:"url,omitempty"`
	Query   any              `json:"query_params,omitempty"`
	Headers *headerTransform `json:"request_headers,omitempty"`
	Body    bodyTransform    `json:"body"`
}

type headerTransform struct {
	Remove []string          `json:"remove_headers,omitempty"`
	Add    map[string]string `json:"add_headers,omitempty"`
}

type bodyTransform struct {
	Action   string            `json:"action"`
	Template string            `json:"template,omitempty"`
	Form     map[string]string `json:"form_template,omitempty"`
}

// queryTransform is an object with a template per parameter; with a list among them, which is sent as several parameters of a
// name, the whole query as one template.
func (r *request) queryTransform() any {
	if len(r.query) == 0 {
		return nil
	}
	access := func(p parameter) string { return "$body.input?." + p.arg }
	if !slices.ContainsFunc(r.query, func(p parameter) bool { return p.shape.kind == listShape }) {
		params := map[string]string{}
		for _, p := range r.query {
			params[p.name] = "{{" + access(p) + "}}"
		}
		return params
	}
	var parts []string
	for _, p := range r.query {
		value := func(s *shape, x string) string {
			if s.text {
				return "{{escapeUri(" + x + ")}}"
			}
			return "{{" + x + "}}"
		}
		if p.shape.kind == listShape {
			parts = append(parts, fmt.Sprintf(`{{ if %[1]s == null }} "" {{ else }} {{ if (size(%[1]s)) == 0 }} "" {{ else }} `+
				`{{ concat({{ range _, x := %[1]s }} "%[2]s=%[3]s&" {{ end }}) }} {{ end }} {{ end }}`, access(p), p.name, value(p.shape.elem, "x")))
			continue
		}
		parts = append(parts, fmt.Sprintf(`{{ if %[1]s == null }} "" {{ else }} "%[2]s=%[3]s&" {{ end }}`, access(p), p.name, value(p.shape, access(p))))
	}
	return "{{ concat([" + strings.Join(parts, ", ") + "]) }}"
}
