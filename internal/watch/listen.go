package watch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fsnotify/fsnotify"
)

// listener is told by the system.
type listener struct {
	opts    Options
	watcher *fsnotify.Watcher
}

// listen adds every folder. It fails where one cannot be added: half a watch would miss changes.
func listen(opts Options) (*listener, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("listen to file changes: %w", err)
	}
	l := &listener{opts: opts, watcher: w}
	for _, dir := range opts.Dirs {
		if err := l.add(dir, nil); err != nil {
			_ = w.Close()
			return nil, err
		}
	}
	return l, nil
}

// add watches dir and all folders below it; each file in them is told to found, which may be nil.
func (l *listener) add(dir string, found func(path string)) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path != dir {
			return nil // gone meanwhile
		}
		if err != nil {
			return fmt.Errorf("listen to file changes: %w", err)
		}
		if !d.IsDir() {
			if found != nil && !l.opts.Skip(path, false) {
				found(path)
			}
			return nil
		}
		if path != dir && l.opts.Skip(path, true) {
			return fs.SkipDir
		}
		if err := l.watcher.Add(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("listen to changes in %s: %w", path, err)
		}
		return nil
	})
}

func (l *listener) run(ctx context.Context, paths chan<- string) error {
	defer func() { _ = l.watcher.Close() }()
	tell := func(path string) {
		select {
		case paths <- path:
		case <-ctx.Done():
		}
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-l.watcher.Events:
			if !ok {
				return errors.New("listen to file changes: the system has stopped telling")
			}
			l.event(e, tell)
		case err, ok := <-l.watcher.Errors:
			if !ok {
				return errors.New("listen to file changes: the system has stopped telling")
			}
			if errors.Is(err, fsnotify.ErrEventOverflow) {
				for _, dir := range l.opts.Dirs { // whatever it was, it was below these
					tell(dir)
				}
				continue
			}
			return fmt.Errorf("listen to file changes: %w", err)
		}
	}
}

func (l *listener) event(e fsnotify.Event, tell func(string)) {
	if e.Op == fsnotify.Chmod {
		return
	}
	info, err := os.Lstat(e.Name)
	dir := err == nil && info.IsDir()
	if l.opts.Skip(e.Name, dir) {
		return
	}
	if dir {
		if e.Has(fsnotify.Create) { // what was written into it before it was watched
			_ = l.add(e.Name, tell) // it may be gone already
		}
		return
	}
	tell(e.Name)
}
