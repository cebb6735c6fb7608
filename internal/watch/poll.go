package watch

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// poller compares names, sizes and times.
type poller struct {
	opts Options
	seen map[string]stamp
}

type stamp struct {
	size int64
	time time.Time
	mode fs.FileMode
}

func newPoller(opts Options) *poller {
	p := &poller{opts: opts}
	p.seen = p.look()
	return p
}

func (p *poller) look() map[string]stamp {
	now := make(map[string]stamp, len(p.seen))
	for _, dir := range p.opts.Dirs {
		_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return nil //nolint:nilerr // a folder that is not there, or cannot be read, has no files to tell of
			}
			if path != dir && p.opts.Skip(path, d.IsDir()) {
				if d.IsDir() {
					return fs.SkipDir
				}
				return nil
			}
			if d.IsDir() {
				return nil
			}
			if info, err := os.Stat(path); err == nil {
				now[path] = stamp{info.Size(), info.ModTime(), info.Mode()}
			}
			return nil
		})
	}
	return now
}

func (p *poller) run(ctx context.Context, paths chan<- string) error {
	tick := time.NewTicker(p.opts.Poll)
	defer tick.Stop()
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
		case <-tick.C:
		}
		now := p.look()
		for path, s := range now {
			if old, known := p.seen[path]; !known || old != s {
				tell(path)
			}
		}
		for path := range p.seen {
			if _, there := now[path]; !there {
				tell(path)
			}
		}
		p.seen = now
	}
}
