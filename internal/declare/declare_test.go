package declare

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/metadata"
)

func TestDefinition(t *testing.T) {
	t.Parallel()
	got, roles, err := Entry{
		Name: "createInvoice", Runtime: "python", Roles: []string{"user", "clerk"}, Timeout: 60,
		Headers: []string{
			"X-API-Key: {{API_KEY}}", "X-Env: staging-{{ REGION }}", "X-Fixed: 7",
			"Authorization: Bearer {{SESSION_VARIABLES['X-Hasura-Auth-Token']}}",
		},
	}.Definition()
	if err != nil {
		t.Fatal(err)
	}
	want := metadata.ActionDefinition{
		Handler: "{{PYTHON_URL}}/actions/create-invoice", Timeout: 60,
		Headers: []metadata.Header{
			{Name: "X-Hasura-Admin-Secret", ValueFromEnv: "HASURA_ADMIN_SECRET"},
			{Name: "X-API-Key", ValueFromEnv: "API_KEY"},
			{Name: "X-Env", Value: "staging-{{REGION}}"},
			{Name: "X-Fixed", Value: "7"},
		},
		RequestTransform: json.RawMessage(`{"version":2,"template_engine":"Kriti","request_headers":{"add_headers":{` +
			`"X-Hasura-Role":"{{$session_variables['x-hasura-role']}}",` +
			`"X-Hasura-User-Id":"{{$session_variables?['x-hasura-user-id'] ?? \"\"}}",` +
			`"X-Hasura-Session-Variables":"{{$session_variables}}",` +
			`"Authorization":"Bearer {{$session_variables?['x-hasura-auth-token'] ?? \"\"}}"}}}`),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("definition (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]metadata.Permission{{Role: "user"}, {Role: "clerk"}}, roles); diff != "" {
		t.Errorf("permissions (-want +got):\n%s", diff)
	}
}

func TestHeadersThatHasuraCannotEvaluate(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"no colon", ": no name", "bad name: x", "X-A: one\ntwo",
		"X-Secret: {{HASURA_GRAPHQL_ADMIN_SECRET}}",
		"X-Both: {{SESSION_VARIABLES['x-hasura-a']}}-{{API_KEY}}",
	} {
		_, _, err := Entry{Name: "a", Runtime: "golang", Headers: []string{text}}.Definition()
		if !errors.Is(err, errdefs.ErrUsage) {
			t.Errorf("header %q: error %v, want a usage error", text, err)
		}
	}
}

func TestSampleSDLIsValid(t *testing.T) {
	t.Parallel()
	for _, typ := range []metadata.ActionType{metadata.Mutation, metadata.Query} {
		f, err := metadata.ParseFragment(SampleSDL("sendHTTPReport", typ), "sample", "sendHTTPReport", typ)
		if err != nil {
			t.Fatal(err)
		}
		if f.Action.Definition.Type != typ {
			t.Errorf("type %q, want %q", f.Action.Definition.Type, typ)
		}
	}
}
