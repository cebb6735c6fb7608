package jsonlog

import (
	"io"
	"sync"
	"time"
)

const (
	// batchAfter is how long a line may wait for others. A process that is killed loses that much of its log at most.
	batchAfter = 10 * time.Millisecond
	// batchBytes is how much may wait; who writes more than is taken away has to wait, too.
	batchBytes = 1 << 20
)

// Batch writes lines together that come close to each other: to write each alone costs a busy server more than to format
// it, and one that waits for a slow reader of its log would keep all others waiting. It is safe for concurrent use.
type Batch struct {
	out io.Writer

	mu      sync.Mutex
	lines   []byte
	waiting bool // whether a timer will flush

	writing sync.Mutex // taken before mu: one write at a time, in the order of the lines
	spare   []byte     // the room of the lines that were written last
}

// NewBatch returns a Batch in front of out. Call [Batch.Flush] at the end.
func NewBatch(out io.Writer) *Batch { return &Batch{out: out} }

// Write takes a line. Its error is that of the lines before at most: nobody could log it.
func (b *Batch) Write(line []byte) (int, error) {
	b.mu.Lock()
	b.lines = append(b.lines, line...)
	full := len(b.lines) >= batchBytes
	if !b.waiting {
		b.waiting = true
		time.AfterFunc(batchAfter, func() { _ = b.Flush() })
	}
	b.mu.Unlock()
	if full {
		return len(line), b.Flush()
	}
	return len(line), nil
}

// Flush writes what waits.
func (b *Batch) Flush() error {
	b.writing.Lock()
	defer b.writing.Unlock()
	b.mu.Lock()
	lines := b.lines
	b.lines, b.spare, b.waiting = b.spare, nil, false
	b.mu.Unlock()
	b.spare = lines[:0]
	if len(lines) == 0 {
		return nil
	}
	_, err := b.out.Write(lines)
	return err
}
