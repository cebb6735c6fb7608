package build

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
	"golang.org/x/sync/errgroup"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/scaffold"
)

// parallelWrites bounds how many files are flushed at once: file systems gather flushes that wait together into one.
const parallelWrites = 16

// writer carries a plan out. It works in steps, so that a crash or a full disk at any moment leaves every file either
// as it was or as it shall be, and the next build knows which of them are nself's own work:
//
//  1. pending.json lists what will be written, with hashes;
//  2. every new content goes into a temporary file beside its target: what lacks space fails here, before any change;
//  3. each temporary file is flushed and renamed over its target; removals follow;
//  4. the manifest is replaced, and pending.json goes.
type writer struct {
	*disk
	// fault is called before each rename, for tests that end a build in the middle. Nil does nothing.
	fault func(path string) error
	// ready is waited for before the first file of a plan is put in place. Nil: nothing to wait for.
	ready func() error
}

// target is one file to write.
type target struct {
	path string
	data []byte
	mode fs.FileMode
	was  *Node // what must still stand there; nil: anything
	temp *renameio.PendingFile
	// folder is where temp and the target are.
	folder *os.Root
	done   bool // in place
}

// apply carries the plan out. have is the manifest's present text.
func (w *writer) apply(ctx context.Context, p Plan, have []byte) error {
	targets, removals := work(p)
	manifest := p.manifest().Encode()
	if len(targets)+len(removals) == 0 && string(manifest) == string(have) {
		return nil
	}
	if err := writable(p); err != nil {
		return err
	}
	if len(targets) > 0 {
		pending := Manifest{}
		for _, t := range targets {
			pending[t.path] = Entry{Path: t.path, Owner: scaffold.OwnerNself, Mode: Mode(t.mode), SHA256: hashOf(t.data)}
		}
		for _, c := range p.Changes { // no hash of a secret leaves the file that holds it
			if e, ok := pending[c.Path]; ok && c.Owner != scaffold.OwnerNself {
				e.Owner, e.SHA256 = c.Owner, ""
				pending[c.Path] = e
			}
		}
		if err := w.write(ctx, []*target{{path: pendingPath, data: pending.Encode(), mode: 0o600}}, nil); err != nil {
			return err
		}
	}
	if err := w.write(ctx, targets, w.ready); err != nil {
		return err
	}
	for _, c := range removals {
		if err := w.remove(c); err != nil {
			return err
		}
	}
	if string(manifest) != string(have) {
		if err := w.write(ctx, []*target{{path: manifestPath, data: manifest, mode: 0o644}}, nil); err != nil {
			return err
		}
	}
	if err := w.root.Remove(pendingPath); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return w.explain("remove", pendingPath, err)
	}
	return nil
}

// work lists what a plan writes and removes. Backups come first.
func work(p Plan) (targets []*target, removals []Change) {
	for _, c := range p.Changes {
		if c.Action == Overwrite && c.Backup != "" {
			targets = append(targets, &target{path: c.Backup, data: c.node.Data, mode: c.node.Mode})
		}
	}
	for _, c := range p.Changes {
		switch c.Action {
		case Create, Update, Overwrite:
			if c.obsolete {
				removals = append(removals, c)
				continue
			}
			targets = append(targets, &target{path: c.Path, data: c.new, mode: c.mode, was: &c.node})
		case Remove:
			removals = append(removals, c)
		case Conflict, Keep, Adopt, Unchanged:
		}
	}
	return targets, removals
}

// writable refuses to replace or remove a file that its owner made read-only, which a rename would not notice.
func writable(p Plan) error {
	var faults []error
	for _, c := range p.Changes {
		changes := c.Action == Update || c.Action == Overwrite || c.Action == Remove
		if changes && c.node.Kind == File && c.node.Mode&0o200 == 0 {
			faults = append(faults, errdefs.WithHint(
				fmt.Errorf("%s %s: the file is read-only: %w", c.Action, c.Path, fs.ErrPermission), "chmod u+w "+c.Path))
		}
	}
	return errors.Join(faults...)
}

// write stages all targets, then puts them in place, once ready has returned. When staging fails, or ready does, nothing
// has changed.
func (w *writer) write(ctx context.Context, targets []*target, ready func() error) (err error) {
	s := staging{disk: w.disk, targets: targets, folders: map[string]*os.Root{}}
	defer func() { s.close(err != nil) }()
	for _, t := range targets {
		if _, err := s.folder(path.Dir(t.path)); err != nil {
			return w.explain("write", t.path, err)
		}
	}
	stages, ctx := errgroup.WithContext(ctx)
	stages.SetLimit(parallelWrites)
	for _, t := range targets {
		stages.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := t.stage(s.folders[path.Dir(t.path)]); err != nil {
				return w.explain("write", t.path, err)
			}
			return nil
		})
	}
	if err := stages.Wait(); err != nil {
		return err
	}
	if ready != nil {
		if err := ready(); err != nil {
			return err
		}
	}
	var g errgroup.Group
	g.SetLimit(parallelWrites)
	for _, t := range targets {
		if w.fault != nil {
			if err := w.fault(t.path); err != nil {
				return errors.Join(err, g.Wait())
			}
		}
		g.Go(func() error { return w.commit(t) })
	}
	return g.Wait()
}

