// Command generate writes the files of templates/golang that are made from others. Run it in the module's root, through
// `make generate`:
//
//   - actions/types_gen.go and actions/actions_gen.go, from the SDL of the documented actions;
//   - src/actions/types.gen.ts and src/actions/actions.gen.ts of templates/nestjs, from the same;
//   - actions/types_gen.py and actions/actions_gen.py of templates/python, from the same;
//   - go.mod.embed and go.sum.embed: what `go mod tidy` makes of the template with the versions of this module.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/nself-org/nself/internal/scaffold"
)

const (
	template    = "templates/golang"
	templateMod = "github.com/nself-org/nself/templates/golang"
)

func main() {
	if err := errors.Join(code(), modules(context.Background())); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func code() error {
	files, err := scaffold.GoTemplateCode()
	if err != nil {
		return err
	}
	for name, data := range files {
		if err := write(name, data); err != nil {
			return err
		}
	}
	files, err = scaffold.NestTemplateCode()
	if err != nil {
		return err
	}
	for name, data := range files {
		if err := write("../nestjs/"+name, data); err != nil {
			return err
		}
	}
	files, err = scaffold.PyTemplateCode()
	if err != nil {
		return err
	}
	for name, data := range files {
		if err := write("../python/"+name, data); err != nil {
			return err
		}
	}
	return nil
}

func write(name string, data []byte) error {
	return os.WriteFile(filepath.Join(template, filepath.FromSlash(name)), data, 0o644)
}

func modules(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "generate")
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
		if err := write(name+".embed", data); err != nil {
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
	for _, ignored := range slices.Clone(mod.Ignore) { // folders of this module
		if err := mod.DropIgnore(ignored.Path); err != nil {
			return err
		}
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
