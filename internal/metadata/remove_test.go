package metadata_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/metadata"
)

func TestRemoveAction(t *testing.T) {
	t.Parallel()
	archives(t, "remove", func(t *testing.T, ar *txtar.Archive) {
		dir := project(t, ar)
		ar.Files = slices.DeleteFunc(ar.Files, func(f txtar.File) bool {
			return strings.HasPrefix(f.Name, "want/") || f.Name == "error"
		})
		files, err := metadata.RemoveAction(dir, "login")
		if err != nil {
			if !errors.Is(err, errdefs.ErrInvalid) {
				t.Errorf("not an invalid project: %v", err)
			}
			section(ar, "error").Data = fmt.Appendf(nil, "%v\n", err)
			return
		}
		for _, name := range []string{metadata.SDLFile, metadata.YAMLFile} {
			section(ar, "want/"+name).Data = files[name]
		}
	})
}

// What is added and removed again leaves the files as they were, but for the empty lists it brought along.
func TestRemoveUndoesAdd(t *testing.T) {
	t.Parallel()
	const sdl = "# shop\ntype Mutation {\n  a: Int\n}\n"
	const text = "actions:\n  - name: a\n    definition:\n      kind: synchronous\n      handler: http://h/a\n# end\n"
	dir := t.TempDir()
	if err := metadata.WriteFiles(dir, map[string][]byte{metadata.SDLFile: []byte(sdl), metadata.YAMLFile: []byte(text)}); err != nil {
		t.Fatal(err)
	}
	f, err := metadata.ParseFragment("login: Int", "x", "", "")
	if err != nil {
		t.Fatal(err)
	}
	files, err := metadata.AddAction(dir, login(f))
	if err != nil {
		t.Fatal(err)
	}
	if err := metadata.WriteFiles(dir, files); err != nil {
		t.Fatal(err)
	}
	files, err = metadata.RemoveAction(dir, "login")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{metadata.SDLFile: string(files[metadata.SDLFile]), metadata.YAMLFile: string(files[metadata.YAMLFile])}
	if diff := cmp.Diff(map[string]string{metadata.SDLFile: sdl, metadata.YAMLFile: text}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWriteFilesReplacesNothingWhenOneFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := metadata.WriteFiles(dir, map[string][]byte{"a": []byte("old")}); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "a"), 0o600); err != nil {
		t.Fatal(err)
	}
	// A file stands where a folder is needed.
	if err := metadata.WriteFiles(dir, map[string][]byte{"a": []byte("new"), "a/b": nil}); err == nil {
		t.Fatal("a file below a file was written")
	}
	if got, err := os.ReadFile(filepath.Join(dir, "a")); err != nil || string(got) != "old" {
		t.Errorf("a holds %q, %v", got, err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("files are left behind: %v", entries)
	}
	if err := metadata.WriteFiles(dir, map[string][]byte{"a": []byte("new")}); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, "a")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("permissions: %v, %v", info.Mode(), err)
	}
}
