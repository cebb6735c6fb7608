package native

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"
)

const (
	// maxLogBytes is the size at which a log file is put aside, and keptLogs how many old ones stay.
	maxLogBytes = 10 << 20
	keptLogs    = 2
	// maxLineBytes bounds one line; a longer one is broken, so that a program without line ends cannot fill the memory.
	maxLineBytes = 64 << 10
	// ringLines is how many last lines are kept at hand for reports.
	ringLines = 20
)

// stampLayout is RFC 3339 with a fixed number of digits, so that lines sort as text.
const stampLayout = "2006-01-02T15:04:05.000000Z07:00"

// logFile writes a service's output, each line behind its time, into a file that is rotated by size. It is safe for
// concurrent use. An error of the disk is kept and does not stop the service.
type logFile struct {
	path  string
	limit int64

	mu     sync.Mutex
	f      *os.File
	size   int64
	part   []byte // a line whose end has not come yet
	ready  []byte // whole lines that are written together at the end of a Write
	ring   [ringLines][]byte
	filled int // how many lines were put into ring since the last mark; the newest is ring[(filled-1)%ringLines]
	err    error
}

func openLog(path string) (*logFile, error) {
	l := &logFile{path: path, limit: maxLogBytes}
	if err := l.open(); err != nil {
		return nil, err
	}
	return l, nil
}

func (l *logFile) open() error {
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return fmt.Errorf("open log: %w", err)
	}
	l.f, l.size = f, info.Size()
	return nil
}

// Write takes output as it comes, whole lines or not. What comes together has one time. It never fails: a service must not
// end because the disk is full.
func (l *logFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	rest := p
	for len(rest) > 0 {
		text, after, whole := bytes.Cut(rest, []byte("\n"))
		if !whole {
			l.part = append(l.part, rest...)
			for len(l.part) > maxLineBytes {
				l.line(now, l.part[:maxLineBytes])
				l.part = append([]byte(nil), l.part[maxLineBytes:]...)
			}
			break
		}
		if len(l.part) > 0 {
			l.part = append(l.part, text...)
			text = l.part
		}
		l.line(now, text)
		l.part = l.part[:0]
		rest = after
	}
	l.write()
	return len(p), nil
}

// flush writes an unfinished last line; called when a process has ended.
func (l *logFile) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.part) > 0 {
		l.line(time.Now(), l.part)
		l.part = l.part[:0]
		l.write()
	}
}

// line adds a line to those that write writes.
func (l *logFile) line(now time.Time, text []byte) {
	text = bytes.TrimSuffix(text, []byte("\r"))
	slot := &l.ring[l.filled%ringLines]
	*slot = append((*slot)[:0], text...)
	l.filled++
	l.ready = now.UTC().AppendFormat(l.ready, stampLayout)
	l.ready = append(append(append(l.ready, ' '), text...), '\n')
	if l.size+int64(len(l.ready)) >= l.limit {
		l.write()
	}
}

// write writes the lines that are ready, and puts the file aside when it is large.
func (l *logFile) write() {
	defer func() { l.ready = l.ready[:0] }()
	if l.f == nil || len(l.ready) == 0 {
		return
	}
	n, err := l.f.Write(l.ready)
	if err != nil {
		l.err = err
	}
	if l.size += int64(n); l.size >= l.limit {
		l.rotate()
	}
}

func (l *logFile) rotate() {
	if err := l.f.Close(); err != nil {
		l.err = err
	}
	l.f = nil
	for i := keptLogs; i > 1; i-- {
		_ = os.Rename(rotated(l.path, i-1), rotated(l.path, i)) // the older one need not exist
	}
	if err := os.Rename(l.path, rotated(l.path, 1)); err != nil {
		l.err = err
	}
	if err := l.open(); err != nil {
		l.err = err
	}
}

func rotated(path string, n int) string { return path + "." + strconv.Itoa(n) }

// last returns the newest lines, oldest first.
func (l *logFile) last() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var lines []string
	for i := max(0, l.filled-ringLines); i < l.filled; i++ {
		lines = append(lines, string(l.ring[i%ringLines]))
	}
	if len(l.part) > 0 {
		lines = append(lines, string(l.part))
	}
	return lines
}

// mark forgets the lines at hand, so that the next report holds only what follows.
func (l *logFile) mark() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.filled = 0
}

func (l *logFile) close() {
	l.flush()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f != nil {
		_ = l.f.Close()
		l.f = nil
	}
}
