package gateway

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/actionlog"
	"github.com/nself-org/nself/internal/auth"
	"github.com/nself-org/nself/internal/metadata"
)

// socketPatience is how long a test waits for a message that should come; a loaded machine needs it.
const socketPatience = time.Minute

// socketTest is a client of one WebSocket.
type socketTest struct {
	t    *testing.T
	conn *websocket.Conn
}

// serveEngine serves an engine over HTTP and shuts it down when the test ends.
func serveEngine(t *testing.T, e *Engine) (url string) {
	t.Helper()
	s := httptest.NewServer(e.Handler())
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), socketPatience)
		defer cancel()
		if err := e.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		s.Close()
	})
	return s.URL
}

// dialSocket opens a WebSocket at url, such as one of serveEngine with a path.
func dialSocket(t *testing.T, url, protocol string, header http.Header) *socketTest {
	t.Helper()
	//nolint:bodyclose // the body is the socket
	conn, resp, err := websocket.Dial(t.Context(), url, &websocket.DialOptions{
		Subprotocols: []string{protocol}, HTTPHeader: header,
	})
	if err != nil {
		t.Fatalf("dial: %v (%v)", err, resp)
	}
	conn.SetReadLimit(1 << 20)
	t.Cleanup(func() { _ = conn.CloseNow() })
	return &socketTest{t: t, conn: conn}
}

func (c *socketTest) send(message string) {
	c.t.Helper()
	if err := c.conn.Write(c.t.Context(), websocket.MessageText, []byte(message)); err != nil {
		c.t.Fatalf("send %s: %v", message, err)
	}
}

func (c *socketTest) read() (string, error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), socketPatience)
	defer cancel()
	_, message, err := c.conn.Read(ctx)
	return string(message), err
}

// receive waits for the next message.
func (c *socketTest) receive() string {
	c.t.Helper()
	message, err := c.read()
	if err != nil {
		c.t.Fatalf("receive: %v", err)
	}
	return message
}

func (c *socketTest) expect(want string) {
	c.t.Helper()
	if diff := cmp.Diff(want, c.receive()); diff != "" {
		c.t.Fatalf("message (-want +got):\n%s", diff)
	}
}

// expectClose waits for the socket to be closed. want is "code reason".
func (c *socketTest) expectClose(want string) {
	c.t.Helper()
	message, err := c.read()
	closed, ok := errors.AsType[websocket.CloseError](err)
	if !ok {
		c.t.Fatalf("got %q and %v, want close %s", message, err, want)
	}
	if got := strings.TrimSpace(strconv.Itoa(int(closed.Code)) + " " + closed.Reason); got != want {
		c.t.Fatalf("closed with %q, want %q", got, want)
	}
}

// play runs a script: lines to send begin with ">", lines to expect with "<", and "close" expects the end.
func (c *socketTest) play(script string) {
	c.t.Helper()
	for line := range strings.Lines(script) {
		verb, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch verb {
		case "":
		case ">":
			c.send(rest)
		case "<":
			c.expect(rest)
		case "close":
			c.expectClose(rest)
		default:
			c.t.Fatalf("script: %s", line)
		}
	}
}

// initLegacy and initTransport are the first messages of a client that shows a role.
const (
	initLegacy = `
		> {"type":"connection_init","payload":{"headers":{"x-hasura-role":"customer"}}}
		< {"type":"connection_ack"}
		< {"type":"ka"}
	`
	initTransport = `
		> {"type":"connection_init","payload":{"headers":{"x-hasura-role":"customer"}}}
		< {"type":"connection_ack"}
	`
)

// socketShop is the shop with handlers that answer, fail and refuse by the sku that is asked for.
func socketShop(t *testing.T) *metadata.Metadata {
	t.Helper()
	url := handlerServer(t, func(w http.ResponseWriter, r *http.Request, payload string) {
		switch {
		case strings.Contains(payload, `"sku":"refuse"`):
			answer(400, `{"message":"sold out","code":"SOLD","extensions":{"left":0}}`)(w, r, payload)
		case strings.Contains(payload, `"sku":"break"`):
			answer(500, `{}`)(w, r, payload)
		case r.URL.Path == "/quote":
			answer(200, `7`)(w, r, payload)
		default:
			w.Header().Set("Set-Cookie", "basket=1")
			answer(200, `{"id":"r1","total":5}`)(w, r, payload)
		}
	})
	return shop(url)
}

