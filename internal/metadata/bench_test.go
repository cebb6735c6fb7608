package metadata

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// manyActions is a folder of metadata with n actions, each with types of its own.
func manyActions(tb testing.TB, n int) string {
	tb.Helper()
	var fields, types, actions, inputs, objects strings.Builder
	for i := range n {
		fmt.Fprintf(&fields, "  act%d(input: In%[1]d!): Out%[1]d\n", i)
		fmt.Fprintf(&types, "\ninput In%d {\n  email: String!\n  name: String\n}\n\ntype Out%[1]d {\n  id: uuid!\n  user: User%[1]d\n}\n"+
			"\ntype User%[1]d {\n  id: uuid!\n  email: String!\n}\n", i)
		fmt.Fprintf(&actions, "  - name: act%d\n    definition:\n      kind: synchronous\n      handler: '{{HANDLER}}/act'\n"+
			"      headers:\n        - name: X-Secret\n          value_from_env: SECRET\n"+
			"      request_transform:\n        version: 2\n        template_engine: Kriti\n        request_headers:\n"+
			"          add_headers:\n            X-Role: '{{$session_variables[''x-hasura-role'']}}'\n"+
			"    permissions:\n      - role: user\n", i)
		fmt.Fprintf(&inputs, "    - name: In%d\n", i)
		fmt.Fprintf(&objects, "    - name: Out%d\n    - name: User%[1]d\n", i)
	}
	folder := tb.TempDir()
	for name, text := range map[string]string{
		"version.yaml":    "version: 3\n",
		"actions.graphql": "type Mutation {\n" + fields.String() + "}\n" + types.String(),
		"actions.yaml": "actions:\n" + actions.String() + "custom_types:\n  input_objects:\n" + inputs.String() +
			"  objects:\n" + objects.String(),
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	return folder
}

// BenchmarkLoadFolder and its kin take time in proportion to the number of actions.
func BenchmarkLoadFolder(b *testing.B) {
	for _, n := range []int{1000, 10000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			folder := manyActions(b, n)
			for b.Loop() {
				if _, err := LoadFolder(folder); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkInconsistencies(b *testing.B) {
	md, err := LoadFolder(manyActions(b, 10000))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if bad, _ := Inconsistencies(md, Facts{}); len(bad) > 0 {
			b.Fatal(bad[0].Reason)
		}
	}
}

func BenchmarkDocument(b *testing.B) {
	md, err := LoadFolder(manyActions(b, 10000))
	if err != nil {
		b.Fatal(err)
	}
	doc, err := md.MarshalJSON()
	if err != nil {
		b.Fatal(err)
	}
	b.Run("encode", func(b *testing.B) {
		for b.Loop() {
			if _, err := md.MarshalJSON(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("parse", func(b *testing.B) {
		for b.Loop() {
			if _, err := ParseDocument(doc, "$"); err != nil {
				b.Fatal(err)
			}
		}
	})
}
