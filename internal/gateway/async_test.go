package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/actionlog"
	"github.com/nself-org/nself/internal/actionlog/postgres"
	"github.com/nself-org/nself/internal/metadata"
	"github.com/nself-org/nself/internal/pgtest"
	"github.com/nself-org/nself/internal/worker"
)

// createOrder runs the asynchronous placeOrder as a customer and returns the entry's id.
func createOrder(t *testing.T, e *Engine, note string) string {
	t.Helper()
	body := query(t, e, "customer", `mutation { placeOrder(items: {sku: "a", qty: 1}, note: "`+note+`") }`, "")
	var got struct {
		Data struct{ PlaceOrder string }
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil || got.Data.PlaceOrder == "" {
		t.Fatalf("got %s", body)
	}
	return got.Data.PlaceOrder
}

// settle gives an entry its outcome.
func settle(t *testing.T, log actionlog.Store, id string, outcome actionlog.Outcome) {
	t.Helper()
	const claimant = "6f1b4c1e-0000-4000-8000-000000000001"
	if _, err := log.Join(t.Context(), claimant); err != nil {
		t.Fatal(err)
	}
	claims, err := log.Claim(t.Context(), claimant, 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range claims {
		if c.ID == id {
			if errs := log.Record(t.Context(), []actionlog.Result{{Claim: c, Outcome: outcome}}); errs[0] != nil {
				t.Fatal(errs[0])
			}
		}
	}
}

// resultQuery asks for everything of a result.
func resultQuery(id string) string {
	return `{ placeOrder(id: "` + id + `") { id created_at errors output { id total first { sku } } __typename } }`
}

// TestAsyncResult holds what is shown of an entry in each state.
func TestAsyncResult(t *testing.T) {
	t.Parallel()
	log := actionlog.NewMemory(0)
	e := newEngine(t, Options{ActionLog: log}, asyncShop("http://127.0.0.1:1"))
	created := regexp.MustCompile(`"created_at":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"`)
	ask := func(role, text string) string {
		t.Helper()
		return created.ReplaceAllString(query(t, e, role, text, ""), `"created_at":"T"`)
	}
	id := createOrder(t, e, "x")
	want := func(errors, output string) string {
		return `{"data":{"placeOrder":{"id":"` + id + `","created_at":"T","errors":` + errors + `,"output":` + output +
			`,"__typename":"placeOrder"}}}`
	}
	if diff := cmp.Diff(want("null", "null"), ask("customer", resultQuery(id))); diff != "" {
		t.Errorf("created (-want +got):\n%s", diff)
	}
	settle(t, log, id, actionlog.Complete([]byte(` {"id":"r1","total":{"a":1},"first":{"sku":"s","x":1},"more":true} `)))
	if diff := cmp.Diff(want("null", `{"id":"r1","total":{"a":1},"first":{"sku":"s"}}`), ask("customer", resultQuery(id))); diff != "" {
		t.Errorf("completed (-want +got):\n%s", diff)
	}
	// Fields under other names, output among them.
	got := ask("customer", `{ o: placeOrder(id: "`+strings.ToUpper(id)+`") { x: output { n: id } e: errors } }`)
	if want := `{"data":{"o":{"x":{"n":"r1"},"e":null}}}`; got != want {
		t.Errorf("aliases: got %s", got)
	}

	id = createOrder(t, e, "y")
	settle(t, log, id, actionlog.Fail([]byte(`{"error":"no","path":"$","code":"c","internal":{"a":1}}`)))
	if diff := cmp.Diff(want(`{"error":"no","path":"$","code":"c"}`, "null"), ask("customer", resultQuery(id))); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want(`{"error":"no","path":"$","code":"c","internal":{"a":1}}`, "null"), ask("admin", resultQuery(id))); diff != "" {
		t.Errorf("error for an admin (-want +got):\n%s", diff)
	}
}

// TestAsyncWhoMayRead holds that a result is shown to the session that asked for it and to admins.
func TestAsyncWhoMayRead(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Options{ActionLog: actionlog.NewMemory(0)}, asyncShop("http://127.0.0.1:1"))
	ask := func(body string, header map[string]string) string {
		t.Helper()
		return send(t, e, request{body: body, header: header}).Body.String()
	}
	mine := map[string]string{"X-Hasura-Role": "customer", "X-Hasura-User-Id": "1"}
	var got struct {
		Data struct{ PlaceOrder string }
	}
	body := ask(`{"query":"mutation { placeOrder(items: []) }"}`, mine)
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	read := `{"query":"{ placeOrder(id: \"` + got.Data.PlaceOrder + `\") { errors } }"}`
	const shown, hidden = `{"data":{"placeOrder":{"errors":null}}}`, `{"data":{"placeOrder":null}}`
	for _, test := range []struct {
		header map[string]string
		want   string
	}{
		{mine, shown},
		{map[string]string{"X-Hasura-Role": "admin", "X-Hasura-User-Id": "7"}, shown},
		{map[string]string{"X-Hasura-Role": "customer", "X-Hasura-User-Id": "2"}, hidden},
		{map[string]string{"X-Hasura-Role": "customer"}, hidden},
		{map[string]string{"X-Hasura-Role": "customer", "X-Hasura-User-Id": "1", "X-Hasura-Org": "x"}, hidden},
		{
			map[string]string{"X-Hasura-Role": "clerk", "X-Hasura-User-Id": "1"},
			`{"errors":[{"message":"field 'placeOrder' not found in type: 'query_root'","extensions":` +
				`{"path":"$.selectionSet.placeOrder","code":"validation-failed"}}]}`,
		},
	} {
		if got := ask(read, test.header); got != test.want {
			t.Errorf("%v: got %s, want %s", test.header, got, test.want)
		}
	}
}

