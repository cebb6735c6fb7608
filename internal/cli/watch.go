package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nself-org/nself/internal/build"
	"github.com/nself-org/nself/internal/stack"
	"github.com/nself-org/nself/internal/ui"
)

// followFiles renews the services as their files are saved, until ctx ends.
func followFiles(ctx context.Context, opts *upOptions, s *openStack) error {
	lines := &watchLines{io: opts.IO, theme: opts.IO.ErrTheme(), failing: map[string]string{}, started: map[string]bool{}}
	f := &follower{
		dir: s.Config.Dir, environ: opts.Environ, driver: s.Driver, wait: opts.Up.WaitTimeout, polling: opts.Poll, show: lines,
	}
	opts.IO.Notef("\nWatching functions/, hasura/metadata and the .env files; Ctrl-C ends watching, not the project\n")
	err := f.run(ctx)
	if errors.Is(err, errStoppedElsewhere) {
		opts.IO.Notef("%s: watching ends\n", err)
		return nil
	}
	if err == nil {
		opts.IO.Notef("\nThe project goes on running; stop it with nself down\n")
	}
	return err
}

// watchLines shows a follower's rounds as lines, and repeats after each what still fails.
type watchLines struct {
	io      *ui.Streams
	theme   ui.Theme
	display *eventDisplay
	failing map[string]string // by service: the first line of why
	round   map[string]bool   // services that this round has told of
	started map[string]bool   // services that this round has started
	renewed []string
}

// Changed opens a round.
func (w *watchLines) Changed(paths []string) {
	w.round, w.started, w.renewed = map[string]bool{}, map[string]bool{}, nil
	if len(paths) > 0 {
		w.io.Notef("%s %s\n", w.theme.Dim(time.Now().Format(time.TimeOnly)), somePaths(paths))
	}
	w.display = newEventDisplay(w.io)
}

// somePaths names a few of the paths, and counts the rest.
func somePaths(paths []string) string {
	const named = 3
	if len(paths) <= named {
		return strings.Join(paths, ", ")
	}
	return fmt.Sprintf("%s and %d more files", strings.Join(paths[:named], ", "), len(paths)-named)
}

// Built shows what a build has changed, with the lines of files that were there before.
func (w *watchLines) Built(result build.Result) {
	delete(w.failing, buildName)
	for _, warning := range result.Warnings {
		w.display.Event(stack.Event{Kind: stack.EventWarning, Detail: warning.Text})
	}
	updated := build.Plan{Changes: slices.DeleteFunc(slices.Clone(result.Plan.Changes), func(c build.Change) bool {
		return c.Action != build.Update
	})}
	for _, c := range result.Plan.Changes {
		if c.Action != build.Unchanged && c.Action != build.Adopt {
			w.display.progress.Print(fmt.Sprintf("%s %s", paintAction(w.theme, c.Action), c.Path))
		}
	}
	if diff := strings.TrimRight(updated.Diff(), "\n"); diff != "" {
		w.display.progress.Print(colourDiff(w.theme, diff))
	}
}

// Event shows the driver's progress. What goes on running untouched is not worth a line.
func (w *watchLines) Event(e stack.Event) {
	switch e.Kind {
	case stack.EventStarting:
		w.started[e.Service] = true
	case stack.EventHealthy:
		delete(w.failing, e.Service)
		if !w.started[e.Service] {
			return
		}
		w.renewed = append(w.renewed, e.Service)
	case stack.EventFailed:
		w.failing[e.Service] = firstLine(e.Detail)
		w.round[e.Service] = true
		// Saving the file is all that it takes here.
		e.Hint, _, _ = strings.Cut(e.Hint, ", then run nself ")
	case stack.EventStopping, stack.EventStopped:
		return
	}
	w.display.Event(e)
}

// Settled closes a round.
func (w *watchLines) Settled(since time.Duration, err error) {
	w.display.Close()
	if err != nil && len(w.round) == 0 { // nothing that a service's own event has told
		printError(w.io, err)
	}
	if len(w.renewed) > 0 {
		slices.Sort(w.renewed)
		w.io.Notef("%s\n", w.theme.Good(fmt.Sprintf("%s answers with the new code, %s after the save",
			strings.Join(w.renewed, ", "), ui.Duration(since))))
	}
	for _, name := range slices.Sorted(maps.Keys(w.failing)) {
		if !w.round[name] {
			w.io.Notef("%s %s: %s\n", w.theme.Bad("still failing:"), name, w.failing[name])
		}
	}
}

// Note prints a remark.
func (w *watchLines) Note(text string) { w.io.Notef("%s\n", w.theme.Dim(text)) }
