package watch_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nself-org/nself/internal/watch"
)

// run watches dir until the test ends and returns the batches.
func run(t *testing.T, opts watch.Options, each func([]string)) <-chan []string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	batches := make(chan []string, 100)
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- watch.Run(ctx, opts, func() { close(ready) }, func(_ context.Context, paths []string) {
			if each != nil {
				each(paths)
			}
			batches <- paths
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("watch: %v", err)
		}
	})
	<-ready
	return batches
}

// await waits until path was told.
func await(t *testing.T, batches <-chan []string, path string) {
	t.Helper()
	var told []string
	for {
		select {
		case b := <-batches:
			told = append(told, b...)
			if slices.Contains(b, path) {
				return
			}
		case <-time.After(time.Minute):
			t.Fatalf("%s was not told within a minute, only %q", path, told)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestChanges(t *testing.T) {
	t.Parallel()
	for name, polling := range map[string]bool{"listening": false, "looking": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			old := filepath.Join(dir, "old.go")
			write(t, old, "1")
			write(t, filepath.Join(dir, "skipped", "x.go"), "1")
			batches := run(t, watch.Options{
				Dirs: []string{dir}, Polling: polling, Poll: 5 * time.Millisecond,
				Skip: func(path string, isDir bool) bool {
					return isDir && filepath.Base(path) == "skipped" || strings.HasSuffix(path, "~")
				},
				Note: func(reason string) { t.Errorf("not listening: %s", reason) },
			}, func(paths []string) {
				for _, p := range paths {
					if strings.Contains(p, "skipped") || strings.HasSuffix(p, "~") {
						t.Errorf("%s was told", p)
					}
				}
			})
			write(t, filepath.Join(dir, "skipped", "x.go"), "22")
			write(t, old+"~", "22")
			write(t, old, "22")
			await(t, batches, old)

			deep := filepath.Join(dir, "new", "folder", "deep.go")
			write(t, deep, "1")
			await(t, batches, deep)
			write(t, deep, "22")
			await(t, batches, deep)

			// As editors save: a new file takes the old one's name.
			write(t, old+".tmp", "333")
			if err := os.Rename(old+".tmp", old); err != nil {
				t.Fatal(err)
			}
			await(t, batches, old)
			if err := os.Remove(old); err != nil {
				t.Fatal(err)
			}
			await(t, batches, old)
		})
	}
}

// TestFallsBackToLooking watches a folder that does not exist yet, which no system can listen to.
func TestFallsBackToLooking(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "later")
	notes := make(chan string, 1)
	batches := run(t, watch.Options{
		Dirs: []string{dir}, Poll: 5 * time.Millisecond, Note: func(reason string) { notes <- reason },
	}, nil)
	select {
	case reason := <-notes:
		if !strings.Contains(reason, "later") {
			t.Errorf("the reason does not name the folder: %s", reason)
		}
	default:
		t.Error("nobody was told that looking takes the place of listening")
	}
	path := filepath.Join(dir, "a")
	write(t, path, "1")
	await(t, batches, path)
}
