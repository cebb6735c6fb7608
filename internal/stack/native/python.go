package native

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nself-org/nself/internal/errdefs"
)

// minPython is the oldest Python 3 that runs the template, without the 3.
const minPython = 11

// newestPython bounds the search for a python3.N on the PATH.
const newestPython = 19

// keptVenvs is how many virtual environments stay in the cache.
const keptVenvs = 3

// pythonRunner makes a virtual environment for the Python function service and checks that its code loads.
type pythonRunner struct {
	dir     string
	cache   string // of virtual environments, each named by the hash of the lock file and the interpreter
	environ []string
	mark    []string
	out     *logFile
	known   *interpreters // may be nil
	run     func(ctx context.Context, step string, c command) error
	// load has a process in waiting load the code; it reports false where there is none. May be nil.
	load func(ctx context.Context, inv Invocation) (bool, error)

	sources string
	found   interpreter
}

// interpreter is a Python to make virtual environments with.
type interpreter struct {
	path, version string
	problem       string // why there is none
}

// interpreters remembers the interpreter that was found, since asking each of them takes longer than all else that a
// restart needs. It is safe for concurrent use.
type interpreters struct {
	mu    sync.Mutex
	key   string
	found interpreter
}

func (k *interpreters) find(ctx context.Context, p *pythonRunner) interpreter {
	if k == nil {
		return p.interpreter(ctx)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if key := k.facts(p, k.found); k.found.path == "" || k.key != key {
		k.found = p.interpreter(ctx)
		k.key = k.facts(p, k.found)
	}
	return k.found
}

// facts change when another interpreter may have to be taken.
func (k *interpreters) facts(p *pythonRunner, found interpreter) string {
	parts := []string{lookupEnv(p.environ, "PATH"), lookupEnv(p.environ, "PYENV_ROOT"), lookupEnv(p.environ, "HOME")}
	for _, path := range []string{lookPath(p.environ, "python3"), found.path} {
		if info, err := os.Stat(path); err == nil {
			parts = append(parts, path, strconv.FormatInt(info.Size(), 10), info.ModTime().String())
		}
	}
	return strings.Join(parts, "\x00")
}

var (
	_ Runner      = (*pythonRunner)(nil)
	_ readyRunner = (*pythonRunner)(nil)
)

func newPythonRunner(f *function) *pythonRunner {
	return &pythonRunner{
		dir: f.sup.lay.function(f.rt.Name), cache: filepath.Join(f.sup.lay.root(), "cache", "venv"), environ: f.environ,
		mark: f.sup.marks(f.rt.Name), out: f.out, known: &f.sup.pythons,
		run:  func(ctx context.Context, step string, c command) error { return f.sup.helper(ctx, "python-"+step, c) },
		load: func(ctx context.Context, inv Invocation) (bool, error) { return f.sup.ready.load(ctx, f, inv) },
	}
}

// Sources hashes the code, what it is configured by, and the interpreter.
func (p *pythonRunner) Sources(ctx context.Context) (string, error) {
	p.found = p.known.find(ctx, p)
	h := sha256.New()
	_, _ = fmt.Fprintln(h, p.found.path, p.found.version)
	err := filepath.WalkDir(p.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if path != p.dir && (strings.HasPrefix(name, ".") || name == "__pycache__" || name == "tests" || name == "data") {
				return fs.SkipDir
			}
			return nil
		}
		// Templates are read at the start, as code is. What else lies there may be written by the service itself.
		if !d.Type().IsRegular() ||
			!slices.Contains([]string{".py", ".toml", ".html", ".txt", ".jinja", ".j2"}, filepath.Ext(name)) {
			return nil
		}
		b, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		hashFile(h, p.dir, path, b)
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("read the sources in %s: %w", p.dir, err)
	}
	p.sources = hex.EncodeToString(h.Sum(nil))[:32]
	return p.sources, nil
}

// pythonVersion prints where the interpreter really is, its version, and whether it can make virtual environments,
// which Debian keeps in a package of their own.
const pythonVersion = `import sys, importlib.util as u
print(getattr(sys, "_base_executable", None) or sys.executable)
print("%d.%d.%d" % sys.version_info[:3])
print("venv" if u.find_spec("venv") and u.find_spec("ensurepip") else "")`