// TestSocketProtocols holds each step of the two protocols to the letter.
func TestSocketProtocols(t *testing.T) {
	t.Parallel()
	const (
		order  = `"query":"mutation($sku: String!) { placeOrder(items: [{sku: $sku, qty: 1}]) { id total } }"`
		denied = `{"message":"field 'nope' not found in type: 'query_root'","extensions":` +
			`{"path":"$.selectionSet.nope","code":"validation-failed"}}`
		early  = `{"message":"start received before the connection is initialised","extensions":{"path":"$","code":"start-failed"}}`
		sold   = `{"message":"sold out","extensions":{"left":0}}`
		broken = `{"message":"internal error","extensions":{"path":"$","code":"unexpected"}}`
	)
	tests := map[string]struct{ legacy, transport string }{
		"query": {
			initLegacy + `
			> {"type":"start","id":"1","payload":{"query":"{ quote }"}}
			< {"type":"data","id":"1","payload":{"data":{"quote":7}}}
			< {"type":"complete","id":"1"}`,
			initTransport + `
			> {"type":"subscribe","id":"1","payload":{"query":"{ quote }"}}
			< {"type":"next","id":"1","payload":{"data":{"quote":7}}}
			< {"type":"complete","id":"1"}`,
		},
		"mutation with variables and a name": {
			initLegacy + `
			> {"type":"start","id":"a b","payload":{` + strings.Replace(order, "mutation(", "mutation M(", 1) + `,"variables":{"sku":"x"},"operationName":"M"}}
			< {"type":"data","id":"a b","payload":{"data":{"placeOrder":{"id":"r1","total":5}}}}
			< {"type":"complete","id":"a b"}`,
			initTransport + `
			> {"type":"subscribe","id":"\"é","payload":{` + order + `,"variables":{"sku":"x"},"operationName":null}}
			< {"type":"next","id":"\"é","payload":{"data":{"placeOrder":{"id":"r1","total":5}}}}
			< {"type":"complete","id":"\"é"}`,
		},
		"introspection": {
			initLegacy + `
			> {"type":"start","id":"1","payload":{"query":"{ __schema { subscriptionType { name } } }"}}
			< {"type":"data","id":"1","payload":{"data":{"__schema":{"subscriptionType":null}}}}
			< {"type":"complete","id":"1"}`,
			"",
		},
		"an id again after its end": {
			initLegacy + strings.Repeat(`
			> {"type":"start","id":"1","payload":{"query":"{ quote }"}}
			< {"type":"data","id":"1","payload":{"data":{"quote":7}}}
			< {"type":"complete","id":"1"}`, 2),
			initTransport + strings.Repeat(`
			> {"type":"subscribe","id":"1","payload":{"query":"{ quote }"}}
			< {"type":"next","id":"1","payload":{"data":{"quote":7}}}
			< {"type":"complete","id":"1"}`, 2),
		},
		"invalid operation": {
			initLegacy + `
			> {"type":"start","id":"1","payload":{"query":"{ nope }"}}
			< {"type":"error","id":"1","payload":{"errors":[` + denied + `]}}
			< {"type":"complete","id":"1"}`,
			initTransport + `
			> {"type":"subscribe","id":"1","payload":{"query":"{ nope }"}}
			< {"type":"error","id":"1","payload":[` + denied + `]}
			< {"type":"complete","id":"1"}`,
		},
		"no subscriptions": {
			initLegacy + `
			> {"type":"start","id":"1","payload":{"query":"subscription { quote }"}}
			< {"type":"error","id":"1","payload":{"errors":[{"message":"no subscriptions exist","extensions":{"path":"$","code":"validation-failed"}}]}}
			< {"type":"complete","id":"1"}`,
			"",
		},
		"refused by the handler": {
			initLegacy + `
			> {"type":"start","id":"1","payload":{` + order + `,"variables":{"sku":"refuse"}}}
			< {"type":"data","id":"1","payload":{"data":null,"errors":[` + sold + `]}}
			< {"type":"complete","id":"1"}`,
			initTransport + `
			> {"type":"subscribe","id":"1","payload":{` + order + `,"variables":{"sku":"refuse"}}}
			< {"type":"error","id":"1","payload":[` + sold + `]}
			< {"type":"complete","id":"1"}`,
		},
		"broken handler, no internal details even for admins": {
			`
			> {"type":"connection_init"}
			< {"type":"connection_ack"}
			< {"type":"ka"}
			> {"type":"start","id":"1","payload":{` + order + `,"variables":{"sku":"break"}}}
			< {"type":"data","id":"1","payload":{"data":null,"errors":[` + broken + `]}}
			< {"type":"complete","id":"1"}`,
			`
			> {"type":"connection_init","payload":null}
			< {"type":"connection_ack"}
			> {"type":"subscribe","id":"1","payload":{` + order + `,"variables":{"sku":"break"}}}
			< {"type":"error","id":"1","payload":[` + broken + `]}
			< {"type":"complete","id":"1"}`,
		},
		"start before init": {
			`
			> {"type":"start","id":"1","payload":{"query":"{ quote }"}}
			< {"type":"error","id":"1","payload":` + early + `}` + initLegacy,
			`
			> {"type":"subscribe","id":"1","payload":{"query":"{ quote }"}}
			< {"type":"error","id":"1","payload":` + early + `}
			close 4401 4401: Unauthorized`,
		},
		"not JSON": {
			`
			> {"type":
			< {"type":"connection_error","payload":"parsing ClientMessage failed: Error in $: not a valid json value"}` + initLegacy,
			`
			> {"type":
			close 4400 4400: parsing ClientMessage failed: Error in $: not a valid json value`,
		},
		"unknown type": {
			initLegacy + `
			> {"type":"subscribe","id":"1","payload":{"query":"{ quote }"}}
			< {"type":"connection_error","payload":"parsing ClientMessage failed: Error in $: unexpected type: subscribe"}`,
			initTransport + `
			> {"type":"start","id":"1","payload":{"query":"{ quote }"}}
			close 4400 4400: parsing ClientMessage failed: Error in $: unexpected type: start`,
		},
		"no query": {
			initLegacy + `
			> {"type":"start","id":"1","payload":{"variables":{}}}
			< {"type":"connection_error","payload":"parsing ClientMessage failed: Error in $.payload: key \"query\" not found"}`,
			initTransport + `
			> {"type":"subscribe","id":"1"}
			close 4400 4400: parsing ClientMessage failed: Error in $: key "payload" not found`,
		},
		"no id": {
			initLegacy + `
			> {"type":"start","id":1,"payload":{"query":"{ quote }"}}
			< {"type":"connection_error","payload":"parsing ClientMessage failed: Error in $.id: expected String, but encountered another kind of value"}`,
			initTransport + `
			> {"type":"complete"}
			close 4400 4400: parsing ClientMessage failed: Error in $: key "id" not found`,
		},
		"headers that are none": {
			`
			> {"type":"connection_init","payload":{"headers":{"x-a":"1\r\nx-b: 2"}}}
			< {"type":"connection_error","payload":"parsing ClientMessage failed: Error in $.payload.headers: not an HTTP header"}`,
			`
			> {"type":"connection_init","payload":{"headers":{"x-a":1}}}
			close 4400 4400: parsing ClientMessage failed: Error in $.payload.headers: expected an Object of Strings`,
		},
		"init twice": {
			initLegacy + `
			> {"type":"connection_init","payload":{"headers":{"x-hasura-role":"nobody"}}}
			< {"type":"connection_ack"}
			< {"type":"ka"}
			> {"type":"start","id":"1","payload":{"query":"mutation { x }"}}
			< {"type":"error","id":"1","payload":{"errors":[{"message":"no mutations exist","extensions":{"path":"$","code":"validation-failed"}}]}}
			< {"type":"complete","id":"1"}`,
			initTransport + `
			> {"type":"connection_init"}
			close 4429 4429: Too many initialisation requests`,
		},
		"ping": {
			"",
			`
			> {"type":"ping"}
			< {"type":"pong"}
			> {"type":"ping","payload":{"n":[1]}}
			< {"type":"pong","payload":{"n":[1]}}
			> {"type":"pong"}` + initTransport,
		},
		"stop of what is not there": {
			initLegacy + `
			> {"type":"stop","id":"9"}
			> {"type":"start","id":"1","payload":{"query":"{ quote }"}}
			< {"type":"data","id":"1","payload":{"data":{"quote":7}}}
			< {"type":"complete","id":"1"}`,
			"",
		},
		"terminate": {
			initLegacy + `
			> {"type":"connection_terminate"}
			close 1000`,
			initTransport + `
			> {"type":"connection_terminate"}
			close 4400 4400: parsing ClientMessage failed: Error in $: unexpected type: connection_terminate`,
		},
	}
	url := serveEngine(t, newEngine(t, Options{}, socketShop(t)))
	for name, test := range tests {
		for path, p := range map[string]struct{ protocol, script string }{
			"/v1/graphql":       {"graphql-ws", test.legacy},
			"/v1alpha1/graphql": {"graphql-transport-ws", test.transport},
		} {
			if p.script == "" {
				continue
			}
			t.Run(name+", "+p.protocol, func(t *testing.T) {
				t.Parallel()
				dialSocket(t, url+path, p.protocol, nil).play(p.script)
			})
		}
	}
}

