package native

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/stack"
)

func texts(lines []stack.LogLine) []string {
	list := make([]string, len(lines))
	for i, l := range lines {
		list[i] = l.Text
	}
	return list
}

func collect(t *testing.T, l layout, opts stack.LogsOptions) []stack.LogLine {
	t.Helper()
	var lines []stack.LogLine
	opts.Sink = func(l stack.LogLine) { lines = append(lines, l) }
	if err := readLogs(t.Context(), l, []string{"a"}, opts); err != nil {
		t.Fatal(err)
	}
	return lines
}

func newTestLog(t *testing.T, limit int64) (layout, *logFile) {
	t.Helper()
	l := layout{t.TempDir()}
	if err := l.create(); err != nil {
		t.Fatal(err)
	}
	out, err := openLog(l.log("a"))
	if err != nil {
		t.Fatal(err)
	}
	out.limit = limit
	t.Cleanup(out.close)
	return l, out
}

func TestLogSplitsLines(t *testing.T) {
	t.Parallel()
	l, out := newTestLog(t, maxLogBytes)
	for _, chunk := range []string{"one\ntw", "o\r\n\nth", "ree"} {
		_, _ = fmt.Fprint(out, chunk)
	}
	if diff := cmp.Diff([]string{"one", "two", "", "three"}, out.last()); diff != "" {
		t.Errorf("last lines (-want +got):\n%s", diff)
	}
	out.flush()
	if diff := cmp.Diff([]string{"one", "two", "", "three"}, texts(collect(t, l, stack.LogsOptions{}))); diff != "" {
		t.Errorf("file (-want +got):\n%s", diff)
	}
}

func TestLogBreaksEndlessLines(t *testing.T) {
	t.Parallel()
	l, out := newTestLog(t, maxLogBytes)
	_, _ = fmt.Fprint(out, strings.Repeat("x", 2*maxLineBytes+5))
	out.flush()
	var sizes []int
	for _, line := range collect(t, l, stack.LogsOptions{}) {
		sizes = append(sizes, len(line.Text))
	}
	if diff := cmp.Diff([]int{maxLineBytes, maxLineBytes, 5}, sizes); diff != "" {
		t.Errorf("line lengths (-want +got):\n%s", diff)
	}
}

func TestLogRotates(t *testing.T) {
	t.Parallel()
	l, out := newTestLog(t, 400)
	for i := range 100 {
		_, _ = fmt.Fprintf(out, "line %02d\n", i)
	}
	lines := texts(collect(t, l, stack.LogsOptions{}))
	if n := len(lines); n < 20 || n > 40 {
		t.Errorf("%d lines are kept, want those of three small files", n)
	}
	if lines[len(lines)-1] != "line 99" {
		t.Errorf("the last line is %q", lines[len(lines)-1])
	}
	for i, line := range lines {
		if want := fmt.Sprintf("line %02d", 100-len(lines)+i); line != want {
			t.Fatalf("line %d is %q, want %q", i, line, want)
		}
	}
	if got := texts(collect(t, l, stack.LogsOptions{Tail: 15})); len(got) != 15 || got[0] != "line 85" {
		t.Errorf("the last 15 lines are %q", got)
	}
	files, err := filepath.Glob(l.log("a") + "*")
	if err != nil || len(files) != 1+keptLogs {
		t.Errorf("files are %q, want the current one and %d old ones", files, keptLogs)
	}
}

func TestFollowAcrossRotation(t *testing.T) {
	t.Parallel()
	l, out := newTestLog(t, 4000)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	const n, step = 300, 50 // less than a file holds: who follows is not left behind by two files
	seen := make(chan string, 2*n)
	done := make(chan error, 1)
	go func() {
		done <- readLogs(ctx, l, []string{"a"}, stack.LogsOptions{Follow: true, Sink: func(l stack.LogLine) { seen <- l.Text }})
	}()
	for i := range n {
		_, _ = fmt.Fprintf(out, "line %d\n", i)
		if i%step != step-1 {
			continue
		}
		for k := i + 1 - step; k <= i; k++ {
			select {
			case got := <-seen:
				if want := fmt.Sprintf("line %d", k); got != want {
					t.Fatalf("got %q, want %q", got, want)
				}
			case <-ctx.Done():
				t.Fatalf("line %d never came", k)
			}
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("following ended with %v", err)
	}
}

func TestLogSince(t *testing.T) {
	t.Parallel()
	l, out := newTestLog(t, maxLogBytes)
	_, _ = fmt.Fprintln(out, "fresh")
	if got := texts(collect(t, l, stack.LogsOptions{Since: time.Hour})); len(got) != 1 {
		t.Errorf("younger than an hour: %q", got)
	}
	if got := texts(collect(t, l, stack.LogsOptions{Since: time.Nanosecond})); len(got) != 0 {
		t.Errorf("younger than a nanosecond: %q", got)
	}
}
