// Package declare turns the wish for a new action into its declaration: the SDL and the entry of actions.yaml, with the
// headers of the documented contract in the form that Hasura evaluates.
package declare

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/nself-org/nself/internal/metadata"
)

// Entry is what actions.yaml says about an action.
type Entry struct {
	Name    string
	Runtime string // golang, nestjs or python: where the handler is
	Kind    metadata.ActionKind
	Roles   []string
	// Headers are further headers of the webhook call, as "Name: value". {{NAME}} stands for an environment variable,
	// {{SESSION_VARIABLES['x-hasura-...']}} for a session variable, and {{REQUEST_ID}} for the id of the request.
	Headers []string
	Timeout int // seconds; zero: Hasura's default of 30
}

// Handler is the URL of an action's handler in the function service of a runtime.
func Handler(runtime, action string) string {
	return fmt.Sprintf("{{%s_URL}}/actions/%s", strings.ToUpper(runtime), metadata.Kebab(action))
}

// Definition returns what actions.yaml says about the handler, and the permissions. Arguments and types come from the SDL.
func (e Entry) Definition() (metadata.ActionDefinition, []metadata.Permission, error) {
	d := metadata.ActionDefinition{
		Handler: Handler(e.Runtime, e.Name),
		Headers: []metadata.Header{{Name: "X-Hasura-Admin-Secret", ValueFromEnv: "HASURA_ADMIN_SECRET"}},
		Kind:    e.Kind, Timeout: e.Timeout,
	}
	add := sessionHeaders()
	for _, text := range e.Headers {
		h, err := parseHeader(text)
		if err != nil {
			return d, nil, err
		}
		switch {
		case h.forward:
			forwardRequestID(&d)
		case h.template != "":
			add = append(add, [2]string{h.Name, h.template})
		default:
			d.Headers = append(d.Headers, h.Header)
		}
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
