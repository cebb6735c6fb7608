package upgrade

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nself-org/nself/internal/scaffold"
)

// Action is what an upgrade does to one file.
type Action string

// The actions.
const (
	Update   Action = "update"   // as nself wrote it: replaced by today's
	Merged   Action = "merge"    // both changed it, in different places
	Conflict Action = "conflict" // both changed the same lines: marks show where
	Unknown  Action = "unknown"  // differs from today's, and what nself wrote once is not known
)

// Change is one file's part in an upgrade.
type Change struct {
	Action Action `json:"action"`
	Path   string `json:"path"` // relative to the project, with slashes
	// Conflicts counts the places with marks.
	Conflicts int `json:"conflicts,omitempty"`
	// Old is what the project has, New what the upgrade makes of it; the same for Unknown.
	Old string `json:"-"`
	New string `json:"-"`
	// Today is what nself would write.
	Today string `json:"-"`
}

// Plan compares the files of a project that belong to the user with what nself would write today. Files that are not there,
// because the user deleted them or because they are new, are a build's business. known are the originals that need no
// merge any more, for [Apply] to keep.
func Plan(dir string, rendered []scaffold.File) (changes []Change, known []scaffold.File, err error) {
	bases := map[string]Bases{}
	for _, f := range rendered {
		name := service(f.Path)
		if name == "" || f.Owner != scaffold.OwnerUser {
			continue
		}
		if bases[name] == nil {
			if bases[name], err = Load(dir, name); err != nil {
				return nil, nil, err
			}
		}
		data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(f.Path)))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, nil, fmt.Errorf("read %s: %w", f.Path, err)
		}
		base, has := bases[name][f.Path]
		if c, ok := plan(f.Path, base, has, string(data), string(f.Data)); ok {
			changes = append(changes, c)
		} else {
			known = append(known, f)
		}
	}
	slices.SortFunc(changes, func(a, b Change) int { return strings.Compare(a.Path, b.Path) })
	return changes, known, nil
}

// plan decides about one file; ok is false where there is nothing to do.
func plan(path, base string, has bool, ours, theirs string) (c Change, ok bool) {
	crlf := strings.Contains(ours, "\r\n")
	if crlf { // git may have changed the line ends on checkout
		ours = strings.ReplaceAll(ours, "\r\n", "\n")
	}
	c = Change{Path: path, Old: ours, New: ours, Today: theirs}
	switch {
	case ours == theirs || has && base == theirs:
		return c, false
	case !has:
		c.Action = Unknown
		return c, true
	case ours == base:
		c.Action, c.New = Update, theirs
	default:
		c.Action = Merged
		if c.New, c.Conflicts = Merge(base, ours, theirs); c.Conflicts > 0 {
			c.Action = Conflict
		}
	}
	if crlf {
		c.Old, c.New = strings.ReplaceAll(c.Old, "\n", "\r\n"), strings.ReplaceAll(c.New, "\n", "\r\n")
	}
	return c, true
}

// Apply writes the changes, keeps what the files were in a folder of the project, and records today's originals, so that the
// next upgrade starts from them. Files that are Unknown are left alone.
func Apply(dir, backup string, changes []Change, known []scaffold.File) error {
	originals := slices.Clone(known)
	for _, c := range changes {
		if c.Action == Unknown {
			continue
		}
		at := filepath.Join(dir, filepath.FromSlash(c.Path))
		info, err := os.Stat(at)
		if err != nil {
			return err
		}
		kept := filepath.Join(dir, filepath.FromSlash(backup), filepath.FromSlash(c.Path))
		if err := os.MkdirAll(filepath.Dir(kept), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(kept, []byte(c.Old), info.Mode().Perm()); err != nil {
			return fmt.Errorf("keep what %s was: %w", c.Path, err)
		}
		temp := at + ".nself-new"
		if err := os.WriteFile(temp, []byte(c.New), info.Mode().Perm()); err != nil {
			return fmt.Errorf("write %s: %w", c.Path, err)
		}
		if err := os.Rename(temp, at); err != nil {
			return fmt.Errorf("write %s: %w", c.Path, err)
		}
		originals = append(originals, scaffold.File{Path: c.Path, Data: []byte(c.Today), Owner: scaffold.OwnerUser})
	}
	_, err := Record(dir, originals)
	return err
}
