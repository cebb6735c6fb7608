package native

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/nself-org/nself/internal/errdefs"
)

// account is the user under which Postgres runs when nself runs as root: Postgres refuses root.
type account struct {
	name     string
	uid, gid uint32
}

// unprivileged finds the account to step down to. It is nil when this process is not root.
func unprivileged() (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil //nolint:nilnil // no account is needed
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errU := strconv.ParseUint(u.Uid, 10, 32)
		gid, errG := strconv.ParseUint(u.Gid, 10, 32)
		if errU != nil || errG != nil || uid == 0 {
			continue
		}
		return &account{name: name, uid: uint32(uid), gid: uint32(gid)}, nil
	}
	return nil, errdefs.As(errdefs.ErrUnavailable, errdefs.WithHint(
		errors.New("start postgres: it does not run as root, and there is no user postgres or nobody to run it as"),
		"create a user named postgres, or run nself as another user"))
}

// own gives a file or folder to the account; a nil account owns what the process makes anyway.
func (a *account) own(path string) error {
	if a == nil {
		return nil
	}
	if err := os.Lchown(path, int(a.uid), int(a.gid)); err != nil {
		return fmt.Errorf("give %s to the user %s: %w", path, a.name, err)
	}
	return nil
}

// takeBack gives a database that root owns to the account, as after a copy of the project that did not keep owners. One of
// another user's is that user's to run.
func (a *account) takeBack(data string) error {
	if a == nil {
		return nil
	}
	info, err := os.Lstat(data)
	if err != nil {
		return fmt.Errorf("look at the database's folder: %w", err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !ok || st.Uid == a.uid:
		return nil
	case st.Uid != 0:
		name := strconv.FormatUint(uint64(st.Uid), 10)
		if u, err := user.LookupId(name); err == nil {
			name = u.Username
		}
		return errdefs.As(errdefs.ErrUnavailable, errdefs.WithHint(
			fmt.Errorf("start postgres: %s belongs to the user %s, and root would run it as %s", data, name, a.name),
			"run nself as "+name))
	}
	return filepath.WalkDir(data, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("give the database to the user %s: %w", a.name, err)
		}
		return a.own(path)
	})
}

// reaches reports whether the account may pass through every folder above path and path itself.
func (a *account) reaches(path string) bool {
	if a == nil {
		return true
	}
	for dir := path; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return false
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return false
		}
		bit := os.FileMode(0o001)
		switch {
		case st.Uid == a.uid:
			bit = 0o100
		case st.Gid == a.gid:
			bit = 0o010
		}
		if info.Mode().Perm()&bit == 0 {
			return false
		}
		if dir == filepath.Dir(dir) {
			return true
		}
	}
}
