// Package build makes a project's files agree with its settings and metadata. It renders what the project needs, compares
// that with what is there into a [Plan], and carries the plan out: every file is replaced as a whole or not at all, and
// a file that a user has edited is never overwritten without being asked for.
package build

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gofrs/flock"

	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/metadata"
)

// lockWait is how long a build waits for another one in the same project.
const lockWait = 10 * time.Second

// Options tell [Run] what to build and how far to go.
type Options struct {
	// Dir is the project's folder.
	Dir string
	// Env is how the configuration is read.
	Env env.Options
	// Check plans and writes nothing, not even a lock.
	Check bool
	// Choice says what to do about files of nself's that the user edited.
	Choice Choice
	// Only limits Choice to these paths, relative to the project, with slashes. Naming a deleted file with [ForceAll]
	// brings it back. Empty: all conflicts.
	Only []string
}

// Result is what a build found and did.
type Result struct {
	Plan Plan
	// Applied says that the plan was carried out; false after a check, and where a choice is needed first.
	Applied bool
	// Warnings do not stop a build; each is for a person to read.
	Warnings []Warning
	// Config and Metadata are what the project was built from.
	Config   *env.Config
	Metadata *metadata.Metadata
}

// Warning is something that a person should know, with the file and line where there is one.
type Warning struct {
	Text string `json:"text"`
	Hint string `json:"hint,omitempty"`
}

// Run builds a project. All problems of its settings and metadata come in one error of class [errdefs.ErrInvalid]. An
// error of class [errdefs.ErrDrift] means that a check found differences, or that a choice about conflicts is needed; the
// result holds the plan then. While a conflict stands nothing at all is written: generated files only work together, and
// half a build would leave the project between two configurations.
func Run(ctx context.Context, opts Options) (Result, error) {
	b := builder{opts: opts}
	return b.run(ctx)
}

// builder is one run. Tests set fault, see writer.
type builder struct {
	opts  Options
	fault func(path string) error

	remember func() // keeps the rendering, when there was one
}

func (b *builder) run(ctx context.Context) (Result, error) {
	var res Result
	d, err := openDisk(b.opts.Dir)
	if err != nil {
		return res, err
	}
	defer d.root.Close()
	if err := b.load(&res); err != nil {
		return res, err
	}
	if !b.opts.Check {
		unlock, err := lock(ctx, d)
		if err != nil {
			return res, err
		}
		defer unlock()
	}
	w := &writer{disk: d, fault: b.fault}
	have, err := d.read(manifestPath)
	if err != nil {
		return res, err
	}
	manifest := ParseManifest(have)
	if err := w.recover(manifest, b.opts.Check); err != nil {
		return res, err
	}
	if res.Plan, err = b.plan(d, &res, manifest); err != nil {
		return res, err
	}
	if err := known(b.opts.Only, res.Plan); err != nil {
		return res, err
	}
	switch conflicts := res.Plan.Conflicts(); {
	case b.opts.Check && res.Plan.Drift():
		return res, errdefs.As(errdefs.ErrDrift, errdefs.WithHint(
			errors.New("the project's files are not what nself build would write"), "run nself build"))
	case b.opts.Check:
		return res, nil
	case len(conflicts) > 0:
		return res, conflictError(conflicts)
	}
	originals := d.keepOriginals(res.Plan)
	w.ready = originals.wait // what a killed build has written must not look like a change of the user's
	if err := w.apply(ctx, res.Plan, have); err != nil {
		return res, errors.Join(err, originals.undo())
	}
	if err := originals.wait(); err != nil {
		return res, err
	}
	res.Applied = true
	if b.remember != nil {
		b.remember()
	}
	return res, nil
}

// known refuses paths that are not the build's business: most likely they are misspelt.
func known(paths []string, p Plan) error {
	for _, path := range paths {
		if !slices.ContainsFunc(p.Changes, func(c Change) bool { return c.Path == path }) {
			return errdefs.As(errdefs.ErrUsage, errdefs.WithHint(
				fmt.Errorf("%s: nself build does not write this file", path), "name a path that nself build --diff shows"))
		}
	}
	return nil
}

