package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nself-org/nself/internal/build"
	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/stack"
	"github.com/nself-org/nself/internal/watch"
)

// buildName stands for nself build where failures are kept by service.
const buildName = "build"

// follower makes the running services agree with the project's files as they are saved: it builds the project when
// settings or metadata change, and has the driver renew the services that have changed.
type follower struct {
	dir     string
	environ []string
	driver  stack.Driver
	wait    time.Duration
	polling bool
	show    followDisplay

	written map[string]time.Time // by path: when the last build wrote it
}

// followDisplay is told what a follower does, one call at a time.
type followDisplay interface {
	// Changed opens a round: the files that were saved, relative to the project.
	Changed(paths []string)
	// Built tells what a build has changed in the project.
	Built(result build.Result)
	// Event is the driver's progress.
	Event(e stack.Event)
	// Settled closes a round. since is the time from the last save; err is what failed.
	Settled(since time.Duration, err error)
	// Note tells of something outside a round.
	Note(text string)
}

// run follows the files until ctx ends, or until the project is stopped by another command, which it tells.
func (f *follower) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if ready, ok := f.driver.(stack.KeptReady); ok {
		go func() {
			err := ready.KeepReady(ctx)
			if ctx.Err() == nil {
				cancel(fmt.Errorf("%w: %w", errStoppedElsewhere, err))
			}
		}()
	}
	err := watch.Run(ctx, watch.Options{
		Dirs: []string{f.dir}, Skip: f.skip, Polling: f.polling,
		Note: func(reason string) { f.show.Note("looking for changes from time to time: " + reason) },
	}, func() { f.catchUp(ctx) }, f.round)
	if cause := context.Cause(ctx); errors.Is(cause, errStoppedElsewhere) {
		return errStoppedElsewhere
	}
	return err
}

// catchUp brings into force what was saved before the files were watched.
func (f *follower) catchUp(ctx context.Context) {
	status, err := f.driver.Status(ctx)
	if err != nil || !status.Running {
		return
	}
	var services []string
	for _, s := range status.Services {
		if s.State == stack.StateHealthy && isRuntime(s.Name) {
			services = append(services, s.Name)
		}
	}
	if len(services) == 0 {
		return
	}
	begin := time.Now()
	f.show.Changed(nil)
	err = f.driver.Up(context.WithoutCancel(ctx), stack.UpOptions{
		Services: services, Alone: true, WaitTimeout: f.wait, Report: f.show.Event,
	})
	f.show.Settled(time.Since(begin), err)
}

// isRuntime tells the function services from those that they need.
func isRuntime(service string) bool {
	return slices.Contains([]string{"golang", "nestjs", "python"}, service)
}

// errStoppedElsewhere ends a follower whose project is not running any more.
var errStoppedElsewhere = errors.New("the project was stopped by another command")

// skip leaves out what no service is made of: folders of tools, what tools write, and the files that editors keep for a
// moment.
func (f *follower) skip(path string, dir bool) bool {
	name := filepath.Base(path)
	if dir {
		switch name {
		case "node_modules", "dist", "coverage", "__pycache__", "venv", "vendor":
			return true
		}
		return strings.HasPrefix(name, ".")
	}
	switch {
	case filepath.Dir(path) == f.dir:
		return !strings.HasPrefix(name, ".env") || strings.HasSuffix(name, "~") || strings.HasSuffix(name, ".swp")
	case strings.HasPrefix(name, "."):
		return name != ".npmrc" && name != ".swcrc"
	}
	return strings.HasSuffix(name, "~") || strings.HasSuffix(name, ".tmp") || name == "4913" // vim's test of a folder
}

// savedChange is what saved files mean.
type savedChange struct {
	paths    []string // relative to the project, with slashes
	services []string
	metadata bool
	settings bool
	others   []string // migrations and seeds, which are applied on demand
	last     time.Time
}

func (f *follower) classify(paths []string) savedChange {
	var c savedChange
	for _, path := range paths {
		rel, err := filepath.Rel(f.dir, path)
		if err != nil {
			continue
		}
		rel = filepath.ToSlash(rel)
		info, statErr := os.Stat(path)
		if at, ours := f.written[rel]; ours && statErr == nil && info.ModTime().Equal(at) {
			continue
		}
		parts := strings.Split(rel, "/")
		switch {
		case parts[0] == "functions" && len(parts) > 2:
			if !slices.Contains(c.services, parts[1]) {
				c.services = append(c.services, parts[1])
			}
		case strings.HasPrefix(rel, "hasura/metadata/"):
			c.metadata = true
		case strings.HasPrefix(rel, "hasura/migrations/"), strings.HasPrefix(rel, "hasura/seeds/"):
			c.others = append(c.others, rel)
			continue
		case len(parts) == 1 && strings.HasPrefix(rel, ".env"):
			c.settings = true
		case rel == ".": // the system has lost count of what happened
			c.settings, c.metadata = true, true
		default:
			continue
		}
		c.paths = append(c.paths, rel)
		if statErr == nil && info.ModTime().After(c.last) {
			c.last = info.ModTime()
		}
	}
	return c
}

// round brings what was saved into force.
func (f *follower) round(ctx context.Context, paths []string) {
	ctx = context.WithoutCancel(ctx) // half a round would leave a service stopped
	c := f.classify(paths)
	for _, path := range c.others {
		f.show.Note(path + " changed: apply it with nself up")
	}
	if len(c.paths) == 0 {
		return
	}
	if c.last.IsZero() {
		c.last = time.Now()
	}
	f.show.Changed(c.paths)
	err := f.apply(ctx, c)
	f.show.Settled(time.Since(c.last), err)
}

func (f *follower) apply(ctx context.Context, c savedChange) error {
	services := c.services
	if c.metadata || c.settings {
		result, err := build.Run(ctx, build.Options{Dir: f.dir, Env: env.Options{Environ: f.environ}})
		if err != nil {
			e := stack.Event{Time: time.Now(), Service: buildName, Kind: stack.EventFailed, Detail: err.Error()}
			if hints := errdefs.Hints(err); len(hints) > 0 {
				e.Hint = hints[0]
			}
			f.show.Event(e)
			return err
		}
		f.show.Built(result)
		f.written = map[string]time.Time{}
		for _, change := range result.Plan.Changes {
			parts := strings.Split(change.Path, "/")
			if change.Action == build.Unchanged || change.Action == build.Adopt {
				continue
			}
			if info, err := os.Stat(filepath.Join(f.dir, filepath.FromSlash(change.Path))); err == nil {
				f.written[change.Path] = info.ModTime()
			}
			if len(parts) > 2 && parts[0] == "functions" && !slices.Contains(services, parts[1]) {
				services = append(services, parts[1])
			}
		}
		services = append(services, stack.Hasura)
	}
	if c.settings {
		services = nil // any of them
	} else if services = f.known(ctx, services); len(services) == 0 {
		return nil
	}
	return f.driver.Up(ctx, stack.UpOptions{Services: services, Alone: true, WaitTimeout: f.wait, Report: f.show.Event})
}

// known drops the folders that belong to no service of the project.
func (f *follower) known(ctx context.Context, services []string) []string {
	status, err := f.driver.Status(ctx)
	if err != nil {
		return services
	}
	return slices.DeleteFunc(services, func(name string) bool {
		return !slices.ContainsFunc(status.Services, func(s stack.ServiceStatus) bool { return s.Name == name })
	})
}
