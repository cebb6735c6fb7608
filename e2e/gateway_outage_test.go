package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nself-org/nself/internal/pgtest"
)

// declareActions declares the synchronous greet and the asynchronous report over the metadata API.
func (e *engine) declareActions(handler string) {
	e.t.Helper()
	e.metadata(`{"type":"bulk","args":[
		{"type":"set_custom_types","args":{"objects":[{"name":"Report","fields":[{"name":"url","type":"String!"}]}]}},
		{"type":"create_action","args":{"name":"greet","definition":{"type":"query","output_type":"String!",
			"handler":"` + handler + `/greet"}}},
		{"type":"create_action","args":{"name":"report","definition":{"kind":"asynchronous","output_type":"Report",
			"arguments":[{"name":"topic","type":"String"}],"handler":"` + handler + `/report"}}}]}`)
}

const databaseError = `{"errors":[{"message":"database query error","extensions":{"path":"$","code":"unexpected"}}]}`

// TestGatewayDatabaseOutage stops the database of the metadata while the gateway serves. What does not need it goes on; the
// rest fails with a clear error, and works again when the database is back, without anybody doing anything.
func TestGatewayDatabaseOutage(t *testing.T) {
	t.Parallel()
	db := pgtest.StartServer(t)
	var reports atomic.Int64
	called, release := make(chan struct{}, 8), make(chan struct{})
	handler := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct{ Input struct{ Topic string } }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		if r.URL.Path == "/greet" {
			fmt.Fprint(w, `"hello"`)
			return
		}
		reports.Add(1)
		if body.Input.Topic == "slow" {
			called <- struct{}{}
			<-release
		}
		fmt.Fprint(w, `{"url":"u"}`)
	}))
	t.Cleanup(handler.Close)
	e := newEngine(t, "HASURA_GRAPHQL_DATABASE_URL="+db.URL())
	e.start()
	e.declareActions(handler.URL)
	health := func() string {
		status, text := e.ask(http.MethodGet, "/healthz", "")
		return fmt.Sprint(status, " ", text)
	}
	result := func(id string) string { return e.query(`{ report(id: "` + id + `") { errors output { url } } }`) }
	const greeting, done = `{"data":{"greet":"hello"}}`, `{"data":{"report":{"errors":null,"output":{"url":"u"}}}}`
	if got := health(); got != "200 OK" {
		t.Errorf("got %s", got)
	}
	before := e.create(`mutation { report(topic: "quick") }`)
	eventually(t, "the first report is there", func() bool { return result(before) == done })
	slow := e.create(`mutation { report(topic: "slow") }`)
	select {
	case <-called:
	case <-time.After(enginePatience):
		t.Fatal("the handler was not called")
	}
	follower := e.socket()
	follower.subscribe("1", `subscription { report(id: "`+slow+`") { output { url } } }`)
	if got := follower.next(); got != `{"type":"next","id":"1","payload":{"data":{"report":{"output":null}}}}` {
		t.Errorf("got %s", got)
	}

	db.Stop()
	for range 20 {
		if got := e.query("{ greet }"); got != greeting {
			t.Errorf("while the database is away: got %s", got)
		}
	}
	withoutInternals(t, e.query(`mutation { report(topic: "quick") }`), databaseError)
	withoutInternals(t, result(before), databaseError)
	if got := health(); got != "500 ERROR" {
		t.Errorf("while the database is away: got %s", got)
	}
	if status, got := e.ask(http.MethodPost, "/v1/metadata", `{"type":"drop_action","args":{"name":"greet"}}`); status != http.StatusInternalServerError ||
		!strings.Contains(got, `"error":"the metadata could not be read"`) || !strings.Contains(got, `"code":"unexpected"`) {
		t.Errorf("got %d %s", status, got)
	}
	if status, got := e.ask(http.MethodPost, "/v1/metadata", `{"type":"export_metadata","args":{}}`); status != http.StatusOK || !strings.Contains(got, `"greet"`) {
		t.Errorf("got %d %s", status, got)
	}
	close(release) // the answer comes while nobody can write it down

	db.Start()
	eventually(t, "healthy again", func() bool { return health() == "200 OK" })
	after := e.create(`mutation { report(topic: "quick") }`)
	for name, id := range map[string]string{"before": before, "under way": slow, "after": after} {
		eventually(t, name+" the outage", func() bool { return result(id) == done })
	}
	if got := follower.next(); got != `{"type":"next","id":"1","payload":{"data":{"report":{"output":{"url":"u"}}}}}` {
		t.Errorf("the subscription got %s", got)
	}
	e.metadata(`{"type":"drop_action","args":{"name":"greet"}}`)
	if got := e.query("{ greet }"); !strings.Contains(got, "field 'greet' not found in type: 'query_root'") {
		t.Errorf("got %s", got)
	}
	t.Logf("%d calls for 3 reports", reports.Load())
}

// withoutInternals compares an answer with what everybody else than an administrator would get.
func withoutInternals(t *testing.T, got, want string) {
	t.Helper()
	if head := strings.TrimSuffix(want, "}}]}"); !strings.HasPrefix(got, head) {
		t.Errorf("got %s, want %s", got, want)
	}
}