// interpreter looks for a Python that is new enough: python3, then python3.N from the newest on, then what pyenv has
// installed, as its python3 may stand for an older one. It asks each, because a shim need not lead anywhere.
func (p *pythonRunner) interpreter(ctx context.Context) interpreter {
	names := []string{"python3"}
	for minor := newestPython; minor >= minPython; minor-- {
		names = append(names, "python3."+strconv.Itoa(minor))
	}
	var candidates []string
	for _, name := range append(names, "python") {
		if path := lookPath(p.environ, name); path != "" {
			candidates = append(candidates, path)
		}
	}
	candidates = append(candidates, p.pyenv()...)
	problem := "there is no python3 on the PATH"
	for i, path := range candidates {
		var out bytes.Buffer
		err := p.run(ctx, "version", command{
			path: path, args: []string{"-I", "-c", pythonVersion}, env: p.env(), dir: p.dir, out: &out,
		})
		facts := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
		if err != nil || len(facts) < 2 {
			if i == 0 {
				problem = path + " does not run: " + exitText(err)
			}
			continue
		}
		version := facts[1]
		major, rest, _ := strings.Cut(version, ".")
		minor, _, _ := strings.Cut(rest, ".")
		if n, err := strconv.Atoi(minor); err != nil || major != "3" || n < minPython {
			if i == 0 {
				problem = fmt.Sprintf("%s is Python %s, and 3.%d or newer is needed", path, version, minPython)
			}
			continue
		}
		if len(facts) < 3 || facts[2] != "venv" {
			problem = path + " cannot make virtual environments: the modules venv and ensurepip are missing"
			continue
		}
		return interpreter{path: facts[0], version: version}
	}
	return interpreter{problem: problem}
}

// pyenv lists the interpreters that pyenv has installed, newest first.
func (p *pythonRunner) pyenv() []string {
	root := lookupEnv(p.environ, "PYENV_ROOT")
	if root == "" {
		home := lookupEnv(p.environ, "HOME")
		if home == "" {
			return nil
		}
		root = filepath.Join(home, ".pyenv")
	}
	var found []string
	for minor := newestPython; minor >= minPython; minor-- {
		paths, err := filepath.Glob(filepath.Join(root, "versions", "3."+strconv.Itoa(minor)+".*", "bin", "python3"))
		if err == nil {
			found = append(found, paths...)
		}
	}
	return found
}

// env is the environment of the tools: the caller's, without what would lead Python to other code.
func (p *pythonRunner) env() []string {
	env := slices.DeleteFunc(slices.Clone(p.environ), func(kv string) bool {
		return strings.HasPrefix(kv, "PYTHONPATH=") || strings.HasPrefix(kv, "PYTHONHOME=") ||
			strings.HasPrefix(kv, "VIRTUAL_ENV=")
	})
	return append(env, p.mark...)
}

// Prepare installs what the lock file names into a virtual environment, unless there is one for it, and loads the code
// once, so that a fault in it is told like a compiler's.
func (p *pythonRunner) Prepare(ctx context.Context, note func(string)) (Invocation, error) {
	if p.found.path == "" {
		return Invocation{}, p.missing()
	}
	venv, err := p.venv(ctx, "requirements.txt", note)
	if err != nil {
		return Invocation{}, err
	}
	inv := Invocation{
		Path: filepath.Join(venv, "bin", "python"), Args: []string{"-m", "service"},
		// The bytecode of the project's code stays out of its folder, and the log is written line by line.
		Env: []string{"PYTHONPYCACHEPREFIX=" + filepath.Join(venv, "pycache"), "PYTHONUNBUFFERED=1"},
	}
	if err := p.check(ctx, venv, inv, note); err != nil {
		return Invocation{}, err
	}
	return inv, nil
}

// spare is a process that has imported the packages.
func (p *pythonRunner) spare(dir string, inv Invocation) command {
	return command{path: inv.Path, args: []string{filepath.Join(dir, "program.py")}, out: p.places()}
}

// compiler is none: there is nothing to compile.
func (p *pythonRunner) compiler(string) (command, bool) { return command{}, false }

// missing says that there is no interpreter.
func (p *pythonRunner) missing() error {
	return errdefs.As(errdefs.ErrUnavailable, errdefs.WithHint(
		fmt.Errorf("prepare functions/python: %s", p.found.problem),
		"install Python 3."+strconv.Itoa(minPython)+" or newer from https://www.python.org/downloads, "+
			"or run nself up --driver docker"))
}

