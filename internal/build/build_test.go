package build

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/scaffold"
)

const orderSDL = `type Mutation {
  placeOrder(item: String!): OrderReceipt
}

type OrderReceipt {
  id: ID!
}
`

const orderYAML = `actions:
  - name: placeOrder
    definition:
      kind: synchronous
      handler: '{{GOLANG_URL}}/actions/place-order'
custom_types:
  enums: []
  input_objects: []
  objects:
    - name: OrderReceipt
  scalars: []
`

const handlerPath = "functions/golang/actions/place_order.go"

// newProject writes a project with the Go service and one action of its own.
func newProject(t testing.TB) string {
	t.Helper()
	files, err := scaffold.Project(scaffold.ProjectInput{
		Name: "shop", Runtimes: []string{"golang"}, Secrets: strings.NewReader(strings.Repeat("no real secret. ", 20)),
	})
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "shop")
	if _, err := WriteProject(t.Context(), dir, files); err != nil {
		t.Fatal(err)
	}
	put(t, dir, "hasura/metadata/actions.graphql", orderSDL)
	put(t, dir, "hasura/metadata/actions.yaml", orderYAML)
	return dir
}

func options(dir string) Options { return Options{Dir: dir, Env: env.Options{Environ: []string{}}} }

func build(t *testing.T, opts Options) Result {
	t.Helper()
	res, err := Run(t.Context(), opts)
	if err != nil {
		t.Fatalf("%v\n%s", err, res.Plan)
	}
	return res
}

func put(t testing.TB, dir, path, text string) {
	t.Helper()
	full := filepath.Join(dir, filepath.FromSlash(path))
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func replace(t *testing.T, dir, path, old, text string) {
	t.Helper()
	put(t, dir, path, strings.ReplaceAll(get(t, dir, path), old, text))
}

func get(t *testing.T, dir, path string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(path)))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func exists(t *testing.T, dir, path string) bool {
	t.Helper()
	_, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(path)))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return err == nil
}

// tree reads every file below dir, with its mode; a link is its target.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch {
		case d.Type().IsRegular() && rel != filepath.FromSlash(lockPath):
			data, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			files[rel] = info.Mode().String() + "\n" + string(data)
		case d.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(p)
			if err != nil {
				return err
			}
			files[rel] = "link to " + target
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestRunFresh(t *testing.T) {
	t.Parallel()
	dir := newProject(t)
	res := build(t, options(dir))
	if !res.Applied || len(res.Warnings) != 0 {
		t.Errorf("applied %t, warnings %v", res.Applied, res.Warnings)
	}
	for _, p := range []string{
		"docker-compose.yml", handlerPath, "functions/golang/actions/place_order_test.go", "functions/golang/go.mod",
		"functions/golang/actions/actions_gen.go", ".nself/env/golang.env", manifestPath,
	} {
		if !exists(t, dir, p) {
			t.Errorf("%s is missing", p)
		}
	}
	if exists(t, dir, pendingPath) || exists(t, dir, "hasura/migrations/default/1700000000100_create_users") {
		t.Error("too much was written")
	}
	info, err := os.Stat(filepath.Join(dir, ".nself/env/golang.env"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("an environment file has mode %v, error %v", info.Mode(), err)
	}
	before := tree(t, dir)
	if got := build(t, options(dir)).Plan.String(); got != "nothing to do\n" {
		t.Errorf("a second build: %s", got)
	}
	if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
		t.Errorf("a second build changed files:\n%s", diff)
	}
	other := newProject(t)
	build(t, options(other))
	if diff := cmp.Diff(before, tree(t, other)); diff != "" {
		t.Errorf("the same project elsewhere gives other files:\n%s", diff)
	}
}

func TestRunCheck(t *testing.T) {
	t.Parallel()
	dir := newProject(t)
	check := options(dir)
	check.Check = true
	before := tree(t, dir)
	res, err := Run(t.Context(), check)
	if !errors.Is(err, errdefs.ErrDrift) || len(errdefs.Hints(err)) == 0 || res.Applied {
		t.Errorf("before the first build: applied %t, error %v", res.Applied, err)
	}
	if diff := cmp.Diff(before, tree(t, dir)); diff != "" || exists(t, dir, stateDir) {
		t.Errorf("a check wrote something:\n%s", diff)
	}
	build(t, options(dir))
	if _, err := Run(t.Context(), check); err != nil {
		t.Errorf("after a build: %v", err)
	}
	if err := os.RemoveAll(filepath.Join(dir, ".nself", "env")); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), check); err != nil {
		t.Errorf("in a fresh clone: %v", err)
	}
	put(t, dir, "docker-compose.yml", "mine")
	if res, err := Run(t.Context(), check); !errors.Is(err, errdefs.ErrDrift) || len(res.Plan.Conflicts()) != 1 {
		t.Errorf("after an edit: %v", err)
	}
}

