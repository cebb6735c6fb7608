package actionlog

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Memory keeps entries in the process, for projects without a database and for tests. They end with the process.
type Memory struct {
	Hub

	lease   time.Duration
	mu      sync.Mutex
	entries map[string]*memoryEntry
	created []string // ids, oldest first; may hold ids whose state has changed since
	leases  map[string]time.Time
}

var _ Store = (*Memory)(nil)

type memoryEntry struct {
	Entry

	claimant string // "": nobody
	attempt  int
}

// NewMemory makes an empty Memory. A lease of zero means [DefaultLease].
func NewMemory(lease time.Duration) *Memory {
	return &Memory{
		lease:   cmp.Or(lease, DefaultLease),
		entries: map[string]*memoryEntry{},
		leases:  map[string]time.Time{},
	}
}

// Create implements [Log].
func (m *Memory) Create(_ context.Context, e NewEntry) (string, error) {
	if !storable(e.Input) {
		return "", fmt.Errorf("create an entry of action %q: %w", e.Action, ErrUnstorable)
	}
	id := uuid.NewString()
	m.mu.Lock()
	m.entries[id] = &memoryEntry{Entry: Entry{
		ID: id, Action: e.Action, Input: slices.Clone(e.Input), Header: Forwardable(e.Header), Host: e.Host,
		Session: maps.Clone(e.Session), CreatedAt: time.Now(), Status: StatusCreated,
	}}
	m.created = append(m.created, id)
	m.mu.Unlock()
	m.Arrived()
	return id, nil
}

// storable holds texts to what Postgres accepts, so that what works here works there.
func storable(text []byte) bool {
	plain := bytes.ReplaceAll(text, []byte(`\\`), nil)
	return json.Valid(text) && !bytes.Contains(plain, []byte(`\u0000`))
}

// Get implements [Log].
func (m *Memory) Get(_ context.Context, id string) (Entry, error) {
	parsed, err := uuid.Parse(id)
	if err != nil {
		return Entry{}, ErrNotFound
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[parsed.String()]
	if e == nil {
		return Entry{}, ErrNotFound
	}
	return e.copy(), nil
}

// copy keeps callers from changing what is stored.
func (e *memoryEntry) copy() Entry {
	c := e.Entry
	c.Input, c.Response, c.Errors = slices.Clone(c.Input), slices.Clone(c.Response), slices.Clone(c.Errors)
	c.Header, c.Session = c.Header.Clone(), maps.Clone(c.Session)
	return c
}

// Drop implements [Log].
func (m *Memory) Drop(_ context.Context, action string) (int64, error) {
	m.mu.Lock()
	var ids []string
	for id, e := range m.entries {
		if e.Action == action {
			ids = append(ids, id)
			delete(m.entries, id)
		}
	}
	m.mu.Unlock()
	m.Settled(ids...)
	return int64(len(ids)), nil
}

// Depth implements [Log].
func (m *Memory) Depth(context.Context) ([]Depth, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	counts := map[Depth]int64{}
	for _, e := range m.entries {
		counts[Depth{Action: e.Action, Status: e.Status}]++
	}
	depths := make([]Depth, 0, len(counts))
	for d, rows := range counts {
		d.Rows = rows
		depths = append(depths, d)
	}
	slices.SortFunc(depths, func(a, b Depth) int {
		return cmp.Or(cmp.Compare(a.Action, b.Action), cmp.Compare(a.Status, b.Status))
	})
	return depths, nil
}