// TestSocketDuplicateID holds that a running operation is not disturbed by another one of its id, as far as the protocol
// allows.
func TestSocketDuplicateID(t *testing.T) {
	t.Parallel()
	asked, release := make(chan struct{}, 2), make(chan struct{})
	url := serveEngine(t, newEngine(t, Options{}, shop(handlerServer(t,
		func(w http.ResponseWriter, r *http.Request, payload string) {
			asked <- struct{}{}
			<-release
			answer(200, `7`)(w, r, payload)
		}))))
	const twice = `{"type":"error","id":"1","payload":{"message":"an operation already exists with this id: 1",` +
		`"extensions":{"path":"$","code":"start-failed"}}}`
	legacy := dialSocket(t, url+"/v1/graphql", "graphql-ws", nil)
	legacy.play(initLegacy + `> {"type":"start","id":"1","payload":{"query":"{ quote }"}}`)
	transport := dialSocket(t, url+"/v1/graphql", "graphql-transport-ws", nil)
	transport.play(initTransport + `> {"type":"subscribe","id":"1","payload":{"query":"{ quote }"}}`)
	<-asked
	<-asked
	legacy.play(`
		> {"type":"start","id":"1","payload":{"query":"{ quote }"}}
		< ` + twice)
	transport.play(`
		> {"type":"subscribe","id":"1","payload":{"query":"{ quote }"}}
		< ` + twice + `
		close 4409 4409: Subscriber for 1 already exists`)
	close(release)
	legacy.play(`
		< {"type":"data","id":"1","payload":{"data":{"quote":7}}}
		< {"type":"complete","id":"1"}`)
}

