package auth_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/auth"
	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
)

// headers makes a request from name, value, name, value...
func headers(pairs ...string) auth.Request {
	return auth.Request{Headers: func(yield func(string, string) bool) {
		for i := 0; i < len(pairs); i += 2 {
			if !yield(pairs[i], pairs[i+1]) {
				return
			}
		}
	}}
}

// refusal makes the error that a test expects.
func refusal(status int, code, message string) *auth.Error {
	return &auth.Error{Status: status, Code: code, Message: message, Path: "$"}
}

func newAuthenticator(t *testing.T, c auth.Config) *auth.Authenticator {
	t.Helper()
	a, err := auth.New(t.Context(), c, nil, newLogger(t))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAuthenticateBySecret(t *testing.T) {
	t.Parallel()
	var (
		open      = auth.Config{}
		secret    = auth.Config{AdminSecrets: []env.Secret{"s3cret"}}
		secrets   = auth.Config{AdminSecrets: []env.Secret{"one", "two"}}
		anonymous = auth.Config{AdminSecrets: []env.Secret{"s3cret"}, UnauthorizedRole: "anon"}

		wrong   = refusal(401, "access-denied", `invalid "x-hasura-admin-secret"/"x-hasura-access-key"`)
		missing = refusal(401, "access-denied", `"x-hasura-admin-secret"/"x-hasura-access-key" required, but not found`)
	)
	admin := auth.Session{Role: "admin", Vars: map[string]string{"x-hasura-role": "admin"}, Admin: true}
	user := auth.Session{Role: "user", Vars: map[string]string{"x-hasura-role": "user"}}
	tests := []struct {
		name    string
		config  auth.Config
		request auth.Request
		want    auth.Session
		wantErr *auth.Error
	}{
		{"no auth, no headers", open, headers(), admin, nil},
		{"no auth, zero request", open, auth.Request{}, admin, nil},
		{"no auth, role", open, headers("X-Hasura-Role", "user"), user, nil},
		{"no auth, empty role is absent", open, headers("X-Hasura-Role", ""), admin, nil},
		{
			"no auth, variables are lower-cased and the secret removed", open,
			headers("X-HASURA-User-Id", "42", "X-Hasura-Org", "A b", "X-Hasura-Admin-Secret", "x", "x-hasura-access-key", "y", "Accept", "z"),
			auth.Session{Role: "admin", Admin: true, Vars: map[string]string{
				"x-hasura-role": "admin", "x-hasura-user-id": "42", "x-hasura-org": "A b",
			}},
			nil,
		},
		{"of a repeated header the last counts", open, headers("x-hasura-role", "a", "X-Hasura-Role", "user"), user, nil},
		{"right secret", secret, headers("X-Hasura-Admin-Secret", "s3cret"), admin, nil},
		{"right secret, old name", secret, headers("X-Hasura-Access-Key", "s3cret"), admin, nil},
		{"the new name goes first", secret, headers("X-Hasura-Access-Key", "s3cret", "x-hasura-admin-secret", "no"), auth.Session{}, wrong},
		{"right secret and role", secret, headers("x-hasura-admin-secret", "s3cret", "x-hasura-role", "user"), user, nil},
		{"wrong secret", secret, headers("x-hasura-admin-secret", "s3cret "), auth.Session{}, wrong},
		{"empty secret", secret, headers("x-hasura-admin-secret", ""), auth.Session{}, wrong},
		{"no secret", secret, headers("x-hasura-role", "user"), auth.Session{}, missing},
		{"first of two secrets", secrets, headers("x-hasura-admin-secret", "one"), admin, nil},
		{"second of two secrets", secrets, headers("x-hasura-admin-secret", "two"), admin, nil},
		{"both secrets", secrets, headers("x-hasura-admin-secret", "onetwo"), auth.Session{}, wrong},
		{
			"unauthorized role cannot be changed, variables can", anonymous,
			headers("x-hasura-role", "admin", "x-hasura-user-id", "7"),
			auth.Session{Role: "anon", Vars: map[string]string{"x-hasura-role": "anon", "x-hasura-user-id": "7"}},
			nil,
		},
		{"wrong secret with unauthorized role", anonymous, headers("x-hasura-admin-secret", "no"), auth.Session{}, wrong},
		{
			"backend-only", secret, headers("x-hasura-admin-secret", "s3cret", "x-hasura-use-backend-only-permissions", "Yes"),
			auth.Session{Role: "admin", Admin: true, BackendOnly: true, Vars: map[string]string{
				"x-hasura-role": "admin", "x-hasura-use-backend-only-permissions": "Yes",
			}},
			nil,
		},
		{
			"backend-only nonsense", open, headers("x-hasura-use-backend-only-permissions", "1"),
			auth.Session{},
			refusal(400, "bad-request", `x-hasura-use-backend-only-permissions:  Not a valid boolean text. `+
				`True values are ["true","t","yes","y"] and  False values are ["false","f","no","n"]. All values are case insensitive`),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := newAuthenticator(t, tt.config).Authenticate(t.Context(), tt.request)
			if diff := cmp.Diff(tt.wantErr, err); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("session (-want +got):\n%s", diff)
			}
		})
	}
}