// TestAsyncErrors holds the answers to requests that cannot be.
func TestAsyncErrors(t *testing.T) {
	t.Parallel()
	log := actionlog.NewMemory(0)
	e := newEngine(t, Options{ActionLog: log}, asyncShop("http://127.0.0.1:1"))
	other, err := log.Create(t.Context(), actionlog.NewEntry{Action: "other", Input: []byte(`{}`)})
	if err != nil {
		t.Fatal(err)
	}
	const unknown = "b5f2f5f0-1111-4222-8333-444444444444"
	tests := []struct{ name, role, query, message, code, path string }{
		{"unknown id", "", resultQuery(unknown), "database query error", "unexpected", "$"},
		{"entry of another action", "", resultQuery(other), "database query error", "unexpected", "$"},
		{"no uuid", "", resultQuery("abc"), "Invalid UUID", "parse-failed", "$.selectionSet.placeOrder.args.id"},
		{"no id", "", `{ placeOrder { id } }`, "missing required field 'id'", "validation-failed", "$.selectionSet.placeOrder.args.id"},
		{"null", "", `{ placeOrder(id: null) { id } }`, "unexpected null value for type 'uuid'", "validation-failed", "$.selectionSet.placeOrder.args.id"},
		{"no selection", "", `{ placeOrder(id: "` + unknown + `") }`, "missing selection set for 'placeOrder'", "validation-failed", "$.selectionSet.placeOrder.selectionSet"},
		{"unknown field", "", `{ placeOrder(id: "` + unknown + `") { status } }`, "field 'status' not found in type: 'placeOrder'", "validation-failed", "$.selectionSet.placeOrder.selectionSet.status"},
		{"selection on the mutation", "", `mutation { placeOrder(items: []) { id } }`, "unexpected subselection set for non-object field", "validation-failed", "$.selectionSet.placeOrder"},
		{"missing argument", "", `mutation { placeOrder }`, "missing required field 'items'", "validation-failed", "$.selectionSet.placeOrder.args.items"},
		{"unstorable", "", `mutation { placeOrder(items: [], note: "\u0000") }`, "the input of an asynchronous action must not have the character U+0000 in it", "validation-failed", "$"},
		{"subscription over HTTP", "", "subscription " + resultQuery(unknown), "subscriptions are not supported over HTTP, use websockets instead", "unexpected-payload", "$"},
		{"two fields", "", `subscription { a: placeOrder(id: "` + unknown + `") { id } b: placeOrder(id: "` + unknown + `") { id } }`, "subscriptions must select one top level field", "validation-failed", "$"},
		{"query action", "", `subscription { quote }`, "query actions cannot be run as a subscription", "not-supported", "$"},
		{"synchronous mutation", "", `subscription { x }`, "field 'x' not found in type: 'subscription_root'", "validation-failed", "$.selectionSet.x"},
		{"role without", "clerk", `subscription { quote }`, "no subscriptions exist", "validation-failed", "$"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			message, code, path := firstError(t, query(t, e, test.role, test.query, ""))
			if message != test.message || code != test.code || path != test.path {
				t.Errorf("got %s|%s|%s, want %s|%s|%s", message, code, path, test.message, test.code, test.path)
			}
		})
	}
}

