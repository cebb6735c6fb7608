package codegen

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/nself-org/nself/internal/metadata"
	"github.com/nself-org/nself/internal/testneeds"
)

// sdlWriter makes valid SDL at random, of names that languages and the generated code itself are likely to trip over.
type sdlWriter struct {
	*rand.Rand

	inputs, objects, enums, scalars []string
	b                               strings.Builder
}

var (
	awkwardTypes = []string{
		"Type", "type", "user", "User", "USER", "Deps", "All", "Args", "Handler", "String_", "error", "Error", "any", "Any", "map", "Context", "JSON", "Json",
		"Time", "UUID", "Request", "action", "Invoice", "InvoiceArgs", "NewInvoice", "Invoice_Args", "_A", "A1", "A_1", "A__1", "nil", "None", "Object", "List", "int",
	}
	awkwardFields = []string{
		"type", "func", "range", "map", "string", "error", "id", "ID", "Id", "user_id", "userId", "UserID", "user_id2", "_", "__x", "_1", "a1", "A", "a", "json",
		"valid", "marshalJSON", "value", "class", "from", "self", "None", "constructor", "toString", "copy", "default", "http_url", "HTTPUrl", "x_y_z", "xYZ",
	}
	awkwardActions = []string{"invoice", "goNow", "runIt", "run_it2", "checkAll", "a", "A_b", "handler", "depsOf", "allOf", "newInvoice", "typesGen", "x1", "classOf", "getUserID"}
	awkwardText    = []string{"plain", `*/ end`, "two\\nlines", "//go:build ignore", "`tick` ${x}", "back\\\\slash", "é 漢 \\u2028", "'quote'", "# no"}
)

// pick returns n different entries.
func (w *sdlWriter) pick(from []string, n int) []string {
	var out []string
	for _, i := range w.Perm(len(from))[:min(n, len(from))] {
		out = append(out, from[i])
	}
	return out
}

func (w *sdlWriter) typ(named ...[]string) string {
	pool := []string{"Int", "Float", "String", "Boolean", "ID", "uuid", "jsonb", "timestamptz", "bigint", "numeric", "date"}
	for _, list := range named {
		pool = append(pool, list...)
	}
	t := pool[w.IntN(len(pool))]
	for range w.IntN(3) {
		if w.IntN(2) == 0 {
			t += "!"
		}
		t = "[" + t + "]"
	}
	if w.IntN(2) == 0 {
		t += "!"
	}
	return t
}

func (w *sdlWriter) description() {
	if w.IntN(4) == 0 {
		w.b.WriteString(`"` + awkwardText[w.IntN(len(awkwardText))] + `" `)
	}
}

func (w *sdlWriter) fields(n int, typ func() string) {
	for _, name := range w.pick(awkwardFields, n) {
		if strings.HasPrefix(name, "__") {
			continue
		}
		w.description()
		fmt.Fprintf(&w.b, "%s: %s\n", name, typ())
	}
	w.b.WriteString("last_field: Int\n")
}

func randomSDL(seed uint64) string {
	w := &sdlWriter{Rand: rand.New(rand.NewPCG(seed, 1))}
	names := w.pick(awkwardTypes, 4+w.IntN(10))
	for _, name := range names {
		switch w.IntN(4) {
		case 0:
			w.inputs = append(w.inputs, name)
		case 1:
			w.enums = append(w.enums, name)
		case 2:
			w.scalars = append(w.scalars, name)
		default:
			w.objects = append(w.objects, name)
		}
	}
	for _, name := range w.inputs {
		w.description()
		fmt.Fprintf(&w.b, "input %s {\n", name)
		w.fields(1+w.IntN(6), func() string {
			t := w.typ(w.inputs, w.enums, w.scalars)
			return strings.TrimSuffix(t, "!") // a chain of required inputs could have no end
		})
		w.b.WriteString("}\n")
	}
	for _, name := range w.objects {
		w.description()
		fmt.Fprintf(&w.b, "type %s {\n", name)
		w.fields(1+w.IntN(6), func() string { return w.typ(w.objects, w.enums, w.scalars) })
		w.b.WriteString("}\n")
	}
	for _, name := range w.enums {
		fmt.Fprintf(&w.b, "enum %s { %s }\n", name, strings.Join(w.pick([]string{"A", "a", "A_B", "aB", "_X", "TYPE", "value", "None", "C1"}, 1+w.IntN(5)), " "))
	}
	for _, name := range w.scalars {
		fmt.Fprintf(&w.b, "scalar %s\n", name)
	}
	w.b.WriteString("type Mutation {\n")
	for _, name := range w.pick(awkwardActions, 1+w.IntN(5)) {
		fmt.Fprintf(&w.b, "%s(", name)
		w.fields(w.IntN(4), func() string { return w.typ(w.inputs, w.enums, w.scalars) })
		fmt.Fprintf(&w.b, "): %s\n", w.typ(w.objects, w.scalars))
	}
	w.b.WriteString("}\n")
	return w.b.String()
}

