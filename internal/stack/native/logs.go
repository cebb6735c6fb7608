package native

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/nself-org/nself/internal/stack"
)

// followInterval is how often a followed log is looked at; a person does not see a tenth of a second.
const followInterval = 100 * time.Millisecond

// readLogs writes what the named services have logged, in the order of time, and with Follow what comes.
func readLogs(ctx context.Context, l layout, services []string, opts stack.LogsOptions) error {
	var oldest time.Time
	if opts.Since > 0 {
		oldest = time.Now().Add(-opts.Since)
	}
	var all []stack.LogLine
	tails := make([]*logTail, 0, len(services))
	defer func() {
		for _, t := range tails {
			t.close()
		}
	}()
	for _, name := range services {
		t := &logTail{service: name, path: l.log(name)}
		tails = append(tails, t)
		lines, err := t.history(oldest)
		if err != nil {
			return err
		}
		if opts.Tail > 0 && len(lines) > opts.Tail {
			lines = lines[len(lines)-opts.Tail:]
		}
		all = append(all, lines...)
	}
	slices.SortStableFunc(all, func(a, b stack.LogLine) int { return a.Time.Compare(b.Time) })
	for _, line := range all {
		opts.Sink(line)
	}
	if !opts.Follow {
		return ctx.Err()
	}
	tick := time.NewTicker(followInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		var fresh []stack.LogLine
		for _, t := range tails {
			lines, err := t.more()
			if err != nil {
				return err
			}
			fresh = append(fresh, lines...)
		}
		slices.SortStableFunc(fresh, func(a, b stack.LogLine) int { return a.Time.Compare(b.Time) })
		for _, line := range fresh {
			opts.Sink(line)
		}
	}
}

// logTail reads one service's log across its rotations.
type logTail struct {
	service string
	path    string
	f       *os.File
	part    []byte
	last    time.Time
}

// history reads the kept files, oldest first, and leaves the current one open at its end.
func (t *logTail) history(oldest time.Time) ([]stack.LogLine, error) {
	if err := t.reopen(); err != nil {
		return nil, err
	}
	var current os.FileInfo
	if t.f != nil {
		info, err := t.f.Stat()
		if err != nil {
			return nil, fmt.Errorf("read the log of %s: %w", t.service, err)
		}
		current = info
	}
	var lines []stack.LogLine
	for i := keptLogs; i >= 1; i-- {
		old, err := t.rotatedLines(rotated(t.path, i), current)
		if err != nil {
			return nil, err
		}
		lines = append(lines, old...)
	}
	rest, err := t.drain()
	if err != nil {
		return nil, err
	}
	lines = append(lines, rest...)
	if !oldest.IsZero() {
		lines = slices.DeleteFunc(lines, func(l stack.LogLine) bool { return l.Time.Before(oldest) })
	}
	return lines, nil
}

func (t *logTail) rotatedLines(path string, current os.FileInfo) ([]stack.LogLine, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the log of %s: %w", t.service, err)
	}
	defer func() { _ = f.Close() }()
	if info, err := f.Stat(); err == nil && current != nil && os.SameFile(info, current) {
		return nil, nil // rotated while we looked; it is read as the current one
	}
	var lines []stack.LogLine
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 2*maxLineBytes)
	for sc.Scan() {
		lines = append(lines, t.parse(sc.Text()))
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("read the log of %s: %w", t.service, err)
	}
	return lines, nil
}

// more returns the lines written since the last call.
func (t *logTail) more() ([]stack.LogLine, error) {
	lines, err := t.drain()
	if err != nil {
		return nil, err
	}
	now, err := os.Stat(t.path)
	if err != nil {
		return lines, nil //nolint:nilerr // not there yet, or between two names: the next look finds it
	}
	if t.f != nil {
		if open, err := t.f.Stat(); err == nil && os.SameFile(open, now) {
			return lines, nil
		}
	}
	rest, err := t.drain() // what was written between our read and the rotation
	if err != nil {
		return nil, err
	}
	if err := t.reopen(); err != nil {
		return nil, err
	}
	next, err := t.drain()
	return append(append(lines, rest...), next...), err
}

func (t *logTail) drain() ([]stack.LogLine, error) {
	if t.f == nil {
		return nil, nil
	}
	b, err := io.ReadAll(t.f)
	if err != nil {
		return nil, fmt.Errorf("read the log of %s: %w", t.service, err)
	}
	t.part = append(t.part, b...)
	var lines []stack.LogLine
	for {
		i := bytes.IndexByte(t.part, '\n')
		if i < 0 {
			return lines, nil
		}
		lines = append(lines, t.parse(string(t.part[:i])))
		t.part = t.part[i+1:]
	}
}

// parse splits the time from the text. A line without one, from a full disk for example, counts as old as its neighbour.
func (t *logTail) parse(line string) stack.LogLine {
	if stamp, text, ok := strings.Cut(line, " "); ok {
		if at, err := time.Parse(stampLayout, stamp); err == nil {
			t.last = at
			return stack.LogLine{Service: t.service, Time: at, Text: text}
		}
	}
	return stack.LogLine{Service: t.service, Time: t.last, Text: line}
}

func (t *logTail) reopen() error {
	t.close()
	f, err := os.Open(t.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the log of %s: %w", t.service, err)
	}
	t.f, t.part = f, nil
	return nil
}

func (t *logTail) close() {
	if t.f != nil {
		_ = t.f.Close()
		t.f = nil
	}
}
