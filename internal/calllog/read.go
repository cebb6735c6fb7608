package calllog

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/nself-org/nself/internal/errdefs"
)

// Filter chooses entries. The zero value chooses all.
type Filter struct {
	Action string
	Failed bool
	Limit  int // the last ones; 0: all
}

func (f Filter) has(e *Entry) bool {
	return (f.Action == "" || e.Action == f.Action) && (!f.Failed || e.Failed)
}

// Read returns the entries that are kept in dir, oldest first. A line that cannot be read is left out.
func Read(dir string, f Filter) ([]Entry, error) {
	var all []Entry
	for _, name := range []string{olderFile, currentFile} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read the log of calls: %w", err)
		}
		parse(b, f, func(e Entry) { all = append(all, e) })
	}
	if f.Limit > 0 && len(all) > f.Limit {
		all = all[len(all)-f.Limit:]
	}
	return all, nil
}

// parse calls each for every whole line and returns how many bytes they were.
func parse(b []byte, f Filter, each func(Entry)) int {
	done := 0
	for {
		i := bytes.IndexByte(b[done:], '\n')
		if i < 0 {
			return done
		}
		var e Entry
		if json.Unmarshal(b[done:done+i], &e) == nil && e.ID != "" && f.has(&e) {
			each(e)
		}
		done += i + 1
	}
}

// ErrNotFound says that no call is kept under an id.
var ErrNotFound = errors.New("no such call")

// Find returns the call whose id begins with prefix; "last" is the newest one. An error is [ErrNotFound], or tells that
// several ids begin so.
func Find(dir, prefix string) (Entry, error) {
	all, err := Read(dir, Filter{})
	if err != nil {
		return Entry{}, err
	}
	if prefix == "last" && len(all) > 0 {
		return all[len(all)-1], nil
	}
	var found []Entry
	for _, e := range all {
		if prefix != "" && strings.HasPrefix(e.ID, prefix) {
			found = append(found, e)
		}
	}
	switch len(found) {
	case 0:
		return Entry{}, ErrNotFound
	case 1:
		return found[0], nil
	}
	return Entry{}, errdefs.WithHint(fmt.Errorf("%w: %d calls have an id that begins with %q", errdefs.ErrUsage, len(found), prefix),
		"give more of the id")
}

// followInterval is how often the file is looked at for new calls.
const followInterval = 100 * time.Millisecond

// Follow calls each for every call that is added from now on, until ctx ends.
func Follow(ctx context.Context, dir string, f Filter, each func(Entry)) error {
	path := filepath.Join(dir, currentFile)
	var offset int64
	var last os.FileInfo
	if info, err := os.Stat(path); err == nil {
		offset, last = info.Size(), info
	}
	tick := time.NewTicker(followInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		info, err := os.Stat(path)
		if err != nil {
			continue // it was put aside, and the next call makes a new one
		}
		if last != nil && !os.SameFile(last, info) {
			if _, err := readFrom(filepath.Join(dir, olderFile), offset, f, each); err != nil {
				return err
			}
			offset = 0
		}
		last = info
		if info.Size() == offset {
			continue
		}
		n, err := readFrom(path, offset, f, each)
		if err != nil {
			return err
		}
		offset += n
	}
}

func readFrom(path string, offset int64, f Filter, each func(Entry)) (int64, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the log of calls: %w", err)
	}
	defer func() { _ = file.Close() }()
	b, err := io.ReadAll(io.NewSectionReader(file, offset, maxFileBytes*2))
	if err != nil {
		return 0, fmt.Errorf("read the log of calls: %w", err)
	}
	return int64(parse(b, f, each)), nil
}