func conflictError(conflicts []Change) error {
	what := conflicts[0].Path + " was"
	if len(conflicts) > 1 {
		what = fmt.Sprintf("%d generated files were", len(conflicts))
	}
	return errdefs.As(errdefs.ErrDrift, errdefs.WithHint(
		fmt.Errorf("%s edited; nothing was written", what),
		"nself build --diff shows the edits; --keep accepts them, --force replaces them and saves a copy under "+backupDir))
}

// load reads settings and metadata and reports all problems of both.
func (b *builder) load(res *Result) error {
	cfg, report, envErr := env.Load(b.opts.Dir, b.opts.Env)
	md, mdErr := metadata.LoadDir(b.opts.Dir)
	if md != nil {
		problems := metadata.Validate(md, nil)
		mdErr = problems.Err()
		for _, p := range problems.Warnings() {
			res.Warnings = append(res.Warnings, Warning{Text: p.Error(), Hint: p.Hint})
		}
	}
	res.Config, res.Metadata = cfg, md
	if err := errors.Join(envErr, mdErr); err != nil {
		return err
	}
	for _, w := range report.Warnings {
		res.Warnings = append(res.Warnings, Warning{Text: w.String(), Hint: w.Hint})
	}
	res.Warnings = append(res.Warnings, handlerWarnings(cfg, md)...)
	return nil
}

// plan compares what the project needs with what it has. What a rendering comes to is known from the last one with the
// same input; contents are needed only where something is to be written.
func (b *builder) plan(d *disk, res *Result, manifest Manifest) (Plan, error) {
	key := d.memoKey(res.Config)
	if needs, ok := d.recall(key, res.Config); ok {
		plan, warnings, err := b.compare(d, res, needs, manifest)
		if err == nil && plan.unchanged() {
			res.Warnings = append(res.Warnings, warnings...)
			return plan, nil
		}
	}
	needs, err := render(res.Config, res.Metadata)
	if err != nil {
		return Plan{}, err
	}
	b.remember = func() { d.remember(key, needs) }
	plan, warnings, err := b.compare(d, res, needs, manifest)
	res.Warnings = append(res.Warnings, warnings...)
	return plan, err
}

// compare looks at what stands on disk.
func (b *builder) compare(d *disk, res *Result, n needs, manifest Manifest) (Plan, []Warning, error) {
	nodes, err := d.observe(n.files, manifest)
	if err != nil {
		return Plan{}, nil, err
	}
	warnings := leftoverWarnings(res.Config, manifest, n.files, nodes)
	required, err := d.missingHandlers(n, nodes)
	if err != nil {
		return Plan{}, warnings, err
	}
	plan, err := NewPlan(Input{
		Files: n.files, Hashes: n.hashes, Manifest: manifest, Disk: nodes, Reasons: n.reasons, Required: required,
		Gone:   func(path string) string { return gone(res.Config, path) },
		Choice: b.opts.Choice, Only: b.opts.Only,
	})
	return plan, warnings, err
}

// lock keeps a second build of the same project waiting.
func lock(ctx context.Context, d *disk) (unlock func(), err error) {
	if err := d.root.MkdirAll(stateDir, 0o755); err != nil {
		return nil, d.explain("write", lockPath, err)
	}
	f, err := d.root.Create(lockPath) // through the root, so that no link leads the lock astray
	if err != nil {
		return nil, d.explain("write", lockPath, err)
	}
	if err := f.Close(); err != nil {
		return nil, d.explain("write", lockPath, err)
	}
	waiting, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	l := flock.New(d.path(lockPath))
	if ok, err := l.TryLockContext(waiting, 20*time.Millisecond); !ok {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, errdefs.As(errdefs.ErrUnavailable, errdefs.WithHint(
			fmt.Errorf("another nself build has held %s for %s: %w", lockPath, lockWait, err), "wait for it to end"))
	}
	return func() { _ = l.Unlock() }, nil
}
