package metadata

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const modifySDL = `# the shop
type Mutation {
  # writes one
  createInvoice(
    input: CreateInvoiceInput!
  ): Invoice # slow
  other(input: Shared!): Invoice2
}

# what comes in
input CreateInvoiceInput {
  # the lines, never empty
  lines: [LineInput!]! # checked
  currency: Currency!
  # nothing below this line
}

input LineInput { text: String! }
input Shared { a: Int = -1.5e3, b: [Int!] = [1, 2] @x(y: "}"), c: Int }
"""money"""
enum Currency { EUR USD }
type Invoice { id: uuid! }
type Invoice2 { id: uuid! }
`

const modifyYAML = `# by hand
actions:
  # first
  - name: createInvoice
    definition:
      kind: synchronous
      handler: "{{GOLANG_URL}}/actions/create-invoice" # same host
      timeout: 30 # the default
      headers:
        - value_from_env: A
          name: X-A
        # b is for bees
        - name: X-B
          value: b
    permissions:
      - role: user
      - role: clerk # she writes them
    # the end of it
    comment: writes
  - name: other
    definition: {kind: synchronous, handler: 'http://x/actions/other'}
custom_types:
  enums:
    - name: Currency
      description: coins
  input_objects:
    - name: CreateInvoiceInput
    - name: LineInput
    - name: Shared
  objects:
    - name: Invoice
    - name: Invoice2
  scalars: []
`