// TestAsyncOrder holds that entries are created before the first handler is called, also when a field fails later, and
// none when the request is invalid.
func TestAsyncOrder(t *testing.T) {
	t.Parallel()
	log := actionlog.NewMemory(0)
	rows := func() (n int64) {
		depths, err := log.Depth(t.Context())
		if err != nil {
			t.Error(err)
		}
		for _, d := range depths {
			n += d.Rows
		}
		return n
	}
	seen := make(chan int64, 1)
	url := handlerServer(t, func(w http.ResponseWriter, r *http.Request, payload string) {
		seen <- rows()
		answer(400, `{"message":"no"}`)(w, r, payload)
	})
	md := asyncShop(url)
	sync := md.Actions[0]
	sync.Name, sync.Definition.Kind = "refuse", metadata.Synchronous
	md.Actions = append(md.Actions, sync)
	e := newEngine(t, Options{ActionLog: log}, md)
	body := query(t, e, "customer", `mutation { refuse(items: []) { id } placeOrder(items: []) }`, "")
	if message, _, _ := firstError(t, body); message != "no" {
		t.Errorf("got %s", body)
	}
	if n := <-seen; n != 1 {
		t.Errorf("%d entries at the call, want 1", n)
	}
	firstError(t, query(t, e, "customer", `mutation { placeOrder(items: []) nope }`, ""))
	firstError(t, query(t, e, "customer", `mutation { placeOrder(items: []) again: placeOrder(items: 1) }`, ""))
	if n := rows(); n != 1 {
		t.Errorf("%d entries, want 1", n)
	}
	body = query(t, e, "customer", `mutation { a: placeOrder(items: []) __typename b: placeOrder(items: []) }`, "")
	if !regexp.MustCompile(`^\{"data":\{"a":"[0-9a-f-]{36}","__typename":"mutation_root","b":"[0-9a-f-]{36}"\}\}$`).MatchString(body) || rows() != 3 {
		t.Errorf("got %s and %d entries", body, rows())
	}
}