// Two requests must not share what one of them may still change.
func TestSessionCopiesItsStrings(t *testing.T) {
	t.Parallel()
	name, value := []byte("x-hasura-org"), []byte("acme")
	request := auth.Request{Headers: func(yield func(string, string) bool) { yield(string(name), string(value)) }}
	session, err := newAuthenticator(t, auth.Config{}).Authenticate(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	clear(name)
	clear(value)
	if got := session.Vars["x-hasura-org"]; got != "acme" {
		t.Errorf("x-hasura-org = %q", got)
	}
}

func TestHTTPHeaders(t *testing.T) {
	t.Parallel()
	h := http.Header{}
	h.Add("X-Hasura-Role", "first")
	h.Add("X-Hasura-Role", "last")
	session, err := newAuthenticator(t, auth.Config{}).Authenticate(t.Context(), auth.Request{Headers: auth.HTTPHeaders(h)})
	if err != nil || session.Role != "last" {
		t.Errorf("role = %q, error %v", session.Role, err)
	}
	for range auth.HTTPHeaders(h) {
		break // an early end must not panic
	}
}

func TestNewRefusesCombinations(t *testing.T) {
	t.Parallel()
	const required = " requires --admin-secret (HASURA_GRAPHQL_ADMIN_SECRET) or  --access-key (HASURA_GRAPHQL_ACCESS_KEY) to be set"
	secret, jwt, hook := []env.Secret{"s"}, []env.Secret{`{"type":"HS256","key":"01234567890123456789012345678901"}`}, auth.Hook{URL: "http://127.0.0.1/"}
	tests := []struct {
		name   string
		config auth.Config
		want   string
	}{
		{"hook alone", auth.Config{Hook: hook}, "Fatal Error : --auth-hook (HASURA_GRAPHQL_AUTH_HOOK)" + required},
		{"jwt alone", auth.Config{JWTSecrets: jwt}, "Fatal Error : --jwt-secret (HASURA_GRAPHQL_JWT_SECRET)" + required},
		{
			"hook and jwt",
			auth.Config{AdminSecrets: secret, JWTSecrets: jwt, Hook: hook},
			"Fatal Error: Both webhook and JWT mode cannot be enabled at the same time",
		},
		{
			"hook and jwt without secret",
			auth.Config{JWTSecrets: jwt, Hook: hook},
			"Fatal Error: Both webhook and JWT mode cannot be enabled at the same time",
		},
		{
			"unauthorized role alone",
			auth.Config{UnauthorizedRole: "anon"},
			"Fatal Error: --unauthorized-role (HASURA_GRAPHQL_UNAUTHORIZED_ROLE)" + required +
				" and is not allowed when --auth-hook (HASURA_GRAPHQL_AUTH_HOOK) is set",
		},
		{
			"unauthorized role and hook",
			auth.Config{AdminSecrets: secret, UnauthorizedRole: "anon", Hook: hook},
			"Fatal Error: --unauthorized-role (HASURA_GRAPHQL_UNAUTHORIZED_ROLE)" + required +
				" and is not allowed when --auth-hook (HASURA_GRAPHQL_AUTH_HOOK) is set",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := auth.New(t.Context(), tt.config, nil, newLogger(t))
			if err == nil || err.Error() != tt.want {
				t.Errorf("error\n got %v\nwant %s", err, tt.want)
			}
			if !errors.Is(err, errdefs.ErrInvalid) {
				t.Errorf("%v is not errdefs.ErrInvalid", err)
			}
		})
	}
}