// TestSocketStop holds that a stopped operation says nothing more, and that its id is free at once.
func TestSocketStop(t *testing.T) {
	t.Parallel()
	asked, release := make(chan struct{}, 1), make(chan struct{})
	url := serveEngine(t, newEngine(t, Options{}, shop(handlerServer(t,
		func(w http.ResponseWriter, r *http.Request, payload string) {
			if strings.Contains(payload, `"i":1`) {
				asked <- struct{}{}
				<-release
			}
			answer(200, `7`)(w, r, payload)
		}))))
	c := dialSocket(t, url+"/v1/graphql", "graphql-ws", nil)
	c.play(initLegacy + `> {"type":"start","id":"1","payload":{"query":"{ quote(i: 1) }"}}`)
	<-asked
	c.play(`
		> {"type":"stop","id":"1"}
		> {"type":"start","id":"1","payload":{"query":"{ again: quote }"}}
		< {"type":"data","id":"1","payload":{"data":{"again":7}}}
		< {"type":"complete","id":"1"}`)
	close(release)
	c.play(`
		> {"type":"start","id":"2","payload":{"query":"{ quote }"}}
		< {"type":"data","id":"2","payload":{"data":{"quote":7}}}
		< {"type":"complete","id":"2"}`)
}

// TestSocketOpening holds which requests become a WebSocket, and of which protocol.
func TestSocketOpening(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		opt          Options
		path         string
		header       map[string]string
		status       int
		protocol     string
		bodyContains string
	}{
		"new":     {path: "/v1/graphql", header: map[string]string{"Sec-WebSocket-Protocol": "graphql-transport-ws"}, status: 101, protocol: "graphql-transport-ws"},
		"legacy":  {path: "/v1/graphql", header: map[string]string{"Sec-WebSocket-Protocol": "graphql-ws"}, status: 101, protocol: "graphql-ws"},
		"none":    {path: "/v1alpha1/graphql", status: 101, protocol: "graphql-ws"},
		"other":   {path: "/v1/graphql", header: map[string]string{"Sec-WebSocket-Protocol": "mqtt"}, status: 101, protocol: "graphql-ws"},
		"path":    {path: "/v1/metadata", status: 404},
		"version": {path: "/v1/graphql", header: map[string]string{"Sec-WebSocket-Version": "8"}, status: 400},
		"any origin": {
			path: "/v1/graphql", header: map[string]string{"Origin": "https://shop.example"}, status: 101, protocol: "graphql-ws",
		},
		"allowed origin": {
			opt: Options{CORSDomains: "https://*.example.com"}, path: "/v1/graphql",
			header: map[string]string{"Origin": "https://shop.example.com"}, status: 101, protocol: "graphql-ws",
		},
		"foreign origin": {
			opt: Options{CORSDomains: "https://*.example.com"}, path: "/v1/graphql",
			header: map[string]string{"Origin": "https://evil.example"}, status: 400,
			bodyContains: `{"error":"received origin header does not match configured CORS domains","path":"$","code":"access-denied"}`,
		},
		"CORS off": {
			opt: Options{DisableCORS: true}, path: "/v1/graphql",
			header: map[string]string{"Origin": "https://evil.example"}, status: 101, protocol: "graphql-ws",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := serveEngine(t, newEngine(t, test.opt, socketShop(t)))
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+test.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			for name, value := range map[string]string{
				"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
				"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
			} {
				req.Header.Set(name, value)
			}
			for name, value := range test.header {
				req.Header.Set(name, value)
			}
			resp, err := http.DefaultTransport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != test.status || resp.Header.Get("Sec-WebSocket-Protocol") != test.protocol {
				t.Errorf("got %d %q, want %d %q", resp.StatusCode, resp.Header.Get("Sec-WebSocket-Protocol"), test.status, test.protocol)
			}
			if test.bodyContains != "" {
				body := make([]byte, 512)
				n, _ := resp.Body.Read(body)
				if got := string(body[:n]); got != test.bodyContains {
					t.Errorf("got %s", got)
				}
			}
		})
	}
}

