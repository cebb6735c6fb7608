package scaffold

import (
	"context"
	"errors"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/modfile"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/metadata"
	"github.com/nself-org/nself/internal/testneeds"
	"github.com/nself-org/nself/templates"
)

const invoiceSDL = `
type Mutation { createInvoice(lines: [Line!]!, note: String): Invoice! }
input Line { sku: String! amount: numeric! }
type Invoice { id: uuid! state: InvoiceState! lines: [InvoiceLine!]! }
type InvoiceLine { sku: String! invoice: Invoice! }
enum InvoiceState { OPEN PAID }
`

// guideSDL is registerUser as the guide has it: without code and error_code.
const guideSDL = `
type Mutation { registerUser(input: RegisterUserInput!): RegisterUserOutput }
input RegisterUserInput { email: String! password: String! name: String! company: String }
type RegisterUserOutput { success: Boolean! user: UserInfo message: String! errors: [ValidationError!] }
type UserInfo { id: UUID! email: String! name: String! email_verified: Boolean! }
type ValidationError { field: String! message: String! }
scalar UUID
`

func serviceInput(t testing.TB, sdl string) ServiceInput {
	t.Helper()
	actions, types, err := metadata.ParseSDL(sdl, "actions.graphql")
	if err != nil {
		t.Fatal(err)
	}
	return ServiceInput{Project: "shop", Actions: actions, Types: types}
}

// goProject renders a project with those actions into dir, in place of what is there, and returns the service's folder.
func goProject(t *testing.T, dir string, in ServiceInput) string {
	t.Helper()
	files, err := Service("golang", in)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range DocumentedNames() {
		d, _ := Documented(name)
		files = append(files, d.Migrations...)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		p := filepath.Join(dir, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, f.Data, f.Mode); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "functions", "golang")
}

func goCommand(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(context.Background(), "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func paths(files []File) []string {
	var out []string
	for _, f := range files {
		out = append(out, f.Path)
	}
	return out
}

func TestGolangProjectBuilds(t *testing.T) {
	t.Parallel()
	registerUser, _ := Documented("registerUser")
	// One folder for all, one after the other: the go command then compiles only what differs.
	root := filepath.Join(t.TempDir(), "shop")
	type project struct {
		name, sdl string
		test      string // packages whose tests run too
		vetOnly   bool
	}
	projects := []project{
		{name: "documented", sdl: registerUser.SDL, test: "./..."},
		{name: "guide", sdl: guideSDL},
		{name: "stub", sdl: invoiceSDL, test: "./actions"},
		{name: "both", sdl: registerUser.SDL + strings.Replace(invoiceSDL, "type Mutation", "extend type Mutation", 1)},
		{name: "own registerUser", sdl: `type Mutation { registerUser(name: String!): String! }`},
		{name: "nothing"},
	}
	// Each action alone: its files are all listed, and it needs no other's.
	for _, name := range DocumentedNames() {
		if d, _ := Documented(name); name != "registerUser" {
			projects = append(projects, project{name: name + " alone", sdl: d.SDL, vetOnly: true})
		}
	}
	for _, tt := range projects {
		t.Run(tt.name, func(t *testing.T) {
			dir := goProject(t, root, serviceInput(t, tt.sdl))
			goCommand(t, dir, "vet", "./...")
			if tt.vetOnly {
				return
			}
			gofmt := exec.CommandContext(t.Context(), "gofmt", "-l", ".")
			gofmt.Dir = dir
			if out, err := gofmt.CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("gofmt: %v\n%s", err, out)
			}
			if diff := goCommand(t, dir, "mod", "tidy", "-diff"); diff != "" {
				t.Errorf("go mod tidy:\n%s", diff)
			}
			if tt.test != "" {
				goCommand(t, dir, "test", tt.test)
				goCommand(t, dir, "test", "-tags", "otel", "./internal/tracing")
			}
		})
	}
}

func TestGolangServiceFiles(t *testing.T) {
	t.Parallel()
	registerUser, _ := Documented("registerUser")
	withUser, err := Service("golang", serviceInput(t, registerUser.SDL))
	if err != nil {
		t.Fatal(err)
	}
	without, err := Service("golang", serviceInput(t, invoiceSDL))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{
		"functions/golang/main.go", "functions/golang/go.mod", "functions/golang/go.sum", "functions/golang/Dockerfile",
		"functions/golang/.dockerignore", "functions/golang/actions/register_user.go", "functions/golang/internal/users/users.go",
	} {
		if !slices.Contains(paths(withUser), p) {
			t.Errorf("%s is missing", p)
		}
	}
	for _, p := range paths(without) {
		if strings.Contains(p, "register_user") || strings.Contains(p, "verify_email") || strings.Contains(p, "/users/") {
			t.Errorf("%s is there without registerUser", p)
		}
	}
	for _, p := range []string{"create_invoice.go", "create_invoice_test.go"} {
		if !slices.Contains(paths(without), "functions/golang/actions/"+p) {
			t.Errorf("%s is missing", p)
		}
	}
	for _, f := range slices.Concat(withUser, without) {
		want := OwnerUser
		if strings.HasSuffix(f.Path, "_gen.go") {
			want = OwnerNself
		}
		if f.Owner != want || f.Mode != 0o644 {
			t.Errorf("%s: owner %s, mode %o", f.Path, f.Owner, f.Mode)
		}
		if strings.Contains(string(f.Data), "nself-org") {
			t.Errorf("%s still names nself's own module", f.Path)
		}
	}
	again, err := Service("golang", serviceInput(t, registerUser.SDL))
	if diff := cmp.Diff(withUser, again); err != nil || diff != "" {
		t.Errorf("a second rendering differs: %v\n%s", err, diff)
	}
}