// exports finds the compiled packages that generated code imports; the go command knows where they are.
var exports = sync.OnceValues(func() (map[string]string, error) {
	cmd := exec.Command("go", "list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}", "../../templates/golang/internal/action", "encoding/json", "log/slog", "testing", "errors", "fmt", "context", "slices")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	files := map[string]string{}
	for line := range strings.SplitSeq(string(out), "\n") {
		if path, file, ok := strings.Cut(line, " "); ok {
			files[path] = file
		}
	}
	return files, nil
})

// compileGo checks the types of all files that are generated from the SDL, tests included, as the compiler does.
func compileGo(t *testing.T, sdl string) {
	t.Helper()
	files, err := exports()
	if err != nil {
		testneeds.Missing(t, "find compiled packages: %v", err)
	}
	fset := token.NewFileSet()
	var parsed []*ast.File
	add := func(name string, code []byte) {
		f, err := parser.ParseFile(fset, name, code, parser.SkipObjectResolution)
		if err != nil {
			t.Fatalf("%v\n%s\n%s", err, sdl, code)
		}
		parsed = append(parsed, f)
	}
	generated := generate(t, "github.com/nself-org/nself/templates/golang", sdl)
	for name, code := range sorted(generated) {
		if again, err := format.Source(code); err != nil || !bytes.Equal(code, again) {
			t.Errorf("%s is not as gofmt writes it: %v\n%s\n%s", name, err, sdl, code)
		}
		add(name, code)
	}
	add("deps.go", []byte("package actions\n\nimport \"log/slog\"\n\ntype Deps struct{ Log *slog.Logger }\n"))
	lookup := func(path string) (io.ReadCloser, error) { return os.Open(files[path]) }
	var faults []error
	config := types.Config{Importer: importer.ForCompiler(fset, "gc", lookup), Error: func(err error) { faults = append(faults, err) }}
	_, _ = config.Check("example.test/actions", fset, parsed, nil)
	if len(faults) > 0 {
		t.Errorf("%v\n%s\n%s", faults, sdl, generated[GoTypesFile])
	}
}

// valid says whether Hasura would take the SDL: the writer may have put an enum where none can stand.
func valid(t *testing.T, sdl string) bool {
	t.Helper()
	actions, customTypes := parse(t, sdl)
	for i := range actions {
		actions[i].Definition.Handler = "http://localhost/" + actions[i].Name
	}
	md := &metadata.Metadata{Version: 3, Actions: actions, CustomTypes: customTypes}
	clash := map[string]bool{}
	for _, a := range actions {
		if clash[GoFile(a.Name)] || metadata.CheckActionName(a.Name) != nil {
			return false
		}
		clash[GoFile(a.Name)] = true
	}
	for _, p := range metadata.Validate(md, nil).Errors() {
		if !strings.Contains(p.Text, "no entry in actions.yaml") {
			t.Logf("not valid: %v", p)
			return false
		}
	}
	return true
}

func FuzzGoCompiles(f *testing.F) {
	for seed := range uint64(60) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		sdl := randomSDL(seed)
		if !valid(t, sdl) {
			t.Skip("not valid")
		}
		compileGo(t, sdl)
	})
}

// The writer must write SDL that is valid, most of the time, or the fuzz test shows nothing.
func TestRandomSDLIsValid(t *testing.T) {
	t.Parallel()
	good := 0
	const tries = 60
	for seed := range uint64(tries) {
		if valid(t, randomSDL(seed)) {
			good++
		}
	}
	if good < tries*3/4 {
		t.Errorf("%d of %d are valid", good, tries)
	}
}
