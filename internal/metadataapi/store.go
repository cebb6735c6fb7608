package metadataapi

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nself-org/nself/internal/metadata"
)

// Errors of a [Store].
var (
	// ErrConflict is a change that was based on a version that is not the current one any more.
	ErrConflict = errors.New("the metadata was changed by someone else")
	// ErrReadOnly is a change of metadata that is kept elsewhere.
	ErrReadOnly = errors.New("the metadata is read-only")
)

// Store keeps the metadata document and its resource version, a number that grows with each change. It is safe for
// concurrent use, also by several gateways.
type Store interface {
	// Version returns the current resource version. It is cheap.
	Version(ctx context.Context) (int64, error)
	// Load returns the document, which is the caller's, and its version.
	Load(ctx context.Context) (*metadata.Metadata, int64, error)
	// Save replaces the document if its version still is expected, and returns the new version. The error may be of class
	// ErrConflict or ErrReadOnly; nothing is changed then.
	Save(ctx context.Context, md *metadata.Metadata, expected int64) (int64, error)
	// ReadOnly tells that Save always fails.
	ReadOnly() bool
}

const (
	// versionTimeout bounds the question for the version: it is asked all the time, and what waits for it waits for nothing
	// when the database hangs.
	versionTimeout = 5 * time.Second
	// loadTimeout bounds reading a document, which can be large.
	loadTimeout = 30 * time.Second
)

// boundedStore gives up reading a store that does not answer.
type boundedStore struct{ Store }

func (s boundedStore) Version(ctx context.Context) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()
	return s.Store.Version(ctx)
}

func (s boundedStore) Load(ctx context.Context) (*metadata.Metadata, int64, error) {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	return s.Store.Load(ctx)
}

// MemoryStore keeps the metadata until the program ends.
type MemoryStore struct {
	mu      sync.Mutex
	doc     []byte
	version int64
}

var _ Store = (*MemoryStore)(nil)

// NewMemoryStore returns a store that holds md as version 1.
func NewMemoryStore(md *metadata.Metadata) (*MemoryStore, error) {
	doc, err := md.MarshalJSON()
	if err != nil {
		return nil, err
	}
	return &MemoryStore{doc: doc, version: 1}, nil
}

// Version implements [Store].
func (s *MemoryStore) Version(context.Context) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.version, nil
}

// Load implements [Store].
func (s *MemoryStore) Load(context.Context) (*metadata.Metadata, int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	md := new(metadata.Metadata)
	err := md.UnmarshalJSON(s.doc)
	return md, s.version, err
}

// Save implements [Store].
func (s *MemoryStore) Save(_ context.Context, md *metadata.Metadata, expected int64) (int64, error) {
	doc, err := md.MarshalJSON()
	if err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.version != expected {
		return 0, ErrConflict
	}
	s.doc = doc
	s.version++
	return s.version, nil
}

// ReadOnly implements [Store].
func (s *MemoryStore) ReadOnly() bool { return false }
