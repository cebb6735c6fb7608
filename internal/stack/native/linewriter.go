package native

import (
	"bytes"
	"io"
)

// lineWriter rewrites the lines of a tool's output before it writes them to out. It is not safe for concurrent use.
type lineWriter struct {
	out     io.Writer
	rewrite func(line []byte) []byte
	part    []byte
}

// Write never fails, like the log that it writes to.
func (w *lineWriter) Write(b []byte) (int, error) {
	w.part = append(w.part, b...)
	for {
		i := bytes.IndexByte(w.part, '\n')
		if i < 0 {
			return len(b), nil
		}
		_, _ = w.out.Write(w.rewrite(w.part[:i+1]))
		w.part = w.part[i+1:]
	}
}

// flush writes an unfinished last line.
func (w *lineWriter) flush() {
	if len(w.part) > 0 {
		_, _ = w.out.Write(w.rewrite(w.part))
		w.part = nil
	}
}