// commit flushes a staged file and renames it over its target, unless that has changed since it was looked at.
func (w *writer) commit(t *target) error {
	if t.was != nil {
		info, err := t.folder.Lstat(path.Base(t.path))
		switch {
		case errors.Is(err, fs.ErrNotExist) && t.was.Kind == Absent:
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return w.explain("write", t.path, err)
		case err != nil || t.was.Kind == Absent || stampOf(info) != t.was.stamp:
			return errdefs.WithHint(fmt.Errorf("write %s: another program changed it meanwhile", t.path), "run nself build again")
		}
	}
	if err := t.put(); err != nil {
		return w.explain("write", t.path, err)
	}
	t.done = true
	return nil
}

// put renames the staged file over its target. What replaces something is flushed first, so that a power failure cannot
// take the old content and not leave the new. A new file has nothing to lose but a build that can be repeated, and
// flushing a project's hundred and more takes longer than all else together.
func (t *target) put() error {
	if t.was == nil || t.was.Kind != Absent {
		return t.temp.CloseAtomicallyReplace()
	}
	if err := t.temp.Close(); err != nil {
		return err
	}
	return t.folder.Rename(path.Base(t.temp.Name()), path.Base(t.path))
}

func (w *writer) remove(c Change) error {
	if err := w.root.Remove(c.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return w.explain("remove", c.Path, err)
	}
	for dir := path.Dir(c.Path); dir != "."; dir = path.Dir(dir) {
		if w.root.Remove(dir) != nil { // not empty: it holds something of the user's
			return nil //nolint:nilerr // removing empty folders is a courtesy
		}
	}
	return nil
}

// stage writes the content into a temporary file beside the target.
func (t *target) stage(folder *os.Root) (err error) {
	t.folder = folder
	t.temp, err = renameio.NewPendingFile(path.Base(t.path), renameio.WithRoot(folder),
		renameio.WithPermissions(cmp.Or(t.mode, 0o644)))
	if err != nil {
		return err
	}
	_, err = t.temp.Write(t.data)
	return err
}

// staging holds the folders of temporary files that wait beside their targets.
type staging struct {
	*disk
	targets []*target
	folders map[string]*os.Root
	made    []string // folders that were missing, outermost first
}

// folder opens a folder of the project, and makes it where it is missing.
func (s *staging) folder(dir string) (*os.Root, error) {
	if f, ok := s.folders[dir]; ok {
		return f, nil
	}
	for i := range len(dir) + 1 {
		if i < len(dir) && dir[i] != '/' {
			continue
		}
		switch err := s.root.Mkdir(dir[:i], folderMode(dir[:i])); {
		case err == nil:
			s.made = append(s.made, dir[:i])
		case !errors.Is(err, fs.ErrExist):
			return nil, err
		}
	}
	f, err := s.root.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	s.folders[dir] = f
	return f, nil
}

// folderMode keeps what nself saves about a project to its owner: environment files and backups hold secrets.
func folderMode(dir string) fs.FileMode {
	if dir == path.Clean(envDir) || dir == path.Clean(backupDir) {
		return 0o700
	}
	return 0o755
}

// close lets go of everything; after a failure it also removes temporary files and the folders made for them.
func (s *staging) close(failed bool) {
	if failed {
		for _, t := range s.targets {
			if t.temp != nil {
				_ = t.temp.Cleanup()
			}
		}
		for _, dir := range slices.Backward(s.made) {
			_ = s.root.Remove(dir)
		}
	}
	for _, f := range s.folders {
		_ = f.Close()
	}
}

// recover takes up after a build that was cut short: it removes that build's temporary files, and lets manifest know
// what the build had begun to write. Without such a build it does nothing; with readOnly it writes nothing.
func (w *writer) recover(manifest Manifest, readOnly bool) error {
	if !readOnly {
		for _, p := range []string{pendingPath, manifestPath} { // the two that pending.json cannot tell of
			if err := w.sweep(p); err != nil {
				return err
			}
		}
	}
	data, err := w.read(pendingPath)
	if err != nil || data == nil {
		return err
	}
	for p, e := range ParseManifest(data) {
		if known, ok := manifest[p]; ok && e.SHA256 != "" {
			known.also = append(known.also, e.SHA256)
			manifest[p] = known
		} else if e.SHA256 != "" {
			manifest[p] = Entry{Path: p, Owner: e.Owner, Mode: e.Mode, SHA256: e.SHA256}
		}
		if readOnly {
			continue
		}
		if err := w.sweep(p); err != nil {
			return err
		}
	}
	return nil
}

// sweep removes the temporary files that were to replace p.
func (w *writer) sweep(p string) error {
	entries, err := fs.ReadDir(w.root.FS(), path.Dir(p))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return w.explain("read", path.Dir(p), err)
	}
	prefix := "." + path.Base(p)
	for _, e := range entries {
		digits, ok := strings.CutPrefix(e.Name(), prefix)
		if !ok || digits == "" || strings.Trim(digits, "0123456789") != "" {
			continue
		}
		if err := w.root.Remove(path.Join(path.Dir(p), e.Name())); err != nil {
			return w.explain("remove", path.Join(path.Dir(p), e.Name()), err)
		}
	}
	return nil
}
