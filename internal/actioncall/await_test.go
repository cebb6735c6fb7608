package actioncall

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/metadata"
)

// reports is metadata with one asynchronous action.
func reports() *metadata.Metadata {
	return &metadata.Metadata{
		CustomTypes: metadata.CustomTypes{Objects: []metadata.Object{
			{Name: "Report", Fields: []metadata.Field{{Name: "url", Type: "String!"}, {Name: "pages", Type: "[Page!]"}}},
			{Name: "Page", Fields: []metadata.Field{{Name: "number", Type: "Int"}}},
		}},
		Actions: []metadata.Action{{
			Name: "report", Definition: metadata.ActionDefinition{Kind: metadata.Asynchronous, OutputType: "Report!"},
		}},
	}
}

func TestResultOperation(t *testing.T) {
	t.Parallel()
	md := reports()
	want := `query Report($id: uuid!) {
  report(id: $id) {
    id
    created_at
    errors
    output {
      url
      pages {
        number
      }
    }
  }
}
`
	if diff := cmp.Diff(want, ResultOperation(md, &md.Actions[0])); diff != "" {
		t.Errorf("document (-want +got):\n%s", diff)
	}
}

func TestAwaits(t *testing.T) {
	t.Parallel()
	md := reports()
	a := md.Actions[0]
	if !Awaits(md, &a) {
		t.Error("an asynchronous mutation has no result")
	}
	a.Definition.OutputType = "String"
	if Awaits(md, &a) {
		t.Error("a scalar is shown")
	}
	a = md.Actions[0]
	a.Definition.Type = metadata.Query
	if Awaits(md, &a) {
		t.Error("a query is asynchronous")
	}
	a = md.Actions[0]
	a.Definition.Kind = metadata.Synchronous
	if Awaits(md, &a) {
		t.Error("a synchronous action is asynchronous")
	}
}

// TestAwait holds that the result is asked for until it is final, as the caller who started the action.
func TestAwait(t *testing.T) {
	t.Parallel()
	const pending = `{"data":{"report":{"errors":null,"output":null}}}`
	tests := map[string]struct {
		answers []string
		failed  bool
	}{
		"completed": {[]string{pending, pending, `{"data":{"report":{"errors":null,"output":{"url":"u"}}}}`}, false},
		"error":     {[]string{pending, `{"data":{"report":{"errors":{"error":"no"},"output":null}}}`}, true},
		"hidden":    {[]string{`{"data":{"report":null}}`}, true},
		"refused":   {[]string{`{"errors":[{"message":"no"}]}`}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				var body struct {
					Query     string
					Variables map[string]string
				}
				if err := json.NewDecoder(r.Body).Decode(&body); err != nil || body.Variables["id"] != "the-id" ||
					!strings.HasPrefix(body.Query, "query Report(") || r.Header.Get("X-Hasura-User-Id") != "7" {
					t.Errorf("got %+v, %v, %v", body, r.Header, err)
				}
				_, _ = io.WriteString(w, test.answers[asked])
				asked++
			}))
			defer server.Close()
			md := reports()
			resp, err := Call{Action: &md.Actions[0], UserID: "7"}.Await(t.Context(), md, server.URL, "the-id")
			if err != nil {
				t.Fatal(err)
			}
			if resp.Failed != test.failed || string(resp.Body) != test.answers[len(test.answers)-1] || asked != len(test.answers) {
				t.Errorf("got %v %s after %d answers", resp.Failed, resp.Body, asked)
			}
		})
	}
}

// TestAwaitTimeout holds that the error names the id, so that the result can still be asked for.
func TestAwaitTimeout(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"data":{"report":{"errors":null,"output":null}}}`)
	}))
	defer server.Close()
	md := reports()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := Call{Action: &md.Actions[0]}.Await(ctx, md, server.URL, "the-id")
	if !errors.Is(err, errdefs.ErrUnavailable) || !strings.Contains(err.Error(), `action "report" (id the-id) has no result after`) {
		t.Errorf("got %v", err)
	}
}

func TestID(t *testing.T) {
	t.Parallel()
	r := &Response{URL: "http://x", Body: []byte(`{"data":{"report":"the-id"}}`)}
	if id, err := r.ID("report"); id != "the-id" || err != nil {
		t.Errorf("got %q, %v", id, err)
	}
	for _, body := range []string{`{"data":{}}`, `{"data":{"report":{}}}`, `[]`} {
		if id, err := (&Response{Body: []byte(body)}).ID("report"); err == nil {
			t.Errorf("%s: got %q", body, id)
		}
	}
}
