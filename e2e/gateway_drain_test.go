package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/jackc/pgx/v5"

	"github.com/nself-org/nself/internal/pgtest"
)

// heldHandler answers greet and report when it is told to, and tells of each call.
type heldHandler struct {
	*httptest.Server

	calls   chan string // path and action id
	release chan struct{}
}

func startHeldHandler(t *testing.T) *heldHandler {
	t.Helper()
	h := &heldHandler{calls: make(chan string, 64), release: make(chan struct{})}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		h.calls <- strings.TrimSpace(r.URL.Path + " " + r.Header.Get("X-Hasura-Action-Id"))
		select {
		case <-h.release:
		case <-r.Context().Done():
			return
		}
		answer := `"hello"`
		if r.URL.Path == "/report" {
			answer = `{"url":"u"}`
		}
		fmt.Fprint(w, answer)
	}))
	t.Cleanup(h.Close)
	return h
}

// await waits for calls, in any order.
func (h *heldHandler) await(t *testing.T, paths ...string) {
	t.Helper()
	missing := map[string]int{}
	for _, path := range paths {
		missing[path]++
	}
	limit := time.After(enginePatience)
	for range paths {
		select {
		case call := <-h.calls:
			if missing[call] == 0 {
				t.Errorf("unexpected call %s", call)
			}
			missing[call]--
		case <-limit:
			t.Fatalf("these calls have not come: %v", missing)
		}
	}
}

// later sends a GraphQL request and returns where its answer comes.
func (e *engine) later(text string) <-chan string {
	answer := make(chan string, 1)
	go func() {
		_, body, err := e.send(e.t.Context(), http.MethodPost, "/v1/graphql", graphqlBody(text))
		if err != nil {
			body = err.Error()
		}
		answer <- body
	}()
	return answer
}

// entryStatus reads the state of an asynchronous action in the database.
func entryStatus(t *testing.T, database, id string) (status string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	err = conn.QueryRow(t.Context(), "SELECT status FROM hdb_catalog.hdb_action_log WHERE id = $1::text::uuid", id).Scan(&status)
	if err != nil {
		t.Fatal(err)
	}
	return status
}

// TestGatewayDrains tells the gateway to stop while a request, an asynchronous action, an operation on a WebSocket and a
// subscription are under way: what is being worked on ends as if nothing were, and nothing new begins.
func TestGatewayDrains(t *testing.T) {
	t.Parallel()
	database, h := pgtest.Start(t), startHeldHandler(t)
	e := newEngine(t, "HASURA_GRAPHQL_DATABASE_URL="+database)
	e.start()
	e.declareActions(h.URL)
	answer := e.later("{ greet }")
	report := e.create("mutation { report }")
	busy, waiting := e.socket(), e.socket()
	busy.subscribe("1", "{ greet }")
	waiting.subscribe("1", `subscription { report(id: "`+report+`") { output { url } } }`)
	if got := waiting.next(); !strings.Contains(got, `"output":null`) {
		t.Errorf("got %s", got)
	}
	h.await(t, "/greet", "/greet", "/report "+report)

	e.signal()
	if code := waiting.closed(); code != websocket.StatusServiceRestart {
		t.Errorf("the subscription was closed with %d, want 1012", code)
	}
	status, body, err := e.send(t.Context(), http.MethodPost, "/v1/graphql", graphqlBody("{ __typename }"))
	if err == nil && (status != http.StatusServiceUnavailable || !strings.Contains(body, "shutting down")) {
		t.Errorf("a new request: got %d %s", status, body)
	}
	select {
	case <-e.done:
		t.Error("the engine has ended while requests were under way")
	default:
	}
	close(h.release)
	if got := <-answer; got != `{"data":{"greet":"hello"}}` {
		t.Errorf("got %s", got)
	}
	if got := busy.next(); got != `{"type":"next","id":"1","payload":{"data":{"greet":"hello"}}}` {
		t.Errorf("got %s", got)
	}
	if code := busy.closed(); code != websocket.StatusServiceRestart {
		t.Errorf("the socket was closed with %d, want 1012", code)
	}
	if code := e.ended(); code != 0 {
		t.Errorf("the engine has ended with %d", code)
	}
	if got := entryStatus(t, database, report); got != "completed" {
		t.Errorf("the asynchronous action is %s", got)
	}
}

// TestGatewayDrainsInTime holds that a shutdown ends when its time is over: requests are answered with an error,
// asynchronous actions run again at the next start, and a second signal ends it at once.
func TestGatewayDrainsInTime(t *testing.T) {
	t.Parallel()
	database, h := pgtest.Start(t), startHeldHandler(t)
	e := newEngine(t, "HASURA_GRAPHQL_DATABASE_URL="+database, "HASURA_GRAPHQL_GRACEFUL_SHUTDOWN_TIMEOUT=1")
	e.start()
	e.declareActions(h.URL)
	answer := e.later("{ greet }")
	report := e.create("mutation { report }")
	busy := e.socket()
	busy.subscribe("1", "{ greet }")
	h.await(t, "/greet", "/greet", "/report "+report)
	e.signal()
	wantFault(t, "greet", <-answer, "Call given up: the gateway is shutting down")
	if code := e.ended(); code != 0 {
		t.Errorf("the engine has ended with %d", code)
	}
	if got := entryStatus(t, database, report); got != "created" {
		t.Errorf("the asynchronous action is %s, want created", got)
	}

	again := newEngine(t, "HASURA_GRAPHQL_DATABASE_URL="+database)
	again.start()
	h.await(t, "/report "+report)
	stuck := again.later("{ greet }")
	h.await(t, "/greet")
	again.signal()
	eventually(t, "draining", func() bool {
		status, _, err := again.send(t.Context(), http.MethodGet, "/healthz", "")
		return err != nil || status == http.StatusServiceUnavailable
	})
	again.signal()
	if code := again.ended(); code == 0 {
		t.Error("a second signal was not heard")
	}
	if got := <-stuck; strings.Contains(got, "data") {
		t.Errorf("got %s", got)
	}
	last := newEngine(t, "HASURA_GRAPHQL_DATABASE_URL="+database)
	last.start()
	h.await(t, "/report "+report)
	close(h.release)
	eventually(t, "the report is there", func() bool { return entryStatus(t, database, report) == "completed" })
}