// TestSocketHeaders holds that the headers of the init are the client's: for the session, for handlers, and no others.
func TestSocketHeaders(t *testing.T) {
	t.Parallel()
	got := make(chan http.Header, 1)
	payloads := make(chan string, 1)
	md := shop(handlerServer(t, func(w http.ResponseWriter, r *http.Request, payload string) {
		got <- r.Header
		payloads <- payload
		answer(200, `7`)(w, r, payload)
	}))
	md.Actions[1].Definition.ForwardClientHeaders = true
	url := serveEngine(t, newEngine(t, Options{}, md))
	upgrade := http.Header{"X-Upgrade": {"1"}, "X-Hasura-User-Id": {"9"}, "Cookie": {"sid=1"}}
	c := dialSocket(t, url+"/v1/graphql", "graphql-transport-ws", upgrade)
	c.play(`
		> {"type":"connection_init","payload":{"headers":{"X-Hasura-Role":"customer","x-hasura-user-id":"42","x-tenant":"t1","host":"shop.example","Authorization":"Bearer x"}}}
		< {"type":"connection_ack"}
		> {"type":"subscribe","id":"1","payload":{"query":"{ quote }"}}
		< {"type":"next","id":"1","payload":{"data":{"quote":7}}}`)
	header, payload := <-got, <-payloads
	for name, want := range map[string]string{
		"X-Tenant": "t1", "Authorization": "Bearer x", "X-Forwarded-Host": "shop.example", "Cookie": "sid=1",
		"X-Upgrade": "", "X-Hasura-User-Id": "",
	} {
		if header.Get(name) != want {
			t.Errorf("%s: got %q, want %q", name, header.Get(name), want)
		}
	}
	if header.Get("X-Request-Id") == "" {
		t.Error("no request id")
	}
	if want := `"session_variables":{"x-hasura-role":"customer","x-hasura-user-id":"42"}`; !strings.Contains(payload, want) {
		t.Errorf("got %s", payload)
	}
}

