package scaffold

import (
	"encoding/json"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/templates"
)

func TestNestServiceFiles(t *testing.T) {
	t.Parallel()
	registerUser, _ := Documented("registerUser")
	withUser, err := Service("nestjs", serviceInput(t, registerUser.SDL))
	if err != nil {
		t.Fatal(err)
	}
	without, err := Service("nestjs", serviceInput(t, invoiceSDL))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{
		"package.json", "package-lock.json", "tsconfig.json", "Dockerfile", ".dockerignore", ".npmrc", "src/main.ts",
		"src/app.module.ts", "src/actions/user.controller.ts", "src/actions/user.controller.spec.ts",
		"src/actions/user.service.ts", "src/actions/email.service.ts", "src/actions/cache.service.ts",
		"src/actions/rate-limit.service.ts", "src/actions/types.gen.ts", "src/actions/actions.gen.ts",
	} {
		if !slices.Contains(paths(withUser), "functions/nestjs/"+p) {
			t.Errorf("%s is missing", p)
		}
	}
	for _, p := range paths(without) {
		if strings.Contains(p, "/user.") || strings.Contains(p, "verify-email") || strings.Contains(p, "register-user") {
			t.Errorf("%s is there without registerUser", p)
		}
	}
	for _, p := range []string{"create-invoice.controller.ts", "create-invoice.controller.spec.ts"} {
		if !slices.Contains(paths(without), "functions/nestjs/src/actions/"+p) {
			t.Errorf("%s is missing", p)
		}
	}
	for _, f := range slices.Concat(withUser, without) {
		want := OwnerUser
		if strings.HasSuffix(f.Path, ".gen.ts") {
			want = OwnerNself
		}
		if f.Owner != want || f.Mode != 0o644 {
			t.Errorf("%s: owner %s, mode %o", f.Path, f.Owner, f.Mode)
		}
		if strings.Contains(f.Path, "node_modules") || strings.Contains(f.Path, "/dist/") {
			t.Errorf("%s is no source", f.Path)
		}
	}
	again, err := Service("nestjs", serviceInput(t, registerUser.SDL))
	if diff := cmp.Diff(withUser, again); err != nil || diff != "" {
		t.Errorf("a second rendering differs: %v\n%s", err, diff)
	}
}

// The project's name stands where npm looks for it, in both files; the lock file holds no address, which would be one
// that not everybody reaches.
func TestNestPackageName(t *testing.T) {
	t.Parallel()
	files, err := Service("nestjs", serviceInput(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string, v any) {
		i := slices.IndexFunc(files, func(f File) bool { return f.Path == "functions/nestjs/"+name })
		if i < 0 {
			t.Fatalf("%s is missing", name)
		}
		if err := json.Unmarshal(files[i].Data, v); err != nil {
			t.Fatal(err)
		}
	}
	type dependency struct{ Name, Version, Resolved, Integrity string }
	var pkg dependency
	var lock struct {
		Name     string
		Packages map[string]dependency
	}
	read("package.json", &pkg)
	read("package-lock.json", &lock)
	if pkg.Name != "shop-nestjs" || lock.Name != pkg.Name || lock.Packages[""].Name != pkg.Name {
		t.Errorf("the names are %q, %q and %q", pkg.Name, lock.Name, lock.Packages[""].Name)
	}
	for name, d := range lock.Packages {
		if d.Resolved != "" || name != "" && d.Integrity == "" {
			t.Errorf("%s is locked as %+v", name, d)
		}
	}
}

func TestNestDocumentedFilesExist(t *testing.T) {
	t.Parallel()
	for _, d := range documentedActions {
		if !d.implementedIn(nestRuntime) {
			continue
		}
		for _, name := range d.files[nestRuntime] {
			if _, err := fs.Stat(templates.FS, path.Join(nestRuntime, name)); err != nil {
				t.Errorf("%s: %v", d.name, err)
			}
		}
		known := nestImplementations[d.name]
		for _, c := range slices.Concat(known.Controllers, known.Providers) {
			name := path.Join(nestRuntime, "src/actions", c.Module+".ts")
			if code := string(embedded(name)); !strings.Contains(code, "export class "+c.Name+" ") {
				t.Errorf("%s: %s does not export %s", d.name, name, c.Name)
			}
		}
		if len(known.Controllers) == 0 {
			t.Errorf("%s has no controller", d.name)
		}
	}
}

// What is generated in the template is what nself would write there.
func TestNestTemplateCodeIsCurrent(t *testing.T) {
	t.Parallel()
	files, err := NestTemplateCode()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		if diff := cmp.Diff(string(want), string(embedded("nestjs/"+name))); diff != "" {
			t.Errorf("templates/nestjs/%s is out of date, run make generate (-want +have):\n%s", name, diff)
		}
	}
}

func TestHandlerOf(t *testing.T) {
	t.Parallel()
	registerUser, _ := Documented("registerUser")
	for _, tt := range []struct{ runtime, sdl, action, want string }{
		{"golang", registerUser.SDL, "registerUser", "functions/golang/actions/register_user.go"},
		{"nestjs", registerUser.SDL, "registerUser", "functions/nestjs/src/actions/user.controller.ts"},
		{"nestjs", invoiceSDL, "createInvoice", "functions/nestjs/src/actions/create-invoice.controller.ts"},
		{"nestjs", `type Query { registerUser: Int }`, "registerUser", "functions/nestjs/src/actions/register-user.controller.ts"},
		{"python", invoiceSDL, "createInvoice", "functions/python/actions/create_invoice.py"},
	} {
		files, err := Service(tt.runtime, serviceInput(t, tt.sdl))
		if err != nil {
			t.Fatal(err)
		}
		if h, ok := HandlerOf(tt.runtime, tt.action, files); !ok || h.Path != tt.want {
			t.Errorf("%s, %s: got %q, %t, want %q", tt.runtime, tt.action, h.Path, ok, tt.want)
		}
	}
	if _, ok := HandlerOf("nestjs", "other", nil); ok {
		t.Error("an action that is not rendered has a handler")
	}
}
