package gateway

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRefusedRequests holds the messages, codes and paths of requests that do not fit the schema.
func TestRefusedRequests(t *testing.T) {
	t.Parallel()
	const failed, parse = "validation-failed", "parse-failed"
	e := newEngine(t, Options{}, shop(handlerServer(t, func(http.ResponseWriter, *http.Request, string) {
		t.Error("a handler was called")
	})))
	order := func(items string) string { return "mutation { placeOrder(items: " + items + ") { id } }" }
	quote := func(args string) string { return "{ quote(" + args + ") }" }
	const item = "$.selectionSet.placeOrder.args.items"
	cases := []struct {
		name, role, query, variables string
		message, code, path          string
	}{
		{"syntax", "customer", "{ quote", "", "not a valid graphql query", failed, "$.query"},
		{"empty", "customer", " ", "", "not a valid graphql query", failed, "$.query"},
		{
			"several operations", "customer", "query A { quote } query B { quote }", "",
			"exactly one operation has to be present in the document when operationName is not specified", failed, "$",
		},
		{"no mutations", "clerk", "mutation { placeOrder { id } }", "", "no mutations exist", failed, "$"},
		{"no subscriptions", "customer", "subscription { quote }", "", "no subscriptions exist", failed, "$"},

		{
			"unknown variable supplied", "customer", "{ quote }", `{"a": 1}`,
			"unexpected variables in variableValues: a", failed, "$",
		},
		{
			"declared, supplied, not used", "customer", "query($a: Int, $b: Int) { quote }", `{"a": 1, "b": 2}`,
			"unexpected variables in variableValues: a, b", failed, "$",
		},
		{
			"declared twice", "customer", "query($a: Int, $a: Int) { quote(i: $a) }", "",
			`multiple definitions for variable "a"`, parse, "$",
		},
		{
			"variable missing", "customer", "query($a: Int!) { quote(i: $a) }", "",
			`expecting a value for non-nullable variable: "a"`, failed, "$",
		},
		{
			"variable null", "customer", "query($a: [Int!]!) { quote(l: $a) }", `{"a": null}`,
			`null value found for non-nullable type: "[Int!]!"`, failed, "$",
		},
		{"unbound", "customer", "{ quote(i: $x) }", "", `unbound variable "x"`, failed, "$"},
		{
			"unbound in a fragment", "customer", "{ ...F } fragment F on query_root { quote(i: $x) }", "",
			`unbound variable "x"`, failed, "$",
		},
		{
			"variable of another type", "customer", "query($x: Int!) { quote(f: $x) }", `{"x": 1}`,
			"variable 'x' is declared as 'Int!', but used where 'Float' is expected", failed, "$.selectionSet.quote.args.f",
		},
		{
			"nullable variable", "customer", "mutation($x: [Item!]) { placeOrder(items: $x) { id } }", `{"x": []}`,
			"variable 'x' is declared as '[Item!]', but used where '[Item!]!' is expected", failed, item,
		},
		{
			"variable inside a list", "customer", "query($x: Int) { quote(l: [1, $x]) }", `{"x": 1}`,
			"variable 'x' is declared as 'Int', but used where 'Int!' is expected", failed, "$.selectionSet.quote.args.l[1]",
		},

		{
			"unknown field", "customer", "{ nope }", "", "field 'nope' not found in type: 'query_root'", failed,
			"$.selectionSet.nope",
		},
		{
			"invisible field", "clerk", "{ placeOrder }", "", "field 'placeOrder' not found in type: 'query_root'",
			failed, "$.selectionSet.placeOrder",
		},
		{
			"unknown nested field", "customer", `mutation { o: placeOrder(items: []) { lines { x: price } } }`, "",
			"field 'price' not found in type: 'Line'", failed, "$.selectionSet.placeOrder.selectionSet.lines.selectionSet.price",
		},
		{
			"unknown argument", "customer", "{ quote(z: 1) }", "", "'quote' has no argument named 'z'", failed,
			"$.selectionSet.quote",
		},
		{
			"missing argument", "customer", "mutation { placeOrder { id } }", "",
			"missing required field 'items'", failed, item,
		},
		{
			"missing input field", "customer", order(`[{sku: "a", qty: 1}, {qty: 1}]`), "",
			"missing required field 'sku'", failed, item + "[1].sku",
		},
		{
			"no selection", "customer", "mutation { placeOrder(items: []) }", "",
			"missing selection set for 'Receipt'", failed, "$.selectionSet.placeOrder.selectionSet",
		},
		{
			"selection on a scalar", "customer", "{ quote { x } }", "",
			"unexpected subselection set for non-object field", failed, "$.selectionSet.quote",
		},
		{
			"selection on a scalar field", "customer", "mutation { placeOrder(items: []) { id { x } } }", "",
			"unexpected subselection set for non-object field", failed, "$.selectionSet.placeOrder.selectionSet.id",
		},
		{
			"argument of an object field", "customer", "mutation { placeOrder(items: []) { id(a: 1) } }", "",
			"'id' has no argument named 'a'", failed, "$.selectionSet.placeOrder.selectionSet.id",
		},
		{
			"unknown directive", "customer", "{ quote @nope }", "", "directive 'nope' is not defined in the schema",
			failed, "$.selectionSet",
		},
		{
			"directive out of place", "customer", "{ quote @cached }", "",
			"directive 'cached' is not allowed on a field", failed, "$.selectionSet",
		},
		{
			"skip on a query", "customer", "query @skip(if: true) { quote }", "",
			"directive 'skip' is not allowed on a query", failed, "$",
		},
		{
			"cached on a mutation", "customer", "mutation @cached { placeOrder(items: []) { id } }", "",
			"directive 'cached' is not allowed on a mutation", failed, "$",
		},
		{
			"condition of another type", "customer", `{ quote @skip(if: "x") }`, "",
			"expected a boolean for type 'Boolean', but found a string", failed, "$.selectionSet.skip.args.if",
		},
		{
			"condition missing", "customer", `{ quote @include }`, "",
			"missing required field 'if'", failed, "$.selectionSet.include.args.if",
		},
		{
			"same name, other field", "customer", "mutation { placeOrder(items: []) { a: id a: total } }", "",
			"selection of both 'id' and 'total' specify the same response name, 'a'", failed,
			"$.selectionSet.placeOrder.selectionSet",
		},
		{
			"same field, other arguments", "customer", "{ quote(i: 1) quote(i: 2) }", "",
			"inconsistent arguments between multiple selections of field 'quote'", failed, "$.selectionSet",
		},
		{
			"undefined fragment", "customer", "{ ...X }", "", `reference to undefined fragment "X"`, failed,
			"$.selectionSet",
		},
		{
			"fragment cycle", "customer", "{ ...X } fragment X on query_root { ...Y } fragment Y on query_root { ...X }", "",
			`the fragment definition(s) "X" and "Y" form a cycle`, failed, "$.selectionSet.X.selectionSet.Y.selectionSet",
		},
		{
			"fragment twice", "customer", "{ ...X } fragment X on query_root { quote } fragment X on query_root { quote }", "",
			`multiple definitions for fragment "X"`, parse, "$",
		},

		{
			"Int from string", "customer", quote(`i: "1"`), "",
			"expected a 32-bit integer for type 'Int', but found a string", failed, "$.selectionSet.quote.args.i",
		},
		{
			"Int from float", "customer", quote(`i: 1.5`), "",
			"expected a 32-bit integer for type 'Int', but found a float", failed, "$.selectionSet.quote.args.i",
		},
		{
			"Int too large", "customer", quote(`i: 30000000000`), "",
			"The value 3.0e10 lies outside the bounds or is not an integer. Maybe it is a float, or is there integer overflow?",
			parse, "$.selectionSet.quote.args.i",
		},
		{
			"Int from a fraction", "customer", "query($x: Int) { quote(i: $x) }", `{"x": 1.5}`,
			"The value 1.5 lies outside the bounds or is not an integer. Maybe it is a float, or is there integer overflow?",
			parse, "$.selectionSet.quote.args.i",
		},
		{
			"Int from JSON string", "customer", "query($x: Int) { quote(i: $x) }", `{"x": "1"}`,
			"expected a 32-bit integer for type 'Int', but found a string", failed, "$.selectionSet.quote.args.i",
		},
		{
			"Float from boolean", "customer", quote(`f: true`), "",
			"expected a float for type 'Float', but found a boolean", failed, "$.selectionSet.quote.args.f",
		},
		{
			"Float too large", "customer", quote(`f: 1e400`), "",
			"The value 1.0e400 lies outside the bounds. Is it overflowing the float bounds?", parse, "$.selectionSet.quote.args.f",
		},
		{
			"String from integer", "customer", quote(`s: 1`), "",
			"expected a string for type 'String', but found an integer", failed, "$.selectionSet.quote.args.s",
		},
		{
			"String from JSON number", "customer", "query($x: String) { quote(s: $x) }", `{"x": 1}`,
			"expected a string for type 'String', but found a number", failed, "$.selectionSet.quote.args.s",
		},
		{
			"Boolean from enum", "customer", quote(`b: YES`), "",
			"expected a boolean for type 'Boolean', but found an enum value", failed, "$.selectionSet.quote.args.b",
		},
		{
			"ID from list", "customer", quote(`id: []`), "",
			"expected a String or a 32-bit integer for type 'ID', but found a list", failed,
			"$.selectionSet.quote.args.id",
		},
		{
			"unknown enum value", "customer", quote(`e: HUGE`), "",
			"expected one of the values ['SMALL', 'LARGE'] for type 'Size', but found 'HUGE'", failed,
			"$.selectionSet.quote.args.e",
		},
		{
			"enum from string", "customer", quote(`e: "LARGE"`), "",
			"expected an enum value for type 'Size', but found a string", failed, "$.selectionSet.quote.args.e",
		},
		{
			"unknown enum value in a variable", "customer", "query($x: Size) { quote(e: $x) }", `{"x": "HUGE"}`,
			"expected one of the values ['SMALL', 'LARGE'] for type 'Size', but found 'HUGE'", failed, "$.selectionSet.quote.args.e",
		},
		{
			"object from integer", "customer", quote(`o: 1`), "",
			"expected an object for type 'Item', but found an integer", failed, "$.selectionSet.quote.args.o",
		},
		{
			"unknown input field", "customer", quote(`o: {sku: "a", qty: 1, x: 2}`), "",
			"field 'x' not found in type: 'Item'", failed, "$.selectionSet.quote.args.o.x",
		},
		{
			"unknown input field in a variable", "customer", "query($x: Item) { quote(o: $x) }",
			`{"x": {"sku": "a", "qty": 1, "with": [{"x": 1}]}}`, "field 'x' not found in type: 'Item'", failed,
			"$.selectionSet.quote.args.o.with[0].x",
		},
		{
			"missing input field in a variable", "customer", "query($x: Item) { quote(o: $x) }", `{"x": {"sku": "a"}}`,
			"missing required field 'qty'", failed, "$.selectionSet.quote.args.o.qty",
		},
		{"null for a list", "customer", order("null"), "", "expected a list, but found null", failed, item},
		{
			"null in a list", "customer", quote("l: [1, null]"), "",
			"expected a 32-bit integer for type 'Int', but found null", failed, "$.selectionSet.quote.args.l[1]",
		},
		{
			"null in a list variable", "customer", "query($x: [Int!]) { quote(l: $x) }", `{"x": [1, null]}`,
			"expected a 32-bit integer for type 'Int', but found null", failed, "$.selectionSet.quote.args.l[1]",
		},
		{
			"uuid from integer", "customer", quote("u: 1"), "",
			"parsing UUID failed, expected String, but encountered Number", parse, "$.selectionSet.quote.args.u",
		},
		{
			"bigint from fraction", "customer", quote("n: 1.5"), "",
			"The value 1.5 lies outside the bounds or is not an integer. Maybe it is a float, or is there integer overflow?",
			parse, "$.selectionSet.quote.args.n",
		},

		{
			"introspection field", "customer", "{ __schema { nope } }", "",
			"field 'nope' not found in type: '__Schema'", failed, "$.selectionSet.__schema.selectionSet.nope",
		},
		{
			"introspection without selection", "customer", "{ __schema }", "", "missing selection set for '__Schema'",
			failed, "$.selectionSet.__schema.selectionSet",
		},
		{
			"type without a name", "customer", "{ __type { name } }", "", "missing required field 'name'", failed,
			"$.selectionSet.__type.args.name",
		},
		{
			"no queries", "ghost", "{ quote }", "", "field 'quote' not found in type: 'query_root'", failed,
			"$.selectionSet.quote",
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for range 2 { // the second time from the cache, if it got there
				body := query(t, e, c.role, c.query, c.variables)
				message, code, path := firstError(t, body)
				if diff := cmp.Diff([]string{c.message, c.code, c.path}, []string{message, code, path}); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
	}
}

// TestInput holds what reaches the handler as input.
func TestInput(t *testing.T) { //nolint:tparallel // the cases share one handler
	t.Parallel()
	payloads := make(chan string, 1)
	e := newEngine(t, Options{}, shop(handlerServer(t, func(w http.ResponseWriter, r *http.Request, payload string) {
		payloads <- payload
		answer(http.StatusOK, "1")(w, r, payload)
	})))
	cases := []struct{ name, query, variables, input string }{
		{"no arguments", "{ quote }", "", `{}`},
		{"null", "{ quote(i: null) }", "", `{"i":null}`},
		{"Int", "{ quote(i: -7) }", "", `{"i":-7}`},
		{"Int as a whole float", "query($x: Int) { quote(i: $x) }", `{"x": 3.0}`, `{"i":3}`},
		{"Int with an exponent", "query($x: Int) { quote(i: $x) }", `{"x": 2e3}`, `{"i":2000}`},
		{"Float from integer", "{ quote(f: 3) }", "", `{"f":3}`},
		{"String", `{ quote(s: "a\u00e9\"\n") }`, "", `{"s":"aé\"\n"}`},
		{"block string", `{ quote(s: """ "x" """) }`, "", `{"s":" \"x\" "}`},
		{"ID from integer", "{ quote(id: 12) }", "", `{"id":"12"}`},
		{"ID from JSON number", "query($x: ID) { quote(id: $x) }", `{"x": 12}`, `{"id":"12"}`},
		{"enum", "{ quote(e: LARGE) }", "", `{"e":"LARGE"}`},
		{"enum from a variable", "query($x: Size) { quote(e: $x) }", `{"x": "SMALL"}`, `{"e":"SMALL"}`},
		{
			"custom scalar", `query($x: Int) { quote(m: {a: [1, $x, ENUM], b: "s"}) }`, `{"x": 5}`,
			`{"m":{"a":[1,5,"ENUM"],"b":"s"}}`,
		},
		{"custom scalar from a variable", `query($x: Money) { quote(m: $x) }`, `{"x": {"a":1}}`, `{"m":{"a":1}}`},
		{"malformed uuid", `{ quote(u: "abc") }`, "", `{"u":"abc"}`},
		{"bigint as a string", `{ quote(n: "9007199254740993") }`, "", `{"n":"9007199254740993"}`},
		{"jsonb", `{ quote(j: {a: 1}) }`, "", `{"j":{"a":1}}`},
		{"single value for a list", "{ quote(l: 4) }", "", `{"l":[4]}`},
		{"single value for a list variable", "query($x: [Int!]) { quote(l: $x) }", `{"x": 4}`, `{"l":[4]}`},
		{"omitted variable", "query($x: Int) { quote(i: $x) }", "", `{"i":null}`},
		{
			"omitted variable in an object", `query($x: Size) { quote(o: {sku: "a", qty: 1, size: $x}) }`, "{}",
			`{"o":{"sku":"a","qty":1,"size":null}}`,
		},
		{"default value", "query($x: Int = 9) { quote(i: $x) }", "", `{"i":9}`},
		{
			"default at a non-null place", `query($x: String = "d") { quote(o: {sku: $x, qty: 1}) }`, "",
			`{"o":{"sku":"d","qty":1}}`,
		},
		{"unused variable not supplied", "query($x: Int) { quote }", "", `{}`},
		{"repeated key in a variable", "query($x: Int) { quote(i: $x) }", `{"x": 1, "x": 2}`, `{"i":2}`},
		{
			"white space in variables", "query($x: Item) { quote(o: $x) }", ` { "x" : { "sku" : "a" , "qty" : 1 } } `,
			`{"o":{"sku":"a","qty":1}}`,
		},
		{
			"escaped key", "query($x: Item) { quote(o: $x) }", `{"x": {"\u0073ku": "a", "qty": 1}}`,
			`{"o":{"sku":"a","qty":1}}`,
		},
		{"cached", "query @cached(ttl: 5) { quote }", "", `{}`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for range 2 { // the second time from the cache
				body := query(t, e, "customer", c.query, c.variables)
				if body != `{"data":{"quote":1}}` {
					t.Fatalf("got %s", body)
				}
				_, rest, _ := strings.Cut(<-payloads, `"input":`)
				input, _, _ := strings.Cut(rest, `,"request_query":`)
				if input != c.input {
					t.Errorf("got input %s, want %s", input, c.input)
				}
			}
		})
	}
}

// TestSelection holds how fragments, conditions and aliases shape the answer.
func TestSelection(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Options{}, shop(handlerServer(t, func(w http.ResponseWriter, r *http.Request, payload string) {
		if strings.Contains(payload, `{"name":"quote"}`) {
			answer(http.StatusOK, `5`)(w, r, payload)
			return
		}
		answer(
			http.StatusOK,
			`{"id":1,"total":2,"first":{"sku":"f","parent":{"sku":"p"}},"renamed":{"sku":"r"}}`,
		)(
			w,
			r,
			payload,
		)
	})))
	cases := []struct{ name, query, variables, want string }{
		{
			"order of selection", "mutation { placeOrder(items: []) { total id } }", "",
			`{"placeOrder":{"total":2,"id":1}}`,
		},
		{
			"fragments", `mutation { placeOrder(items: []) { ...F ... on Receipt { id } ... { size } ... on Other { nope } } }
				fragment F on Receipt { total } fragment Unused on Nothing { x }`, "",
			`{"placeOrder":{"total":2,"id":1,"size":null}}`,
		},
		{
			"merged sub-selections", "mutation { placeOrder(items: []) { first { sku } first { parent { sku } } } }", "",
			`{"placeOrder":{"first":{"sku":"f","parent":{"sku":"p"}}}}`,
		},
		{
			"skip", "mutation { placeOrder(items: []) { id @skip(if: true) total @include(if: true) } }", "",
			`{"placeOrder":{"total":2}}`,
		},
		{
			"conditions by variable", "mutation($a: Boolean!) { placeOrder(items: []) { id @skip(if: $a) total @include(if: $a) } }",
			`{"a": true}`, `{"placeOrder":{"total":2}}`,
		},
		{
			"the same with the other value", "mutation($a: Boolean!) { placeOrder(items: []) { id @skip(if: $a) total @include(if: $a) } }",
			`{"a": false}`, `{"placeOrder":{"id":1}}`,
		},
		{"skipped fields are not checked", "query { quote nope @skip(if: true) }", "", `{"quote":5}`},
		{"everything skipped", "query { quote @skip(if: true) }", "", `{}`},
		{
			"several root fields", "query { b: quote(i: 1) a: quote(i: 2) __typename }", "",
			`{"b":5,"a":5,"__typename":"query_root"}`,
		},
		{
			"alias of a nested object",
			"mutation { placeOrder(items: []) { first: first { sku } gone: first { sku } } }", "",
			`{"placeOrder":{"first":{"sku":"f"}}}`,
		},
		{
			"alias that is a member", "mutation { placeOrder(items: []) { renamed: first { sku } } }", "",
			`{"placeOrder":{"renamed":{"sku":"r"}}}`,
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := query(t, e, "customer", c.query, c.variables); got != `{"data":`+c.want+`}` {
				t.Errorf("got %s, want data %s", got, c.want)
			}
		})
	}
}

