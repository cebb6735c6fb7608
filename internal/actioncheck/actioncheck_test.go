package actioncheck

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/metadata"
)

const sdl = `type Mutation { createInvoice(input: Invoice!, tags: [[String!]!], when: date, n: Node, e: Email): Out }
input Invoice { customer_email: String!, lines: [Line!]!, kind: Kind!, parent: Invoice, note: String }
input Line { cents: Int!, id: uuid!, rate: Float, meta: jsonb }
input Node { children: [Node!]!, next: Node }
enum Kind { NEW OLD }
scalar Email
type Out { ok: Boolean!, id: ID!, lines: [[OutLine!]]!, kind: Kind, n: Int, f: Float, any: Email }
type OutLine { text: String! }
type Lonely { a: Int, b: LonelyToo }
type LonelyToo { a: Int }
`

func parse(t *testing.T, text string) *metadata.Metadata {
	t.Helper()
	actions, types, err := metadata.ParseSDL(text, "a.graphql")
	if err != nil {
		t.Fatal(err)
	}
	return &metadata.Metadata{Version: 3, Actions: actions, CustomTypes: types}
}

func TestSample(t *testing.T) {
	t.Parallel()
	md := parse(t, sdl)
	got, err := json.Marshal(Sample(&md.CustomTypes, &md.Actions[0]))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"e":"sample","input":{"customer_email":"sample@example.com","kind":"NEW","lines":[{"cents":1,` +
		`"id":"6f1d7d3e-5c7b-4c39-9a53-0d6b4f1c2a10","meta":{},"rate":1.5}],"note":"sample"},` +
		`"n":{"children":[{"children":[{"children":[{"children":[{"children":[]}]}]}]}]},"tags":[["sample"]],"when":"2030-01-15"}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("sample (-want +got):\n%s", diff)
	}
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	md := parse(t, sdl)
	for body, want := range map[string]string{
		`{"ok":true,"id":7,"lines":[[{"text":"a"}],null],"kind":"OLD","n":2147483647,"f":1,"any":[1],"more":1}`: "",
		`null`:                            "",
		`[]`:                              "the answer is a list, and declared as Out",
		`{"ok":1,"id":"a","lines":[]}`:    "field ok is 1, and declared as Boolean",
		`{"ok":true,"id":"a"}`:            "field lines is missing, and declared as [[OutLine!]]!",
		`{"ok":true,"id":"a","lines":{}}`: "field lines is an object, and declared as the list [[OutLine!]]!",
		`{"ok":true,"id":"a","lines":[[null,{"text":null}]]}`:      "field lines[0][0] is null, and declared as OutLine!; field lines[0][1].text is null, and declared as String!",
		`{"ok":true,"id":"a","lines":[],"kind":"NEWER"}`:           `field kind is "NEWER", which is no value of enum Kind`,
		`{"ok":true,"id":"a","lines":[],"n":2147483648,"f":"1.5"}`: `field n is 2147483648, and declared as Int; field f is "1.5", and declared as Float`,
	} {
		found, err := Answer(&md.CustomTypes, &md.Actions[0], []byte(body))
		if err != nil {
			t.Error(err)
		}
		var texts []string
		for _, m := range found {
			texts = append(texts, m.String())
		}
		if got := strings.Join(texts, "; "); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", body, got, want)
		}
	}
	if _, err := Answer(&md.CustomTypes, &md.Actions[0], []byte("<html>")); err == nil {
		t.Error("HTML counts as an answer")
	}
}

// Each sample must be what it claims: of the declared types, by the same rules as answers.
func TestSampleIsOfItsTypes(t *testing.T) {
	t.Parallel()
	md := parse(t, sdl)
	asOutput := md.CustomTypes
	for _, in := range md.CustomTypes.InputObjects {
		asOutput.Objects = append(asOutput.Objects, metadata.Object{Name: in.Name, Fields: in.Fields})
	}
	input := Sample(&md.CustomTypes, &md.Actions[0])
	for _, arg := range md.Actions[0].Definition.Arguments {
		probe := &metadata.Action{Definition: metadata.ActionDefinition{OutputType: arg.Type}}
		if found, err := Answer(&asOutput, probe, input[arg.Name]); err != nil || len(found) > 0 {
			t.Errorf("argument %s: %s: %v %v", arg.Name, input[arg.Name], found, err)
		}
	}
}

func TestUnused(t *testing.T) {
	t.Parallel()
	got := Unused(parse(t, sdl))
	if len(got) != 2 || got[0].Name != "Lonely" || got[1].Name != "LonelyToo" || got[0].Pos.Line != 9 {
		t.Errorf("unused: %+v", got)
	}
}
