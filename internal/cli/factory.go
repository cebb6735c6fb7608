package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/ui"
)

// Factory wires the commands to the world. It is the only place that chooses implementations; commands receive what
// they need as fields of their options.
type Factory struct {
	IO *ui.Streams
	// Environ is the process environment, as os.Environ gives it.
	Environ []string
	// WorkDir is where the program was started.
	WorkDir string
	// Executable is nself itself, for the background supervisor.
	Executable string
	Log        *slog.Logger

	project string // --project
}

// ProjectDir returns the folder of the project that the command is about: --project, else the nearest folder, from the
// working directory upwards, that holds one.
func (f *Factory) ProjectDir() (string, error) {
	if f.project != "" {
		dir := f.project
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(f.WorkDir, dir)
		}
		if !isProject(dir) {
			return "", errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(
				fmt.Errorf("%s: not an nself project: it has no hasura/config.yaml", f.project),
				"run nself init "+f.project))
		}
		return filepath.Clean(dir), nil
	}
	for dir := f.WorkDir; ; dir = filepath.Dir(dir) {
		if isProject(dir) {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	return "", errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(
		fmt.Errorf("%s: no nself project here or in a folder above", f.WorkDir),
		"run nself init NAME to make one, or name one with --project DIR"))
}

// isProject tells whether dir holds a project: a Hasura project with nself's env file beside it.
func isProject(dir string) bool {
	if _, err := os.Stat(filepath.Join(dir, "hasura", "config.yaml")); err != nil {
		return false
	}
	for _, name := range []string{".env", ".env.local"} {
		if _, err := os.Stat(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
			return true
		}
	}
	return false
}
