package jsonlog

import (
	"io"
	"sync"
	"time"
)

const (
	// batchAfter is how long a line may wait for others. A process that is killed loses that much of its log at most.
	batchAfter = 10 * time.Millisecond
	// batchBytes is how much may wait.
	batchBytes = 32 << 10
)

// Batch writes lines together that come close to each other: to write each alone costs a busy server more than to format
// it. It is safe for concurrent use.
type Batch struct {
	out io.Writer

	mu      sync.Mutex
	lines   []byte
	waiting bool // whether a timer will flush
}

// NewBatch returns a Batch in front of out. Call [Batch.Flush] at the end.
func NewBatch(out io.Writer) *Batch { return &Batch{out: out} }

// Write takes a line. Its error is that of the lines before at most: nobody could log it.
func (b *Batch) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, line...)
	if len(b.lines) >= batchBytes {
		return len(line), b.flush()
	}
	if !b.waiting {
		b.waiting = true
		time.AfterFunc(batchAfter, func() { _ = b.Flush() })
	}
	return len(line), nil
}

// Flush writes what waits.
func (b *Batch) Flush() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = false
	return b.flush()
}

func (b *Batch) flush() error {
	if len(b.lines) == 0 {
		return nil
	}
	_, err := b.out.Write(b.lines)
	b.lines = b.lines[:0]
	return err
}
