package native

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// maxSocketPath is the length that every system takes in a socket address: macOS has 104 bytes with the final zero.
const maxSocketPath = 103

// layout names the places of one project's runtime state, all below .nself.
type layout struct{ dir string }

func (l layout) root() string              { return filepath.Join(l.dir, ".nself") }
func (l layout) run() string               { return filepath.Join(l.root(), "run") }
func (l layout) logs() string              { return filepath.Join(l.root(), "logs") }
func (l layout) data() string              { return filepath.Join(l.root(), "data") }
func (l layout) calls() string             { return filepath.Join(l.root(), "calls") }
func (l layout) bin() string               { return filepath.Join(l.root(), "cache", "bin") }
func (l layout) lock() string              { return filepath.Join(l.run(), "lock") }
func (l layout) state() string             { return filepath.Join(l.run(), "state.json") }
func (l layout) endpoint() string          { return filepath.Join(l.run(), "endpoint") }
func (l layout) log(service string) string { return filepath.Join(l.logs(), service+".log") }
func (l layout) function(runtime string) string {
	return filepath.Join(l.dir, "functions", runtime)
}

// create makes the folders. Those with sockets, state and logs are for the user alone; data is passable, as a Postgres
// that runs under its own account has to reach its folder in it.
func (l layout) create() error {
	for _, d := range []struct {
		path string
		mode os.FileMode
	}{{l.root(), 0o755}, {l.run(), 0o700}, {l.logs(), 0o700}, {l.data(), 0o711}} {
		if err := os.MkdirAll(d.path, d.mode); err != nil {
			return fmt.Errorf("create the project's runtime folder: %w", err)
		}
		if err := os.Chmod(d.path, d.mode); err != nil {
			return fmt.Errorf("create the project's runtime folder: %w", err)
		}
	}
	return nil
}

// socket is where a supervisor of this project listens. A project too deep for a socket address gets a folder of its own
// in the temporary folder, named after the project's path.
func (l layout) socket() (string, error) {
	if p := filepath.Join(l.run(), "nself.sock"); len(p) <= maxSocketPath {
		return p, nil
	}
	sum := sha256.Sum256([]byte(l.dir))
	dir := filepath.Join(os.TempDir(), "nself-"+strconv.Itoa(os.Getuid()))
	path := filepath.Join(dir, hex.EncodeToString(sum[:8])+".sock")
	if len(path) > maxSocketPath {
		dir = filepath.Join("/tmp", "nself-"+strconv.Itoa(os.Getuid()))
		path = filepath.Join(dir, filepath.Base(path))
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("create the folder of the control socket: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return "", fmt.Errorf("create the folder of the control socket: %w", err)
	}
	if !info.IsDir() || info.Mode().Perm() != 0o700 || !ownedByUs(info) {
		return "", fmt.Errorf("folder of the control socket: %s is not a private folder of this user", dir)
	}
	return path, nil
}

// currentSocket is where the last supervisor said it listens; a moved project still finds it in its own folder.
func (l layout) currentSocket() string {
	own := filepath.Join(l.run(), "nself.sock")
	b, err := os.ReadFile(l.endpoint())
	if err != nil {
		return own
	}
	path := strings.TrimSpace(string(b))
	if filepath.Base(path) == "nself.sock" && len(own) <= maxSocketPath {
		return own
	}
	return path
}

// sameDir reports whether two paths lead to one folder.
func sameDir(a, b string) bool {
	if a == b {
		return true
	}
	ia, errA := os.Stat(a)
	ib, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(ia, ib)
}
