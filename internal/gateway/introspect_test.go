package gateway

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/metadata"
)

var update = flag.Bool("update", false, "write the golden files")

// standardQuery is what GraphQL tools send to learn a schema.
const standardQuery = `
query IntrospectionQuery {
  __schema {
    queryType { name }
    mutationType { name }
    subscriptionType { name }
    types { ...FullType }
    directives { name description locations args { ...InputValue } }
  }
}
fragment FullType on __Type {
  kind name description
  fields(includeDeprecated: true) {
    name description
    args { ...InputValue }
    type { ...TypeRef }
    isDeprecated deprecationReason
  }
  inputFields { ...InputValue }
  interfaces { ...TypeRef }
  enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason }
  possibleTypes { ...TypeRef }
}
fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue }
fragment TypeRef on __Type {
  kind name
  ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } }
}`

func TestIntrospectionGolden(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Options{}, shop("http://localhost:1"))
	for _, role := range []string{"admin", "clerk", "ghost"} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			var got bytes.Buffer
			if err := json.Indent(&got, []byte(query(t, e, role, standardQuery, "")), "", " "); err != nil {
				t.Fatal(err)
			}
			got.WriteByte('\n')
			path := filepath.Join("testdata", "introspection-"+role+".json")
			if *update {
				if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestIntrospection(t *testing.T) {
	t.Parallel()
	md := shop(handlerServer(t, answer(http.StatusOK, "1")))
	md.Actions = append(md.Actions, metadata.Action{
		Name: "list", Definition: metadata.ActionDefinition{Type: metadata.Query, Handler: "http://h", OutputType: "[Receipt!]!"},
	}, metadata.Action{
		Name: "words", Definition: metadata.ActionDefinition{Type: metadata.Query, Handler: "http://h", OutputType: "[String]"},
	})
	md.Rest = map[string]json.RawMessage{
		"graphql_schema_introspection": json.RawMessage(`{"disabled_for_roles":["shy"]}`),
	}
	md.Actions[1].Permissions = append(md.Actions[1].Permissions, metadata.Permission{Role: "shy"})
	e := newEngine(t, Options{}, md)
	cases := []struct{ name, role, query, variables, want string }{
		{
			"type", "", `{ __type(name: "Size") { kind enumValues { name description } } }`, "",
			`{"__type":{"kind":"ENUM","enumValues":[{"name":"SMALL","description":null},{"name":"LARGE","description":"more"}]}}`,
		},
		{
			"type by variable", "", `query($n: String!) { t: __type(name: $n) { __typename name } }`, `{"n": "Item"}`,
			`{"t":{"__typename":"__Type","name":"Item"}}`,
		},
		{"unknown type", "", `{ __type(name: "Nope") { name } }`, "", `{"__type":null}`},
		{"invisible type", "clerk", `{ __type(name: "Receipt") { name } }`, "", `{"__type":null}`},
		{
			"wrapped output", "", `{ __type(name: "query_root") { fields { name type { kind ofType { kind name ofType { kind ofType { name } } } } } } }`, "",
			`{"__type":{"fields":[` +
				`{"name":"list","type":{"kind":"NON_NULL","ofType":{"kind":"LIST","name":null,"ofType":{"kind":"NON_NULL","ofType":{"name":"Receipt"}}}}},` +
				`{"name":"quote","type":{"kind":"NON_NULL","ofType":{"kind":"SCALAR","name":"Int","ofType":null}}},` +
				`{"name":"words","type":{"kind":"NON_NULL","ofType":{"kind":"SCALAR","name":"String","ofType":null}}}]}}`,
		},
		{
			"together with an action", "", `{ quote __schema { mutationType { name } subscriptionType { name } } }`,
			"", `{"quote":1,"__schema":{"mutationType":{"name":"mutation_root"},"subscriptionType":null}}`,
		},
		{"no mutations", "clerk", `{ __schema { mutationType { name } } }`, "", `{"__schema":{"mutationType":null}}`},
		{"nothing to see", "ghost", `{ no_queries_available }`, "", `{"no_queries_available":"` + noQueriesText + `"}`},
		{"typename of the root", "ghost", `{ __typename }`, "", `{"__typename":"query_root"}`},
		{"disabled, actions work", "shy", `{ quote __typename }`, "", `{"quote":1,"__typename":"query_root"}`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(`{"data":`+c.want+`}`, query(t, e, c.role, c.query, c.variables)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	message, _, _ := firstError(t, query(t, e, "shy", "{ __schema { types { name } } }", ""))
	if message != "field '__schema' not found in type: 'query_root'" {
		t.Errorf("got %s", message)
	}
}

// TestIntrospectionIsBounded holds that a short query cannot make an answer that fills the memory: each level of this one
// doubles what comes out.
func TestIntrospectionIsBounded(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Options{}, shop("http://localhost:1"))
	const levels = 24
	text := "{ a: __typename __type(name: \"__Type\") {" + strings.Repeat("fields{type{ofType{ofType{", levels) + "name" +
		strings.Repeat("}}}}", levels) + "} }"
	if message, _, _ := firstError(t, query(t, e, "customer", text, "")); message != "the answer is too large" {
		t.Errorf("got %q", message)
	}
}

// TestManyFields holds that fields are merged by their response names however many there are.
func TestManyFields(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Options{}, shop("http://localhost:1"))
	var text, want strings.Builder
	for i := range 100 {
		fmt.Fprintf(&text, "a%d: __typename ", i%50)
		if i < 50 {
			fmt.Fprintf(&want, `,"a%d":"query_root"`, i)
		}
	}
	if got := query(t, e, "customer", "{"+text.String()+"}", ""); got != `{"data":{`+want.String()[1:]+"}}" {
		t.Errorf("got %s", got)
	}
	message, _, _ := firstError(t, query(t, e, "customer", "{"+text.String()+" a7: __schema { types { name } } }", ""))
	if message != "selection of both '__typename' and '__schema' specify the same response name, 'a7'" {
		t.Errorf("got %q", message)
	}
}