// TestAsyncIntrospection holds the schema of section 5.1 of the contract: fields, type and descriptions.
func TestAsyncIntrospection(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Options{ActionLog: actionlog.NewMemory(0)}, asyncShop("http://127.0.0.1:1"))
	got := query(t, e, "customer", `{
		__schema { subscriptionType { name fields { name description type { kind name } args { name description type { kind ofType { name } } } } } }
		mutation: __type(name: "mutation_root") { fields { name type { kind ofType { kind name } } } }
		query: __type(name: "query_root") { fields { name type { kind name } } }
		result: __type(name: "placeOrder") { kind description fields { name description args { name } type { kind name ofType { name } } } }
	}`, "")
	want := `{"data":{` +
		`"__schema":{"subscriptionType":{"name":"subscription_root","fields":[{"name":"placeOrder","description":"Places an order",` +
		`"type":{"kind":"OBJECT","name":"placeOrder"},"args":[{"name":"id","description":"the unique id of an action","type":{"kind":"NON_NULL","ofType":{"name":"uuid"}}}]}]}},` +
		`"mutation":{"fields":[{"name":"placeOrder","type":{"kind":"NON_NULL","ofType":{"kind":"SCALAR","name":"uuid"}}}]},` +
		`"query":{"fields":[{"name":"placeOrder","type":{"kind":"OBJECT","name":"placeOrder"}},{"name":"quote","type":{"kind":"NON_NULL","name":null}}]},` +
		`"result":{"kind":"OBJECT","description":"fields of action: \"placeOrder\"","fields":[` +
		`{"name":"id","description":"the unique id of an action","args":[],"type":{"kind":"NON_NULL","name":null,"ofType":{"name":"uuid"}}},` +
		`{"name":"created_at","description":"the time at which this action was created","args":[],"type":{"kind":"NON_NULL","name":null,"ofType":{"name":"timestamptz"}}},` +
		`{"name":"errors","description":"errors related to the invocation","args":[],"type":{"kind":"SCALAR","name":"json","ofType":null}},` +
		`{"name":"output","description":"the output fields of this action","args":[],"type":{"kind":"OBJECT","name":"Receipt","ofType":null}}]}}}`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("customer (-want +got):\n%s", diff)
	}
	got = query(t, e, "clerk", `{ __schema { subscriptionType { name } mutationType { name } } __type(name: "placeOrder") { name } }`, "")
	if want := `{"data":{"__schema":{"subscriptionType":null,"mutationType":null},"__type":null}}`; got != want {
		t.Errorf("clerk: got %s", got)
	}
	// A role that may see results only has queries.
	md := asyncShop("http://127.0.0.1:1")
	md.Actions = md.Actions[:1]
	e = newEngine(t, Options{ActionLog: actionlog.NewMemory(0)}, md)
	if message, _, _ := firstError(t, query(t, e, "", "{ no_queries_available }", "")); message != "field 'no_queries_available' not found in type: 'query_root'" {
		t.Errorf("got %s", message)
	}
}

// TestAsyncScalarOutput holds Hasura's quirk: the result of an action with a scalar output is an empty object.
func TestAsyncScalarOutput(t *testing.T) {
	t.Parallel()
	md := asyncShop("http://127.0.0.1:1")
	md.Actions[0].Definition.OutputType = "[String]"
	e := newEngine(t, Options{ActionLog: actionlog.NewMemory(0)}, md)
	id := createOrder(t, e, "x")
	if got := query(t, e, "customer", `{ placeOrder(id: "`+id+`") }`, ""); got != `{"data":{"placeOrder":{}}}` {
		t.Errorf("got %s", got)
	}
	got := query(t, e, "customer", `{ __type(name: "subscription_root") { fields { type { kind ofType { name } } } } }`, "")
	if want := `{"data":{"__type":{"fields":[{"type":{"kind":"NON_NULL","ofType":{"name":"String"}}}]}}}`; got != want {
		t.Errorf("got %s", got)
	}
}

func TestAsyncNameOfAType(t *testing.T) {
	t.Parallel()
	md := asyncShop("http://127.0.0.1:1")
	md.Actions[0].Name = "Line"
	_, got := loadEngine(t, Options{ActionLog: actionlog.NewMemory(0)}, md)
	if want := `Inconsistent object: in action "Line"; the type of its result, "Line", has the name of another type`; len(got) != 1 || got[0].Reason != want {
		t.Errorf("got %+v", got)
	}
}

