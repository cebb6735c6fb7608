package declare

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/metadata"
)

// header is one --header in the form that Hasura evaluates: a configured header, a template of the request transform when
// it needs the session, or the caller's own header when it is the id of the request, which Hasura does not know otherwise.
type header struct {
	metadata.Header
	template string
	forward  bool
}

var (
	headerName     = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$") // RFC 9110, section 5.6.2: token
	envReference   = regexp.MustCompile(`^\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}$`)
	anyReference   = regexp.MustCompile(`\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}`)
	sessionPattern = regexp.MustCompile(`\{\{\s*SESSION_VARIABLES\[['"]([A-Za-z0-9_-]+)['"]\]\s*\}\}`)
)

// requestIDHeader is the header in which callers, Hasura and the gateway hand on the id of a request.
const requestIDHeader = "X-Request-Id"

// parseHeader reads "Name: value". A value that is one {{NAME}} becomes value_from_env, {{NAME}} within text stays a
// template that Hasura resolves, and a session variable makes the header a part of the request transform.
func parseHeader(text string) (header, error) {
	name, value, ok := strings.Cut(text, ":")
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	if !ok || !headerName.MatchString(name) || strings.ContainsAny(value, "\r\n") {
		return header{}, errdefs.WithHint(fmt.Errorf("%w: header %q is not 'Name: value'", errdefs.ErrUsage, text),
			"write it as --header 'X-API-Key: {{API_KEY}}'")
	}
	h := header{Header: metadata.Header{Name: name}}
	if sessionPattern.MatchString(value) {
		rest := sessionPattern.ReplaceAllString(value, "")
		if env := anyReference.FindString(rest); env != "" {
			return header{}, errdefs.WithHint(
				fmt.Errorf("%w: header %q mixes a session variable with the environment variable %s, which Hasura cannot evaluate in one value",
					errdefs.ErrUsage, name, env), "use two headers")
		}
		h.template = sessionPattern.ReplaceAllStringFunc(value, func(ref string) string {
			variable := strings.ToLower(sessionPattern.FindStringSubmatch(ref)[1])
			return fmt.Sprintf(`{{$session_variables?['%s'] ?? ""}}`, variable)
		})
		return h, nil
	}
	if m := envReference.FindStringSubmatch(value); m != nil {
		if strings.HasPrefix(m[1], "HASURA_GRAPHQL_") {
			return header{}, errdefs.WithHint(
				fmt.Errorf("%w: header %q: Hasura lets no header read %s", errdefs.ErrUsage, name, m[1]),
				"copy the value to a variable of another name")
		}
		if m[1] == "REQUEST_ID" {
			if !strings.EqualFold(name, requestIDHeader) {
				return header{}, errdefs.WithHint(
					fmt.Errorf("%w: header %q: the id of a request reaches handlers as %s only", errdefs.ErrUsage, name, requestIDHeader),
					"write --header 'X-Request-ID: {{REQUEST_ID}}'")
			}
			h.forward = true
			return h, nil
		}
		h.ValueFromEnv = m[1]
		return h, nil
	}
	h.Value = anyReference.ReplaceAllString(value, "{{$1}}") // Hasura takes blanks inside the braces for part of the name
	return h, nil
}

// SetHeader makes an action send a header, "Name: value" as in [Entry.Headers]. One of the same name is replaced, wherever
// it stands. An error of class [errdefs.ErrUsage] says what Hasura cannot evaluate.
func SetHeader(d *metadata.ActionDefinition, text string) error {
	h, err := parseHeader(text)
	if err != nil {
		return err
	}
	if h.forward {
		forwardRequestID(d)
		return nil
	}
	if h.template == "" {
		if err := dropTemplate(d, h.Name); err != nil {
			return err
		}
		if i := headerIndex(d.Headers, h.Name); i >= 0 {
			d.Headers[i] = h.Header
			return nil
		}
		d.Headers = append(d.Headers, h.Header)
		return nil
	}
	d.Headers = slices.DeleteFunc(slices.Clone(d.Headers), func(have metadata.Header) bool { return strings.EqualFold(have.Name, h.Name) })
	return editTemplates(d, func(add map[string]string) {
		deleteFold(add, h.Name)
		add[h.Name] = h.template
	})
}

