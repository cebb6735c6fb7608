package native

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	psprocess "github.com/shirou/gopsutil/v4/process"

	"github.com/nself-org/nself/internal/errdefs"
)

// clearPostmaster makes sure that no server process runs on the data, and that a pid file whose process is another
// program by now does not keep the next server from starting. It does not remove the file of a server that was killed: it
// holds the key of the shared memory, by which Postgres itself makes sure that no process of that server is left.
func clearPostmaster(data string) error {
	path := filepath.Join(data, "postmaster.pid")
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("read %s: %w", path, err)
	}
	if err == nil {
		if err := endPostmaster(data, path, string(b)); err != nil {
			return err
		}
	}
	// A busy process of a killed server does not notice that at once, and would go on writing.
	for _, pid := range workingIn(data) {
		if !postgresNamed(pid) {
			continue
		}
		_ = syscall.Kill(pid, syscall.SIGQUIT)
		if !waitGone(pid, recoverOther) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			waitGone(pid, recoverOther)
		}
	}
	return nil
}

func endPostmaster(data, path, text string) error {
	first, rest, _ := strings.Cut(text, "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil || pid == 0 {
		return remove(path) // Postgres refuses a file that it cannot read
	}
	if pid < 0 {
		pid = -pid // how single-user mode writes it
	}
	if !alive(pid) || zombie(pid) {
		return nil
	}
	switch wd := workingDir(pid); {
	case wd != "" && sameDir(wd, data):
		if !stopPostmaster(pid) {
			return errdefs.As(errdefs.ErrUnavailable, errdefs.WithHint(
				fmt.Errorf("postgres: process %d still runs on %s", pid, data),
				fmt.Sprintf("end process %d and run nself up again", pid)))
		}
		return nil
	case wd == "" && postgresNamed(pid):
		return errdefs.As(errdefs.ErrUnavailable, errdefs.WithHint(
			fmt.Errorf("postgres: process %d of another user may run on %s", pid, data),
			fmt.Sprintf("end process %d if it does, or remove %s", pid, path)))
	}
	// The id belongs to a stranger. Postgres takes the id of its own parent for a stale one, and still looks at the rest.
	text = strconv.Itoa(os.Getpid()) + "\n" + rest
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return fmt.Errorf("mend the stale %s: %w", path, err)
	}
	return nil
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove the stale %s: %w", path, err)
	}
	return nil
}

func postgresNamed(pid int) bool {
	p, err := psprocess.NewProcess(int32(pid)) //nolint:gosec // process ids fit
	if err != nil {
		return false
	}
	name, err := p.Name()
	return err == nil && strings.HasPrefix(name, "postgres")
}

// isPostmaster tells a database server from the single-user and bootstrap processes of initdb.
func isPostmaster(pid int) bool {
	p, err := psprocess.NewProcess(int32(pid)) //nolint:gosec // process ids fit
	if err != nil || !postgresNamed(pid) {
		return false
	}
	args, err := p.CmdlineSlice()
	if err != nil {
		return false
	}
	return !slices.Contains(args, "--single") && !slices.Contains(args, "--boot") && !slices.Contains(args, "--check")
}
