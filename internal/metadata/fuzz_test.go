package metadata

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const seedSDL = `"""d""" type Mutation { "a" login(input: [In!]! = 3 @d(a: "}")): Out # c
}
extend type Query { q: uuid }
input In { a: Int = 1, b: [In] }
"x" type Out { a: E }
enum E { A B @deprecated }
scalar S
directive @d(a: Int) repeatable on FIELD | OBJECT
union U = | In | Out
`

const seedYAML = `actions:
  - name: login
    definition: {kind: synchronous, handler: '{{A}}/x', timeout: 5, headers: [{name: a, value: b}]}
    permissions: [{role: user}]
  - name: q
    definition: &d
      kind: ""
      handler: http://h/x
      request_transform: |
        x
custom_types:
  objects:
    - name: Out
      relationships: [{name: r, type: object, remote_table: t, field_mapping: {a: b}}]
  enums: []
# end
`

// Whatever the SDL, its pieces are parts of the text in order, and rendering what was read loses nothing.
func FuzzSDL(f *testing.F) {
	for _, s := range []string{seedSDL, "", "type Mutation", "type Mutation { a: Int", "\uFEFFscalar é", `"""\"""""" scalar A`, "login(a: Int): Int"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, sdl string) {
		_, _ = ParseFragment(sdl, "x", "", "")
		doc, ps := parseSDL(sdl, "x")
		if len(ps) > 0 && len(ps.Errors()) > 0 {
			return
		}
		end := 0
		for _, p := range cutSDL(sdl) {
			if p.start < end || p.end < p.start || p.end > len(sdl) {
				t.Fatalf("piece %+v behind %d in %q", p, end, sdl)
			}
			end = p.end
		}
		md := &Metadata{Version: 3, Actions: doc.actions, CustomTypes: doc.types}
		again, ps := parseSDL(renderSDL(md), "x")
		if err := ps.Err(); err != nil {
			t.Fatalf("%v in\n%s", err, renderSDL(md))
		}
		want, _ := json.Marshal(md)
		got, _ := json.Marshal(&Metadata{Version: 3, Actions: again.actions, CustomTypes: again.types})
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Fatalf("after the round trip (-want +got):\n%s", diff)
		}
	})
}

// A document that is accepted is exported the same ever after, and its checks do not panic.
func FuzzDocument(f *testing.F) {
	f.Add([]byte(`{"version":3,"actions":[{"name":"a","definition":{"handler":"{{A}}","output_type":"[B!]","timeout":3e1,"headers":[{"name":"a","value":""}],"request_transform":{"version":2,"body":{"action":"remove"}}}}],"custom_types":{"objects":[{"name":"B","fields":[{"name":"a","type":"Int"}],"relationships":[{"name":"r","type":"array","remote_table":"t","field_mapping":{"a":"b"}}]}]},"x":[1.0],"inherited_roles":[{"role_name":"a","role_set":[]}]}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var md Metadata
		if json.Unmarshal(data, &md) != nil {
			return
		}
		Validate(&md, nil)
		Inconsistencies(&md, Facts{})
		first, err := json.Marshal(&md)
		if err != nil {
			t.Fatal(err)
		}
		var again Metadata
		if err := json.Unmarshal(first, &again); err != nil {
			t.Fatalf("%v in %s", err, first)
		}
		second, err := json.Marshal(&again)
		if err != nil || !bytes.Equal(first, second) {
			t.Fatalf("%v\n%s\n%s", err, first, second)
		}
	})
}

func FuzzYAML(f *testing.F) {
	f.Add([]byte(seedYAML))
	f.Add([]byte("a: &a [*a]\nactions: *a"))
	f.Add([]byte("actions: [{<<: &x {name: a}, definition: {<<: [*x, *x]}}]"))
	f.Fuzz(func(_ *testing.T, data []byte) {
		md := parseActions([]byte(seedSDL), data)
		Validate(md, nil)
	})
}

// Adding an action to any two files either fails or adds exactly it; addAction itself compares the meaning.
func FuzzAddAction(f *testing.F) {
	const fragment = "# c\nnewAction(a: NewIn): NewOut\ninput NewIn { a: Int }\n\"d\" type NewOut { a: Int }"
	f.Add("", "", fragment)
	f.Add(seedSDL, seedYAML, fragment)
	f.Add("type Mutation { a: Int }", "actions: []\ncustom_types: {objects: []} # c", fragment)
	f.Add("type Mutation {\r\n a: Int\r\n}", "actions:\r\n- name: a\r\n  comment: |+\r\n    x\r\n\r\n", fragment)
	f.Add("type Query{a:Int}", `{"actions": [{"name": "a"}, ], "custom_types": null}`, "type Query { b: Int }")
	f.Fuzz(func(t *testing.T, sdl, yaml, fragment string) {
		frag, err := ParseFragment(fragment, "x", "", "")
		if err != nil {
			return
		}
		again, err := ParseFragment(frag.SDL(), "x", "", "")
		if err != nil {
			t.Fatalf("%v in\n%s", err, frag.SDL())
		}
		if diff := cmp.Diff(again.SDL(), frag.SDL()); diff != "" {
			t.Fatalf("the fragment changes when it is read again:\n%s", diff)
		}
		newSDL, newYAML, err := addAction([]byte(sdl), []byte(yaml), Addition{
			Fragment: frag, Definition: ActionDefinition{Handler: "http://h/x", Kind: Synchronous},
		})
		if err != nil {
			return
		}
		_, _, _ = removeAction(newSDL, newYAML, frag.Action.Name) // compares the meaning itself
		md := parseActions(trimBOM(newSDL), trimBOM(newYAML))
		for _, a := range md.Actions {
			if a.Name == frag.Action.Name && a.Definition.Handler == "http://h/x" {
				return
			}
		}
		t.Fatalf("the action is missing:\n%s\n%s", newSDL, newYAML)
	})
}
