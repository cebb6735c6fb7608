package gateway

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/metadata"
)

// TestTypeLookupOrder holds where a database's type wins over a declared one of its name, and where not.
func TestTypeLookupOrder(t *testing.T) {
	t.Parallel()
	var got string
	handler := handlerServer(t, func(w http.ResponseWriter, r *http.Request, payload string) {
		got = payload
		answer(200, `{"cents":1,"in":{"cents":2}}`)(w, r, payload)
	})
	action := func(name, output, argument string) metadata.Action {
		d := metadata.ActionDefinition{Type: metadata.Query, Handler: handler, OutputType: output}
		if argument != "" {
			d.Arguments = []metadata.Argument{{Name: "x", Type: argument}}
		}
		return metadata.Action{Name: name, Definition: d}
	}
	md := &metadata.Metadata{Version: 3, CustomTypes: metadata.CustomTypes{
		Enums: []metadata.Enum{{Name: "State", Values: []metadata.EnumValue{{Value: "OLD", IsDeprecated: true}}}},
		InputObjects: []metadata.InputObject{
			{Name: "box", Fields: []metadata.Field{{Name: "w", Type: "Int"}}},
			{Name: "Crate", Fields: []metadata.Field{{Name: "b", Type: "box"}, {Name: "s", Type: "State"}}},
		},
		Objects: []metadata.Object{
			{Name: "money", Fields: []metadata.Field{{Name: "cents", Type: "Int"}}},
			{Name: "Wallet", Fields: []metadata.Field{{Name: "in", Type: "money"}}},
		},
	}, Actions: []metadata.Action{
		action("output", "money", ""), action("field", "Wallet", ""), action("argument", "Wallet", "box"), action("input", "Wallet", "Crate"),
	}}
	e := newEngine(t, Options{}, &metadata.Metadata{Version: 3})
	staged, err := e.Stage(md, metadata.Facts{Scalars: []string{"money", "box"}})
	if err != nil || len(staged.Inconsistencies()) != 0 {
		t.Fatalf("got %v, %+v", err, staged.Inconsistencies())
	}
	e.Swap(staged)
	for name, c := range map[string]struct{ query, want, input string }{
		"an output is the database's":         {`{ output }`, `{"data":{"output":{"cents":1,"in":{"cents":2}}}}`, `{}`},
		"a field is the declared one":         {`{ field { in { cents } } }`, `{"data":{"field":{"in":{"cents":2}}}}`, `{}`},
		"an argument is the database's":       {`{ argument(x: "(1,1)") { __typename } }`, `{"data":{"argument":{"__typename":"Wallet"}}}`, `{"x":"(1,1)"}`},
		"a field of an input is the declared": {`{ input(x: {b: {w: 1}, s: OLD}) { __typename } }`, `{"data":{"input":{"__typename":"Wallet"}}}`, `{"x":{"b":{"w":1},"s":"OLD"}}`},
		"a deprecated value is not told apart": {
			`{ output __type(name: "State") { enumValues { name isDeprecated } } }`,
			`{"data":{"output":{"cents":1,"in":{"cents":2}},"__type":{"enumValues":[{"name":"OLD","isDeprecated":false}]}}}`, `{}`,
		},
	} {
		if diff := cmp.Diff(c.want, query(t, e, "", c.query, "")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if !strings.Contains(got, `"input":`+c.input+`,`) {
			t.Errorf("%s: the handler got %s", name, got)
		}
	}
}