// venv returns the virtual environment of a lock file and the interpreter.
func (p *pythonRunner) venv(ctx context.Context, lockFile string, note func(string)) (string, error) {
	fail := func(err error) (string, error) {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "", err
	}
	lock, err := os.ReadFile(filepath.Join(p.dir, lockFile))
	if err != nil {
		return "", errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(
			fmt.Errorf("prepare functions/python: %w", err), "take it back from version control, or run nself build"))
	}
	sum := sha256.Sum256(slices.Concat(lock, []byte("\x00"+p.found.path+"\x00"+p.found.version)))
	target := filepath.Join(p.cache, hex.EncodeToString(sum[:])[:32])
	done := filepath.Join(target, "complete")
	if _, err := os.Stat(done); err == nil {
		now := time.Now()
		_ = os.Chtimes(target, now, now) // the cache drops what was not used for longest
		return target, nil
	}
	note("installing the packages of functions/python")
	p.out.mark()
	defer p.out.flush()
	if err := os.RemoveAll(target); err != nil { // what an interrupted installation left
		return "", fmt.Errorf("prepare functions/python: %w", err)
	}
	if err := os.MkdirAll(p.cache, 0o700); err != nil {
		return "", fmt.Errorf("prepare functions/python: %w", err)
	}
	err = p.run(ctx, "venv", command{
		path: p.found.path, args: []string{"-I", "-m", "venv", target}, env: p.env(), dir: p.dir, out: p.out,
	})
	if err != nil {
		return fail(errdefs.As(errdefs.ErrUnavailable, errdefs.WithHint(
			fmt.Errorf("prepare functions/python: %s -m venv: %s", p.found.path, exitText(err)),
			"see nself logs python; on Debian and Ubuntu: apt-get install python3-venv")))
	}
	err = p.run(ctx, "install", command{
		path: filepath.Join(target, "bin", "python"), dir: p.dir, env: p.env(), out: p.out,
		args: []string{
			"-m", "pip", "install", "--require-hashes", "--no-input", "--disable-pip-version-check",
			"--progress-bar", "off", "--quiet", "-r", lockFile,
		},
	})
	if err != nil {
		return fail(errdefs.As(errdefs.ErrUnavailable, errdefs.WithHint(
			fmt.Errorf("install the packages of functions/python: pip: %s", exitText(err)),
			"mend what pip says above; offline, point PIP_INDEX_URL or PIP_FIND_LINKS at a copy of the packages")))
	}
	if err := os.WriteFile(done, nil, 0o600); err != nil {
		return "", fmt.Errorf("prepare functions/python: %w", err)
	}
	p.prune()
	return target, nil
}

// pythonPlace finds the places in a traceback that are relative to the service's folder.
var pythonPlace = regexp.MustCompile(`^(\s*File ")([^/<"][^"]*", line \d+)`) //nolint:gochecknoglobals // a constant

// places writes to the log, with the places of a traceback as seen from the project's folder.
func (p *pythonRunner) places() *lineWriter {
	return &lineWriter{out: p.out, rewrite: func(line []byte) []byte {
		return pythonPlace.ReplaceAll(line, []byte("${1}functions/python/${2}"))
	}}
}

// check loads the code, unless that very code has been loaded before.
func (p *pythonRunner) check(ctx context.Context, venv string, inv Invocation, note func(string)) error {
	mark := filepath.Join(venv, "checked")
	if b, err := os.ReadFile(mark); err == nil && string(b) == p.sources {
		return nil
	}
	note("loading functions/python")
	p.out.mark()
	places := p.places()
	err := error(nil)
	loaded := false
	if p.load != nil {
		loaded, err = p.load(ctx, inv)
	}
	if !loaded {
		err = p.run(ctx, "check", command{
			path: inv.Path, args: []string{"-m", "service", "check"}, dir: p.dir, out: places, env: append(p.env(), inv.Env...),
		})
		places.flush()
	}
	p.out.flush()
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(
			fmt.Errorf("load functions/python: %s", exitText(err)), "mend what Python says, then run nself up python"))
	}
	if err := os.WriteFile(mark, []byte(p.sources), 0o600); err != nil {
		return fmt.Errorf("load functions/python: %w", err)
	}
	return nil
}

// prune drops the virtual environments that were not used for longest.
func (p *pythonRunner) prune() {
	entries, err := os.ReadDir(p.cache)
	if err != nil {
		return
	}
	used := map[string]time.Time{}
	var names []string
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			used[e.Name()], names = info.ModTime(), append(names, e.Name())
		}
	}
	slices.SortFunc(names, func(a, b string) int { return used[b].Compare(used[a]) })
	for i, name := range names {
		if i >= keptVenvs {
			_ = os.RemoveAll(filepath.Join(p.cache, name))
		}
	}
}
