package build

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/scaffold"
)

// Where nself keeps its own files in a project, with slashes.
const (
	stateDir     = ".nself"
	manifestPath = stateDir + "/manifest.json"
	pendingPath  = stateDir + "/pending.json"
	lockPath     = stateDir + "/build.lock"
	backupDir    = stateDir + "/backup/"
	envDir       = stateDir + "/env/"
)

// stamp tells whether a file changed since it was looked at.
type stamp struct {
	size     int64
	modified time.Time
}

func stampOf(info fs.FileInfo) stamp { return stamp{info.Size(), info.ModTime()} }

// disk reads and writes a project through os.Root, which no symbolic link leads out of.
type disk struct {
	root *os.Root
	dir  string
}

func openDisk(dir string) (*disk, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open project: %w", err)
	}
	return &disk{root: root, dir: dir}, nil
}

// path returns where p is for those that cannot go through the root.
func (d *disk) path(p string) string { return filepath.Join(d.dir, filepath.FromSlash(p)) }

// observe looks at every path of files and manifest, and at the derived files that are left from before. Contents are
// read for files of nself's only. The error joins all paths that cannot be read.
func (d *disk) observe(files []scaffold.File, m Manifest) (map[string]Node, error) {
	own := map[string]bool{} // whether to read the content
	for p, e := range m {
		own[p] = e.Owner != scaffold.OwnerUser
	}
	for _, f := range files {
		own[f.Path] = f.Owner != scaffold.OwnerUser
	}
	entries, err := fs.ReadDir(d.root.FS(), path.Clean(envDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, d.explain("read", envDir, err)
	}
	for _, e := range entries {
		if _, known := own[envDir+e.Name()]; !known {
			own[envDir+e.Name()] = false
		}
	}
	paths := slices.Sorted(maps.Keys(own))
	found, errs := make([]Node, len(paths)), make([]error, len(paths))
	folders := map[string][]int{} // indexes of paths
	for i, p := range paths {
		folders[path.Dir(p)] = append(folders[path.Dir(p)], i)
	}
	dirs := slices.Collect(maps.Keys(folders))
	inParallel(len(dirs), func(i int) {
		folder, err := d.root.OpenRoot(dirs[i]) // once for all that is in it
		if err == nil {
			defer folder.Close()
		}
		for _, j := range folders[dirs[i]] {
			switch {
			case errors.Is(err, fs.ErrNotExist):
			case err != nil:
				errs[j] = d.explain("look at", paths[j], err)
			default:
				found[j], errs[j] = d.node(folder, paths[j], own[paths[j]])
			}
		}
	})
	nodes := make(map[string]Node, len(own))
	var faults []error
	links := map[string]bool{}
	for i, p := range paths {
		if errs[i] == nil {
			nodes[p] = found[i]
			continue
		}
		if link, _ := d.link(p); link == "" || !links[link] { // one folder that is a link is one fault
			faults = append(faults, errs[i])
			links[link] = true
		}
	}
	return nodes, errors.Join(faults...)
}

// inParallel calls do with 0 to n-1, in as many goroutines as there are processors.
func inParallel(n int, do func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	wg.Wait()
}

// look looks at one path.
func (d *disk) look(p string, read bool) (Node, error) {
	folder, err := d.root.OpenRoot(path.Dir(p))
	if errors.Is(err, fs.ErrNotExist) {
		return Node{}, nil
	}
	if err != nil {
		return Node{}, d.explain("look at", p, err)
	}
	defer folder.Close()
	return d.node(folder, p, read)
}

// node looks at a path, whose folder is open. The content is read if read is set.
func (d *disk) node(folder *os.Root, p string, read bool) (Node, error) {
	name := path.Base(p)
	info, err := folder.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return Node{}, nil
	}
	if err != nil {
		return Node{}, d.explain("look at", p, err)
	}
	n := Node{Mode: info.Mode().Perm(), stamp: stampOf(info)}
	switch {
	case info.Mode().IsRegular():
		n.Kind = File
	case info.Mode()&fs.ModeSymlink != 0:
		n.Kind = Link
	case info.IsDir():
		n.Kind = Folder
	default:
		n.Kind = Other
	}
	if n.Kind == File && read {
		if n.Data, err = folder.ReadFile(name); err != nil {
			return Node{}, d.explain("read", p, err)
		}
	}
	return n, nil
}

// read returns a file's content, or nil when there is none.
func (d *disk) read(p string) ([]byte, error) {
	data, err := d.root.ReadFile(p)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, d.explain("read", p, err)
	}
	return data, nil
}

// explain says what stands in the way of doing something to p.
func (d *disk) explain(verb, p string, err error) error {
	if link, target := d.link(p); link != "" {
		return errdefs.WithHint(errdefs.As(errdefs.ErrInvalid, fmt.Errorf(
			"%s %s: %s is a symbolic link to %s, and nself does not follow links out of the project", verb, p, link, target)),
			"replace the link with what it leads to")
	}
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		err = pathErr.Err // its path repeats ours, or names a temporary file
	}
	if linkErr, ok := errors.AsType[*os.LinkError](err); ok {
		err = linkErr.Err
	}
	switch {
	case errors.Is(err, syscall.EISDIR):
		return blocked(p, Folder)
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EEXIST):
		return errdefs.WithHint(errdefs.As(errdefs.ErrInvalid,
			fmt.Errorf("%s %s: a file stands where a folder is needed", verb, p)), "move the file away")
	case errors.Is(err, fs.ErrPermission):
		return errdefs.WithHint(fmt.Errorf("%s %s: %w", verb, p, err),
			fmt.Sprintf("make %s and its folder writable for you", p))
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return errdefs.WithHint(fmt.Errorf("%s %s: %w", verb, p, err), "free some disk space and run the command again")
	default:
		return fmt.Errorf("%s %s: %w", verb, p, err)
	}
}

// link finds the first symbolic link out of the project on the way to p.
func (d *disk) link(p string) (link, target string) {
	p = path.Clean(p)
	for i := range len(p) + 1 {
		if i < len(p) && p[i] != '/' {
			continue
		}
		info, err := d.root.Lstat(p[:i])
		if err != nil || info.Mode()&fs.ModeSymlink == 0 {
			continue
		}
		if _, err := d.root.Stat(p[:i]); err != nil {
			target, _ := os.Readlink(d.path(p[:i]))
			return p[:i], target
		}
	}
	return "", ""
}

func blocked(p string, kind NodeKind) error {
	what := "a folder"
	if kind == Other {
		what = "neither a file nor a folder"
	}
	return errdefs.WithHint(errdefs.As(errdefs.ErrInvalid,
		fmt.Errorf("%s: nself writes a file here, but %s stands there", p, what)), "move it away")
}

// err joins what makes a plan impossible.
func (p *planner) err() error { return errors.Join(p.faults...) }
