package docker

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/compose-spec/compose-go/v2/types"
	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/cli/cli-plugins/manager"
	"github.com/docker/compose/v5/pkg/api"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
	"github.com/spf13/cobra"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/stack"
)

// sourcesLabel marks an image with the hash of what it was built from, so that an unchanged one is not built again.
const sourcesLabel = "org.nself.sources"

// maxBuildLog bounds what is kept of a build's output for its error.
const maxBuildLog = 64 << 10

// images builds and pulls what is missing. It returns the services that cannot have theirs.
func (a *ascent) images(ctx context.Context) map[string]error {
	failed := map[string]error{}
	var mu sync.Mutex
	fail := func(name string, log []string, err error) {
		if ctx.Err() == nil {
			a.report(stack.Event{Service: name, Kind: stack.EventFailed, Detail: err.Error(), Log: log, Hint: firstHint(err)})
		}
		mu.Lock()
		defer mu.Unlock()
		failed[name] = fmt.Errorf("%s: %w", name, err)
	}
	var wg sync.WaitGroup
	for _, name := range a.order {
		s := a.project.Services[name]
		if s.Build != nil {
			continue
		}
		wg.Go(func() {
			if err := a.pull(ctx, name, s.Image); err != nil {
				fail(name, nil, err)
			}
		})
	}
	// One after the other: a build uses what the machine has.
	for _, name := range a.order {
		if a.project.Services[name].Build == nil || a.keeps(name) || ctx.Err() != nil {
			continue
		}
		if log, err := a.build(ctx, name); err != nil {
			fail(name, log, err)
		}
	}
	wg.Wait()
	return failed
}

func (a *ascent) pull(ctx context.Context, name, image string) error {
	if _, err := a.engine.api.ImageInspect(ctx, image); err == nil || !cerrdefs.IsNotFound(err) {
		return err
	}
	a.report(stack.Event{Service: name, Kind: stack.EventBuilding, Detail: "pulling " + image})
	part, err := a.project.WithSelectedServices([]string{name}, types.IgnoreDependencies)
	if err != nil {
		return err
	}
	sdk, err := a.engine.compose(nil)
	if err != nil {
		return err
	}
	if err := sdk.Pull(ctx, part, api.PullOptions{Quiet: true}); err != nil {
		return errdefs.As(errdefs.ErrUnavailable, errdefs.WithHint(
			fmt.Errorf("the image %s is not on this machine and cannot be pulled: %s", image, firstLine(err.Error())),
			cmp.Or(knownCause(err.Error()), fmt.Sprintf(
				"check the network, set %s_IMAGE or IMAGE_REGISTRY to where the image is, or use --driver native", strings.ToUpper(name)))))
	}
	return nil
}

// build builds a function service's image, unless the one that is there was built from the same sources.
func (a *ascent) build(ctx context.Context, name string) ([]string, error) {
	s := a.project.Services[name]
	image := api.GetImageNameOrDefault(s, a.project.Name)
	hash, err := hashSources(s.Build)
	if err != nil {
		return nil, err
	}
	if r, err := a.engine.api.ImageInspect(ctx, image); err == nil && r.Config != nil && r.Config.Labels[sourcesLabel] == hash {
		return nil, nil
	}
	a.report(stack.Event{Service: name, Kind: stack.EventBuilding, Detail: "building functions/" + name})
	plan := *s.Build
	plan.Labels = types.Labels{}.Add(sourcesLabel, hash)
	cleanup, err := a.classic(&plan, name)
	if err != nil {
		return nil, err
	}
	defer cleanup()
	s.Build = &plan
	part, err := a.project.WithSelectedServices([]string{name}, types.IgnoreDependencies)
	if err != nil {
		return nil, err
	}
	part.Services[name] = s
	out := &buildLog{say: func(line string) {
		a.report(stack.Event{Service: name, Kind: stack.EventBuilding, Detail: line})
	}}
	sdk, err := a.engine.compose(out)
	if err != nil {
		return nil, err
	}
	err = sdk.Build(ctx, part, api.BuildOptions{Progress: "plain", Out: out, Services: []string{name}})
	if err == nil || ctx.Err() != nil {
		return nil, ctx.Err()
	}
	log := out.last()
	class, hint := errdefs.ErrInvalid, "mend what the build says, then run nself up "+name
	if cause := knownCause(err.Error() + "\n" + strings.Join(log, "\n")); cause != "" {
		class, hint = errdefs.ErrUnavailable, cause
	}
	return log, errdefs.As(class, errdefs.WithHint(fmt.Errorf("build functions/%s: %s", name, firstLine(err.Error())), hint))
}

var mounts = regexp.MustCompile(`(?m)^(\s*RUN\s+)((?:--mount=\S+\s+)+)`) //nolint:gochecknoglobals // compiled once