// TestSocketAuthFailure holds how each protocol learns that it is refused.
func TestSocketAuthFailure(t *testing.T) {
	t.Parallel()
	a, err := auth.New(t.Context(), auth.Config{AdminSecrets: secrets("s3cret")}, nil, discard())
	if err != nil {
		t.Fatal(err)
	}
	url := serveEngine(t, newEngine(t, Options{Auth: a}, socketShop(t))) + "/v1/graphql"
	const wrong = `> {"type":"connection_init","payload":{"headers":{"x-hasura-admin-secret":"wrong"}}}`
	dialSocket(t, url, "graphql-ws", nil).play(wrong + `
		< {"type":"connection_error","payload":"invalid \"x-hasura-admin-secret\"/\"x-hasura-access-key\""}
		close 4400 4400: invalid "x-hasura-admin-secret"/"x-hasura-access-key"`)
	dialSocket(t, url, "graphql-transport-ws", nil).play(wrong + `
		close 4403 4403: Forbidden`)
	// The secret of the upgrade request is not that of the init.
	dialSocket(t, url, "graphql-transport-ws", http.Header{"X-Hasura-Admin-Secret": {"s3cret"}}).play(`
		> {"type":"connection_init"}
		close 4403 4403: Forbidden`)
	dialSocket(t, url, "graphql-transport-ws", nil).play(`
		> {"type":"connection_init","payload":{"headers":{"X-Hasura-Admin-Secret":"s3cret"}}}
		< {"type":"connection_ack"}`)
}

// TestSocketLimits holds the limits of time and size.
func TestSocketLimits(t *testing.T) {
	t.Parallel()
	hasty := serveEngine(t, newEngine(t, Options{WebSocketInitTimeout: 50 * time.Millisecond}, socketShop(t))) + "/v1/graphql"
	t.Run("init timeout, legacy", func(t *testing.T) {
		t.Parallel()
		dialSocket(t, hasty, "graphql-ws", nil).play(`close 1011 Connection initialisation timed out`)
	})
	t.Run("init timeout, new", func(t *testing.T) {
		t.Parallel()
		dialSocket(t, hasty, "graphql-transport-ws", nil).play(`close 4408 Connection initialisation timed out`)
	})
	url := serveEngine(t, newEngine(t, Options{ // whose clients may be as slow as the machine is
		WebSocketInitTimeout: socketPatience, WebSocketKeepAlive: 30 * time.Millisecond, MaxRequestBytes: 1000,
	}, socketShop(t))) + "/v1/graphql"
	t.Run("keepalive, legacy", func(t *testing.T) {
		t.Parallel()
		dialSocket(t, url, "graphql-ws", nil).play(initLegacy + strings.Repeat("\n< {\"type\":\"ka\"}", 3))
	})
	t.Run("keepalive, new", func(t *testing.T) {
		t.Parallel()
		dialSocket(t, url, "graphql-transport-ws", nil).play(initTransport +
			strings.Repeat("\n< {\"type\":\"ping\",\"payload\":{\"message\":\"keepalive\"}}", 3))
	})
	t.Run("message size", func(t *testing.T) {
		t.Parallel()
		c := dialSocket(t, url, "graphql-transport-ws", nil)
		c.send(`{"type":"connection_init","payload":{"x":"` + strings.Repeat("y", 2000) + `"}}`)
		for {
			_, err := c.read()
			if websocket.CloseStatus(err) == websocket.StatusMessageTooBig {
				return
			}
			if err != nil {
				t.Fatalf("got %v", err)
			}
		}
	})
}

