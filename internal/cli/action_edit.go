package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/nself-org/nself/internal/build"
	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/metadata"
	"github.com/nself-org/nself/internal/scaffold"
	"github.com/nself-org/nself/internal/ui"
)

// checkEdited validates metadata before it is written: what the edit breaks is refused, what was broken before is not its
// business. before is the metadata on disk.
func checkEdited(dir string, before *metadata.Metadata, files map[string][]byte) error {
	after, err := metadata.WithActions(dir, files)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, p := range metadata.Validate(before, nil).Errors() {
		known[p.Text] = true
	}
	var fresh metadata.Problems
	for _, p := range metadata.Validate(after, nil).Errors() {
		if !known[p.Text] {
			fresh = append(fresh, p)
		}
	}
	return fresh.Err()
}

// writeEdited writes the files that differ from those on disk, and names them.
func writeEdited(dir string, files map[string][]byte) ([]string, error) {
	changed := map[string][]byte{}
	for path, data := range files {
		have, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(path)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		if err != nil || !bytes.Equal(have, data) {
			changed[path] = data
		}
	}
	return sortedKeys(changed), metadata.WriteFiles(dir, changed)
}

// printEdited tells what an edit did to the metadata.
func printEdited(io *ui.Streams, changed []string, what string, m *metadata.Modified) {
	t := io.ErrTheme()
	for _, path := range changed {
		details := []string{what}
		if path == metadata.SDLFile {
			for _, list := range []struct {
				names []string
				verb  string
			}{{m.Added, "added"}, {m.Changed, "changed"}, {m.Removed, "removed, no action uses it"}} {
				if len(list.names) > 0 {
					details = append(details, strings.Join(list.names, ", ")+" "+list.verb)
				}
			}
		}
		io.Notef("%s %s %s\n", t.Good("✓"), path, t.Dim(strings.Join(details, "; ")))
	}
}

// warnUnset warns about headers whose variable is set nowhere.
func warnUnset(io *ui.Streams, cfg *env.Config, name string, headers []metadata.Header) {
	if unset := unsetVariables(cfg, headers); len(unset) > 0 {
		printWarning(io, fmt.Sprintf("%s: its headers use %s, set nowhere: every call fails until it is",
			name, strings.Join(unset, ", ")), "nself config set "+unset[0]+" VALUE")
	}
}

// printBuilt tells what the build behind an edit changed, where it changed something.
func printBuilt(io *ui.Streams, result build.Result) {
	if result.Plan.Drift() {
		printPlan(io, result.Plan)
	}
	for _, w := range result.Warnings {
		printWarning(io, w.Text, w.Hint)
	}
}

// printWhereItIs says which file the user may have to change now.
func printWhereItIs(io *ui.Streams, cfg *env.Config, a *metadata.Action) {
	runtime := build.RuntimeOf(cfg, a.Definition.Handler)
	for _, p := range scaffold.ActionFiles(runtime, a.Name, nil) {
		if isTest(p) {
			continue
		}
		if _, err := os.Stat(filepath.Join(cfg.Dir, filepath.FromSlash(p))); err == nil {
			t := io.ErrTheme()
			io.Notef("\nYour handler is in %s; start it with %s, test it with %s\n", p, t.Link("nself up"), t.Link("nself test "+runtime))
			return
		}
	}
}

// isTest tells whether a file of a function service is a test.
func isTest(file string) bool {
	name := path.Base(file)
	return strings.HasSuffix(name, "_test.go") || strings.Contains(name, ".spec.") || strings.HasPrefix(name, "test_")
}
