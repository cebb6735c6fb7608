package logging

import (
	"io"
	"sync"
	"time"
)

const (
	// flushAfter is how long a line may wait for others. A process that is killed loses that much of its log at most.
	flushAfter = 10 * time.Millisecond
	// flushAt is how much may wait, in bytes; who writes more than is taken away has to wait, too.
	flushAt = 1 << 20
)

// Buffer writes lines together that come close to each other: to write each alone costs a busy service as much as to
// answer the request that it is about, and one that waits for a slow reader of its log would keep all others waiting. It is
// safe for concurrent use.
type Buffer struct {
	w io.Writer

	mu      sync.Mutex
	lines   []byte
	waiting bool // whether a timer will flush

	writing sync.Mutex // taken before mu: one write at a time, in the order of the lines
	spare   []byte     // the room of the lines that were written last
}

// NewBuffer makes a Buffer in front of w. Call [Buffer.Flush] at the end.
func NewBuffer(w io.Writer) *Buffer { return &Buffer{w: w} }

// Write takes a line. Its errors are those of an earlier line at the most: nobody could log them.
func (b *Buffer) Write(line []byte) (int, error) {
	b.mu.Lock()
	b.lines = append(b.lines, line...)
	full := len(b.lines) >= flushAt
	if !b.waiting {
		b.waiting = true
		time.AfterFunc(flushAfter, func() { _ = b.Flush() })
	}
	b.mu.Unlock()
	if full {
		return len(line), b.Flush()
	}
	return len(line), nil
}

// Flush writes what waits.
func (b *Buffer) Flush() error {
	b.writing.Lock()
	defer b.writing.Unlock()
	b.mu.Lock()
	lines := b.lines
	b.lines, b.spare, b.waiting = b.spare, nil, false
	b.mu.Unlock()
	if len(lines) == 0 {
		b.spare = lines
		return nil
	}
	_, err := b.w.Write(lines)
	b.spare = lines[:0]
	return err
}
