package gateway

import (
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/metadata"
)

// keeping is a Recorder that keeps what it is told.
type keeping struct {
	mu    sync.Mutex
	calls []RecordedCall
}

func (k *keeping) Record(c *RecordedCall) {
	k.mu.Lock()
	defer k.mu.Unlock()
	kept := *c
	kept.Input, kept.Response = append([]byte(nil), c.Input...), append([]byte(nil), c.Response...)
	k.calls = append(k.calls, kept)
}

// TestRecorder holds what is told of calls that end well, that are refused, and that get no answer.
func TestRecorder(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		handler  string
		status   int
		response string
		err      string
	}{
		"result":    {handlerServer(t, answer(200, "7")), 200, "7", ""},
		"refused":   {handlerServer(t, answer(400, `{"message":"no"}`)), 400, `{"message":"no"}`, "no"},
		"no answer": {"http://127.0.0.1:1/x", 0, "", "http exception when calling webhook"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rec := &keeping{}
			md := one(test.handler, func(d *metadata.ActionDefinition) {
				d.Arguments = []metadata.Argument{{Name: "n", Type: "Int"}}
			})
			e := newEngine(t, Options{Recorder: rec}, md)
			send(t, e, request{
				header: map[string]string{"X-Hasura-Role": "user", "X-Hasura-User-Id": "7"}, body: `{"query":"{a(n: 3)}"}`,
			})
			if len(rec.calls) != 1 {
				t.Fatalf("%d calls were told of", len(rec.calls))
			}
			c := rec.calls[0]
			message := ""
			if c.Err != nil {
				message = c.Err.Message
			}
			got := []any{c.Action, c.Role, c.Session["x-hasura-user-id"], string(c.Input), c.Status, string(c.Response), message}
			want := []any{"a", "user", "7", `{"n":3}`, test.status, test.response, test.err}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if c.Took <= 0 || c.RequestID == "" {
				t.Errorf("took %s, request id %q", c.Took, c.RequestID)
			}
		})
	}
}
