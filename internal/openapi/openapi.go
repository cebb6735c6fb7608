// Package openapi turns the operations of an OpenAPI 3 document into actions whose handler is the API itself: types, and
// transforms that make the API's request of the action's arguments and the action's answer of the API's response.
package openapi

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/metadata"
)

// Options say how a document is read.
type Options struct {
	// Source names the document in errors.
	Source string
	// Base is the API's address and the handler of every action: a URL, or one that begins with {{VARIABLE}}. Empty: the
	// document's first server.
	Base string
	// Prefix goes before the names of actions and types, so that two APIs can stand side by side. May be empty.
	Prefix string
	// Only limits the import to operations of these names, as actions or as operationId. Empty: all.
	Only []string
}

// Operation is one operation of the document as an action.
type Operation struct {
	// Method and Path are the operation's, such as GET and /pets/{petId}.
	Method, Path string
	// Addition declares the action.
	Addition metadata.Addition
	// Notes say what of the operation the action does not have.
	Notes []string
}

// Skipped is an operation that cannot be an action.
type Skipped struct{ Method, Path, Reason string }

// Convert reads an OpenAPI 3 document, JSON or YAML. References outside of the document are not followed. An error is of class
// [errdefs.ErrInvalid]: the document cannot be read, or there is no address to call. Operations come sorted by path and
// method.
func Convert(data []byte, opts Options) ([]Operation, []Skipped, error) {
	doc, err := load(data, opts.Source)
	if err != nil {
		return nil, nil, err
	}
	base, err := baseURL(doc, opts)
	if err != nil {
		return nil, nil, err
	}
	c := &converter{doc: doc, opts: opts, base: base, types: newTypes(opts.Prefix), names: map[string]bool{}}
	var out []Operation
	var skipped []Skipped
	paths := doc.Paths.Map()
	for _, path := range sortedKeys(paths) {
		for _, method := range methods {
			op := paths[path].GetOperation(method)
			if op == nil {
				continue
			}
			name := c.name(method, path, op)
			if len(opts.Only) > 0 && !slices.Contains(opts.Only, name) && !slices.Contains(opts.Only, op.OperationID) {
				continue
			}
			o, err := c.operation(name, method, path, paths[path], op)
			if no, ok := errors.AsType[*impossibleError](err); ok {
				skipped = append(skipped, Skipped{method, path, no.reason})
				continue
			}
			if err != nil {
				return nil, nil, fmt.Errorf("%s: %s %s: %w", opts.Source, method, path, err)
			}
			out = append(out, *o)
		}
	}
	return out, skipped, nil
}

// methods are those that become actions, in the order of a document; OPTIONS, HEAD and TRACE are the transport's business.
var methods = []string{http.MethodGet, http.MethodPut, http.MethodPost, http.MethodDelete, http.MethodPatch}

func load(data []byte, source string) (*openapi3.T, error) {
	doc, err := openapi3.NewLoader().LoadFromData(data)
	if err != nil {
		return nil, errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(fmt.Errorf("%s: read the OpenAPI document: %s", source, loadFault(data, err)),
			"check it with a linter; references to other files have to be put into it"))
	}
	switch {
	case !strings.HasPrefix(doc.OpenAPI, "3."):
		return nil, errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(fmt.Errorf("%s: openapi is %q, not 3.x", source, doc.OpenAPI),
			"convert a Swagger 2 document to OpenAPI 3 first"))
	case doc.Paths == nil || doc.Paths.Len() == 0:
		return nil, errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(fmt.Errorf("%s: the document has no paths", source),
			"add the operations that are to become actions under paths"))
	}
	return doc, nil
}

// loadFault is what the loader says of a document, without what it says of the same document read as the other of JSON and
// YAML, and without the names of its own steps.
func loadFault(data []byte, err error) string {
	text := err.Error()
	if asJSON, asYAML, both := strings.Cut(text, ", yaml error: "); both {
		text = asYAML
		if bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
			text = strings.TrimPrefix(asJSON, "failed to unmarshal data: json error: ")
		}
	}
	for _, step := range []string{
		"failed to unmarshal data: ", "error converting YAML to JSON: ", "error unmarshaling JSON: while decoding JSON: ", "json: ", "yaml: ",
	} {
		text = strings.TrimPrefix(text, step)
	}
	return strings.Replace(text, " of type openapi3.", ", expected an OpenAPI ", 1)
}