// TestRunConflict is the journey of a user who edits a generated file.
func TestRunConflict(t *testing.T) {
	t.Parallel()
	dir := newProject(t)
	build(t, options(dir))
	generated := get(t, dir, "docker-compose.yml")
	put(t, dir, "docker-compose.yml", "mine\n")
	replace(t, dir, ".env", "HASURA_PORT=8080", "HASURA_PORT=9090")
	replace(t, dir, "hasura/metadata/actions.graphql", "placeOrder", "cancelOrder")
	replace(t, dir, "hasura/metadata/actions.yaml", "placeOrder", "cancelOrder")
	before := tree(t, dir)

	res, err := Run(t.Context(), options(dir))
	if !errors.Is(err, errdefs.ErrDrift) || !strings.Contains(err.Error(), "docker-compose.yml") || res.Applied {
		t.Fatalf("applied %t, error %v", res.Applied, err)
	}
	if diff := res.Plan.Diff(); !strings.Contains(diff, "-mine\n") || !strings.Contains(diff, `+        published: "9090"`) {
		t.Errorf("the diff does not show the edit and what replaces it:\n%s", diff)
	}
	if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
		t.Fatalf("while a conflict stands, files changed:\n%s", diff)
	}

	keep := options(dir)
	keep.Choice = AcceptAll
	build(t, keep)
	if got := get(t, dir, "docker-compose.yml"); got != "mine\n" {
		t.Fatalf("kept file: %q", got)
	}
	if !exists(t, dir, "functions/golang/actions/cancel_order.go") {
		t.Error("the rest was not built")
	}
	if got := build(t, options(dir)).Plan.String(); got != "nothing to do\n" {
		t.Errorf("after keeping: %s", got)
	}
	replace(t, dir, ".env", "HASURA_PORT=9090", "HASURA_PORT=8080")
	if _, err := Run(t.Context(), options(dir)); !errors.Is(err, errdefs.ErrDrift) {
		t.Errorf("nself's version changed, and nobody hears of it: %v", err)
	}

	force := options(dir)
	force.Choice, force.Only = ForceAll, []string{"docker-compose.yml"}
	res = build(t, force)
	if got := get(t, dir, "docker-compose.yml"); got != generated {
		t.Errorf("forced file:\n%s", got)
	}
	backup := res.Plan.with(Overwrite)[0].Backup
	if got := get(t, dir, backup); got != "mine\n" {
		t.Errorf("%s holds %q", backup, got)
	}
	force.Only = []string{"docker-compose.yaml"}
	if _, err := Run(t.Context(), force); !errors.Is(err, errdefs.ErrUsage) {
		t.Errorf("a misspelt path: %v", err)
	}
}

func TestRunHandlers(t *testing.T) {
	t.Parallel()
	dir := newProject(t)
	build(t, options(dir))
	put(t, dir, handlerPath, get(t, dir, handlerPath)+"\n// mine\n")
	if build(t, options(dir)); !strings.HasSuffix(get(t, dir, handlerPath), "// mine\n") {
		t.Error("a handler was overwritten")
	}
	if err := os.Remove(filepath.Join(dir, handlerPath)); err != nil {
		t.Fatal(err)
	}
	if got := build(t, options(dir)).Plan.String(); !strings.HasPrefix(got, "create     "+handlerPath+"  action placeOrder in hasura/metadata/actions.graphql:2") {
		t.Errorf("a deleted handler: %s", got)
	}
	moved := filepath.Join(dir, "functions/golang/actions/orders.go")
	if err := os.Rename(filepath.Join(dir, handlerPath), moved); err != nil {
		t.Fatal(err)
	}
	if got := build(t, options(dir)).Plan.String(); got != "nothing to do\n" {
		t.Errorf("a handler in another file: %s", got)
	}
	if err := os.Remove(filepath.Join(dir, "functions/golang/README.md")); err != nil {
		t.Fatal(err)
	}
	if got := build(t, options(dir)).Plan.String(); got != "nothing to do\n" {
		t.Errorf("a file that the user does not want: %s", got)
	}
}

func TestRunRuntimeSwitchedOff(t *testing.T) {
	t.Parallel()
	dir := newProject(t)
	build(t, options(dir))
	replace(t, dir, ".env.local", "GOLANG_ENABLED=true", "GOLANG_ENABLED=false")
	res := build(t, options(dir))
	if len(res.Warnings) != 1 || res.Warnings[0].Hint != "set GOLANG_ENABLED=true in .env.local" ||
		!strings.HasPrefix(res.Warnings[0].Text, "hasura/metadata/actions.") {
		t.Errorf("warnings: %+v", res.Warnings)
	}
	if exists(t, dir, "functions/golang/actions/actions_gen.go") || exists(t, dir, ".nself/env/golang.env") {
		t.Error("generated files stay")
	}
	if !exists(t, dir, handlerPath) {
		t.Error("a user's file went")
	}
	for _, c := range res.Plan.with(Remove) {
		if !strings.Contains(c.Reason, "GOLANG_ENABLED is not true") && c.Path != ".nself/env/redis.env" {
			t.Errorf("%s: reason %q", c.Path, c.Reason)
		}
	}
	replace(t, dir, ".env.local", "GOLANG_ENABLED=false", "GOLANG_ENABLED=true")
	build(t, options(dir))
	if !exists(t, dir, "functions/golang/actions/actions_gen.go") {
		t.Error("switched on again, the generated files are missing")
	}
}

