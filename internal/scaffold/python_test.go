package scaffold

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/pytools"
	"github.com/nself-org/nself/internal/testneeds"
	"github.com/nself-org/nself/templates"
)

func TestPythonProjects(t *testing.T) { //nolint:tparallel // its parts share a cache, one after the other
	t.Parallel()
	python := pytools.Python(t)
	registerUser, _ := Documented("registerUser")
	cache := t.TempDir()
	for _, tt := range []struct{ name, sdl string }{
		{"guide", guideSDL},
		{"both", registerUser.SDL + strings.Replace(invoiceSDL, "type Mutation", "extend type Mutation", 1)},
		{"own registerUser", `type Mutation { registerUser(name: String!): String! }`},
		{"nothing", ""},
	} {
		// One after the other: mypy's cache, which they share, spares most of the work.
		t.Run(tt.name, func(t *testing.T) {
			files, err := Service("python", serviceInput(t, tt.sdl))
			if err != nil {
				t.Fatal(err)
			}
			service := writePython(t, files)
			pytools.Run(t, service, python, "-m", "ruff", "check", "--no-cache", ".")
			pytools.Run(t, service, python, "-m", "ruff", "format", "--no-cache", "--diff", "--quiet", ".")
			pytools.Run(t, service, python, "-m", "mypy", "--cache-dir", cache)
			pytools.Run(t, service, python, "-W", "error", "-m", "service", "check")
		})
	}
}

func writePython(t *testing.T, files []File) (service string) {
	t.Helper()
	dir := t.TempDir()
	for _, f := range files {
		p := filepath.Join(dir, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, f.Data, f.Mode); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "functions", "python")
}

// A project with one of the documented actions has all the files that it and its tests need.
//
//nolint:tparallel // each takes all processors
func TestPythonDocumentedActions(t *testing.T) {
	t.Parallel()
	python := pytools.Python(t)
	for _, name := range DocumentedNames() {
		t.Run(name, func(t *testing.T) {
			doc, _ := Documented(name)
			files, err := Service("python", serviceInput(t, doc.SDL))
			if err != nil {
				t.Fatal(err)
			}
			service := writePython(t, files)
			pytools.Run(t, service, python, "-W", "error", "-m", "service", "check")
			pytools.Run(t, service, python, "-m", "pytest", "--collect-only", "-p", "no:cacheprovider")
		})
	}
}

func TestPythonServiceFiles(t *testing.T) {
	t.Parallel()
	registerUser, _ := Documented("registerUser")
	withUser, err := Service("python", serviceInput(t, registerUser.SDL))
	if err != nil {
		t.Fatal(err)
	}
	without, err := Service("python", serviceInput(t, invoiceSDL))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{
		"app.py", "gunicorn.conf.py", "pyproject.toml", "requirements.txt", "Dockerfile", ".dockerignore",
		"actions/__init__.py", "actions/register_user.py", "actions/register_user_mail.html", "service/users.py",
		"tests/test_register_user.py",
	} {
		if !slices.Contains(paths(withUser), "functions/python/"+p) {
			t.Errorf("%s is missing", p)
		}
	}
	for _, p := range paths(without) {
		if strings.Contains(p, "register_user") || strings.Contains(p, "verify_email") || strings.Contains(p, "users") {
			t.Errorf("%s is there without registerUser", p)
		}
	}
	for _, p := range []string{"actions/create_invoice.py", "tests/test_create_invoice.py"} {
		if !slices.Contains(paths(without), "functions/python/"+p) {
			t.Errorf("%s is missing", p)
		}
	}
	for _, f := range slices.Concat(withUser, without) {
		want := OwnerUser
		if strings.HasSuffix(f.Path, "_gen.py") {
			want = OwnerNself
		}
		if f.Owner != want || f.Mode != 0o644 {
			t.Errorf("%s: owner %s, mode %o", f.Path, f.Owner, f.Mode)
		}
		if path.Base(f.Path) == "pyproject.toml" && !bytes.Contains(f.Data, []byte("name = \"shop-functions-python\"\n")) {
			t.Errorf("%s does not name the project:\n%s", f.Path, f.Data)
		}
	}
	again, err := Service("python", serviceInput(t, registerUser.SDL))
	if diff := cmp.Diff(withUser, again); err != nil || diff != "" {
		t.Errorf("a second rendering differs: %v\n%s", err, diff)
	}
}

// What a build or an editor leaves in the folder stays out, and nothing that belongs to the template does.
func TestPythonTemplateIsEmbedded(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "git", "ls-files", "templates/python")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		testneeds.Missing(t, "this is not a git checkout: %v", err)
	}
	want := strings.Fields(strings.ReplaceAll(string(out), "templates/", ""))
	var got []string
	err = fs.WalkDir(templates.FS, "python", func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			got = append(got, p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("embedded files (-git +embedded):\n%s", diff)
	}
	for _, d := range documentedActions {
		for _, name := range d.files["python"] {
			if !slices.Contains(got, "python/"+name) {
				t.Errorf("%s needs %s, which is not embedded", d.name, name)
			}
		}
	}
}

// What is generated in the template is what nself would write there.
func TestPyTemplateCodeIsCurrent(t *testing.T) {
	t.Parallel()
	files, err := PyTemplateCode()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		if diff := cmp.Diff(string(want), string(embedded("python/"+name))); diff != "" {
			t.Errorf("templates/python/%s is out of date, run make generate (-want +have):\n%s", name, diff)
		}
	}
}

// The lock names neither the registry nor the machine that it was made with.
func TestPythonLocksNameNoAddress(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"python/requirements.txt", "python/requirements-dev.txt"} {
		text := string(embedded(name))
		if strings.Contains(text, "://") || strings.Contains(text, "--index-url") || !strings.Contains(text, "--hash=sha256:") {
			t.Errorf("%s holds an address, or no hashes", name)
		}
	}
}
