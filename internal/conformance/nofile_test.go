package conformance_test

import (
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// Hasura's tests have cases that are code rather than files; they are listed under these names.
const (
	withoutFile = "without file/"
	directNote  = "rows are read and written in the database, in place of table GraphQL"
)

// runSyncCode runs the cases without a file on the set-up of the folder sync.
func runSyncCode(t *testing.T, s *stack, folder string, results *report) {
	t.Helper()
	message := func(name, query, want string) {
		t.Run(withoutFile+name, func(t *testing.T) {
			results.watch(t, withoutFile+name, false, "")
			got := s.graphql(t, query, nil)
			if text := field(got.body, "errors", "0", "message"); got.status != http.StatusOK || text != want {
				t.Errorf("status %d, message %q, want %q", got.status, text, want)
			}
		})
	}
	message("custom_scalar_nested_array_response", `mutation { custom_scalar_nested_array_response }`,
		"expecting array for the action webhook response")
	message("typed_nested_null_wrong_field", `query { typed_nested_null_wrong_field { id child { id } } }`,
		`expecting not null value for field "id"`)
	t.Run(withoutFile+"mirror_headers", func(t *testing.T) {
		results.watch(t, withoutFile+"mirror_headers", false, "")
		mirrorsUserAgent(t, s)
	})
	t.Run(withoutFile+"create_users_kind", func(t *testing.T) {
		results.watch(t, withoutFile+"create_users_kind", false, "")
		createUsersIsList(t, s)
	})
	t.Run(withoutFile+"set_cookie", func(t *testing.T) {
		results.watch(t, withoutFile+"set_cookie", false, directNote)
		forwardsCookie(t, s)
	})
	t.Run(withoutFile+"variables_25_times", func(t *testing.T) {
		results.watch(t, withoutFile+"variables_25_times", false, directNote)
		neverRejectsVariables(t, s)
	})
	for _, name := range []string{"create_user_fail", "create_users_fail"} {
		t.Run("websocket/"+name, func(t *testing.T) {
			results.watch(t, "websocket/"+name, false, "")
			s.runSocket(t, filepath.Join(folder, name+".yaml"))
		})
	}
	for _, name := range []string{
		"create_user_success", "create_users_success", "create_user_relationship", "create_user_relationship_fail",
	} {
		const why = noTables + "an object relationship of an action is selected"
		t.Run("websocket/"+name, func(t *testing.T) {
			results.watch(t, "websocket/"+name, false, why)
			t.Skip(why)
		})
	}
}

func (s *stack) graphql(t *testing.T, query string, headers map[string]string) answer {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": map[string]any{}})
	if err != nil {
		t.Fatal(err)
	}
	return s.post(t.Context(), t, "/v1/graphql", s.trusted(headers), body)
}

func mirrorsUserAgent(t *testing.T, s *stack) {
	t.Helper()
	got := s.graphql(t, `query { mirror_headers { headers { name value } } }`, nil)
	var body struct {
		Data struct {
			Mirror struct {
				Headers []struct{ Name, Value string }
			} `json:"mirror_headers"`
		}
	}
	if err := json.Unmarshal(got.body, &body); err != nil {
		t.Fatal(err)
	}
	for _, h := range body.Data.Mirror.Headers {
		if h.Name == "User-Agent" && strings.HasPrefix(h.Value, "hasura-graphql-engine/") {
			return
		}
	}
	t.Errorf("no header User-Agent of hasura-graphql-engine: %s", got.body)
}

func createUsersIsList(t *testing.T, s *stack) {
	t.Helper()
	got := s.graphql(t, `{ __type(name: "mutation_root") { fields { name type { kind } } } }`, nil)
	var body struct {
		Data struct {
			Type struct {
				Fields []struct {
					Name string
					Type struct{ Kind string }
				}
			} `json:"__type"`
		}
	}
	if err := json.Unmarshal(got.body, &body); err != nil {
		t.Fatal(err)
	}
	for _, f := range body.Data.Type.Fields {
		if f.Name == "create_users" {
			if f.Type.Kind != "LIST" {
				t.Errorf("kind %s, want LIST", f.Type.Kind)
			}
			return
		}
	}
	t.Errorf("no field create_users: %s", got.body)
}

func forwardsCookie(t *testing.T, s *stack) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/v1/graphql", strings.NewReader(
		`{"query":"mutation { create_user(email: \"clarke@gmail.com\", name: \"Clarke\") { id } }","variables":{}}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range s.trusted(nil) {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || !strings.Contains(string(body), `"data"`) {
		t.Errorf("status %d: %s", resp.StatusCode, body)
	}
	if got := resp.Header.Values("Set-Cookie"); len(got) != 1 || got[0] != "abcd" {
		t.Errorf("Set-Cookie %q, want abcd", got)
	}
}

// neverRejectsVariables asks the same again and again: an operation that is remembered must still take its variables.
func neverRejectsVariables(t *testing.T, s *stack) {
	t.Helper()
	const body = `{"query":"query ($email: String!) { get_user_by_email(email: $email) { id } }",` +
		`"variables":{"email":"clarke@gmail.com"}}`
	for range 25 {
		s.sql(t.Context(), t, insertOne)
		got := s.post(t.Context(), t, "/v1/graphql", s.trusted(nil), []byte(body))
		if !strings.Contains(string(got.body), `"data"`) {
			t.Fatalf("%s", got.body)
		}
	}
	s.sql(t.Context(), t, `DELETE FROM "user"; SELECT setval('user_id_seq', 1, FALSE)`)
}
