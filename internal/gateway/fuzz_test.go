package gateway

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/nself-org/nself/internal/action"
)

// FuzzRequest sends arbitrary bodies: the answer is always JSON, with data or errors, and nothing panics.
func FuzzRequest(f *testing.F) {
	for _, seed := range []string{
		benchQuery, `{"query":"{ quote }"}`, `[{"query":"{ quote(i: 1) }"},{}]`, `{"query":"{ __schema { types { name } } }"}`,
		`{"query":"query($a: Boolean!) { quote @skip(if: $a) }","variables":{"a":true}}`, `{"query":"{ ...F }"}`, `null`, `[`,
		`{"query":"query($x: Item) { quote(o: $x) }","variables":{"x":{"sku":"a","qty":1,"with":[{}]}}}`, `"x"`, `[]`,
		`{"query":"{ __type(name: \"Item\") { inputFields { name } } }","operationName":""}`,
	} {
		f.Add([]byte(seed))
	}
	e := newEngine(f, Options{DevMode: true}, shop(handlerServer(f, answer(http.StatusOK, `{"id":1}`))))
	f.Fuzz(func(t *testing.T, body []byte) {
		w := send(t, e, request{body: string(body), header: map[string]string{"X-Hasura-Role": "customer"}})
		if w.Code != http.StatusOK || !json.Valid(w.Body.Bytes()) {
			t.Errorf("got %d %s", w.Code, w.Body)
		}
	})
}

// FuzzAnswer interprets arbitrary answers of handlers: the result is valid JSON or an error.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{benchReply, `{"id":1,"first":[{},1,[null]]}`, `{"message":"m"}`, `null`, `{"id":`, `""`, `[[]]`} {
		f.Add(200, []byte(seed))
		f.Add(400, []byte(seed))
	}
	e := newEngine(f, Options{}, shop("http://localhost:1"))
	r := e.current.Load().role("customer")
	op, err := r.prepare(
		"mutation { placeOrder(items: []) { id total a: first { sku } lines { sku parent { sku } } __typename } }",
		nil,
	)
	if err != nil {
		f.Fatal(err)
	}
	p, _, err := op.plan(r, nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		field := &p.fields[0]
		x := exchange{engine: e, work: &work{out: []byte("[")}}
		d := &callDetails{action: field.action, call: &action.Call{Input: []byte("{}"), RequestQuery: []byte("null")}}
		out, err := x.interpret(field, status, body, d)
		if err != nil {
			if out = err.AppendGraphQL(nil, true); !json.Valid(out) {
				t.Errorf("got %s", out)
			}
			return
		}
		if !json.Valid(append(out, ']')) {
			t.Errorf("got %s", out)
		}
	})
}

// FuzzSocketMessage holds that no message of a client makes a socket panic or answer with something that is not JSON.
func FuzzSocketMessage(f *testing.F) {
	for _, seed := range []string{
		`{"type":"connection_init","payload":{"headers":{"x-hasura-role":"a"}}}`,
		`{"type":"start","id":"1","payload":{"query":"{ a }","variables":{},"operationName":null}}`,
		`{"type":"ping","payload":[1]}`, `{"type":1}`, `[]`, `{"id":"\ud800","type":"stop"}`, `"`, ``,
		`{"type":"start","id":null}`, `{"type":"connection_init","payload":{"headers":{"a\r\nb":"c"}}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		m, reason := readMessage(message)
		if reason != "" {
			if out := connectionError(reason); !json.Valid(out) {
				t.Errorf("got %s", out)
			}
			return
		}
		if m.payload != "" {
			_, _ = readRequest(m.payload)
			header, _ := initHeader(m.payload)
			for name, values := range header {
				if !validHeader(name, values[0]) {
					t.Errorf("accepted header %q", name)
				}
			}
		}
		if m.id != "" {
			s := &socket{protocol: &legacyProtocol}
			if out := append(s.open(nil, "data", m.id), "{}}"...); !json.Valid(out) {
				t.Errorf("got %s", out)
			}
		}
	})
}