func fragment(t *testing.T, sdl, name string) *Fragment {
	t.Helper()
	f, err := ParseFragment(sdl, "new.graphql", name, "")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestModifySDLKeepsWhatStays(t *testing.T) {
	t.Parallel()
	f := fragment(t, `type Mutation { createInvoice(input: CreateInvoiceInput!, dry: Boolean): Invoice }
input CreateInvoiceInput {
  currency: Currency!
  lines: [LineInput!]!
  "when it is due"
  due: date
}
enum Currency { EUR USD GBP }
`, "createInvoice")
	sdl, text, m, err := modifyAction([]byte(modifySDL), []byte(modifyYAML), "createInvoice", Modification{Fragment: f})
	if err != nil {
		t.Fatal(err)
	}
	want := `# the shop
type Mutation {
  # writes one
  createInvoice(input: CreateInvoiceInput!, dry: Boolean): Invoice # slow
  other(input: Shared!): Invoice2
}

# what comes in
input CreateInvoiceInput {
  currency: Currency!
  # the lines, never empty
  lines: [LineInput!]! # checked
  "when it is due"
  due: date
  # nothing below this line
}

input LineInput { text: String! }
input Shared { a: Int = -1.5e3, b: [Int!] = [1, 2] @x(y: "}"), c: Int }
enum Currency {
  EUR
  USD
  GBP
}
type Invoice { id: uuid! }
type Invoice2 { id: uuid! }
`
	if diff := cmp.Diff(want, string(sdl)); diff != "" {
		t.Errorf("SDL (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(modifyYAML, string(text)); diff != "" {
		t.Errorf("YAML (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"CreateInvoiceInput", "Currency"}, m.Changed); diff != "" || m.Added != nil || m.Removed != nil {
		t.Errorf("changed %s added %v removed %v", diff, m.Added, m.Removed)
	}
}

func TestModifySDLTakesTypesAway(t *testing.T) {
	t.Parallel()
	f := fragment(t, "type Query { createInvoice(id: uuid!): Receipt }\n\"a slip\"\ntype Receipt { id: uuid! }", "createInvoice")
	sdl, text, m, err := modifyAction([]byte(modifySDL), []byte(modifyYAML), "createInvoice", Modification{Fragment: f})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"CreateInvoiceInput", "LineInput", "Invoice", "Currency"}, m.Removed); diff != "" {
		t.Errorf("removed: %s", diff)
	}
	want := `# the shop
type Mutation {
  other(input: Shared!): Invoice2
}

input Shared { a: Int = -1.5e3, b: [Int!] = [1, 2] @x(y: "}"), c: Int }
type Invoice2 { id: uuid! }

type Query {
  # writes one
  createInvoice(id: uuid!): Receipt # slow
}

"a slip"
type Receipt { id: uuid! }
`
	if diff := cmp.Diff(want, string(sdl)); diff != "" {
		t.Errorf("SDL (-want +got):\n%s", diff)
	}
	for _, has := range []string{"  enums: []", "    - name: Receipt\n      description: a slip", `kind: ""`} {
		if !strings.Contains(string(text), has) {
			t.Errorf("no %q in:\n%s", has, text)
		}
	}
}

func TestModifyRefusesTypesOfOthers(t *testing.T) {
	t.Parallel()
	sdl := strings.Replace(modifySDL, "Invoice2\n}", "Invoice\n}", 1)
	mod := Modification{Fragment: fragment(t, "createInvoice(input: CreateInvoiceInput!): Invoice type Invoice { id: uuid! n: Int }", "")}
	_, _, _, err := modifyAction([]byte(sdl), []byte(modifyYAML), "createInvoice", mod)
	if err == nil || !strings.Contains(err.Error(), "Invoice (hasura/metadata/actions.graphql:22) is used by other") {
		t.Errorf("error %v", err)
	}
	mod.Shared = true
	if _, _, m, err := modifyAction([]byte(sdl), []byte(modifyYAML), "createInvoice", mod); err != nil || len(m.Changed) != 1 {
		t.Errorf("with Shared: %v %v", m, err)
	}
}

func TestModifyEntry(t *testing.T) {
	t.Parallel()
	mod := Modification{Entry: func(a *Action) error {
		a.Definition.Handler = "https://example.com/x"
		a.Definition.Timeout = 45
		a.Definition.ForwardClientHeaders = true
		a.Definition.Headers[0].ValueFromEnv = "A2"
		a.Definition.Headers = append(a.Definition.Headers, Header{Name: "X-C", Value: "c: 1"})
		a.Permissions = append(a.Permissions[1:], Permission{Role: "boss"})
		a.Comment = "two\nlines"
		a.Definition.RequestTransform = []byte(`{"version":2,"template_engine":"Kriti"}`)
		return nil
	}}
	sdl, text, _, err := modifyAction([]byte(modifySDL), []byte(modifyYAML), "createInvoice", mod)
	if err != nil {
		t.Fatal(err)
	}
	if string(sdl) != modifySDL {
		t.Error("the SDL changed")
	}
	want := `  # first
  - name: createInvoice
    definition:
      kind: synchronous
      handler: https://example.com/x # same host
      timeout: 45 # the default
      headers:
        - value_from_env: A2
          name: X-A
        # b is for bees
        - name: X-B
          value: b
        - name: X-C
          value: 'c: 1'
      forward_client_headers: true
      request_transform:
        version: 2
        template_engine: Kriti
    permissions:
      - role: clerk # she writes them
      - role: boss
    # the end of it
    comment: |-
      two
      lines
  - name: other
`
	_, got, _ := strings.Cut(string(text), "actions:\n")
	if !strings.HasPrefix(got, want) {
		t.Errorf("YAML (-want +got):\n%s", cmp.Diff(want, got))
	}
	// Back again: what was added goes, what was the default goes too.
	back := Modification{Entry: func(a *Action) error {
		a.Definition.Timeout, a.Definition.ForwardClientHeaders, a.Definition.RequestTransform = 0, false, nil
		a.Definition.Headers, a.Permissions, a.Comment = nil, nil, ""
		return nil
	}}
	_, text, _, err = modifyAction(sdl, text, "createInvoice", back)
	if err != nil {
		t.Fatal(err)
	}
	want = `  # first
  - name: createInvoice
    definition:
      kind: synchronous
      handler: https://example.com/x # same host
    # the end of it
  - name: other
`
	if _, got, _ := strings.Cut(string(text), "actions:\n"); !strings.HasPrefix(got, want) {
		t.Errorf("YAML (-want +got):\n%s", cmp.Diff(want, got))
	}
}

func TestModifyFlowEntry(t *testing.T) {
	t.Parallel()
	mod := Modification{Entry: func(a *Action) error {
		a.Definition.Handler, a.Definition.Timeout = "http://y/z", 5
		a.Permissions = []Permission{{Role: "user"}}
		return nil
	}}
	_, text, _, err := modifyAction([]byte(modifySDL), []byte(modifyYAML), "other", mod)
	if err != nil {
		t.Fatal(err)
	}
	want := "    definition: {kind: synchronous, handler: \"http://y/z\", \"timeout\": 5}\n    permissions:\n      - role: user\n"
	if !strings.Contains(string(text), want) {
		t.Errorf("got:\n%s", text)
	}
}

func TestRemoveWithTypes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := WriteFiles(dir, map[string][]byte{SDLFile: []byte(modifySDL), YAMLFile: []byte(modifyYAML)}); err != nil {
		t.Fatal(err)
	}
	m, err := RemoveActionAndTypes(dir, "createInvoice")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"CreateInvoiceInput", "LineInput", "Invoice", "Currency"}, m.Removed); diff != "" {
		t.Errorf("removed: %s", diff)
	}
	want := `# the shop
type Mutation {
  other(input: Shared!): Invoice2
}

input Shared { a: Int = -1.5e3, b: [Int!] = [1, 2] @x(y: "}"), c: Int }
type Invoice2 { id: uuid! }
`
	if diff := cmp.Diff(want, string(m.Files[SDLFile])); diff != "" {
		t.Errorf("SDL (-want +got):\n%s", diff)
	}
	if _, err := RemoveActionAndTypes(dir, "createInvoise"); err == nil || !strings.Contains(err.Error(), `"createInvoice"`) {
		t.Errorf("error %v", err)
	}
}

func TestRename(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := WriteFiles(dir, map[string][]byte{SDLFile: []byte(modifySDL), YAMLFile: []byte(modifyYAML)}); err != nil {
		t.Fatal(err)
	}
	m, err := RenameAction(dir, "createInvoice", "writeBill")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(m.Files[SDLFile]), strings.Replace(modifySDL, "createInvoice(", "writeBill(", 1); got != want {
		t.Errorf("SDL: %s", cmp.Diff(want, got))
	}
	want := strings.Replace(modifyYAML, `"{{GOLANG_URL}}/actions/create-invoice"`, `'{{GOLANG_URL}}/actions/write-bill'`, 1)
	want = strings.Replace(want, "name: createInvoice", "name: writeBill", 1)
	if diff := cmp.Diff(want, string(m.Files[YAMLFile])); diff != "" {
		t.Errorf("YAML (-want +got):\n%s", diff)
	}
	if _, err := RenameAction(dir, "createInvoice", "other"); err == nil {
		t.Error("renamed to a name that is taken")
	}
}
