package gateway

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// TestHostileRequests holds that requests made to exhaust the stack, the memory or the patience are answered with an error.
func TestHostileRequests(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Options{MaxRequestBytes: 16 << 20}, shop(handlerServer(t, answer(http.StatusOK, `{"id":1}`))))
	const deep = 100_000
	repeat := strings.Repeat
	graphql := func(text string) string {
		quoted, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		return `{"query":` + string(quoted) + `}`
	}
	variable := func(value string) string {
		return `{"query":"query($x: Int) { quote(i: $x) }","variables":{"x":` + value + `}}`
	}
	const unreadable, overflow = "not a valid graphql query", "lies outside the bounds or is not an integer"
	for name, test := range map[string]struct{ body, want string }{
		"selections":          {graphql(repeat("{a", deep) + repeat("}", deep)), unreadable},
		"lists":               {graphql("{ quote(i: " + repeat("[", deep) + repeat("]", deep) + ") }"), unreadable},
		"objects":             {graphql("{ quote(o: " + repeat("{a:", deep) + "1" + repeat("}", deep) + ") }"), unreadable},
		"a variable's type":   {graphql("query($a: " + repeat("[", deep) + "Int" + repeat("]", deep) + ") { quote(i: $a) }"), unreadable},
		"a variable's value":  {variable(repeat("[", deep) + repeat("]", deep)), "not a valid json value"},
		"a batch":             {repeat("[", deep) + repeat("]", deep), "not a valid json value"},
		"tokens":              {graphql("{ quote " + repeat("@skip(if:false) ", deep) + "}"), unreadable},
		"fields":              {graphql("{ " + repeat("quote ", deep/2) + "}"), "the query selects too many fields"},
		"1e308":               {variable("1e308"), overflow},
		"1e999999999999":      {variable("1e999999999999"), overflow},
		"a million digits":    {variable("1" + repeat("0", 1_000_000)), overflow},
		"digits in the query": {graphql("{ quote(i: 1" + repeat("0", 1_000_000) + ") }"), overflow},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := send(t, e, request{body: test.body, header: map[string]string{"X-Hasura-Role": "customer"}})
			message, _, _ := firstError(t, w.Body.String())
			if !strings.Contains(message, test.want) || len(message) > 1000 {
				t.Errorf("got %.200s, want %s", message, test.want)
			}
		})
	}
}
