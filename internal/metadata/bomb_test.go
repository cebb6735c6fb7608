package metadata

import (
	"fmt"
	"strings"
	"testing"
)

// doubling is YAML in which each of n anchors stands twice in the next one, as template says.
func doubling(n int, template string) string {
	var b strings.Builder
	b.WriteString("x: &a0 {x: x}\n")
	for i := range n {
		b.WriteString(strings.NewReplacer("NEXT", fmt.Sprint("a", i+1), "THIS", fmt.Sprint("a", i)).Replace(template))
	}
	return b.String()
}

// TestBombs holds that short files which would expand to gigabytes, or nest without end, are refused.
func TestBombs(t *testing.T) {
	t.Parallel()
	const deep = 300_000
	brackets := strings.Repeat("[", deep) + strings.Repeat("]", deep)
	for name, test := range map[string]struct{ sdl, yaml, want string }{
		"aliases in a value": {yaml: doubling(40, "k: &NEXT {x: *THIS, y: *THIS}\n") +
			"actions: [{name: a, definition: {request_transform: *a40}}]\n", want: "aliases expand to more than"},
		"aliases of merge keys": {yaml: doubling(40, "k: &NEXT {<<: [*THIS, *THIS]}\n") +
			"actions: [{<<: *a40, name: a}]\n", want: "aliases expand to more than"},
		"an alias of itself":      {yaml: "actions: [{name: a, definition: {request_transform: &a {x: *a}}}]\n", want: "nested more than"},
		"lists in YAML":           {yaml: "actions: " + brackets, want: "exceeded max depth"},
		"items in YAML":           {yaml: "actions:\n  " + strings.Repeat("- ", deep), want: "exceeded max depth"},
		"a type":                  {sdl: "type Query { a: " + strings.ReplaceAll(brackets, "[]", "[Int]") + " }", want: "nesting depth"},
		"a default value":         {sdl: "input A { a: Int = " + brackets + " }", want: "nesting depth"},
		"an object as a default":  {sdl: "input A { a: Int = " + strings.Repeat("{a:", deep) + "1" + strings.Repeat("}", deep) + " }", want: "nesting depth"},
		"an argument of a schema": {sdl: "scalar A @a(a: " + brackets + ")", want: "nesting depth"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := parseActions([]byte(test.sdl), []byte(test.yaml)).Problems.Err()
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %.300v, want %s", err, test.want)
			}
		})
	}
	for name, document := range map[string]string{
		"brackets":  brackets,
		"transform": `{"version":3,"actions":[{"name":"a","definition":{"handler":"h","output_type":"A","request_transform":` + brackets + `}}]}`,
		"type":      `{"version":3,"actions":[{"name":"a","definition":{"handler":"h","output_type":"` + strings.ReplaceAll(brackets, "[]", "[A]") + `"}}]}`,
		"timeout":   `{"version":3,"actions":[{"name":"a","definition":{"handler":"h","output_type":"A","timeout":1e308}}]}`,
		"version":   `{"version":1` + strings.Repeat("0", deep) + `}`,
	} {
		if _, err := ParseDocument([]byte(document), "$"); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
