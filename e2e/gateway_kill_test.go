package e2e

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/nself-org/nself/internal/pgtest"
)

var asyncRows = flag.Int("async-rows", 500, "entries in TestGatewayKilled") //nolint:gochecknoglobals // a test flag

// killInterval is the time between two kills, unless the gateway takes longer to start.
const killInterval = time.Second

// countingHandler runs reports. It remembers who was called for what.
type countingHandler struct {
	*httptest.Server

	t        *testing.T
	duration time.Duration // of a call

	mu    sync.Mutex
	total int
	calls map[string][]string // answers by action id
}

// ServeHTTP implements [http.Handler].
func (h *countingHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body map[string]json.RawMessage
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return // the caller was killed in the middle of it
	}
	// Hasura's body has no id in it: the header is where a handler finds it.
	if keys := slices.Sorted(maps.Keys(body)); !slices.Equal(keys, []string{"action", "input", "request_query", "session_variables"}) ||
		string(body["action"]) != `{"name":"report"}` {
		h.t.Errorf("the handler got %s", body)
	}
	id := r.Header.Get("X-Hasura-Action-Id")
	h.mu.Lock()
	h.total++
	answer := fmt.Sprint("call ", h.total)
	h.calls[id] = append(h.calls[id], answer)
	h.mu.Unlock()
	wait(h.duration)
	fmt.Fprintf(w, `{"url":%q}`, answer)
}

// audit notes each time that an entry reaches a final state.
const audit = `
CREATE TABLE finished (id uuid, status text);
CREATE FUNCTION note_finished() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.status IN ('completed', 'error') THEN INSERT INTO finished VALUES (NEW.id, NEW.status); END IF;
	RETURN NULL;
END $$;
CREATE TRIGGER note_finished AFTER UPDATE ON hdb_catalog.hdb_action_log FOR EACH ROW EXECUTE FUNCTION note_finished()`

// TestGatewayKilled queues asynchronous actions over HTTP and kills the gateway every second with SIGKILL until all are
// done. None is lost, each completes once, and a handler that is called again for one sees the same id.
func TestGatewayKilled(t *testing.T) {
	t.Parallel()
	rows := *asyncRows
	h := &countingHandler{t: t, calls: map[string][]string{}, duration: 100 * time.Millisecond}
	if rows < 2000 {
		h.duration = 400 * time.Millisecond // else all would be done before the first kill
	}
	h.Server = httptest.NewServer(h)
	t.Cleanup(h.Close)
	database := pgtest.Start(t)
	db, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	e := newEngine(t, "HASURA_GRAPHQL_DATABASE_URL="+database, "HASURA_GRAPHQL_LOG_LEVEL=warn")
	e.start()
	e.declareActions(h.URL)
	eventually(t, "the log of actions", func() bool { _, err := db.Exec(t.Context(), audit); return err == nil })

	began := time.Now()
	queue := newQueueing(t, e, rows)
	kills, limit := 0, began.Add(3*time.Minute+time.Duration(rows)*30*time.Millisecond)
	for life := time.Now(); ; life = time.Now() {
		wait(time.Until(life.Add(killInterval)))
		e.kill()
		kills++
		left := 0
		err := db.QueryRow(t.Context(), "SELECT count(*) FROM hdb_catalog.hdb_action_log WHERE status NOT IN ('completed', 'error')").Scan(&left)
		if err != nil {
			t.Fatal(err)
		}
		if queue.finished() && left == 0 {
			break
		}
		if time.Now().After(limit) {
			t.Fatalf("%d entries are left after %s and %d kills", left, time.Since(began), kills)
		}
		e.start()
	}
	took := time.Since(began)
	acknowledged := queue.wait()

	finished := readPairs(t, db, "SELECT id::text, string_agg(status, ',') FROM finished GROUP BY id")
	stored := readPairs(t, db, "SELECT id::text, coalesce(response_payload->>'url', '') FROM hdb_catalog.hdb_action_log WHERE status = 'completed'")
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, id := range acknowledged {
		if finished[id] == "" {
			t.Errorf("%s was acknowledged and is lost", id)
		}
	}
	again := 0
	for id, answer := range stored {
		if finished[id] != "completed" {
			t.Errorf("%s has ended so: %s", id, finished[id])
		}
		if !slices.Contains(h.calls[id], answer) {
			t.Errorf("%s has the answer %q, which was not given for it", id, answer)
		}
		again += len(h.calls[id]) - 1
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(stored)), slices.Sorted(maps.Keys(h.calls))); diff != "" {
		t.Errorf("entries and those that handlers were called for (-entries +handlers):\n%s", diff)
	}
	if len(stored) != len(finished) || len(acknowledged) < rows {
		t.Errorf("%d acknowledged, %d completed, %d ended", len(acknowledged), len(stored), len(finished))
	}
	if kills < 3 || again == 0 {
		t.Errorf("%d kills and %d repeated calls: the test has not tested what it says", kills, again)
	}
	t.Logf("%d entries acknowledged and %d completed in %s, %d kills, %d calls repeated with the same id",
		len(acknowledged), len(stored), took.Round(time.Millisecond), kills, again)
}

// queueing creates entries while the gateway comes and goes.
type queueing struct {
	callers sync.WaitGroup
	mu      sync.Mutex
	ids     []string // acknowledged
	want    int
}

// perRequest is how many entries one request creates.
const perRequest = 50

func newQueueing(t *testing.T, e *engine, rows int) *queueing {
	t.Helper()
	q := &queueing{want: rows}
	var text strings.Builder
	text.WriteString("mutation {")
	for i := range perRequest {
		fmt.Fprintf(&text, " a%d: report(topic: \"%d\")", i, i)
	}
	text.WriteString(" }")
	body := graphqlBody(text.String())
	for range 4 {
		q.callers.Go(func() {
			for !q.finished() && t.Context().Err() == nil {
				ctx, cancel := context.WithTimeout(t.Context(), enginePatience)
				_, answer, err := e.send(ctx, http.MethodPost, "/v1/graphql", body)
				cancel()
				if err != nil { // the gateway is dead; what it has created may be there nevertheless
					wait(10 * time.Millisecond)
					continue
				}
				ids := maskedID.FindAllString(answer, -1)
				if len(ids) != perRequest {
					t.Errorf("got %s", answer)
					return
				}
				q.mu.Lock()
				for _, id := range ids {
					q.ids = append(q.ids, strings.Trim(id, `"`))
				}
				q.mu.Unlock()
			}
		})
	}
	return q
}

// finished tells whether enough entries were acknowledged.
func (q *queueing) finished() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.ids) >= q.want
}

// wait waits for the callers and returns the ids that they got.
func (q *queueing) wait() []string {
	q.callers.Wait()
	return q.ids
}

// readPairs reads two columns of text.
func readPairs(t *testing.T, db *pgx.Conn, sql string) map[string]string {
	t.Helper()
	rows, err := db.Query(t.Context(), sql)
	if err != nil {
		t.Fatal(err)
	}
	pairs := map[string]string{}
	var key, value string
	if _, err := pgx.ForEachRow(rows, []any{&key, &value}, func() error { pairs[key] = value; return nil }); err != nil {
		t.Fatal(err)
	}
	return pairs
}
