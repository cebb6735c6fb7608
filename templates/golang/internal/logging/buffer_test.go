package logging

import (
	"bytes"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// writes counts how often something was written.
type writes struct {
	bytes.Buffer
	n int
}

func (w *writes) Write(p []byte) (int, error) {
	w.n++
	return w.Buffer.Write(p)
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
		if w.n != 0 {
			t.Errorf("%d writes before the time was up", w.n)
		}
		time.Sleep(flushAfter) // of the bubble's own clock
		synctest.Wait()
		if w.n != 1 || strings.Count(w.String(), "\n") != 3 {
			t.Errorf("%d writes, %q", w.n, w.String())
		}
		log.WarnContext(t.Context(), "at once")
		if w.n != 2 || !strings.Contains(w.String(), "at once") {
			t.Errorf("a warning waits: %d writes, %q", w.n, w.String())
		}
		if _, err := io.WriteString(b, strings.Repeat("x", flushAt)); err != nil || w.n != 3 {
			t.Errorf("a full buffer waits: %d writes, %v", w.n, err)
		}
		log.InfoContext(t.Context(), "last")
		if err := b.Flush(); err != nil || !strings.HasSuffix(w.String(), "\"msg\":\"last\"}\n") {
			t.Errorf("%v, %q", err, w.String()[w.Len()-30:])
		}
		time.Sleep(time.Second)
		if w.n != 4 {
			t.Errorf("%d writes at the end", w.n)
		}
	})
}
