// Command gomod writes templates/golang/go.mod.embed and go.sum.embed: what `go mod tidy` makes of the rendered template
// with the versions of this module. Run it in the module's root, through `make generate`, after a change of versions or
// imports.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
)

const (
	template    = "templates/golang"
	templateMod = "github.com/nself-org/nself/templates/golang"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "gomod:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "gomod")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	// The import paths of the template are those of a module of that name, so its files need no change here.
	if err := os.CopyFS(dir, os.DirFS(template)); err != nil {
		return fmt.Errorf("copy the template: %w", err)
	}
	if err := ourVersions(dir); err != nil {
		return err
	}
	tidy := exec.CommandContext(ctx, "go", "mod", "tidy")
	tidy.Dir = dir
	tidy.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	if out, err := tidy.CombinedOutput(); err != nil {
		return fmt.Errorf("go mod tidy: %w\n%s", err, out)
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(template, name+".embed"), data, 0o644); err != nil { //nolint:gosec // source
			return err
		}
	}
	return nil
}

// ourVersions writes a go.mod and a go.sum that ask for exactly what this module asks for; tidy drops what is not needed.
func ourVersions(dir string) error {
	data, err := os.ReadFile("go.mod")
	if err != nil {
		return err
	}
	mod, err := modfile.Parse("go.mod", data, nil)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(templateMod, mod.Module.Mod.Path+"/") {
		return fmt.Errorf("run it in the root of %s, not of %s", filepath.Dir(filepath.Dir(templateMod)), mod.Module.Mod.Path)
	}
	if err := mod.AddModuleStmt(templateMod); err != nil {
		return err
	}
	mod.Cleanup()
	if data, err = mod.Format(); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), data, 0o600); err != nil {
		return err
	}
	sum, err := os.ReadFile("go.sum")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "go.sum"), sum, 0o600)
}
