package gateway

import (
	"net/http"
	"testing"

	"github.com/nself-org/nself/internal/action"
	"github.com/nself-org/nself/internal/actionlog"
)

// TestExplain holds the answers of the endpoint for plans of queries, which actions do not have.
func TestExplain(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Options{ActionLog: actionlog.NewMemory(0)}, asyncShop("http://127.0.0.1:1"))
	flat := func(message, code, path string) string {
		return `{"error":"` + message + `","path":"` + path + `","code":"` + code + `"}`
	}
	none := flat("query actions cannot be explained", "invalid-params", "$")
	tests := []struct {
		role, body string
		status     int
		want       string
	}{
		{"", `{"query":{"query":"{ quote }"}}`, 400, none},
		{"", `{"query":{"query":"{ placeOrder(id: \"b5f2f5f0-1111-4222-8333-444444444444\") { id } }"},"user":{"x-hasura-role":"customer"}}`, 400, none},
		{"", `{"query":{"query":"subscription { placeOrder(id: \"b5f2f5f0-1111-4222-8333-444444444444\") { id } }"}}`, 400, none},
		{"", `{"query":{"query":"mutation { placeOrder(items: []) }"}}`, 400, flat("only queries can be explained", "invalid-params", "$")},
		{"", `{"query":{"query":"{ a: __schema { description } __typename }"}}`, 200, `[{"field":"a","sql":null,"plan":null},{"field":"__typename","sql":null,"plan":null}]`},
		{"", `{"query":{"query":"{ quote }"},"user":{"x-hasura-role":"nobody"}}`, 400, flat("field 'quote' not found in type: 'query_root'", "validation-failed", "$.selectionSet.quote")},
		{"", `{"query":{}}`, 400, flat(`key \"query\" not found`, "parse-failed", "$.query")},
		{"", `{}`, 400, flat(`key \"query\" not found`, "parse-failed", "$")},
		{"", `{`, 400, flat("Error in $: not a valid json value", "invalid-json", "$")},
		{"customer", `{"query":{"query":"{ quote }"}}`, 400, flat("You have to be an admin to access this endpoint", "access-denied", "$")},
	}
	for _, test := range tests {
		for _, path := range []string{"/v1/graphql/explain", "/v1alpha1/graphql/explain"} {
			w := send(t, e, request{path: path, body: test.body, header: map[string]string{"X-Hasura-Role": test.role}})
			if w.Code != test.status || w.Body.String() != test.want {
				t.Errorf("%s as %q: got %d %s, want %d %s", test.body, test.role, w.Code, w.Body, test.status, test.want)
			}
		}
	}
}

// TestOmitUnboundVariables holds what a declared variable without a value becomes, with the setting and without.
func TestOmitUnboundVariables(t *testing.T) {
	t.Parallel()
	const document = `query($i: Int, $s: String, $d: Int = 3, $u: uuid, $q: Int! = 1) { quote(i: $i, s: $s, l: [$d, $q], o: {sku: "a", qty: 1, ref: $u}) }`
	for omit, want := range map[bool]string{
		false: `{"i":null,"s":null,"o":{"sku":"a","qty":1,"ref":null},"l":[3,1]}`,
		true:  `{"o":{"sku":"a","qty":1},"l":[3,1]}`,
	} {
		got := make(chan string, 1)
		e := newEngine(t, Options{OmitUnboundVariables: omit}, shop(handlerServer(t, func(w http.ResponseWriter, r *http.Request, payload string) {
			input, _ := action.Member(payload, "input")
			got <- input
			answer(200, `1`)(w, r, payload)
		})))
		if body := query(t, e, "", document, ""); body != `{"data":{"quote":1}}` {
			t.Errorf("got %s", body)
		}
		if input := <-got; input != want {
			t.Errorf("omit %v: got %s, want %s", omit, input, want)
		}
		// A variable must fit its place also when it is left out.
		message, _, _ := firstError(t, query(t, e, "", `query($i: String) { quote(i: $i) }`, ""))
		if message != "variable 'i' is declared as 'String', but used where 'Int' is expected" {
			t.Errorf("omit %v: got %s", omit, message)
		}
		if body := query(t, e, "", document, `{"i":null}`); body != `{"data":{"quote":1}}` {
			t.Errorf("got %s", body)
		}
		input := <-got
		if omit && input != `{"i":null,"o":{"sku":"a","qty":1},"l":[3,1]}` {
			t.Errorf("an explicit null: got %s", input)
		}
	}
}
