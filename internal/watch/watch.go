// Package watch tells which files below some folders have changed. It listens to the system where that works, and looks
// at names, sizes and times where it does not, as on network folders and where the system's watches have run out.
package watch

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"
)

const (
	// defaultSettle is how long nothing must happen before a change is told: editors write a file in several steps, and
	// tools many files.
	defaultSettle = 15 * time.Millisecond
	// longestSettle bounds the wait where something happens all the time.
	longestSettle = 300 * time.Millisecond
	// defaultPoll is how often files are looked at where the system does not tell: a walk over some hundred names takes a
	// few milliseconds.
	defaultPoll = 300 * time.Millisecond
)

// Options tell what is watched.
type Options struct {
	// Dirs are watched with all that is below them. One that does not exist yet is waited for by looking.
	Dirs []string
	// Skip leaves out a file, or a folder with all below it. Nil: nothing.
	Skip func(path string, dir bool) bool
	// Settle is how long nothing must happen before changes are told. Zero: 15 ms.
	Settle time.Duration
	// Poll is how often files are looked at where the system does not tell. Zero: 300 ms.
	Poll time.Duration
	// Polling looks even where the system would tell.
	Polling bool
	// Note is told once when looking takes the place of listening, and why. May be nil.
	Note func(reason string)
}

// source delivers paths that may have changed until ctx ends.
type source interface {
	run(ctx context.Context, paths chan<- string) error
}

// Run calls changed with the paths that have changed since it last returned, sorted, until ctx ends; then it returns nil.
// While changed runs, further changes gather. ready is called once when no change is missed any more; it may be nil.
func Run(ctx context.Context, opts Options, ready func(), changed func(ctx context.Context, paths []string)) error {
	if opts.Skip == nil {
		opts.Skip = func(string, bool) bool { return false }
	}
	if opts.Settle <= 0 {
		opts.Settle = defaultSettle
	}
	if opts.Poll <= 0 {
		opts.Poll = defaultPoll
	}
	opts.Dirs = slices.Clone(opts.Dirs)
	for i, dir := range opts.Dirs {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return fmt.Errorf("watch %s: %w", dir, err)
		}
		opts.Dirs[i] = abs
	}
	src := open(opts)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	paths := make(chan string, 256)
	ended := make(chan error, 1)
	go func() { ended <- src.run(ctx, paths) }()
	if ready != nil {
		ready()
	}
	g := &gatherer{settle: opts.Settle, changed: changed, pending: map[string]bool{}}
	g.run(ctx, paths, ended)
	cancel()
	return g.err
}

// open listens, or prepares to look.
func open(opts Options) source {
	if !opts.Polling {
		l, err := listen(opts)
		if err == nil {
			return l
		}
		if opts.Note != nil {
			opts.Note(err.Error())
		}
	}
	return newPoller(opts)
}

// gatherer puts changes together and hands them on one batch at a time.
type gatherer struct {
	settle  time.Duration
	changed func(context.Context, []string)
	pending map[string]bool
	first   time.Time // of the pending ones
	err     error
}

func (g *gatherer) run(ctx context.Context, paths <-chan string, ended <-chan error) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var busy chan struct{} // closed when the callback under way returns
	defer func() {
		if busy != nil {
			<-busy
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return
		case g.err = <-ended:
			return
		case path := <-paths:
			if len(g.pending) == 0 {
				g.first = time.Now()
			}
			g.pending[path] = true
			if busy == nil {
				timer.Reset(max(0, min(g.settle, longestSettle-time.Since(g.first))))
			}
		case <-busy:
			busy = nil
			if len(g.pending) > 0 {
				timer.Reset(g.settle)
			}
		case <-timer.C:
			if busy != nil || len(g.pending) == 0 {
				continue
			}
			batch := slices.Sorted(maps.Keys(g.pending))
			clear(g.pending)
			done := make(chan struct{})
			busy = done
			go func() {
				defer close(done)
				g.changed(ctx, batch)
			}()
		}
	}
}