// TestSocketOperationLimit holds that one client cannot pile operations up without end.
func TestSocketOperationLimit(t *testing.T) {
	t.Parallel()
	log := actionlog.NewMemory(0)
	e := newEngine(t, Options{ActionLog: log}, asyncShop("http://127.0.0.1:1"))
	url := serveEngine(t, e)
	id, err := log.Create(t.Context(), actionlog.NewEntry{Action: "placeOrder", Input: []byte(`{}`)})
	if err != nil {
		t.Fatal(err)
	}
	c := dialSocket(t, url+"/v1/graphql", "graphql-ws", nil)
	c.play(`
		> {"type":"connection_init"}
		< {"type":"connection_ack"}
		< {"type":"ka"}`)
	for i := range maxSocketOperations + 1 {
		c.send(`{"type":"start","id":"` + strconv.Itoa(i) + `","payload":{"query":"subscription { placeOrder(id: \"` + id + `\") { id } }"}}`)
	}
	for {
		message := c.receive()
		if strings.Contains(message, `"start-failed"`) {
			if !strings.Contains(message, `"id":"1000"`) || !strings.Contains(message, "there are 1000 operations under way") {
				t.Errorf("got %s", message)
			}
			return
		}
	}
}

// expiring is an authenticator whose sessions lapse.
type expiring struct{ after time.Duration }

func (a expiring) Authenticate(_ context.Context, r auth.Request) (auth.Session, *auth.Error) {
	s := auth.Session{Role: "customer", Vars: map[string]string{"x-hasura-role": "customer"}}
	for name := range r.Headers {
		if name == "X-Expires" {
			s.Expires = time.Now().Add(a.after)
		}
	}
	return s, nil
}

// TestSocketExpires holds that a socket does not outlive the credentials that it was opened with, and that fresh ones
// keep it open.
func TestSocketExpires(t *testing.T) {
	t.Parallel()
	url := serveEngine(t, newEngine(t, Options{Auth: expiring{5 * time.Second}, WebSocketKeepAlive: socketPatience}, socketShop(t))) + "/v1/graphql"
	const short = `> {"type":"connection_init","payload":{"headers":{"x-expires":"1"}}}`
	renewed, lapsed := dialSocket(t, url, "graphql-ws", nil), dialSocket(t, url, "graphql-transport-ws", nil)
	renewed.play(short + `
		< {"type":"connection_ack"}
		< {"type":"ka"}` + initLegacy)
	lapsed.play(short + `
		< {"type":"connection_ack"}
		close 4403 4403: the session has expired`)
	// What renewed showed first has expired too, before that.
	renewed.play(`
		> {"type":"start","id":"1","payload":{"query":"{ quote }"}}
		< {"type":"data","id":"1","payload":{"data":{"quote":7}}}`)
}

