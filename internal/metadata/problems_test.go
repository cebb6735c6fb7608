package metadata_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/metadata"
)

var update = flag.Bool("update", false, "write the outcome into testdata")

// project unpacks an archive into a folder; sections that are not part of a project are left out.
func project(t *testing.T, ar *txtar.Archive) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range ar.Files {
		if !strings.HasPrefix(f.Name, "hasura/") {
			continue
		}
		path := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// archives runs f for each archive below testdata, and compares or rewrites what f put into the archive.
func archives(t *testing.T, folder string, f func(t *testing.T, ar *txtar.Archive)) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", folder, "*.txtar"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no archives in testdata/%s: %v", folder, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			ar := txtar.Parse(want)
			f(t, ar)
			got := txtar.Format(ar)
			if *update {
				if err := os.WriteFile(path, got, 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", path, diff)
			}
		})
	}
}

func section(ar *txtar.Archive, name string) *txtar.File {
	for i := range ar.Files {
		if ar.Files[i].Name == name {
			return &ar.Files[i]
		}
	}
	ar.Files = append(ar.Files, txtar.File{Name: name})
	return &ar.Files[len(ar.Files)-1]
}

func TestProblems(t *testing.T) {
	t.Parallel()
	archives(t, "problems", func(t *testing.T, ar *txtar.Archive) {
		md, loadErr := metadata.LoadDir(project(t, ar))
		if md == nil {
			t.Fatal(loadErr)
		}
		problems := metadata.Validate(md, nil)
		var b bytes.Buffer
		for _, p := range problems {
			fmt.Fprintf(&b, "%s: %s\n", p.Severity, p)
			if p.Hint != "" {
				fmt.Fprintf(&b, "\thint: %s\n", p.Hint)
			}
		}
		section(ar, "want").Data = b.Bytes()

		err := problems.Err()
		if got, want := errors.Is(err, errdefs.ErrInvalid), len(problems.Errors()) > 0; got != want {
			t.Errorf("class of the error: invalid = %v, want %v", got, want)
		}
		if p, ok := errors.AsType[*metadata.Problem](err); err != nil && (!ok || p.Pos.File == "") {
			t.Errorf("a problem with its place cannot be reached in %v", err)
		}
		if loadErr != nil && err == nil {
			t.Errorf("LoadDir reports %v, Validate nothing", loadErr)
		}
	})
}

func TestLoadDirWithoutFiles(t *testing.T) {
	t.Parallel()
	md, err := metadata.LoadDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&metadata.Metadata{Version: 3}, md); diff != "" {
		t.Errorf("an empty project (-want +got):\n%s", diff)
	}
}

func TestHandlersThatAreNoURL(t *testing.T) {
	t.Parallel()
	for handler, bad := range map[string]bool{
		"5x": true, "{{5x}}": true, "{{A B}}/x": true, "{{ A }}/x": true, "{{GOLANG_URL}}5x": true, "ftp://x/y": true, "{{}}": true,
		"{{GOLANG_URL}}/actions/a": false, "{{ANY}}v1/a": false, "https://x/y": false, "{{GOLANG_URL}}": false, "http://{{H}}:{{P}}/": false,
	} {
		md := &metadata.Metadata{Actions: []metadata.Action{{
			Name: "a", Definition: metadata.ActionDefinition{Handler: handler, OutputType: "String", Kind: metadata.Synchronous},
			Pos: metadata.Pos{File: metadata.SDLFile, Line: 1}, YAMLPos: metadata.Pos{File: metadata.YAMLFile, Line: 2},
		}}}
		problems := metadata.Validate(md, nil).Errors()
		if bad != (len(problems) > 0) {
			t.Errorf("handler %q: problems %v", handler, problems)
		}
		for _, p := range problems {
			if p.Hint == "" || p.Pos.Line != 2 {
				t.Errorf("handler %q: %v without place or advice", handler, p)
			}
		}
	}
}
