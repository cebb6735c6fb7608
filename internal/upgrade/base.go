// Package upgrade brings what changed in nself's templates into the files that a project has made its own: a three-way merge
// of what nself once wrote, what the user made of it and what nself would write today.
package upgrade

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"
	"golang.org/x/sync/errgroup"

	"github.com/nself-org/nself/internal/scaffold"
)

// Folder is where a project keeps what nself wrote into files that belong to the user since, relative to the project. It is
// committed: without it nobody can tell a user's change from one of nself's.
const Folder = ".nself/base"

// functions holds the services, a folder each.
const functions = "functions/"

// maxBaseBytes bounds what is read of one service's originals.
const maxBaseBytes = 64 << 20

// Bases are the originals of a service's files by path relative to the project.
type Bases map[string]string

// service is the folder under functions that a path belongs to; empty for other paths.
func service(p string) string {
	rest, ok := strings.CutPrefix(p, functions)
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, "/")
	return name
}

func file(dir, service string) string {
	return filepath.Join(dir, filepath.FromSlash(path.Join(Folder, service+".tar.gz")))
}

// Load reads the originals of a service. Without any the map is empty.
func Load(dir, service string) (Bases, error) {
	f, err := os.Open(file(dir, service))
	if errors.Is(err, fs.ErrNotExist) {
		return Bases{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the originals of %s: %w", service, err)
	}
	defer f.Close()
	bases, err := unpack(f)
	if err != nil { // such as the marks of a merge; what is lost is only who changed what
		return Bases{}, nil
	}
	return bases, nil
}

func unpack(r io.Reader) (Bases, error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, err
	}
	bases := Bases{}
	for t := tar.NewReader(io.LimitReader(z, maxBaseBytes)); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return bases, nil
		}
		if err != nil {
			return nil, err
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		text, err := io.ReadAll(t)
		if err != nil {
			return nil, err
		}
		bases[h.Name] = string(text)
	}
}

// Record keeps the originals of files that nself has just written and that belong to the user. Files outside of the services,
// and those of other owners, are left out. undo takes the record back, for files that could not be written after all.
func Record(dir string, files []scaffold.File) (undo func() error, err error) {
	fresh := map[string]Bases{}
	for _, f := range files {
		name := service(f.Path)
		if name == "" || f.Owner != scaffold.OwnerUser {
			continue
		}
		if fresh[name] == nil {
			fresh[name] = Bases{}
		}
		fresh[name][f.Path] = string(f.Data)
	}
	names := slices.Sorted(maps.Keys(fresh))
	undos := make([]func() error, len(names))
	undo = func() error {
		var errs []error
		for _, u := range undos {
			if u != nil {
				errs = append(errs, u())
			}
		}
		return errors.Join(errs...)
	}
	var g errgroup.Group // packing takes longer than all else of a build
	for i, name := range names {
		g.Go(func() (err error) {
			undos[i], err = add(dir, name, fresh[name])
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return undo, errors.Join(err, undo())
	}
	return undo, nil
}

// add adds to the originals of one service. undo is nil where nothing was written.
func add(dir, service string, more Bases) (undo func() error, err error) {
	bases, err := Load(dir, service)
	if err != nil {
		return nil, err
	}
	maps.Copy(bases, more)
	at := file(dir, service)
	before, err := os.ReadFile(at)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err := save(at, bases); err != nil {
		_ = os.Remove(filepath.Dir(at)) // where nothing else is in it
		return nil, err
	}
	return func() error {
		if before != nil {
			return os.WriteFile(at, before, 0o644)
		}
		err := os.Remove(at)
		_ = os.Remove(filepath.Dir(at))
		return err
	}, nil
}

// save writes the same bytes for the same originals: a commit shows no change where there is none.
func save(at string, bases Bases) error {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		return err
	}
	t := tar.NewWriter(z)
	for _, name := range slices.Sorted(maps.Keys(bases)) {
		if err := t.WriteHeader(&tar.Header{Name: name, Size: int64(len(bases[name])), Mode: 0o644}); err != nil {
			return err
		}
		if _, err := io.WriteString(t, bases[name]); err != nil {
			return err
		}
	}
	if err := errors.Join(t.Close(), z.Close()); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return err
	}
	temp := at + ".new"
	if err := os.WriteFile(temp, b.Bytes(), 0o644); err != nil {
		_ = os.Remove(temp)
		return err
	}
	return os.Rename(temp, at)
}