// DropHeader makes an action send a header no more, wherever it stands. found is false where it sent none of that name.
func DropHeader(d *metadata.ActionDefinition, name string) (found bool, err error) {
	if i := headerIndex(d.Headers, name); i >= 0 {
		d.Headers = slices.Delete(slices.Clone(d.Headers), i, i+1)
		found = true
	}
	if strings.EqualFold(name, requestIDHeader) && d.ForwardClientHeaders && !found {
		d.IgnoredClientHeaders = append(slices.Clone(ignored(d)), requestIDHeader)
		return true, nil
	}
	before := string(d.RequestTransform)
	err = dropTemplate(d, name)
	return found || before != string(d.RequestTransform), err
}

func headerIndex(headers []metadata.Header, name string) int {
	return slices.IndexFunc(headers, func(h metadata.Header) bool { return strings.EqualFold(h.Name, name) })
}

func ignored(d *metadata.ActionDefinition) []string {
	if d.IgnoredClientHeaders == nil {
		return metadata.DefaultIgnoredClientHeaders()
	}
	return d.IgnoredClientHeaders
}

// forwardRequestID hands the caller's X-Request-Id on. The engine has no other way to tell the id of a request, and
// generates one where the caller sent none. The caller's credentials stay behind: they are the engine's business.
func forwardRequestID(d *metadata.ActionDefinition) {
	if d.ForwardClientHeaders {
		d.IgnoredClientHeaders = slices.DeleteFunc(slices.Clone(d.IgnoredClientHeaders), func(name string) bool {
			return strings.EqualFold(name, requestIDHeader)
		})
		return
	}
	d.ForwardClientHeaders = true
	d.IgnoredClientHeaders = append(metadata.DefaultIgnoredClientHeaders(), "Authorization", "Cookie")
}

func deleteFold(m map[string]string, name string) {
	for key := range m {
		if strings.EqualFold(key, name) {
			delete(m, key)
		}
	}
}

func dropTemplate(d *metadata.ActionDefinition, name string) error {
	if !strings.Contains(strings.ToLower(string(d.RequestTransform)), strings.ToLower(name)) {
		return nil
	}
	return editTemplates(d, func(add map[string]string) { deleteFold(add, name) })
}

// editTemplates changes the headers that a request transform adds, and leaves the rest of it alone.
func editTemplates(d *metadata.ActionDefinition, edit func(add map[string]string)) error {
	transform := map[string]json.RawMessage{"version": []byte("2"), "template_engine": []byte(`"Kriti"`)}
	if len(d.RequestTransform) > 0 {
		transform = map[string]json.RawMessage{}
		if err := json.Unmarshal(d.RequestTransform, &transform); err != nil {
			return fmt.Errorf("read the request transform: %w", err)
		}
	}
	headers, add := map[string]json.RawMessage{}, map[string]string{}
	if raw, ok := transform["request_headers"]; ok {
		if err := json.Unmarshal(raw, &headers); err != nil {
			return fmt.Errorf("read the request transform: request_headers: %w", err)
		}
	}
	if raw, ok := headers["add_headers"]; ok {
		if err := json.Unmarshal(raw, &add); err != nil {
			return fmt.Errorf("read the request transform: add_headers: %w", err)
		}
	}
	edit(add)
	var err error
	if headers["add_headers"], err = json.Marshal(add); err != nil {
		return err
	}
	if transform["request_headers"], err = json.Marshal(headers); err != nil {
		return err
	}
	d.RequestTransform, err = json.Marshal(transform)
	return err
}
