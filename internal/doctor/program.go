package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// outputDelay is how long the output of a program that has ended, or was told to, may stay open, for instance in a child. On a
// busy machine the last of it may also take that long to be read.
func (x *examiner) outputDelay() time.Duration { return x.Patience / 3 }

var (
	errNotInstalled = errors.New("not installed")
	errNoAnswer     = errors.New("no answer in time")
)

// lookPath finds a program on the PATH of the environment under examination. Relative entries are passed over, as the
// native driver does.
func (x *examiner) lookPath(name string) (string, error) {
	for _, dir := range filepath.SplitList(x.env["PATH"]) {
		if !filepath.IsAbs(dir) {
			continue
		}
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", errNotInstalled
}

// output runs a program outside the project, so that no file in it changes the answer.
func (x *examiner) output(ctx context.Context, path string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = os.TempDir()
	cmd.Env = append(append([]string{}, x.Environ...), "GOTOOLCHAIN=local", "GOFLAGS=", "LC_ALL=C")
	cmd.WaitDelay = x.outputDelay()
	out, err := cmd.Output()
	if err != nil && ctx.Err() != nil || errors.Is(err, exec.ErrWaitDelay) {
		return "", errNoAnswer
	}
	if failed, ok := errors.AsType[*exec.ExitError](err); ok && len(failed.Stderr) > 0 {
		return "", fmt.Errorf("%w: %s", err, firstLine(string(failed.Stderr)))
	}
	return string(out), err
}

// broken reports a program that is there and cannot be asked for its version. One that is only slow, as on a machine
// under load, needs no installation.
func broken(check, path string, err error, install string) []Finding {
	if errors.Is(err, errNoAnswer) {
		ask := " --version"
		if check == "go" {
			ask = " version"
		}
		return one(check, Warn, path+" gave no answer in time", quote(path)+ask)
	}
	return one(check, Warn, fmt.Sprintf("%s does not run: %v", path, err), install)
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}

var versionNumber = regexp.MustCompile(`\d+(\.\d+)+|\d+`)

// version is the first number in a text, "1.26.1" in "go version go1.26.1 linux/amd64"; empty when there is none.
func version(text string) string { return versionNumber.FindString(text) }

// older compares versions number by number; what is missing counts as 0.
func older(have, want string) bool {
	h, w := strings.Split(have, "."), strings.Split(want, ".")
	for i := range max(len(h), len(w)) {
		if a, b := numberAt(h, i), numberAt(w, i); a != b {
			return a < b
		}
	}
	return false
}

func numberAt(parts []string, i int) int {
	if i >= len(parts) {
		return 0
	}
	n, err := strconv.Atoi(parts[i])
	if err != nil {
		return 0
	}
	return n
}

// installer writes commands for the package manager of this machine.
type installer struct {
	manager string // "brew", "apt-get", "dnf", "apk", "pacman"; empty when none is known
	sudo    string // "sudo " where it takes another user
}

func (x *examiner) findInstaller() installer {
	in := installer{}
	for _, manager := range []string{"brew", "apt-get", "dnf", "apk", "pacman"} {
		if _, err := x.lookPath(manager); err == nil {
			in.manager = manager
			break
		}
	}
	if os.Geteuid() > 0 && in.manager != "brew" {
		in.sudo = "sudo "
	}
	return in
}

// packages names what to install, by package manager.
type packages map[string]string

// command is what installs the packages, or otherwise, a command or an address, where that is not known.
func (in installer) command(p packages, otherwise string) string {
	names, ok := p[in.manager]
	if !ok {
		return otherwise
	}
	switch in.manager {
	case "brew":
		return "brew install " + names
	case "apk":
		return in.sudo + "apk add " + names
	case "pacman":
		return in.sudo + "pacman -S " + names
	}
	return in.sudo + in.manager + " install -y " + names
}

// open is the command that shows a page.
func open(address string) string {
	if runtime.GOOS == "darwin" {
		return "open " + address
	}
	return "xdg-open " + address
}
