package docker

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"

	"github.com/nself-org/nself/internal/compose"
	"github.com/nself-org/nself/internal/stack"
)

const (
	maxLineBytes = 1 << 20
	// followPause is how long a followed service that has ended is left alone before its container is looked for again.
	followPause = 300 * time.Millisecond
)

// Logs reads the containers' output, in the order of time, and with Follow what comes; see [stack.Driver]. What a removed
// container has written is gone with it.
func (d *driver) Logs(ctx context.Context, opts stack.LogsOptions) error {
	if err := known(d.config(), opts.Services); err != nil {
		return err
	}
	names := opts.Services
	if len(names) == 0 {
		names = compose.Project(d.config()).ServiceNames()
	}
	e, err := d.open(ctx)
	if err != nil {
		return err
	}
	project := d.config().ProjectName
	begin := time.Now()
	oldest := ""
	if opts.Since > 0 {
		oldest = begin.Add(-opts.Since).Format(time.RFC3339Nano)
	}
	all, err := e.containers(ctx, project)
	if err != nil {
		return err
	}
	var lines []stack.LogLine
	latest := map[string]time.Time{}
	for _, name := range names {
		c, ok := all[name]
		if !ok {
			continue
		}
		err := e.readLog(ctx, name, c.ID, client.ContainerLogsOptions{Since: oldest, Tail: tail(opts.Tail)}, func(l stack.LogLine) {
			lines = append(lines, l)
			latest[name] = l.Time
		})
		if err != nil {
			return err
		}
	}
	slices.SortStableFunc(lines, func(a, b stack.LogLine) int { return a.Time.Compare(b.Time) })
	for _, l := range lines {
		opts.Sink(l)
	}
	if !opts.Follow {
		return ctx.Err()
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, name := range names {
		from := latest[name]
		if from.IsZero() {
			from = begin
		}
		wg.Go(func() {
			e.follow(ctx, project, name, from, func(l stack.LogLine) {
				mu.Lock()
				defer mu.Unlock()
				opts.Sink(l)
			})
		})
	}
	wg.Wait()
	return nil
}

// follow passes on what a service writes after from, across restarts and new containers, until ctx ends.
func (e *engine) follow(ctx context.Context, project, name string, from time.Time, sink func(stack.LogLine)) {
	for ctx.Err() == nil {
		if all, err := e.containers(ctx, project); err == nil {
			if c, ok := all[name]; ok && c.State.Running {
				since := from.Add(time.Nanosecond).Format(time.RFC3339Nano)
				_ = e.readLog(ctx, name, c.ID, client.ContainerLogsOptions{Since: since, Follow: true}, func(l stack.LogLine) {
					if l.Time.After(from) {
						from = l.Time
						sink(l)
					}
				})
			}
		}
		timer := time.NewTimer(followPause)
		select {
		case <-ctx.Done():
			timer.Stop()
		case <-timer.C:
		}
	}
}

func tail(n int) string {
	if n <= 0 {
		return "all"
	}
	return strconv.Itoa(n)
}

// readLog reads one container's log. Both streams are one here: what a person wants is the order of the lines.
func (e *engine) readLog(
	ctx context.Context, name, id string, opts client.ContainerLogsOptions, sink func(stack.LogLine),
) error {
	opts.ShowStdout, opts.ShowStderr, opts.Timestamps = true, true, true
	stream, err := e.api.ContainerLogs(ctx, id, opts)
	if err != nil {
		if ctx.Err() != nil || cerrdefs.IsNotFound(err) {
			return ctx.Err()
		}
		return fmt.Errorf("read the log of %s: %w", name, err)
	}
	defer func() { _ = stream.Close() }()
	pr, pw := io.Pipe()
	go func() {
		_, err := stdcopy.StdCopy(pw, pw, stream)
		_ = pw.CloseWithError(err)
	}()
	defer func() { _ = pr.Close() }()
	sc := bufio.NewScanner(pr)
	sc.Buffer(nil, maxLineBytes)
	for sc.Scan() {
		stamp, text, _ := strings.Cut(sc.Text(), " ")
		at, err := time.Parse(time.RFC3339Nano, stamp)
		if err != nil {
			text = sc.Text()
		}
		sink(stack.LogLine{Service: name, Time: at, Text: strings.TrimRight(text, "\r")})
	}
	if err := sc.Err(); err != nil && ctx.Err() == nil {
		return fmt.Errorf("read the log of %s: %w", name, err)
	}
	return ctx.Err()
}

// lastWords are the last lines that a container has written.
func (e *engine) lastWords(ctx context.Context, name, id string) []string {
	var lines []string
	_ = e.readLog(ctx, name, id, client.ContainerLogsOptions{Tail: strconv.Itoa(lastLogLines)}, func(l stack.LogLine) {
		lines = append(lines, l.Text)
	})
	return lines
}
