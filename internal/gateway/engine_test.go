package gateway

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMutationEndToEnd(t *testing.T) {
	t.Parallel()
	var payload string
	url := handlerServer(t, func(w http.ResponseWriter, r *http.Request, got string) {
		payload = got
		answer(http.StatusOK, `{"id":"7","total":12,"lines":[{"sku":"A"},null],"spare":true}`)(w, r, got)
	})
	e := newEngine(t, Options{}, shop(url))
	got := query(
		t,
		e,
		"customer",
		`mutation M($q: Int!) { o: placeOrder(items: {sku: "A\n1", qty: $q}) { lines { sku } total no: id __typename size } }`,
		`{"q": 2}`,
	)
	want := `{"data":{"o":{"lines":[{"sku":"A"},null],"total":12,"no":"7","__typename":"Receipt","size":null}}}`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
	wantPayload := `{"action":{"name":"placeOrder"},"input":{"items":[{"sku":"A\n1","qty":2}]},` +
		`"request_query":"mutation M($q: Int!) { o: placeOrder(items: {sku: \"A\\n1\", qty: $q}) ` +
		`{ lines { sku } total no: id __typename size } }","session_variables":{"x-hasura-role":"customer"}}`
	if diff := cmp.Diff(wantPayload, payload); diff != "" {
		t.Errorf("payload (-want +got):\n%s", diff)
	}
}
