package mailcatcher

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

const (
	mailSuffix = ".eml"
	tempPrefix = ".incoming-"
)

// errNotFound is a mail that is not there, or not any more.
var errNotFound = errors.New("no such mail")

// limits bounds a store. The oldest mails go first.
type limits struct {
	messages int
	bytes    int64
}

// store keeps mails as files named after their id. Ids are UUIDs of version 7, so that the order of names is the order
// of arrival and the time of arrival needs no place of its own.
type store struct {
	dir    string
	limits limits
	log    *slog.Logger

	accepted, acceptedBytes, rejected, deleted atomic.Int64

	parsing chan struct{} // a slot for each mail that may be parsed at the same time: a large one takes memory
	last    atomic.Pointer[loaded]
	check   sync.Once

	mu      sync.Mutex
	entries []*entry // oldest first
	byID    map[string]*entry
	bytes   int64
	version uint64 // changes with every change that a list could show
}

// entry is one mail. Its file is read when its summary is first asked for.
type entry struct {
	id      string
	size    int64
	created time.Time
	read    bool // guarded by store.mu

	mu      sync.Mutex
	summary *digest // guarded by mu
}

// loaded is the mail that was parsed last: a page asks for a mail, then for each of its images.
type loaded struct {
	id   string
	mail *message
}

func openStore(dir string, lim limits, log *slog.Logger) (*store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create the mail folder: %w", err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("open the mail folder: %w", err)
	}
	s := &store{dir: dir, limits: lim, log: log, parsing: make(chan struct{}, 2), byID: map[string]*entry{}}
	for _, file := range files { // sorted by name: oldest first
		if strings.HasPrefix(file.Name(), tempPrefix) {
			_ = os.Remove(filepath.Join(dir, file.Name())) // a mail that was never acknowledged
			continue
		}
		e, err := entryOf(file)
		if err != nil {
			s.skipped(file.Name(), err)
			continue
		}
		s.entries = append(s.entries, e)
		s.byID[e.id] = e
		s.bytes += e.size
	}
	s.removeFiles(s.evict())
	return s, nil
}

func (s *store) skipped(name string, err error) {
	s.log.Warn("mail file skipped", slog.String("file", filepath.Join(s.dir, name)), slog.Any("error", err))
}

// add stores a mail and returns when it is safe on the disk. An error of r is returned as it is, and leaves nothing.
func (s *store) add(r io.Reader) (id string, size int64, err error) {
	temp, size, err := s.writeTemp(r)
	if err != nil {
		return "", 0, err
	}
	u, err := uuid.NewV7()
	if err != nil {
		_ = os.Remove(temp)
		return "", 0, fmt.Errorf("make an id: %w", err)
	}
	id = u.String()
	if err := os.Rename(temp, s.path(id)); err != nil {
		_ = os.Remove(temp)
		return "", 0, err
	}
	if err := syncDir(s.dir); err != nil {
		_ = os.Remove(s.path(id))
		return "", 0, err
	}
	e := &entry{id: id, size: size, created: time.Unix(u.Time().UnixTime())}

	s.mu.Lock()
	// Mails that arrive together may get here out of order; memory keeps the order that a restart would find.
	at, _ := slices.BinarySearchFunc(s.entries, id, func(e *entry, id string) int { return strings.Compare(e.id, id) })
	s.entries = slices.Insert(s.entries, at, e)
	s.byID[id] = e
	s.bytes += size
	s.version++
	evicted := s.evict()
	s.mu.Unlock()

	s.accepted.Add(1)
	s.acceptedBytes.Add(size)
	s.removeFiles(evicted)
	return id, size, nil
}

// evict takes the oldest mails out of the index until the rest fits. The caller holds mu, and removes the files.
func (s *store) evict() []*entry {
	n := 0
	for n < len(s.entries) && (len(s.entries)-n > s.limits.messages || s.bytes > s.limits.bytes) {
		s.bytes -= s.entries[n].size
		delete(s.byID, s.entries[n].id)
		n++
	}
	evicted := slices.Clone(s.entries[:n])
	s.entries = slices.Delete(s.entries, 0, n)
	return evicted
}

// newestFirst returns the mails as they stand, and the version of that state.
func (s *store) newestFirst() ([]*entry, uint64) {
	s.check.Do(s.dropForeign)
	s.mu.Lock()
	defer s.mu.Unlock()
	list := slices.Clone(s.entries)
	slices.Reverse(list)
	return list, s.version
}

// dropForeign takes out of the index the files that this store cannot have written. It costs a read per file and is
// done at the first look, not at the start.
func (s *store) dropForeign() {
	s.mu.Lock()
	entries := slices.Clone(s.entries)
	s.mu.Unlock()
	want := []byte(headerReturnPath + ": <")
	for _, e := range entries {
		if err := startsWith(s.path(e.id), want); err != nil {
			s.drop(e, err)
		}
	}
}

// drop takes a mail out of the index and leaves its file for a person to look at.
func (s *store) drop(e *entry, why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unlink(e.id) != nil {
		s.skipped(e.id+mailSuffix, why)
	}
}

// unlink takes a mail out of the index and returns it, or nil. The caller holds mu.
func (s *store) unlink(id string) *entry {
	e := s.byID[id]
	if e == nil {
		return nil
	}
	delete(s.byID, id)
	s.entries = slices.DeleteFunc(s.entries, func(x *entry) bool { return x == e })
	s.bytes -= e.size
	s.version++
	return e
}

// remove deletes the mails with the given ids; ids that are not there are passed over.
func (s *store) remove(ids []string) {
	var removed []*entry
	s.mu.Lock()
	for _, id := range ids {
		if e := s.unlink(id); e != nil {
			removed = append(removed, e)
		}
	}
	s.mu.Unlock()
	s.forget(removed)
}

// removeAll deletes every mail.
func (s *store) removeAll() {
	s.mu.Lock()
	removed := s.entries
	s.entries, s.byID, s.bytes = nil, map[string]*entry{}, 0
	s.version++
	s.mu.Unlock()
	s.forget(removed)
}

func (s *store) forget(removed []*entry) {
	s.last.Store(nil)
	s.deleted.Add(int64(len(removed)))
	s.removeFiles(removed)
}

// setRead marks the mails with the given ids, or all when ids is nil. Marks live as long as the process.
func (s *store) setRead(ids []string, read bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ids == nil {
		for _, e := range s.entries {
			e.read = read
		}
		s.version++
		return
	}
	for _, id := range ids {
		if e := s.byID[id]; e != nil && e.read != read {
			e.read = read
			s.version++
		}
	}
}

// isRead reports the marks of several mails.
func (s *store) isRead(entries []*entry) []bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	read := make([]bool, len(entries))
	for i, e := range entries {
		read[i] = e.read
	}
	return read
}

// counts returns the number of mails, of unread ones among them, and their bytes.
func (s *store) counts() (total, unread int, size int64) {
	s.check.Do(s.dropForeign)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.entries {
		if !e.read {
			unread++
		}
	}
	return len(s.entries), unread, s.bytes
}

func (s *store) find(id string) (*entry, error) {
	s.check.Do(s.dropForeign)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.byID[id]; e != nil {
		return e, nil
	}
	return nil, errNotFound
}

// digest returns what lists show of a mail and search looks at. It is computed once.
func (s *store) digest(e *entry) (*digest, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.summary != nil {
		return e.summary, nil
	}
	m, err := s.load(e)
	if err != nil {
		return nil, err
	}
	e.summary = m.digest()
	return e.summary, nil
}
