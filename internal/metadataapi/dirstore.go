package metadataapi

import (
	"context"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/nself-org/nself/internal/metadata"
)

// DirStore reads the metadata from a project's folder. It is read-only: the files are the one source of truth, with
// comments and an order of their own that a document cannot carry, so that writing one back would destroy them. The
// version starts at 1 and grows when the files change.
type DirStore struct {
	folder string

	mu      sync.Mutex
	seen    uint64
	version int64
}

var _ Store = (*DirStore)(nil)

// NewDirStore returns the store of the project in projectDir.
func NewDirStore(projectDir string) *DirStore {
	return NewFolderStore(filepath.Join(projectDir, filepath.FromSlash(metadata.Folder)))
}

// NewFolderStore returns the store of a folder that holds the metadata itself.
func NewFolderStore(folder string) *DirStore { return &DirStore{folder: folder} }

// Version implements [Store]. It looks at names, sizes and times of the files only.
func (s *DirStore) Version(context.Context) (int64, error) { return s.look(), nil }

// Load implements [Store]. Files with faults are an error, with each fault's place.
func (s *DirStore) Load(context.Context) (*metadata.Metadata, int64, error) {
	version := s.look() // before reading: a change in between is found at the next look
	md, err := metadata.LoadFolder(s.folder)
	if err != nil {
		return nil, 0, fmt.Errorf("load metadata: %w", err)
	}
	return md, version, nil
}

// Save implements [Store]: it fails with [ErrReadOnly].
func (s *DirStore) Save(context.Context, *metadata.Metadata, int64) (int64, error) {
	return 0, ErrReadOnly
}

// ReadOnly implements [Store].
func (s *DirStore) ReadOnly() bool { return true }

func (s *DirStore) look() int64 {
	sum := fingerprint(s.folder)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.version == 0 || sum != s.seen {
		s.seen = sum
		s.version++
	}
	return s.version
}

// fingerprint sums up names, sizes and times of the files under dir.
func fingerprint(dir string) uint64 {
	sum := fnv.New64a()
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil //nolint:nilerr // what cannot be read now is read when it changes
		}
		if info, err := os.Stat(path); err == nil {
			_, _ = fmt.Fprintf(sum, "%s %d %d\n", path, info.Size(), info.ModTime().UnixNano())
		}
		return nil
	})
	return sum.Sum64()
}