// classic makes a Dockerfile that the engine's old builder understands, where buildx is missing: the one of the project
// without its cache mounts, which only make a build faster.
func (a *ascent) classic(b *types.BuildConfig, name string) (cleanup func(), err error) {
	if enabled, err := a.engine.cli.BuildKitEnabled(); err == nil && enabled {
		if _, err := manager.GetPlugin("buildx", a.engine.cli, &cobra.Command{}); err == nil {
			return func() {}, nil
		}
	}
	path := dockerfile(b)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(
			fmt.Errorf("functions/%s has no Dockerfile", name), "run nself build to write it"))
	}
	if err != nil {
		return nil, fmt.Errorf("read the Dockerfile: %w", err)
	}
	plain := mounts.ReplaceAllFunc(text, func(m []byte) []byte { return mounts.FindSubmatch(m)[1] })
	plain = regexp.MustCompile(`\\\n(\s*--mount=\S+)+\s*\\?\n?`).ReplaceAll(plain, []byte("\\\n"))
	plain = regexp.MustCompile(`(?m)^(\s*RUN\s+)\\\n`).ReplaceAll(plain, []byte("$1"))
	if bytes.Equal(plain, text) {
		return func() {}, nil
	}
	f, err := os.CreateTemp("", "nself-Dockerfile-*")
	if err != nil {
		return nil, fmt.Errorf("write a Dockerfile for the classic builder: %w", err)
	}
	cleanup = func() { _ = os.Remove(f.Name()) }
	_, err = f.Write(plain)
	if err = errors.Join(err, f.Close()); err != nil {
		cleanup()
		return nil, fmt.Errorf("write a Dockerfile for the classic builder: %w", err)
	}
	b.Dockerfile = f.Name()
	return cleanup, nil
}

func dockerfile(b *types.BuildConfig) string {
	name := b.Dockerfile
	if name == "" {
		name = "Dockerfile"
	}
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(b.Context, name)
}

// hashSources hashes the build's arguments and every file of its context that .dockerignore does not leave out.
func hashSources(b *types.BuildConfig) (string, error) {
	h := sha256.New()
	for _, key := range slices.Sorted(func(yield func(string) bool) {
		for k := range b.Args {
			if !yield(k) {
				return
			}
		}
	}) {
		value := ""
		if v := b.Args[key]; v != nil {
			value = *v
		}
		_, _ = fmt.Fprintf(h, "%q=%q\n", key, value)
	}
	ignore, err := ignored(b.Context)
	if err != nil {
		return "", err
	}
	err = filepath.WalkDir(b.Context, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(b.Context, path)
		if err != nil || rel == "." {
			return err
		}
		out, err := ignore.MatchesOrParentMatches(filepath.ToSlash(rel))
		if err != nil {
			return err
		}
		if out && rel != "Dockerfile" {
			if entry.IsDir() && !ignore.Exclusions() {
				return fs.SkipDir
			}
			return nil
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		return hashFile(h, rel, path)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return "", errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(
			fmt.Errorf("functions/%s is missing", filepath.Base(b.Context)), "run nself build to write it"))
	}
	if err != nil {
		return "", fmt.Errorf("read the sources: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func ignored(dir string) (*patternmatcher.PatternMatcher, error) {
	var patterns []string
	f, err := os.Open(filepath.Join(dir, ".dockerignore"))
	if err == nil {
		patterns, err = ignorefile.ReadAll(f)
		err = errors.Join(err, f.Close())
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read .dockerignore: %w", err)
	}
	m, err := patternmatcher.New(patterns)
	if err != nil {
		return nil, errdefs.As(errdefs.ErrInvalid, fmt.Errorf("read .dockerignore: %w", err))
	}
	return m, nil
}

func hashFile(h io.Writer, rel, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(h, "%q %d %o\n", rel, info.Size(), info.Mode().Perm())
	_, err = io.Copy(h, f)
	return err
}

// buildLog keeps the end of a build's output and tells its lines.
type buildLog struct {
	say func(line string)

	mu   sync.Mutex
	text []byte
	part []byte
}

func (l *buildLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	if len(l.text) > maxBuildLog {
		l.text = slices.Clone(l.text[len(l.text)-maxBuildLog/2:])
	}
	l.part = append(l.part, p...)
	for {
		i := bytes.IndexAny(l.part, "\n\r")
		if i < 0 {
			return len(p), nil
		}
		if line := strings.TrimSpace(string(l.part[:i])); strings.HasPrefix(line, "Step ") || strings.HasPrefix(line, "#") {
			l.say(line)
		}
		l.part = l.part[i+1:]
	}
}

func (l *buildLog) last() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var lines []string
	for line := range strings.Lines(string(l.text)) {
		if line = strings.TrimRight(line, "\r\n "); line != "" {
			lines = append(lines, line)
		}
	}
	return lines[max(0, len(lines)-lastLogLines):]
}
