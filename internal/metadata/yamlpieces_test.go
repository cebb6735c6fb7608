package metadata

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// whole and inPieces read the same text in the two ways.
func whole(text string) (*actionsFile, string) {
	var ps Problems
	f := &actionsFile{}
	if root := parseYAML([]byte(text), "f", &ps); root != nil {
		r := &yamlReader{file: "f", ps: &ps, size: len(text)}
		r.actionsFile(root, f)
	}
	return f, ps.sorted().text()
}

func inPieces(text string, size int) (*actionsFile, string, bool) {
	f, ps, ok := parsePieces([]byte(text), "f", size)
	return f, ps.sorted().text(), ok
}

func (ps Problems) text() string {
	var b strings.Builder
	for _, p := range ps {
		b.WriteString(p.Error() + "\n")
	}
	return b.String()
}

func differ(t *testing.T, text string, size int) (usual bool) {
	t.Helper()
	got, gotProblems, ok := inPieces(text, size)
	if !ok {
		return false
	}
	want, wantProblems := whole(text)
	if !reflect.DeepEqual(want, got) {
		t.Errorf("pieces of %d bytes: (-whole +pieces)\n%s", size, cmp.Diff(want, got, cmp.AllowUnexported(actionsFile{}, yamlType{})))
	}
	if diff := cmp.Diff(wantProblems, gotProblems); diff != "" {
		t.Errorf("problems, pieces of %d bytes: (-whole +pieces)\n%s", size, diff)
	}
	return true
}

const piecesYAML = `# what we can do
actions:
  # the first
  - name: a
    definition:
      kind: synchronous
      handler: '{{URL}}/a?x=1&y=2'
      timeout: 30
      colour: red
      headers:
        - name: X
          value: "*"
    comment: |
      one & two
      - name: not an entry
        at all

    permissions:
      - role: user
  - name: b # second
    definition: {handler: 'http://b', kind: ""}
    comment: "it
      goes on"
  - definition: {}
custom_types:
  enums: []
  objects:
    - name: T
      description: text
      relationships:
        - {name: r, type: object, remote_table: t, field_mapping: {a: b}}
other: 1
`

func TestYAMLPieces(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 100, 1 << 20} {
		if !differ(t, piecesYAML, size) {
			t.Errorf("pieces of %d bytes: not read", size)
		}
	}
	unindented := strings.ReplaceAll(strings.ReplaceAll(piecesYAML, "\n  ", "\n"), "\nenums", "\n  enums")
	if entries, _, _ := strings.Cut(unindented, "custom_types"); !differ(t, entries, 1) {
		t.Error("entries at the margin: not read")
	}
	for name, text := range map[string]string{
		"an anchor":            "actions:\n  - &a {name: a}\n  - *a\n",
		"a key twice":          "actions: []\nactions: []\n",
		"a quote over entries": "actions:\n  - name: 'a\n  - name: b'\n",
		"two documents":        "actions: []\n---\nactions: []\n",
		"a tab":                "actions:\n  - name:\ta\n",
		"no list":              "actions:\n  a: 1\n",
		"a text":               "actions\n",
	} {
		if _, _, ok := inPieces(text, 1); ok {
			t.Errorf("%s: read in pieces", name)
		}
	}
}

// plainYAML is what parsePlainYAML reads, and nothing else.
const plainYAML = `custom_types:
  enums: []
  objects:
  - name: T
    description: 'it''s: "one" # no comment'
    relationships: {}
  input_objects:
    - name: "I"
      # a comment

      description:
    - name: J
      description: http://h/x?a=1#b
actions:
  - name: a
    definition:
      handler: '{{A}}/b'
      timeout: 20
      forward_client_headers: true
      headers:
        - name: X-A
          value: yes sir
      request_transform:
        version: 2
        request_headers:
          add_headers:
            X-1: null and void
          remove_headers:
            - Cookie
`

// TestPlainYAML holds that what tools write is read without the full parser, and with the same result.
func TestPlainYAML(t *testing.T) {
	t.Parallel()
	var r plainReader
	if _, ok := r.read(plainYAML); !ok {
		t.Fatal("not read")
	}
	differ(t, plainYAML, 1)
	for _, text := range []string{
		"a: b\n  c", "a: b # c", "a: [b]", "a: {b: c}", "a: |\n  b", "a: 'b\n  c'", "a: 'b'c'", "a: \"\\n\"", "a: b: c", "a: -1",
		"a: 0x1", "a: ~", "a: yes", "a: 1.5", "a: 2001-01-01", "- - a", "-", "a:\n    b: c\n  d: e", "a\n", "a:b", "? a", "'a': b",
		"yes: a", "a: b:", "- a\n b: c", "<<: a", "a:\n- b\n  c", "- a:\n  - b\n - c",
	} {
		if root, ok := r.read(text); ok {
			t.Errorf("%q is read as %+v", text, root)
		}
	}
}

// TestLargeFile holds that a project of many actions is read completely.
func TestLargeFile(t *testing.T) {
	t.Parallel()
	folder := manyActions(t, 3000)
	text, err := os.ReadFile(filepath.Join(folder, "actions.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if len(text) < piecesFrom || !differ(t, string(text), pieceBytes) {
		t.Fatalf("%d bytes are not read in pieces", len(text))
	}
	md, err := LoadFolder(folder)
	if err != nil {
		t.Fatal(err)
	}
	if len(md.Actions) != 3000 || len(md.CustomTypes.Objects) != 6000 || md.Actions[2999].Definition.Handler == "" {
		t.Errorf("%d actions, %d objects", len(md.Actions), len(md.CustomTypes.Objects))
	}
}

// FuzzPieces holds that a file which can be read in pieces is read alike as a whole.
func FuzzPieces(f *testing.F) {
	f.Add(piecesYAML)
	f.Add("actions:\n- name: a\n  definition:\n    handler: b\n- name: c\ncustom_types:\n  scalars: [{name: S}]\n")
	f.Add("actions:\n  - name: 'a\n  - b'\n  - name: >\n     x\n")
	f.Add("a: {\nb: [\n")
	f.Add(plainYAML)
	f.Add("actions:\n- name: a\n  permissions:\n  - role: b\n  comment:\n- name: c\n")
	f.Fuzz(func(t *testing.T, text string) {
		differ(t, text, 1)
	})
}
