package codegen

import (
	"bytes"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write the outcome into testdata")

// minShapes is how many shapes there are at least; none gets lost unnoticed.
const minShapes = 48

// allShapes are the SDLs that are hard on one of the three languages; each language has to cope with all.
func allShapes() map[string]string {
	all := maps.Clone(shapes)
	maps.Copy(all, tsShapes)
	maps.Copy(all, pyShapes)
	return all
}

// The types of every shape in every language, as people read them. That they compile is what the other tests show.
func TestGoldenTypes(t *testing.T) {
	t.Parallel()
	all := allShapes()
	if len(all) < minShapes {
		t.Errorf("%d shapes, want %d", len(all), minShapes)
	}
	for name, sdl := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ar := &txtar.Archive{Comment: []byte(name + "\n\n" + sdl + "\n")}
			add := func(file string, code []byte) {
				if !bytes.HasSuffix(code, []byte("\n")) {
					code = append(code, '\n')
				}
				ar.Files = append(ar.Files, txtar.File{Name: file, Data: code})
			}
			add(GoTypesFile, generate(t, "example.test/shapes", sdl)[GoTypesFile])
			add(TSTypesFile, generateTS(t, sdl)[TSTypesFile])
			add(PyTypesFile, pyFiles(t, sdl)[PyTypesFile])
			path := filepath.Join("testdata", "types", strings.ReplaceAll(strings.ToLower(name), " ", "_")+".txtar")
			got := txtar.Format(ar)
			if *update {
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", path, diff)
			}
		})
	}
}
