package metadata

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/renameio/v2"
)

// WriteFiles replaces files of a project, given by path relative to it. All new contents are on disk before the first one
// takes its place, so that a full disk changes nothing. A file keeps its mode; a new one gets 0644.
func WriteFiles(projectDir string, files map[string][]byte) error {
	paths := make([]string, 0, len(files))
	for path := range files {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	pending := make([]*renameio.PendingFile, 0, len(files))
	defer func() {
		for _, p := range pending {
			_ = p.Cleanup() // does nothing once the file has taken its place
		}
	}()
	for _, path := range paths {
		target := filepath.Join(projectDir, filepath.FromSlash(path))
		if resolved, err := filepath.EvalSymlinks(target); err == nil {
			target = resolved // a link stays one; what it points at is replaced
		}
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return fmt.Errorf("write %s: %w", path, cause(err))
		}
		p, err := renameio.NewPendingFile(target, renameio.WithExistingPermissions(), renameio.WithPermissions(0o644))
		if err != nil {
			return fmt.Errorf("write %s: %w", path, cause(err))
		}
		pending = append(pending, p)
		if _, err := p.Write(files[path]); err != nil {
			return fmt.Errorf("write %s: %w", path, cause(err))
		}
		if err := p.Sync(); err != nil {
			return fmt.Errorf("write %s: %w", path, cause(err))
		}
	}
	for i, p := range pending {
		if err := p.CloseAtomicallyReplace(); err != nil {
			return fmt.Errorf("write %s: %w", paths[i], cause(err))
		}
	}
	return nil
}

// cause is an I/O error without the name of the temporary file that it happened to.
func cause(err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return p.Err
	}
	if l, ok := errors.AsType[*os.LinkError](err); ok {
		return l.Err
	}
	return err
}