// TestSocketMetadataChange holds that sockets are closed so that clients come back to the new schema, that an answer on
// its way arrives first, that metadata which says what it said closes none, and that a setting prevents it.
func TestSocketMetadataChange(t *testing.T) {
	t.Parallel()
	asked, release := make(chan struct{}), make(chan struct{})
	handler := handlerServer(t, func(w http.ResponseWriter, r *http.Request, payload string) {
		asked <- struct{}{}
		<-release
		answer(200, `7`)(w, r, payload)
	})
	e := newEngine(t, Options{}, shop(handler))
	url := serveEngine(t, e) + "/v1/graphql"
	idle := dialSocket(t, url, "graphql-ws", nil)
	idle.play(initLegacy)
	busy := dialSocket(t, url, "graphql-transport-ws", nil)
	busy.play(initTransport + `> {"type":"subscribe","id":"1","payload":{"query":"{ quote }"}}`)
	<-asked
	if _, err := e.Load(shop(handler)); err != nil { // nothing has changed
		t.Fatal(err)
	}
	idle.play(`
		> {"type":"start","id":"1","payload":{"query":"{ __typename }"}}
		< {"type":"data","id":"1","payload":{"data":{"__typename":"query_root"}}}
		< {"type":"complete","id":"1"}`)
	md := shop(handler)
	md.Actions[0].Comment = "another one"
	if _, err := e.Load(md); err != nil {
		t.Fatal(err)
	}
	idle.play(`close 1012 the metadata has changed`)
	close(release)
	busy.play(`
		< {"type":"next","id":"1","payload":{"data":{"quote":7}}}
		< {"type":"complete","id":"1"}
		close 1012 the metadata has changed`)

	e = newEngine(t, Options{KeepWebSockets: true}, socketShop(t))
	kept := dialSocket(t, serveEngine(t, e)+"/v1/graphql", "graphql-ws", nil)
	kept.play(initLegacy)
	md = socketShop(t)
	md.Actions[0].Comment = "another one"
	if _, err := e.Load(md); err != nil {
		t.Fatal(err)
	}
	kept.play(`
		> {"type":"start","id":"1","payload":{"query":"{ quote }"}}
		< {"type":"data","id":"1","payload":{"data":{"quote":7}}}
		< {"type":"complete","id":"1"}`)
}

// TestSocketShutdown holds that a shutdown closes idle sockets at once, lets an operation end, takes no new one, and cuts
// off what does not end in time.
func TestSocketShutdown(t *testing.T) {
	t.Parallel()
	asked, release := make(chan struct{}), make(chan struct{})
	e := newEngine(t, Options{}, shop(handlerServer(t, func(w http.ResponseWriter, r *http.Request, payload string) {
		asked <- struct{}{}
		<-release
		answer(200, `7`)(w, r, payload)
	})))
	url := serveEngine(t, e) + "/v1/graphql"
	idle := dialSocket(t, url, "graphql-ws", nil)
	idle.play(initLegacy)
	busy := dialSocket(t, url, "graphql-ws", nil)
	busy.play(initLegacy + `> {"type":"start","id":"1","payload":{"query":"{ quote }"}}`)
	<-asked
	done := make(chan error, 1)
	go func() { done <- e.Shutdown(t.Context()) }()
	idle.play(`close 1012 the server is shutting down`)
	busy.send(`{"type":"start","id":"2","payload":{"query":"{ quote }"}}`)
	close(release)
	busy.play(`
		< {"type":"data","id":"1","payload":{"data":{"quote":7}}}
		< {"type":"complete","id":"1"}
		close 1012 the server is shutting down`)
	if err := <-done; err != nil {
		t.Errorf("shutdown: %v", err)
	}
	if resp, err := http.Get(url); err != nil || resp.StatusCode != http.StatusServiceUnavailable { //nolint:bodyclose // short
		t.Errorf("got %v, %v, want 503", resp, err)
	}
}

func TestSocketShutdownDeadline(t *testing.T) {
	t.Parallel()
	asked, release := make(chan struct{}), make(chan struct{})
	e := newEngine(t, Options{}, shop(handlerServer(t, func(w http.ResponseWriter, r *http.Request, payload string) {
		close(asked)
		<-release
		answer(200, `7`)(w, r, payload)
	})))
	c := dialSocket(t, serveEngine(t, e)+"/v1/graphql", "graphql-ws", nil)
	c.play(initLegacy + `> {"type":"start","id":"1","payload":{"query":"{ quote }"}}`)
	<-asked
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := e.Shutdown(ctx); err == nil {
		t.Error("nothing is said about the call that was cut off")
	}
	for { // the operation's failure may come before the end
		if _, err := c.read(); err != nil {
			break
		}
	}
	close(release)
}
