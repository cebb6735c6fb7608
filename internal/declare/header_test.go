package declare

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/metadata"
)

func TestHeadersOfAnExistingAction(t *testing.T) {
	t.Parallel()
	d, _, err := Entry{Name: "a", Runtime: "golang", Headers: []string{"X-A: {{A}}"}}.Definition()
	if err != nil {
		t.Fatal(err)
	}
	set := func(text string) {
		t.Helper()
		if err := SetHeader(&d, text); err != nil {
			t.Fatal(err)
		}
	}
	drop := func(name string, want bool) {
		t.Helper()
		if found, err := DropHeader(&d, name); err != nil || found != want {
			t.Errorf("drop %s: %v, %v", name, found, err)
		}
	}
	set("x-a: b")                                             // replaces, whatever its case
	set("X-Tenant: {{SESSION_VARIABLES['x-hasura-tenant']}}") // joins those of the transform
	set("X-Env: {{E}}")                                       // configured
	set("X-Env: v-{{SESSION_VARIABLES['x-hasura-env']}}")     // moves to the transform
	set("X-HASURA-ROLE: fixed")                               // and one of the contract's moves out of it
	set("X-Request-ID: {{REQUEST_ID}}")                       // the caller's
	drop("x-tenant", true)
	drop("x-nothing", false)
	want := metadata.ActionDefinition{
		Handler: "{{GOLANG_URL}}/actions/a",
		Headers: []metadata.Header{
			{Name: "X-Hasura-Admin-Secret", ValueFromEnv: "HASURA_ADMIN_SECRET"}, {Name: "x-a", Value: "b"}, {Name: "X-HASURA-ROLE", Value: "fixed"},
		},
		ForwardClientHeaders: true, IgnoredClientHeaders: append(metadata.DefaultIgnoredClientHeaders(), "Authorization", "Cookie"),
		RequestTransform: []byte(`{"request_headers":{"add_headers":{"X-Env":"v-{{$session_variables?['x-hasura-env'] ?? \"\"}}",` +
			`"X-Hasura-Session-Variables":"{{$session_variables}}","X-Hasura-User-Id":"{{$session_variables?['x-hasura-user-id'] ?? \"\"}}"}},` +
			`"template_engine":"Kriti","version":2}`),
	}
	if diff := cmp.Diff(want, d); diff != "" {
		t.Errorf("definition (-want +got):\n%s", diff)
	}
	drop("X-Request-ID", true)
	if got := d.IgnoredClientHeaders[len(d.IgnoredClientHeaders)-1]; got != "X-Request-Id" {
		t.Errorf("the last ignored header is %q", got)
	}
	set("X-Request-ID: {{REQUEST_ID}}")
	if diff := cmp.Diff(want.IgnoredClientHeaders, d.IgnoredClientHeaders); diff != "" {
		t.Errorf("ignored headers (-want +got):\n%s", diff)
	}
	if err := SetHeader(&d, "X-Trace: {{REQUEST_ID}}"); !errors.Is(err, errdefs.ErrUsage) {
		t.Errorf("the id of a request under another name: error %v", err)
	}
}

func TestSetHeaderWithoutTransform(t *testing.T) {
	t.Parallel()
	var d metadata.ActionDefinition
	if err := SetHeader(&d, "Authorization: Bearer {{SESSION_VARIABLES['x-hasura-auth-token']}}"); err != nil {
		t.Fatal(err)
	}
	want := `{"request_headers":{"add_headers":{"Authorization":"Bearer {{$session_variables?['x-hasura-auth-token'] ?? \"\"}}"}},` +
		`"template_engine":"Kriti","version":2}`
	if string(d.RequestTransform) != want {
		t.Errorf("got %s", d.RequestTransform)
	}
}
