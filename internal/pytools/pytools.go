// Package pytools gives tests of Python code the tools that check it: ruff, mypy, pytest.
package pytools

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nself-org/nself/templates"
)

// Python returns the python of a virtual environment with the packages that the template's requirements-dev.txt names. It
// is made once for each version of that file, in the user's cache folder. Without Python 3.11 or newer the test is
// skipped; with CI set it fails.
func Python(t *testing.T) string {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err == nil {
		err = exec.CommandContext(t.Context(), python, "-c", "import sys, venv; assert sys.version_info >= (3, 11)").Run()
	}
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("python3 3.11 or newer: %v", err)
		}
		t.Skipf("python3 3.11 or newer: %v", err)
	}
	lock, err := templates.FS.ReadFile("python/requirements-dev.txt")
	if err != nil {
		t.Fatal(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	sum := sha256.Sum256(append(lock, python...))
	dir := filepath.Join(cache, "nself-test", "venv-"+hex.EncodeToString(sum[:8]))
	interpreter := filepath.Join(dir, "bin", "python")
	done := filepath.Join(dir, "complete")
	if _, err := os.Stat(done); err == nil {
		return interpreter
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), "new-") //nolint:usetesting // it has to be where it can be renamed to dir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(tmp) })
	requirements := filepath.Join(tmp, "requirements.txt")
	if err := os.WriteFile(requirements, lock, 0o600); err != nil {
		t.Fatal(err)
	}
	// Made elsewhere and moved, so that another run never meets half of it: `python -m` does not mind.
	Run(t, "", python, "-m", "venv", filepath.Join(tmp, "venv"))
	Run(t, "", filepath.Join(tmp, "venv", "bin", "python"), "-m", "pip", "install", "--quiet", "--no-input",
		"--disable-pip-version-check", "--require-hashes", "-r", requirements)
	if err := os.WriteFile(filepath.Join(tmp, "venv", "complete"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(tmp, "venv"), dir); err != nil && !errors.Is(err, fs.ErrExist) {
		if _, missing := os.Stat(done); missing != nil {
			t.Fatal(err)
		}
	}
	return interpreter
}

// Run runs python in a folder and reports a test failure, with its output, when it fails.
func Run(t *testing.T, dir, python string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), python, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "PYTHONPATH=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("python %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}
