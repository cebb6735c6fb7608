package jsonlog_test

import (
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nself-org/nself/internal/jsonlog"
)

// writes keeps what was written, each call apart.
type writes struct {
	mu    sync.Mutex
	texts []string
}

func (w *writes) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.texts = append(w.texts, string(p))
	return len(p), nil
}

func (w *writes) so() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.texts)
}

func TestBatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &writes{}
		b := jsonlog.NewBatch(w)
		write := func(text string) {
			if _, err := io.WriteString(b, text); err != nil {
				t.Error(err)
			}
		}
		want := func(texts ...string) {
			t.Helper()
			if got := w.so(); !slices.Equal(got, texts) {
				t.Errorf("written: %.80q, want %.80q", got, texts)
			}
		}
		write("a\n")
		write("b\n")
		want()
		time.Sleep(time.Second) // of the bubble's own clock
		synctest.Wait()
		want("a\nb\n")
		much := strings.Repeat("x", 1<<20)
		write(much)
		want("a\nb\n", much)
		write("c\n")
		if err := b.Flush(); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		want("a\nb\n", much, "c\n")
	})
}

// slow lets a reader take its time: a write begins with one receive from steps and ends with another.
type slow struct {
	writes

	steps chan struct{}
}

func (w *slow) Write(p []byte) (int, error) {
	w.steps <- struct{}{}
	w.steps <- struct{}{}
	return w.writes.Write(p)
}

// TestSlowReader: who logs does not wait for who reads the log, and the lines keep their order.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	w := &slow{steps: make(chan struct{})}
	b := jsonlog.NewBatch(w)
	for _, line := range []string{"a\n", "b\n", "c\n"} {
		if _, err := io.WriteString(b, line); err != nil {
			t.Error(err)
		}
		if line == "a\n" {
			<-w.steps // and now nobody reads on
		}
	}
	<-w.steps
	<-w.steps
	<-w.steps
	if err := b.Flush(); err != nil {
		t.Error(err)
	}
	if got := w.so(); !slices.Equal(got, []string{"a\n", "b\nc\n"}) {
		t.Errorf("written: %q", got)
	}
}
