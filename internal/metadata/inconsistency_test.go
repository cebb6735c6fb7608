package metadata_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/metadata"
)

func document(t *testing.T, text string) *metadata.Metadata {
	t.Helper()
	var md metadata.Metadata
	if err := json.Unmarshal([]byte(text), &md); err != nil {
		t.Fatal(err)
	}
	return &md
}

func reasons(list []metadata.Inconsistency) []string {
	out := []string{}
	for _, i := range list {
		out = append(out, i.Type+"|"+i.Name+"|"+i.Reason)
	}
	return out
}

func TestInconsistentActions(t *testing.T) {
	t.Parallel()
	md := document(t, `{"version":3,
	"sources":[{"name":"default","tables":[{"table":{"schema":"public","name":"orders"}}]}],
	"actions":[
	 {"name":"good","definition":{"handler":"{{SET}}/x","output_type":"[Receipt!]!","arguments":[{"name":"a","type":"[In!]"},{"name":"b","type":"uuid"}]}},
	 {"name":"arg","definition":{"handler":"h","output_type":"Int","arguments":[{"name":"items","type":"[Nope]"}]}},
	 {"name":"argObject","definition":{"handler":"h","output_type":"Int","arguments":[{"name":"items","type":"Receipt"}]}},
	 {"name":"out","definition":{"handler":"h","output_type":"Nope!"}},
	 {"name":"outEnum","definition":{"handler":"h","output_type":"State"}},
	 {"name":"outInput","definition":{"handler":"h","output_type":"In"}},
	 {"name":"env","definition":{"handler":"{{NOT}}/{{SET}}/{{NOR}}/{{NOT}}","output_type":"Int"}},
	 {"name":"rel","definition":{"handler":"h","output_type":"Rel"}},
	 {"name":"relAsync","definition":{"handler":"h","output_type":"Rel","kind":"asynchronous"}},
	 {"name":"relQuery","definition":{"handler":"h","output_type":"Rel","type":"query"}},
	 {"name":"nestedAsync","definition":{"handler":"h","output_type":"Mixed","kind":"asynchronous"}},
	 {"name":"nestedSync","definition":{"handler":"h","output_type":"Mixed"}}
	],
	"custom_types":{"enums":[{"name":"State","values":[{"value":"A"}]}],
	 "input_objects":[{"name":"In","fields":[{"name":"a","type":"State"},{"name":"b","type":"In"}]}],
	 "objects":[{"name":"Receipt","fields":[{"name":"id","type":"uuid"},{"name":"again","type":"[Receipt]"}]},
	  {"name":"Rel","fields":[{"name":"id","type":"Receipt"}],"relationships":[{"name":"order","type":"object","remote_table":"orders","field_mapping":{"id":"id"}}]},
	  {"name":"Mixed","fields":[{"name":"id","type":"uuid"},{"name":"sub","type":"Receipt"}],"relationships":[{"name":"order","type":"object","remote_table":"orders","field_mapping":{"id":"id"}}]}]}}`)
	got, consistent := metadata.Inconsistencies(md, metadata.Facts{
		LookupEnv: func(name string) (string, bool) { return "", name == "SET" },
	})
	want := []string{
		`action|action arg|Inconsistent object: in action "arg"; the type: "Nope" is not defined in custom types or it is not a scalar/enum/input_object`,
		`action|action argObject|Inconsistent object: in action "argObject"; the type: "Receipt" is not defined in custom types or it is not a scalar/enum/input_object`,
		`action|action out|Inconsistent object: in action "out"; the type: "Nope" is not an object or scalar type defined in custom types`,
		`action|action outEnum|Inconsistent object: in action "outEnum"; the type: "State" is not an object or scalar type defined in custom types`,
		`action|action outInput|Inconsistent object: in action "outInput"; the type: "In" is not an object or scalar type defined in custom types`,
		`action|action env|Inconsistent object: in action "env"; Value for environment variables not found: NOT, NOR`,
		`action|action rel|Inconsistent object: in action "rel"; Relationships cannot be defined with nested object fields: "order"`,
		`action|action relAsync|Inconsistent object: in action "relAsync"; Async action relations cannot be used with object fields: "id"`,
		`action|action relQuery|Inconsistent object: in action "relQuery"; Relationships cannot be defined with nested object fields: "order"`,
		`action|action nestedAsync|Inconsistent object: in action "nestedAsync"; Async action relations cannot be used with object fields: "sub"`,
	}
	if diff := cmp.Diff(want, reasons(got)); diff != "" {
		t.Errorf("inconsistencies (-want +got):\n%s", diff)
	}
	var names []string
	for _, a := range consistent.Actions {
		names = append(names, a.Name)
	}
	if diff := cmp.Diff([]string{"good", "nestedSync"}, names); diff != "" {
		t.Errorf("consistent actions (-want +got):\n%s", diff)
	}
	if len(md.Actions) != 12 {
		t.Error("the document itself was changed")
	}
	wantDefinition := `{"name":"arg","definition":{"arguments":[{"name":"items","type":"[Nope]","description":null}],` +
		`"output_type":"Int","headers":[],"forward_client_headers":false,"handler":"h","timeout":30,"type":"mutation",` +
		`"kind":"synchronous"},"comment":null}`
	if diff := cmp.Diff(wantDefinition, string(got[0].Definition)); diff != "" {
		t.Errorf("definition (-want +got):\n%s", diff)
	}
}