// baseURL is the address of the API, without a slash at its end.
func baseURL(doc *openapi3.T, opts Options) (string, error) {
	base := opts.Base
	if base == "" && len(doc.Servers) > 0 {
		base = doc.Servers[0].URL
		for name, v := range doc.Servers[0].Variables {
			base = strings.ReplaceAll(base, "{"+name+"}", v.Default)
		}
	}
	if !strings.HasPrefix(base, "{{") {
		u, err := url.Parse(base)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return "", errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(fmt.Errorf("%s: the document does not say where the API is (server %q)", opts.Source, base),
				"give its address with --base https://api.example.com, or --base '{{API_URL}}'"))
		}
	}
	return strings.TrimRight(base, "/"), nil
}

// impossibleError says why an operation is left out.
type impossibleError struct{ reason string }

func (e *impossibleError) Error() string { return e.reason }

type converter struct {
	doc   *openapi3.T
	opts  Options
	base  string
	types *types
	names map[string]bool
}

var notWord = regexp.MustCompile(`[^A-Za-z0-9]+`)

// name is the operationId as a GraphQL name, or the method and the path. A second one of a name gets a number.
func (c *converter) name(method, path string, op *openapi3.Operation) string {
	id := op.OperationID
	if id == "" {
		id = strings.ToLower(method) + " " + notWord.ReplaceAllString(path, " ")
	}
	name := lowerCamel(c.opts.Prefix + " " + id)
	if metadata.CheckActionName(name) != nil {
		name += "Operation"
	}
	base := name
	for n := 2; c.names[metadata.Snake(name)]; n++ {
		name = fmt.Sprintf("%s%d", base, n)
	}
	c.names[metadata.Snake(name)] = true
	return name
}

// lowerCamel joins words to one, as GraphQL's fields are written; a word that is camel case already stays so.
func lowerCamel(text string) string {
	var b strings.Builder
	for word := range strings.FieldsSeq(notWord.ReplaceAllString(text, " ")) {
		if b.Len() == 0 {
			b.WriteString(strings.ToLower(word[:1]) + word[1:])
			continue
		}
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	s := b.String()
	if s == "" || s[0] >= '0' && s[0] <= '9' {
		s = "call" + s
	}
	return s
}

// operation makes one action.
func (c *converter) operation(name, method, path string, item *openapi3.PathItem, op *openapi3.Operation) (*Operation, error) {
	r := &request{c: c, name: name, method: method, path: path, taken: map[string]bool{}}
	if err := r.parameters(item, op); err != nil {
		return nil, err
	}
	if err := r.body(op); err != nil {
		return nil, err
	}
	r.security(op)
	response, err := c.response(name, op)
	if err != nil {
		return nil, err
	}
	typ, kind := metadata.Mutation, metadata.Synchronous
	if method == http.MethodGet {
		typ, kind = metadata.Query, ""
	}
	action := metadata.Action{Name: name, Definition: metadata.ActionDefinition{
		Type: typ, OutputType: response.typ, Arguments: r.args,
	}}
	md := &metadata.Metadata{Version: 3, Actions: []metadata.Action{action}, CustomTypes: c.types.declared()}
	fragment, err := metadata.ParseFragment(metadata.SDLOf(md, &action), c.opts.Source, name, typ)
	if err != nil {
		return nil, err
	}
	c.types.describe(&fragment.Types)
	transform, err := r.transform()
	if err != nil {
		return nil, err
	}
	back, err := response.transform()
	if err != nil {
		return nil, err
	}
	comment := strings.TrimSpace(cmp.Or(op.Summary, firstParagraph(op.Description)))
	return &Operation{Method: method, Path: path, Notes: append(r.notes, response.notes...), Addition: metadata.Addition{
		Fragment: fragment, Comment: comment, Definition: metadata.ActionDefinition{
			Handler: c.base, Kind: kind, Headers: r.headers, RequestTransform: transform, ResponseTransform: back,
		},
	}}, nil
}

func firstParagraph(text string) string {
	first, _, _ := strings.Cut(strings.TrimSpace(text), "\n\n")
	return strings.Join(strings.Fields(first), " ")
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
