package logging

import (
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// writes counts how often something was written, by timers too.
type writes struct {
	mu   sync.Mutex
	text strings.Builder
	n    int
}

func (w *writes) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.n++
	return w.text.Write(p)
}

// so returns how often something was written so far, and all of it.
func (w *writes) so() (int, string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.n, w.text.String()
}

func TestBuffer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &writes{}
		b := NewBuffer(w)
		log := New(b, slog.LevelInfo)
		for range 3 {
			log.InfoContext(t.Context(), "line")
		}
		if n, _ := w.so(); n != 0 {
			t.Errorf("%d writes before the time was up", n)
		}
		time.Sleep(flushAfter) // of the bubble's own clock
		synctest.Wait()
		if n, text := w.so(); n != 1 || strings.Count(text, "\n") != 3 {
			t.Errorf("%d writes, %q", n, text)
		}
		log.WarnContext(t.Context(), "at once")
		if n, text := w.so(); n != 2 || !strings.Contains(text, "at once") {
			t.Errorf("a warning waits: %d writes, %q", n, text)
		}
		_, err := io.WriteString(b, strings.Repeat("x", flushAt))
		if n, _ := w.so(); err != nil || n != 3 {
			t.Errorf("a full buffer waits: %d writes, %v", n, err)
		}
		log.InfoContext(t.Context(), "last")
		if err = b.Flush(); err != nil {
			t.Error(err)
		}
		if _, text := w.so(); !strings.HasSuffix(text, "\"msg\":\"last\"}\n") {
			t.Errorf("%q", text[len(text)-30:])
		}
		time.Sleep(time.Second)
		if n, _ := w.so(); n != 4 {
			t.Errorf("%d writes at the end", n)
		}
	})
}