func TestRunHandlerWarnings(t *testing.T) {
	t.Parallel()
	for handler, want := range map[string]string{
		"{{GOLANG_URL}}/actions/place-order":                   "",
		"http://golang:3003/actions/place-order":               "",
		"http://localhost:3003/actions/place-order":            "",
		"http://host.docker.internal:3003/actions/place-order": "",
		"https://api.example.com/hook":                         "",
		"{{GOLANG_URL}}/actions/placeOrder":                    "write {{GOLANG_URL}}/actions/place-order in hasura/metadata/actions.yaml",
		"{{PYTHON_URL}}/actions/place-order":                   "set PYTHON_ENABLED=true in .env.local",
		"http://localhost:3002/actions/place-order":            "set PYTHON_ENABLED=true in .env.local",
		"{{BILLING_URL}}/hook":                                 "set BILLING_URL in .env or .env.local",
	} {
		t.Run(strings.ReplaceAll(handler, "/", "_"), func(t *testing.T) {
			t.Parallel()
			dir := newProject(t)
			replace(t, dir, "hasura/metadata/actions.yaml", "{{GOLANG_URL}}/actions/place-order", handler)
			check := options(dir)
			check.Check = true
			res, err := Run(t.Context(), check)
			if !errors.Is(err, errdefs.ErrDrift) {
				t.Fatal(err)
			}
			got := ""
			var gotSb346 strings.Builder
			for _, w := range res.Warnings {
				gotSb346.WriteString(w.Hint)
			}
			got += gotSb346.String()
			if got != want {
				t.Errorf("warnings %+v, want the hint %q", res.Warnings, want)
			}
		})
	}
}

func TestRunDocumentedAction(t *testing.T) {
	t.Parallel()
	dir := newProject(t)
	doc, ok := scaffold.Documented("registerUser")
	if !ok {
		t.Fatal("registerUser is not documented")
	}
	put(t, dir, "hasura/metadata/actions.graphql", doc.SDL)
	entry := strings.ReplaceAll(strings.TrimSpace(doc.YAML("golang")), "\n", "\n    ")
	put(t, dir, "hasura/metadata/actions.yaml", "actions:\n  - "+entry+"\n")
	build(t, options(dir))
	for _, f := range doc.Migrations {
		if get(t, dir, f.Path) != string(f.Data) {
			t.Errorf("%s differs from the template", f.Path)
		}
		if err := os.Remove(filepath.Join(dir, f.Path)); err != nil {
			t.Fatal(err)
		}
	}
	if got := build(t, options(dir)).Plan.String(); got != "nothing to do\n" {
		t.Errorf("a migration that was squashed comes back: %s", got)
	}
}

// TestRunReportsAllProblems: one run is enough to learn of every fault.
func TestRunReportsAllProblems(t *testing.T) {
	t.Parallel()
	dir := newProject(t)
	replace(t, dir, ".env", "HASURA_PORT=8080", "HASURA_PORT=many")
	replace(t, dir, ".env.local", "GOLANG_PORT=3003", "GOLANG_PORT=0")
	replace(t, dir, "hasura/metadata/actions.graphql", "item: String!", "item: Strin!")
	before := tree(t, dir)
	_, err := Run(t.Context(), options(dir))
	if !errors.Is(err, errdefs.ErrInvalid) {
		t.Fatal(err)
	}
	for _, want := range []string{".env:", "HASURA_PORT", ".env.local:", "GOLANG_PORT", "hasura/metadata/actions.graphql:2", "Strin"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not mentioned in:\n%v", want, err)
		}
	}
	if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
		t.Errorf("files changed:\n%s", diff)
	}
}

func TestRunManifestLost(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]string{"missing": "", "corrupt": "\x00{not json", "emptied": "{}"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := newProject(t)
			build(t, options(dir))
			want := get(t, dir, manifestPath)
			put(t, dir, manifestPath, damage)
			if damage == "" {
				if err := os.Remove(filepath.Join(dir, manifestPath)); err != nil {
					t.Fatal(err)
				}
			}
			if got := build(t, options(dir)).Plan.String(); got != "nothing to do\n" {
				t.Errorf("plan: %s", got)
			}
			if diff := cmp.Diff(want, get(t, dir, manifestPath)); diff != "" {
				t.Errorf("manifest (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRunTogether(t *testing.T) {
	t.Parallel()
	dir := newProject(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := Run(t.Context(), options(dir)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := build(t, options(dir)).Plan.String(); got != "nothing to do\n" {
		t.Errorf("afterwards: %s", got)
	}
}

func BenchmarkRunFresh(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		dir := newProject(b)
		b.StartTimer()
		if _, err := Run(b.Context(), options(dir)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRunUnchanged(b *testing.B) {
	dir := newProject(b)
	for b.Loop() {
		if _, err := Run(b.Context(), options(dir)); err != nil {
			b.Fatal(err)
		}
	}
}