// TestRunAsync holds the call of an entry: what the handler gets, and what becomes of its answer.
func TestRunAsync(t *testing.T) {
	t.Parallel()
	var header http.Header
	var got string
	answerWith := answer(200, `{"id":"r1","extra":{"kept":true}}`)
	url := handlerServer(t, func(w http.ResponseWriter, r *http.Request, payload string) {
		header, got = r.Header, payload
		answerWith(w, r, payload)
	})
	md := asyncShop(url)
	e := newEngine(t, Options{ActionLog: actionlog.NewMemory(0)}, md)
	claim := actionlog.Claim{Entry: actionlog.Entry{
		ID: "b5f2f5f0-1111-4222-8333-444444444444", Action: "placeOrder", Input: []byte(`{"items":[]}`),
		Header: http.Header{"X-Tenant": {"t1"}, "X-Request-Id": {"q1"}}, Host: "shop.example",
		Session: map[string]string{"x-hasura-role": "customer", "x-hasura-user-id": "1"},
	}}
	outcome := func(h handlerFunc) string {
		t.Helper()
		answerWith = h
		o := e.RunAsync(t.Context(), claim)
		return string(o.Status) + " " + string(o.Payload)
	}
	if got := outcome(answerWith); got != `completed {"id":"r1","extra":{"kept":true}}` {
		t.Errorf("got %s", got)
	}
	if want := `{"action":{"name":"placeOrder"},"input":{"items":[]},"request_query":null,"session_variables":{"x-hasura-role":"customer","x-hasura-user-id":"1"}}`; got != want {
		t.Errorf("payload: got %s", got)
	}
	for name, want := range map[string]string{
		"X-Hasura-Action-Id": claim.ID, "X-Tenant": "t1", "X-Request-Id": "q1", "X-Forwarded-Host": "shop.example",
	} {
		if header.Get(name) != want {
			t.Errorf("%s: got %q, want %q", name, header.Get(name), want)
		}
	}
	for name, test := range map[string]struct {
		answer handlerFunc
		want   string
	}{
		"described": {answer(400, `{"message":"no","code":"SOLD","extensions":{"a":1}}`), `error {"error":"no","path":"$","code":"SOLD"}`},
		"misfit":    {answer(200, `{"total":1}`), `error {"error":"field \"id\" expected in webhook response, but not found","path":"$","code":"unexpected"}`},
		"broken":    {answer(500, `{}`), `error {"error":"internal error","path":"$","code":"unexpected"}`},
		"no JSON":   {answer(200, `<html>`), `error {"error":"not a valid json response from webhook","path":"$","code":"unexpected"}`},
	} {
		if got := outcome(test.answer); got != test.want {
			t.Errorf("%s: got %s, want %s", name, got, test.want)
		}
	}
	claim.Action = "gone"
	if got, want := outcome(answerWith), `error {"error":"action \"gone\" does not exist or is inconsistent","path":"$","code":"not-found"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestRunAsyncGivenUp holds that the end of the context ends the wait for a slow handler.
func TestRunAsyncGivenUp(t *testing.T) {
	t.Parallel()
	asked, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	e := newEngine(t, Options{ActionLog: actionlog.NewMemory(0)}, asyncShop(handlerServer(t,
		func(http.ResponseWriter, *http.Request, string) {
			close(asked)
			<-release
		})))
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	o := e.RunAsync(ctx, actionlog.Claim{Entry: actionlog.Entry{Action: "placeOrder", Input: []byte(`{"items":[]}`)}})
	if o.Status != actionlog.StatusError {
		t.Errorf("got %s", o.Status)
	}
}

// TestRunAsyncWhileStopping holds that a handler that is stopped together with the engine does not fail the action.
func TestRunAsyncWhileStopping(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Options{ActionLog: actionlog.NewMemory(0)}, asyncShop("http://127.0.0.1:1"))
	claim := actionlog.Claim{Entry: actionlog.Entry{Action: "placeOrder", Input: []byte(`{"items":[]}`)}}
	o := e.RunAsync(t.Context(), claim)
	if want := `{"error":"http exception when calling webhook","path":"$","code":"unexpected"}`; string(o.Payload) != want {
		t.Errorf("got %s", o.Payload)
	}
	if err := e.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	e.RunAsync(ctx, claim)
	if ctx.Err() == nil {
		t.Error("the failure was reported before the worker had given up")
	}
}

// failingLog is a log whose database is away.
type failingLog struct{ actionlog.Log }

func (failingLog) Create(context.Context, actionlog.NewEntry) (string, error) {
	return "", errors.New("dial tcp 10.0.0.1:5432: connection refused")
}

// TestAsyncWithoutDatabase holds that the client learns that it failed, and only our own log why.
func TestAsyncWithoutDatabase(t *testing.T) {
	t.Parallel()
	var logged bytes.Buffer
	e := newEngine(t, Options{ActionLog: failingLog{}, Log: slog.New(slog.NewTextHandler(&logged, nil))}, asyncShop("http://127.0.0.1:1"))
	body := query(t, e, "", `mutation { placeOrder(items: []) }`, "")
	if message, code, _ := firstError(t, body); message != "database query error" || code != "unexpected" || strings.Contains(body, "10.0.0.1") {
		t.Errorf("got %s", body)
	}
	if !strings.Contains(logged.String(), "connection refused") {
		t.Errorf("logged %s", logged.String())
	}
}

// hangingLog is a log whose database does not answer.
type hangingLog struct{ actionlog.Log }

func (hangingLog) Create(ctx context.Context, _ actionlog.NewEntry) (string, error) {
	<-ctx.Done()
	return "", ctx.Err()
}

func (hangingLog) Get(ctx context.Context, _ string) (actionlog.Entry, error) {
	<-ctx.Done()
	return actionlog.Entry{}, ctx.Err()
}

// TestAsyncHangingDatabase holds that a database that does not answer holds no client up for longer than a while.
func TestAsyncHangingDatabase(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(t, Options{ActionLog: hangingLog{}}, asyncShop("http://127.0.0.1:1"))
		for _, text := range []string{`mutation { placeOrder(items: []) }`, resultQuery("b5f2f5f0-1111-4222-8333-444444444444")} {
			began := time.Now()
			if message, code, _ := firstError(t, query(t, e, "", text, "")); message != "database query error" || code != "unexpected" {
				t.Errorf("got %s, %s", message, code)
			}
			if took := time.Since(began); took != actionLogTimeout {
				t.Errorf("it took %s", took)
			}
		}
	})
}

// TestAsyncWanted holds that a worker is asked for by the first asynchronous action.
func TestAsyncWanted(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Options{ActionLog: actionlog.NewMemory(0)}, shop("http://127.0.0.1:1"))
	select {
	case <-e.Async():
		t.Error("wanted without an asynchronous action")
	default:
	}
	for range 2 {
		if _, err := e.Load(asyncShop("http://127.0.0.1:1")); err != nil {
			t.Fatal(err)
		}
	}
	<-e.Async()
}

// startWorker runs a worker until the test ends.
func startWorker(t *testing.T, e *Engine, log actionlog.Store) {
	t.Helper()
	w, err := worker.New(worker.Options{
		Queue: log, Call: e.RunAsync, Log: discard(), Interval: 50 * time.Millisecond, Grace: -1,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = w.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
}

// TestAsyncJourney goes the whole way on each kind of log: a mutation over a WebSocket, a worker, a subscription that
// gets the value twice, and the log as it is left.
func TestAsyncJourney(t *testing.T) {
	t.Parallel()
	stores := map[string]func(*testing.T) actionlog.Store{
		"memory": func(*testing.T) actionlog.Store { return actionlog.NewMemory(0) },
		"postgres": func(t *testing.T) actionlog.Store {
			t.Helper()
			s, err := postgres.Open(postgres.Options{URL: pgtest.Start(t), Log: discard()})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.Close)
			return s
		},
	}
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := open(t)
			asked, release := make(chan string, 1), make(chan struct{}, 1)
			e := newEngine(t, Options{ActionLog: log}, asyncShop(handlerServer(t,
				func(w http.ResponseWriter, r *http.Request, payload string) {
					asked <- r.Header.Get(actionlog.IDHeader)
					<-release
					answer(200, `{"id":"r1","total":5}`)(w, r, payload)
				})))
			startWorker(t, e, log)
			c := dialSocket(t, serveEngine(t, e)+"/v1/graphql", "graphql-transport-ws", nil)
			c.play(initTransport + `
				> {"type":"subscribe","id":"1","payload":{"query":"mutation { placeOrder(items: []) }"}}`)
			var created struct {
				Payload struct {
					Data struct{ PlaceOrder string }
				}
			}
			if err := json.Unmarshal([]byte(c.receive()), &created); err != nil {
				t.Fatal(err)
			}
			id := created.Payload.Data.PlaceOrder
			if got := <-asked; got != id {
				t.Errorf("the handler was told %q, the client %q", got, id)
			}
			c.play(`
				< {"type":"complete","id":"1"}
				> {"type":"subscribe","id":"2","payload":{"query":"subscription($id: uuid!) { placeOrder(id: $id) { errors output { id } } }","variables":{"id":"` + id + `"}}}
				< {"type":"next","id":"2","payload":{"data":{"placeOrder":{"errors":null,"output":null}}}}`)
			release <- struct{}{}
			c.play(`
				< {"type":"next","id":"2","payload":{"data":{"placeOrder":{"errors":null,"output":{"id":"r1"}}}}}
				< {"type":"complete","id":"2"}
				> {"type":"subscribe","id":"3","payload":{"query":"subscription { done: placeOrder(id: \"` + id + `\") { output { total } } }"}}
				< {"type":"next","id":"3","payload":{"data":{"done":{"output":{"total":5}}}}}
				< {"type":"complete","id":"3"}`)
			entry, err := log.Get(t.Context(), id)
			if err != nil || entry.Status != actionlog.StatusCompleted {
				t.Errorf("got %v, %v", entry.Status, err)
			}
		})
	}
}

// TestSubscription holds the rest of a subscription's life.
func TestSubscription(t *testing.T) {
	t.Parallel()
	log := actionlog.NewMemory(0)
	e := newEngine(t, Options{ActionLog: log}, asyncShop("http://127.0.0.1:1"))
	url := serveEngine(t, e) + "/v1/graphql"
	subscribe := func(id string) string {
		return `{"type":"start","id":"1","payload":{"query":"subscription { placeOrder(id: \"` + id + `\") { errors } }"}}`
	}
	const pending = `{"type":"data","id":"1","payload":{"data":{"placeOrder":{"errors":null}}}}`

	id := createOrder(t, e, "x")
	stopped := dialSocket(t, url, "graphql-ws", nil)
	stopped.play(initLegacy + "\n> " + subscribe(id) + "\n< " + pending + `
		> {"type":"stop","id":"1"}`)
	settle(t, log, id, actionlog.Fail([]byte(`{"error":"no"}`)))
	stopped.play("\n> " + subscribe(id) + `
		< {"type":"data","id":"1","payload":{"data":{"placeOrder":{"errors":{"error":"no"}}}}}
		< {"type":"complete","id":"1"}`)

	id = createOrder(t, e, "y")
	dropped := dialSocket(t, url, "graphql-ws", nil)
	dropped.play(initLegacy + "\n> " + subscribe(id) + "\n< " + pending)
	if _, err := log.Drop(t.Context(), "placeOrder"); err != nil {
		t.Fatal(err)
	}
	dropped.play(`
		< {"type":"data","id":"1","payload":{"data":null,"errors":[{"message":"database query error","extensions":{"path":"$","code":"unexpected"}}]}}
		< {"type":"complete","id":"1"}`)

	id = createOrder(t, e, "z")
	others := dialSocket(t, url, "graphql-ws", nil)
	others.play(`
		> {"type":"connection_init","payload":{"headers":{"x-hasura-role":"customer","x-hasura-user-id":"2"}}}
		< {"type":"connection_ack"}
		< {"type":"ka"}
		> ` + subscribe(id) + `
		< {"type":"data","id":"1","payload":{"data":{"placeOrder":null}}}
		< {"type":"complete","id":"1"}`)
	waiting := dialSocket(t, url, "graphql-ws", nil)
	waiting.play(initLegacy + "\n> " + subscribe(id) + "\n< " + pending)
	md := asyncShop("http://127.0.0.1:1")
	md.Actions[0].Comment = "another one"
	if _, err := e.Load(md); err != nil {
		t.Fatal(err)
	}
	waiting.play(`close 1012 the metadata has changed`)
}
