package env_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestMessages loads the files of each testdata/load/*.txtar and compares every problem and warning with its "want"
// file. A file named "environ" holds the process environment; without one, it is empty.
func TestMessages(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("testdata/load/*.txtar")
	if err != nil || len(paths) < 10 {
		t.Fatalf("found %d cases: %v", len(paths), err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(t.TempDir(), "shop")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			environ, want, wantIndex := []string{}, "", -1
			for i, f := range archive.Files {
				switch f.Name {
				case "environ":
					environ = strings.Split(strings.TrimSpace(string(f.Data)), "\n")
				case "want":
					want, wantIndex = string(f.Data), i
				default:
					write(t, filepath.Join(dir, f.Name), string(f.Data))
				}
			}
			_, report, err := env.Load(dir, env.Options{Environ: environ})
			got := describe(report, err)
			if *update {
				if wantIndex < 0 {
					archive.Files = append(archive.Files, txtar.File{Name: "want"})
					wantIndex = len(archive.Files) - 1
				}
				archive.Files[wantIndex].Data = []byte(got)
				if err := os.WriteFile(path, txtar.Format(archive), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// describe prints problems and warnings as a person sees them.
func describe(report *env.Report, err error) string {
	var b strings.Builder
	for _, p := range env.Problems(err) {
		fmt.Fprintf(&b, "error: %v\n  fix: %s\n", p, p.Hint)
	}
	for _, w := range report.Warnings {
		fmt.Fprintf(&b, "warning: %v\n  fix: %s\n", w, w.Hint)
	}
	if b.Len() == 0 {
		return "nothing to report\n"
	}
	return b.String()
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// secrets are the two values without which no project loads.
const secrets = "POSTGRES_PASSWORD=0123456789abcdef0123\nHASURA_GRAPHQL_ADMIN_SECRET=0123456789abcdef0123456789abcdef\n"

// project makes a folder named shop with the files given as name, text, name, text...
func project(t *testing.T, files ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "shop")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(files); i += 2 {
		write(t, filepath.Join(dir, files[i]), files[i+1])
	}
	return dir
}

// load loads a project that must have no problem.
func load(t *testing.T, dir string, environ ...string) *env.Config {
	t.Helper()
	if environ == nil {
		environ = []string{}
	}
	cfg, _, err := env.Load(dir, env.Options{Environ: environ})
	if err != nil {
		t.Fatalf("load: %v\n%v", err, errdefs.Hints(err))
	}
	return cfg
}