func TestInconsistentCustomTypes(t *testing.T) {
	t.Parallel()
	const head = `Inconsistent object: validation for the given custom types failed `
	for name, c := range map[string]struct{ types, want string }{
		"one": {
			`{"input_objects":[{"name":"In","fields":[{"name":"f","type":"[Out]"}]}],"objects":[{"name":"Out","fields":[{"name":"f","type":"Int"}]}]}`,
			head + `because the type "Out" for field "f" in  input object type "In" does not exist`,
		},
		"several": {
			`{"scalars":[{"name":"S"},{"name":"S"}],"enums":[{"name":"E","values":[{"value":"V"},{"value":"V"}]}],
			 "objects":[{"name":"Out","fields":[{"name":"f","type":"T"},{"name":"f","type":"Int"}]}]}`,
			head + "for the following reasons:\n" +
				"  • duplicate type names: \"S\"\n" +
				"  • the enum type \"E\" has duplicate values: \"V\"\n" +
				"  • the object \"Out\" has duplicate fields: \"f\"\n" +
				"  • the type \"T\" for field \"f\" in  object type \"Out\" does not exist\n",
		},
		"relationships": {
			`{"objects":[{"name":"O","fields":[{"name":"id","type":"Int"},{"name":"l","type":"[Int]"}],"relationships":[
			 {"name":"r","type":"object","remote_table":{"schema":"shop","name":"t"},"field_mapping":{"no":"x","l":"y"}},
			 {"name":"s","type":"object","remote_table":"orders","field_mapping":{"id":"gone"}},
			 {"name":"u","type":"array","source":"other","remote_table":"orders","field_mapping":{"id":"id"}}]}]}`,
			head + "for the following reasons:\n" +
				"  • the remote table \"shop.t\" for relationship \"r\" of object type \"O\" does not exist\n" +
				"  • the type of the field \"l\" for relationship \"r\" in object type \"O\" is a list type\n" +
				"  • the field \"no\" for relationship \"r\" in object type \"O\" does not exist\n" +
				"  • the column \"gone\" of remote table \"orders\" for relationship \"s\" of object type \"O\" does not exist\n" +
				"  • the remote table \"orders\" for relationship \"u\" of object type \"O\" does not exist\n" +
				"  • the object \"O\" has relationships refers to tables in multiple sources\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			md := document(t, `{"actions":[{"name":"a","definition":{"handler":"h","output_type":"Int"}}],"custom_types":`+c.types+`}`)
			got, consistent := metadata.Inconsistencies(md, metadata.Facts{
				Tables:    map[string][]metadata.Table{"default": {{Schema: "public", Name: "orders"}}},
				HasColumn: func(_ string, _ metadata.Table, column string) bool { return column == "id" },
			})
			want := []string{
				"custom_types|custom_types custom_types|" + c.want,
				"action|action a|Inconsistent object: custom types are inconsistent",
			}
			if diff := cmp.Diff(want, reasons(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if len(consistent.Actions) != 0 || len(consistent.CustomTypes.Objects) != 0 {
				t.Errorf("inconsistent objects are left: %+v", consistent)
			}
		})
	}
}

func TestResolveHandler(t *testing.T) {
	t.Parallel()
	env := func(name string) (string, bool) {
		v, ok := map[string]string{"A": "http://a", "B": "b"}[name]
		return v, ok
	}
	if got, missing := metadata.ResolveHandler("{{A}}/x/{{B}}", env); got != "http://a/x/b" || missing != nil {
		t.Errorf("got %q, %q", got, missing)
	}
	if got, missing := metadata.ResolveHandler("{{A}}/{{C}}", env); got != "" || len(missing) != 1 || missing[0] != "C" {
		t.Errorf("got %q, %q", got, missing)
	}
}