// The replacement of text in rewriteImports is right as long as the path stands in import specs only.
func TestGoTemplatePathIsInImportsOnly(t *testing.T) {
	t.Parallel()
	err := fs.WalkDir(templates.FS, "golang", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(p, ".go") {
			return err
		}
		code := string(embedded(p))
		f, err := parser.ParseFile(token.NewFileSet(), p, code, parser.ImportsOnly)
		if err != nil {
			return err
		}
		imports := 0
		for _, spec := range f.Imports {
			if ip, err := strconv.Unquote(spec.Path.Value); err == nil && strings.HasPrefix(ip, goTemplate+"/") {
				imports++
			}
		}
		if n := strings.Count(code, "nself-org"); n != imports {
			t.Errorf("%s names the module %d times, in %d imports", p, n, imports)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestDocumentedFilesExist(t *testing.T) {
	t.Parallel()
	for _, d := range documentedActions {
		for _, name := range d.files["golang"] {
			if _, err := fs.Stat(templates.FS, path.Join("golang", name)); err != nil {
				t.Errorf("%s: %v", d.name, err)
			}
		}
		a, ok := Documented(d.name)
		if !ok || len(a.Migrations) == 0 {
			t.Errorf("%s: %t, %d migrations", d.name, ok, len(a.Migrations))
		}
		if _, _, err := a.types(); err != nil {
			t.Error(err)
		}
	}
}

// What is generated in the template is what nself would write there.
func TestGoTemplateCodeIsCurrent(t *testing.T) {
	t.Parallel()
	files, err := GoTemplateCode()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		if diff := cmp.Diff(string(want), string(embedded("golang/"+name))); diff != "" {
			t.Errorf("templates/golang/%s is out of date, run make generate (-want +have):\n%s", name, diff)
		}
	}
}

// The versions in the rendered go.mod are this module's own: what a user builds has been tested here, and is in the build
// cache of whoever builds both.
func TestGoTemplateVersions(t *testing.T) {
	t.Parallel()
	read := func(name string, data []byte) map[string]string {
		mod, err := modfile.Parse(name, data, nil)
		if err != nil {
			t.Fatal(err)
		}
		versions := map[string]string{"go": mod.Go.Version}
		for _, r := range mod.Require {
			versions[r.Mod.Path] = r.Mod.Version
		}
		return versions
	}
	data, err := os.ReadFile(filepath.Join("..", "..", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	ours := read("go.mod", data)
	for path, version := range read("go.mod.embed", embedded("golang/go.mod.embed")) {
		if ours[path] != version {
			t.Errorf("%s is %s in templates/golang/go.mod.embed and %q in go.mod: run make generate", path, version, ours[path])
		}
	}
}

// A file that is missing in the embedded set is missing in every user's project; one too many was not meant for them.
func TestEmbeddedFilesAreTheTrackedOnes(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "git", "ls-files", "-z", ".")
	cmd.Dir = filepath.Join("..", "..", "templates")
	out, err := cmd.Output()
	if err != nil {
		testneeds.Missing(t, "this is not a git checkout: %v", err)
	}
	want := strings.FieldsFunc(string(out), func(r rune) bool { return r == 0 })
	want = slices.DeleteFunc(want, func(p string) bool { return !strings.Contains(p, "/") }) // embed.go itself
	var got []string
	err = fs.WalkDir(templates.FS, ".", func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			got = append(got, p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-tracked +embedded):\n%s", diff)
	}
}

func TestServiceRefusesOtherRuntimes(t *testing.T) {
	t.Parallel()
	for _, runtime := range []string{"rust", ""} {
		_, err := Service(runtime, ServiceInput{Project: "shop"})
		if !errors.Is(err, errdefs.ErrInvalid) || !strings.Contains(err.Error(), "no template") {
			t.Errorf("%q: got %v", runtime, err)
		}
	}
}

func BenchmarkGolangService(b *testing.B) {
	registerUser, _ := Documented("registerUser")
	in := serviceInput(b, registerUser.SDL+strings.Replace(invoiceSDL, "type Mutation", "extend type Mutation", 1))
	for b.Loop() {
		if _, err := Service("golang", in); err != nil {
			b.Fatal(err)
		}
	}
}
