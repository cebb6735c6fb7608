package native

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/testneeds"
)

// newPython returns a runner whose PATH is one folder, and which runs tools without a supervisor.
func newPython(t *testing.T) (p *pythonRunner, bin string, steps *[]string) {
	t.Helper()
	root := t.TempDir()
	bin = filepath.Join(root, "bin")
	dir := filepath.Join(root, "functions", "python")
	for _, d := range []string{bin, dir} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	out, err := openLog(filepath.Join(root, "log"))
	if err != nil {
		t.Fatal(err)
	}
	steps = &[]string{}
	p = &pythonRunner{
		dir: dir, cache: filepath.Join(root, "venv"), environ: []string{"PATH=" + bin, "HOME=" + root}, out: out,
		run: func(ctx context.Context, step string, c command) error {
			*steps = append(*steps, step)
			cmd := exec.CommandContext(ctx, c.path, c.args...)
			cmd.Dir, cmd.Stdout, cmd.Stderr = c.dir, c.out, c.out
			cmd.Env = slices.Concat(c.env, []string{"PATH=/usr/bin:/bin"})
			return cmd.Run()
		},
	}
	return p, bin, steps
}

// fakePython writes a program that says what an interpreter of that version would, and makes folders with a python of the
// same kind as virtual environments. The check of the code fails while there is a file broken.
func fakePython(t *testing.T, path, version string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf(`#!/bin/sh
case "$*" in
*"-m venv"*) for target; do :; done; mkdir -p "$target/bin" && cp "$0" "$target/bin/python" ;;
*"-m pip"*) test ! -e offline ;;
*"service check"*) if test -e broken; then echo '  File "actions/x.py", line 3'; exit 1; fi ;;
*) printf '%%s\n' '%s' '%s' 'venv' ;;
esac
`, path, version)
	testneeds.WriteProgram(t, path, []byte(script))
}

func TestPythonInterpreter(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		have  map[string]string // path below the root to version; an empty version does not run
		want  string            // the chosen path, or part of the problem
		found bool
	}{
		{"none", nil, "there is no python3 on the PATH", false},
		{"python3", map[string]string{"bin/python3": "3.12.1"}, "bin/python3", true},
		{"old", map[string]string{"bin/python3": "3.9.18"}, "is Python 3.9.18, and 3.11 or newer is needed", false},
		{
			"newer beside old",
			map[string]string{"bin/python3": "3.9.18", "bin/python3.11": "3.11.7", "bin/python3.13": "3.13.0"},
			"bin/python3.13", true,
		},
		{
			"shim that leads nowhere",
			map[string]string{"bin/python3": "", "bin/python3.12": "", ".pyenv/versions/3.12.1/bin/python3": "3.12.1"},
			".pyenv/versions/3.12.1/bin/python3", true,
		},
		{"pyenv, old", map[string]string{"bin/python3": "", ".pyenv/versions/3.10.13/bin/python3": "3.10.13"}, "does not run", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, bin, _ := newPython(t)
			root := filepath.Dir(bin)
			for path, version := range tt.have {
				path = filepath.Join(root, path)
				fakePython(t, path, version)
				if version == "" {
					testneeds.WriteProgram(t, path, []byte("#!/bin/sh\nexit 127\n"))
				}
			}
			got := p.interpreter(t.Context())
			if tt.found && got.path != filepath.Join(root, tt.want) || !tt.found && !strings.Contains(got.problem, tt.want) {
				t.Errorf("got %+v, want %s", got, tt.want)
			}
		})
	}
}

func TestPythonPrepare(t *testing.T) {
	t.Parallel()
	p, bin, steps := newPython(t)
	prepare := func() (string, error) {
		t.Helper()
		*steps = nil
		if _, err := p.Sources(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, err := p.Prepare(t.Context(), func(string) {})
		return strings.Join(*steps, " "), err
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := prepare(); !errors.Is(err, errdefs.ErrUnavailable) || len(errdefs.Hints(err)) == 0 {
		t.Errorf("without Python: got %v", err)
	}
	fakePython(t, filepath.Join(bin, "python3"), "3.12.1")
	if _, err := prepare(); !errors.Is(err, errdefs.ErrInvalid) {
		t.Errorf("without a lock file: got %v", err)
	}
	write("requirements.txt", "flask")
	write("offline", "")
	if _, err := prepare(); !errors.Is(err, errdefs.ErrUnavailable) {
		t.Errorf("packages that cannot be had: got %v", err)
	}
	if err := os.Remove(filepath.Join(p.dir, "offline")); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		change func()
		want   string
	}{
		{"first", func() {}, "version venv install check"},
		{"again", func() {}, "version"},
		{"code", func() { write("app.py", "x = 1") }, "version check"},
		{"what the service writes", func() { write("report.csv", "1") }, "version"},
		{"packages", func() { write("requirements.txt", "flask\nredis") }, "version venv install check"},
	} {
		tt.change()
		if got, err := prepare(); err != nil || got != tt.want {
			t.Errorf("%s: got %q, %v; want %q", tt.name, got, err, tt.want)
		}
	}
	write("broken", "")
	write("app.py", "x = 2")
	if _, err := prepare(); !errors.Is(err, errdefs.ErrInvalid) {
		t.Errorf("code that does not load: got %v", err)
	}
	if log := strings.Join(p.out.last(), "\n"); log != `  File "functions/python/actions/x.py", line 3` {
		t.Errorf("the log says %q", log)
	}
}

func TestPythonPrunesItsCache(t *testing.T) {
	t.Parallel()
	p, bin, _ := newPython(t)
	fakePython(t, filepath.Join(bin, "python3"), "3.12.1")
	for i := range keptVenvs + 2 {
		var lock bytes.Buffer
		fmt.Fprintf(&lock, "flask==%d", i)
		if err := os.WriteFile(filepath.Join(p.dir, "requirements.txt"), lock.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Sources(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Prepare(t.Context(), func(string) {}); err != nil {
			t.Fatal(err)
		}
	}
	if kept, err := os.ReadDir(p.cache); err != nil || len(kept) != keptVenvs {
		t.Errorf("%d virtual environments are kept: %v", len(kept), err)
	}
}
