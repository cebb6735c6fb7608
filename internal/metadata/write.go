package metadata

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/nself-org/nself/internal/errdefs"
)

// WriteFiles writes files, by path relative to the project, so that a reader sees each whole, old or new. All are
// prepared before the first is replaced: a full disk or a missing right leaves the old ones. Existing files keep
// their permissions, new ones get 0644, missing folders 0755.
func WriteFiles(projectDir string, files map[string][]byte) (err error) {
	type pending struct{ temp, path string }
	var ready []pending
	defer func() {
		if err != nil {
			for _, p := range ready {
				_ = os.Remove(p.temp)
			}
		}
	}()
	for _, name := range sortedKeys(files) {
		path := filepath.Join(projectDir, filepath.FromSlash(name))
		// A link stays a link: what it leads to is replaced.
		if target, err := filepath.EvalSymlinks(path); err == nil {
			path = target
		}
		temp, err := prepare(path, files[name])
		if err != nil {
			return errdefs.Writing(path, err)
		}
		ready = append(ready, pending{temp, path})
	}
	for _, p := range ready {
		if err := os.Rename(p.temp, p.path); err != nil {
			return errdefs.Writing(p.path, err)
		}
	}
	return nil
}

// prepare writes data into a new file beside path, down to the disk.
func prepare(path string, data []byte) (temp string, err error) {
	mode := fs.FileMode(0o644)
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err != nil {
		_ = os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}
