package build

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/scaffold"
)

// WriteProject writes a new project into dir, which may be missing or hold other things. It writes all files or none, and
// returns the paths written, in the order of files. It refuses a folder that holds a project already, and never replaces a
// file: an existing .gitignore is added to, an existing README.md is left alone, and any other is a reason to stop.
func WriteProject(ctx context.Context, dir string, files []scaffold.File) ([]string, error) {
	return creator{}.create(ctx, dir, files)
}

// creator is one creation. Tests set fault, see writer.
type creator struct {
	fault func(path string) error
}

func (c creator) create(ctx context.Context, dir string, files []scaffold.File) ([]string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find the project's folder: %w", err)
	}
	switch info, err := os.Stat(dir); {
	case errors.Is(err, fs.ErrNotExist):
		return c.fresh(ctx, dir, files)
	case err != nil:
		return nil, fmt.Errorf("create project: %w", err)
	case !info.IsDir():
		return nil, errdefs.WithHint(fmt.Errorf("create project in %s: a file of that name exists", dir), "choose another name, or move the file away")
	}
	return c.fill(ctx, dir, files)
}

// fresh fills a folder beside dir and renames it: a crash leaves no half of a project.
func (c creator) fresh(ctx context.Context, dir string, files []scaffold.File) ([]string, error) {
	made, err := mkdirAll(filepath.Dir(dir))
	undo := func() {
		for _, m := range slices.Backward(made) {
			_ = os.Remove(m)
		}
	}
	if err != nil {
		undo()
		return nil, errdefs.WithHint(fmt.Errorf("create project: %w", err), "choose a folder that you may write to")
	}
	temp := filepath.Join(filepath.Dir(dir), "."+filepath.Base(dir)+".nself-"+strconv.FormatUint(rand.Uint64(), 36)) //nolint:gosec // any free name will do
	if err := os.Mkdir(temp, 0o755); err != nil {
		undo()
		if wrong, ok := errors.AsType[*fs.PathError](err); ok {
			err = wrong.Err // its path is the temporary one
		}
		return nil, errdefs.WithHint(fmt.Errorf("create project in %s: %w", dir, err), "choose a folder that you may write to")
	}
	written, err := c.fill(ctx, temp, files)
	if err == nil {
		err = os.Rename(temp, dir)
	}
	if err != nil {
		_ = os.RemoveAll(temp)
		undo()
		return nil, fmt.Errorf("create project: %w", err)
	}
	return written, nil
}

// mkdirAll is os.MkdirAll that returns the folders it made, outermost first.
func mkdirAll(dir string) ([]string, error) {
	var missing []string
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Stat(d); !errors.Is(err, fs.ErrNotExist) || d == filepath.Dir(d) {
			break
		}
		missing = append([]string{d}, missing...)
	}
	for i, d := range missing {
		if err := os.Mkdir(d, 0o755); err != nil {
			return missing[:i], err
		}
	}
	return missing, nil
}

// fill writes files into a folder that exists, and takes everything back when one cannot be written.
func (c creator) fill(ctx context.Context, dir string, files []scaffold.File) ([]string, error) {
	d, err := openDisk(dir)
	if err != nil {
		return nil, err
	}
	defer d.root.Close()
	if err := d.refuseProject(); err != nil {
		return nil, err
	}
	targets, written, err := d.newTargets(files)
	if err != nil {
		return nil, err
	}
	w := &writer{disk: d, fault: c.fault}
	if err := w.write(ctx, targets, nil); err != nil {
		w.takeBack(targets) //nolint:contextcheck // what was begun is taken back even after an interruption
		return nil, err
	}
	return written, nil
}

// refuseProject lists what shows that the folder holds a project already.
func (d *disk) refuseProject() error {
	var found []string
	if data, err := d.root.ReadFile(".env"); err == nil && setsProjectName(string(data)) {
		found = append(found, ".env with PROJECT_NAME")
	}
	for _, p := range []string{"hasura", stateDir, "functions/golang", "functions/nestjs", "functions/python"} {
		if _, err := d.root.Lstat(p); err == nil {
			found = append(found, p+"/")
		}
	}
	if len(found) == 0 {
		return nil
	}
	return errdefs.WithHint(
		fmt.Errorf("create project in %s: it holds one already: %s", d.dir, strings.Join(found, ", ")),
		"run nself build there, or choose another folder")
}

func setsProjectName(env string) bool {
	for line := range strings.Lines(env) {
		line = strings.TrimPrefix(strings.TrimSpace(line), "export ")
		if name, _, ok := strings.Cut(line, "="); ok && strings.TrimSpace(name) == "PROJECT_NAME" {
			return true
		}
	}
	return false
}

// newTargets decides what to write beside what is there.
func (d *disk) newTargets(files []scaffold.File) (targets []*target, written []string, err error) {
	var inTheWay []string
	for _, f := range files {
		n, err := d.look(f.Path, f.Path == ".gitignore")
		if err != nil {
			return nil, nil, err
		}
		t := &target{path: f.Path, data: f.Data, mode: f.Mode, was: &n}
		switch {
		case n.Kind == Absent:
		case n.Kind == File && f.Path == ".gitignore":
			t.data, t.mode = scaffold.MergeGitignore(n.Data, f.Data), n.Mode
		case n.Kind == File && f.Path == "README.md":
			continue
		default:
			inTheWay = append(inTheWay, f.Path)
			continue
		}
		targets = append(targets, t)
		written = append(written, f.Path)
	}
	if len(inTheWay) > 0 {
		return nil, nil, errdefs.WithHint(
			fmt.Errorf("create project in %s: these files exist and would be replaced: %s", d.dir, strings.Join(inTheWay, ", ")),
			"move them away, or choose another folder")
	}
	return targets, written, nil
}

// takeBack removes what was written, and puts the old .gitignore back. It does what it can: the failure before it is the
// one to report.
func (w *writer) takeBack(targets []*target) {
	for _, t := range targets {
		switch {
		case !t.done:
		case t.was.Kind == Absent:
			_ = w.remove(Change{Path: t.path})
		default:
			old := &target{path: t.path, data: t.was.Data, mode: t.was.Mode}
			_ = (&writer{disk: w.disk}).write(context.Background(), []*target{old}, nil)
		}
	}
}
