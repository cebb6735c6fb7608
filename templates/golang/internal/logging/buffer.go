package logging

import (
	"io"
	"sync"
	"time"
)

const (
	// flushAfter is how long a line may wait for others. A process that is killed loses that much of its log at most.
	flushAfter = 10 * time.Millisecond
	// flushAt is how much may wait.
	flushAt = 32 << 10
)

// Buffer writes lines together that come close to each other: to write each alone costs a busy service as much as to
// answer the request that it is about. It is safe for concurrent use.
type Buffer struct {
	w io.Writer

	mu      sync.Mutex
	lines   []byte
	waiting bool // whether a timer will flush
}

// NewBuffer makes a Buffer in front of w. Call [Buffer.Flush] at the end.
func NewBuffer(w io.Writer) *Buffer { return &Buffer{w: w} }

// Write takes a line. Its errors are those of an earlier line at the most: nobody could log them.
func (b *Buffer) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, line...)
	if len(b.lines) >= flushAt {
		return len(line), b.flush()
	}
	if !b.waiting {
		b.waiting = true
		time.AfterFunc(flushAfter, func() { _ = b.Flush() })
	}
	return len(line), nil
}

// Flush writes what waits.
func (b *Buffer) Flush() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = false
	return b.flush()
}

func (b *Buffer) flush() error {
	if len(b.lines) == 0 {
		return nil
	}
	_, err := b.w.Write(b.lines)
	b.lines = b.lines[:0]
	return err
}
