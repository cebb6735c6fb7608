package conformance_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// asyncPatience is how long an asynchronous action may take in the end, on a machine that is busy with other tests.
const asyncPatience = time.Minute

// asyncCase starts an asynchronous action and waits for what a query of it is to show.
type asyncCase struct {
	name  string
	start string // the root field of the mutation
	as    map[string]string
	// selection is asked of the action; want is the action's field in the answer, complete.
	selection, want string
}

// runAsyncCode runs the cases on the set-up of the folder async.
func runAsyncCode(t *testing.T, s *stack, _ string, results *report) {
	t.Helper()
	user := func(id string) map[string]string {
		return map[string]string{"X-Hasura-Role": "user", "X-Hasura-User-Id": id}
	}
	cases := []asyncCase{
		{
			name: "create_user_fails", start: `create_user(email: "random-email", name: "Clarke")`, selection: `id errors`,
			want: `{"id":"ID","errors":{"code":"invalid-email","path":"$","error":"Given email address is not valid"}}`,
		},
		{
			name: "error_as_user", start: `test_async_action_error_response`, as: user("1"), selection: `id errors`,
			want: `{"id":"ID","errors":{"code":"unexpected","path":"$","error":"not a valid json response from webhook"}}`,
		},
		{
			name: "error_as_admin", start: `test_async_action_error_response`, selection: `errors`,
			want: `{"errors":{"code":"unexpected","path":"$","error":"not a valid json response from webhook"}}`,
		},
		{
			name: "nested", start: `create_user_nested(email: "clarke@hasura.io", name: "Clarke")`,
			selection: `__typename id output { __typename userObj { __typename id } }`,
			want: `{"__typename":"create_user_nested","id":"ID","output":{"__typename":"UserIdNested",` +
				`"userObj":{"__typename":"UserIdObj","id":1}}}`,
		},
	}
	for _, c := range cases {
		note := ""
		if c.name == "nested" {
			note = directNote
		}
		t.Run("async/"+c.name, func(t *testing.T) {
			results.watch(t, "async/"+c.name, false, note)
			id := s.start(t, c.start, c.as)
			name, _, _ := strings.Cut(c.start, "(")
			s.await(t, name, id, c.selection, c.as, strings.ReplaceAll(c.want, `"ID"`, `"`+id+`"`))
		})
	}
	t.Run("async/roles", func(t *testing.T) {
		results.watch(t, "async/roles", false, directNote)
		s.sql(t.Context(), t, `DELETE FROM "user"; SELECT setval('user_id_seq', 1, FALSE)`)
		id := s.start(t, `create_user(email: "blake@hasura.io", name: "Blake")`, user("1"))
		s.await(t, "create_user", id, `id output { id }`, user("1"), `{"id":"`+id+`","output":{"id":1}}`)
		s.await(t, "create_user", id, `id output { id }`, user("2"), `null`)
	})
	for _, name := range []string{"create_user_succeeds", "transformed"} {
		const why = noTables + "an object relationship of an asynchronous action is selected"
		t.Run("async/"+name, func(t *testing.T) {
			results.watch(t, "async/"+name, false, why)
			t.Skip(why)
		})
	}
}

// runTimeoutCode runs the case on the set-up of the folder timeout: a handler that is slower than its action allows.
func runTimeoutCode(t *testing.T, s *stack, _ string, results *report) {
	t.Helper()
	t.Run("timeout/create_user", func(t *testing.T) {
		results.watch(t, "timeout/create_user", false, "")
		id := s.start(t, `create_user(email: "clarke@hasura.io", name: "Clarke")`, nil)
		s.await(t, "create_user", id, `id errors`, nil, `{"id":"`+id+
			`","errors":{"code":"unexpected","path":"$","error":"http exception when calling webhook"}}`)
	})
}

// start runs a mutation and returns the id that it answers with.
func (s *stack) start(t *testing.T, field string, as map[string]string) string {
	t.Helper()
	got := s.graphql(t, "mutation { "+field+" }", as)
	var body struct{ Data map[string]string }
	if err := json.Unmarshal(got.body, &body); err != nil || got.status != http.StatusOK || len(body.Data) != 1 {
		t.Fatalf("status %d: %s", got.status, got.body)
	}
	for _, id := range body.Data {
		return id
	}
	return ""
}

// await asks for an action until the answer is the one wanted. The keys of errors have the order of jsonb. Details
// under "internal" are left out.
func (s *stack) await(t *testing.T, action, id, selection string, as map[string]string, want string) {
	t.Helper()
	body, err := json.Marshal(map[string]any{
		"query":     "query ($action_id: uuid!) { " + action + "(id: $action_id) { " + selection + " } }",
		"variables": map[string]string{"action_id": id},
	})
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.NewTimer(asyncPatience)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		got := s.post(t.Context(), t, "/v1/graphql", s.trusted(as), body)
		var answer struct{ Data map[string]json.RawMessage }
		if err := json.Unmarshal(got.body, &answer); err != nil || got.status != http.StatusOK || answer.Data == nil {
			t.Fatalf("status %d: %s", got.status, got.body)
		}
		shown := compacted(withoutInternal(t, answer.Data[action]))
		if shown == want {
			return
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("after %s (-want +got):\n%s", asyncPatience, cmp.Diff(want, shown))
		}
	}
}

// withoutInternal drops errors.internal, keeping the order of all other keys.
func withoutInternal(t *testing.T, raw json.RawMessage) []byte {
	t.Helper()
	var object struct{ Errors map[string]json.RawMessage }
	if err := json.Unmarshal(raw, &object); err != nil {
		t.Fatal(err)
	}
	internal, ok := object.Errors["internal"]
	if !ok {
		return raw
	}
	return []byte(strings.Replace(compacted(raw), `,"internal":`+compacted(internal), "", 1))
}