func TestOperationName(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Options{}, shop(handlerServer(t, answer(http.StatusOK, "1"))))
	cases := []struct{ name, body, want string }{
		{"chosen", `{"query": "query A { a: quote } query B { b: quote }", "operationName": "B"}`, `{"data":{"b":1}}`},
		{"null", `{"query": "query A { a: quote }", "operationName": null, "variables": null}`, `{"data":{"a":1}}`},
		{
			"unknown", `{"query": "query A { a: quote }", "operationName": "C"}`,
			`{"errors":[{"message":"no such operation found in the document: \"C\"","extensions":{"path":"$","code":"validation-failed"}}]}`,
		},
		{
			"with an anonymous one", `{"query": "query A { a: quote } { quote }", "operationName": "A"}`,
			`{"errors":[{"message":"operationName cannot be used when an anonymous operation exists in the document",` +
				`"extensions":{"path":"$","code":"validation-failed"}}]}`,
		},
		{
			"batch", `[{"query": "{ a: quote }"}, {"query": "{ nope }"}]`,
			`[{"data":{"a":1}},{"errors":[{"message":"field 'nope' not found in type: 'query_root'",` +
				`"extensions":{"path":"$.selectionSet.nope","code":"validation-failed"}}]}]`,
		},
		{
			"no query", `{"variables": {}}`,
			`{"errors":[{"message":"key \"query\" not found","extensions":{"path":"$","code":"parse-failed"}}]}`,
		},
		{
			"not JSON", `{`,
			`{"errors":[{"message":"Error in $: not a valid json value","extensions":{"path":"$","code":"invalid-json"}}]}`,
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, send(t, e, request{body: c.body}).Body.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
