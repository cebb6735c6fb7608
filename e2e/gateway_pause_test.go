package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nself-org/nself/internal/pgtest"
)

// TestGatewayPaused suspends a gateway in the middle of an asynchronous action for longer than its lease. Another one on
// the same database takes the action over; what the first one says when it wakes up does not count, and it works on.
func TestGatewayPaused(t *testing.T) {
	t.Parallel()
	var count atomic.Int64
	calls, release := make(chan string, 16), make(chan struct{})
	handler := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := count.Add(1)
		calls <- r.Header.Get("X-Hasura-Action-Id")
		if n == 1 {
			<-release
		}
		fmt.Fprintf(w, `{"url":"call %d"}`, n)
	}))
	t.Cleanup(handler.Close)
	called := func(want string) {
		t.Helper()
		select {
		case id := <-calls:
			if id != want {
				t.Errorf("the handler was called for %s, want %s", id, want)
			}
		case <-time.After(enginePatience):
			t.Fatal("the handler was not called")
		}
	}
	database := pgtest.Start(t)
	db, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	first, second := newEngine(t, "HASURA_GRAPHQL_DATABASE_URL="+database), newEngine(t, "HASURA_GRAPHQL_DATABASE_URL="+database)
	first.start()
	first.declareActions(handler.URL)
	eventually(t, "the log of actions", func() bool { _, err := db.Exec(t.Context(), audit); return err == nil })
	id := first.create("mutation { report }")
	called(id)
	if err := first.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	second.start()
	called(id)
	result := func(e *engine, id string) string {
		return e.query(`{ report(id: "` + id + `") { errors output { url } } }`)
	}
	const taken = `{"data":{"report":{"errors":null,"output":{"url":"call 2"}}}}`
	eventually(t, "the second gateway has done it", func() bool { return result(second, id) == taken })
	close(release)
	if err := first.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the first gateway has noticed", func() bool { return strings.Contains(first.log.String(), "lease lost") })
	second.signal()
	if code := second.ended(); code != 0 {
		t.Errorf("the second gateway has ended with %d", code)
	}
	next := first.create("mutation { report }")
	called(next)
	eventually(t, "the first gateway works on", func() bool { return strings.Contains(result(first, next), `"url":"call 3"`) })
	if got := result(first, id); got != taken {
		t.Errorf("in the end: got %s", got)
	}
	for id, ended := range readPairs(t, db, "SELECT id::text, string_agg(status, ',') FROM finished GROUP BY id") {
		if ended != "completed" {
			t.Errorf("%s has ended so: %s", id, ended)
		}
	}
}
