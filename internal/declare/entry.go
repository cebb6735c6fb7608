// Package declare turns the wish for a new action into its declaration: the SDL and the entry of actions.yaml, with the
// headers of the documented contract in the form that Hasura evaluates.
package declare

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/metadata"
)

// Entry is what actions.yaml says about an action.
type Entry struct {
	Name    string
	Runtime string // golang, nestjs or python: where the handler is
	Kind    metadata.ActionKind
	Roles   []string
	// Headers are further headers of the webhook call, as "Name: value". {{NAME}} stands for an environment variable,
	// {{SESSION_VARIABLES['x-hasura-...']}} for a session variable.
	Headers []string
	Timeout int // seconds; zero: Hasura's default of 30
}

// Definition returns what actions.yaml says about the handler, and the permissions. Arguments and types come from the SDL.
func (e Entry) Definition() (metadata.ActionDefinition, []metadata.Permission, error) {
	d := metadata.ActionDefinition{
		Handler: fmt.Sprintf("{{%s_URL}}/actions/%s", strings.ToUpper(e.Runtime), metadata.Kebab(e.Name)),
		Headers: []metadata.Header{{Name: "X-Hasura-Admin-Secret", ValueFromEnv: "HASURA_ADMIN_SECRET"}},
		Kind:    e.Kind, Timeout: e.Timeout,
	}
	add := sessionHeaders()
	for _, text := range e.Headers {
		h, err := parseHeader(text)
		if err != nil {
			return d, nil, err
		}
		if h.template != "" {
			add = append(add, [2]string{h.Name, h.template})
			continue
		}
		d.Headers = append(d.Headers, h.Header)
	}
	transform, err := requestTransform(add)
	if err != nil {
		return d, nil, fmt.Errorf("write the entry of action %q: %w", e.Name, err)
	}
	d.RequestTransform = transform
	permissions := make([]metadata.Permission, len(e.Roles))
	for i, role := range e.Roles {
		permissions[i].Role = role
	}
	return d, permissions, nil
}

// requestTransform writes a transform that adds headers, in their order.
func requestTransform(headers [][2]string) (json.RawMessage, error) {
	var add bytes.Buffer
	for i, h := range headers {
		if i > 0 {
			add.WriteByte(',')
		}
		for j, text := range h {
			quoted, err := json.Marshal(text)
			if err != nil {
				return nil, err
			}
			if j > 0 {
				add.WriteByte(':')
			}
			add.Write(quoted)
		}
	}
	return json.RawMessage(`{"version":2,"template_engine":"Kriti","request_headers":{"add_headers":{` + add.String() + `}}}`), nil
}

// sessionHeaders are the headers that the documented contract promises to handlers and that Hasura does not send by
// itself, as templates of its request transform.
func sessionHeaders() [][2]string {
	return [][2]string{
		{"X-Hasura-Role", `{{$session_variables['x-hasura-role']}}`},
		{"X-Hasura-User-Id", `{{$session_variables?['x-hasura-user-id'] ?? ""}}`},
		{"X-Hasura-Session-Variables", `{{$session_variables}}`},
	}
}

// header is one --header: a configured header, or a template of the request transform when it needs the session.
type header struct {
	metadata.Header
	template string
}

var (
	headerName     = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$") // RFC 9110, section 5.6.2: token
	envReference   = regexp.MustCompile(`^\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}$`)
	anyReference   = regexp.MustCompile(`\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}`)
	sessionPattern = regexp.MustCompile(`\{\{\s*SESSION_VARIABLES\[['"]([A-Za-z0-9_-]+)['"]\]\s*\}\}`)
)

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
		h.ValueFromEnv = m[1]
		return h, nil
	}
	h.Value = anyReference.ReplaceAllString(value, "{{$1}}") // Hasura takes blanks inside the braces for part of the name
	return h, nil
}