func TestConfigFromEnv(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		env     map[string]string
		want    auth.Config
		wantErr string
	}{
		{"nothing", nil, auth.Config{}, ""},
		{
			"everything",
			map[string]string{
				"HASURA_GRAPHQL_ADMIN_SECRET":                "a",
				"HASURA_GRAPHQL_ACCESS_KEY":                  "ignored",
				"HASURA_GRAPHQL_ADMIN_SECRETS":               `["b","c"]`,
				"HASURA_GRAPHQL_UNAUTHORIZED_ROLE":           "anon",
				"HASURA_GRAPHQL_JWT_SECRET":                  `{"n":1}`,
				"HASURA_GRAPHQL_JWT_SECRETS":                 `[{"n":2}]`,
				"HASURA_GRAPHQL_AUTH_HOOK":                   "http://h/",
				"HASURA_GRAPHQL_AUTH_HOOK_MODE":              "POST",
				"HASURA_GRAPHQL_AUTH_HOOK_SEND_REQUEST_BODY": "false",
			},
			auth.Config{
				AdminSecrets: []env.Secret{"a", "b", "c"}, UnauthorizedRole: "anon",
				JWTSecrets: []env.Secret{`{"n":1}`, `{"n":2}`},
				Hook:       auth.Hook{URL: "http://h/", Post: true, OmitRequest: true},
			},
			"",
		},
		{"old name", map[string]string{"HASURA_GRAPHQL_ACCESS_KEY": "k"}, auth.Config{AdminSecrets: []env.Secret{"k"}}, ""},
		{
			"all faults at once",
			map[string]string{
				"HASURA_GRAPHQL_ADMIN_SECRETS": "topsecret", "HASURA_GRAPHQL_JWT_SECRETS": "{}",
				"HASURA_GRAPHQL_AUTH_HOOK_MODE": "PUT", "HASURA_GRAPHQL_AUTH_HOOK_SEND_REQUEST_BODY": "maybe",
			},
			auth.Config{},
			"HASURA_GRAPHQL_ADMIN_SECRETS: expected a JSON list of strings\n" +
				"HASURA_GRAPHQL_JWT_SECRETS: expected a JSON list of objects\n" +
				"HASURA_GRAPHQL_AUTH_HOOK_MODE: expected GET or POST, got \"PUT\"\n" +
				"HASURA_GRAPHQL_AUTH_HOOK_SEND_REQUEST_BODY: expected true or false, got \"maybe\"",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := auth.ConfigFromEnv(func(key string) string { return tt.env[key] })
			text := ""
			if err != nil {
				text = err.Error()
			}
			if diff := cmp.Diff(tt.wantErr, text); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("config (-want +got):\n%s", diff)
			}
		})
	}
}

func BenchmarkAuthenticateAdminSecret(b *testing.B) {
	a, err := auth.New(b.Context(), auth.Config{AdminSecrets: []env.Secret{"s3cret"}}, nil, newLogger(b))
	if err != nil {
		b.Fatal(err)
	}
	request := headers("Content-Type", "application/json", "X-Hasura-Admin-Secret", "s3cret", "X-Hasura-Role", "user", "X-Hasura-User-Id", "42")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Authenticate(b.Context(), request); err != nil {
			b.Fatal(err)
		}
	}
}
