package native

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/nself-org/nself/internal/errdefs"
)

const (
	// nestInstalled and nestBuilt mark finished work: each holds the hash of what it was made from. They lie in the folders
	// that the work makes, so that they go with them.
	nestInstalled = "node_modules/.nself-lock"
	nestBuilt     = "dist/.nself-build"

	nestProgram = "dist/main.js"
)

// nestOptions are Node's, as in the template's Dockerfile: places in the sources instead of in what was compiled, and more
// room (MiB) for young objects, which saves a busy service a twentieth of its time for some 30 MiB.
var nestOptions = []string{"--enable-source-maps", "--max-semi-space-size=32"} //nolint:gochecknoglobals // a constant list

// minNode is the oldest Node.js that can load the packages of the template without flags.
var minNode = [2]int{20, 19} //nolint:gochecknoglobals // a constant

// nestRunner installs and builds the NestJS function service.
type nestRunner struct {
	dir     string
	environ []string
	helper  func(ctx context.Context, name string, c command) error // runs npm
	mark    []string
	out     *logFile
	// compile has a compiler in waiting do the work, if there is one; scripts is the folder of its program. Both may be nil.
	compile func(ctx context.Context, c command) (faults string, done bool)
	scripts func() (string, error)

	hash string
}

var (
	_ Runner      = (*nestRunner)(nil)
	_ readyRunner = (*nestRunner)(nil)
)

// Sources hashes what the service is installed and built from, and the version of Node.js.
func (n *nestRunner) Sources(context.Context) (string, error) {
	h := sha256.New()
	n.toolchain(h)
	err := filepath.WalkDir(n.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		inside := filepath.Dir(path) != n.dir
		if d.IsDir() {
			// Beside src, only the files at the top say how to build; other folders may be what the service writes.
			if path != n.dir && (strings.HasPrefix(name, ".") || name == "node_modules" || !inside && name != "src") {
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() || !inside && !nestSettings(name) || strings.HasSuffix(name, ".spec.ts") {
			return nil
		}
		content, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		hashFile(h, n.dir, path, content)
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("read the sources in %s: %w", n.dir, err)
	}
	n.hash = hex.EncodeToString(h.Sum(nil))[:32]
	return n.hash, nil
}

// nestSettings says whether a file at the top of the service's folder has a part in the build.
func nestSettings(name string) bool {
	switch filepath.Ext(name) {
	case ".json", ".js", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".yaml", ".lock":
		return !strings.HasPrefix(name, "eslint.") && !strings.HasPrefix(name, "jest.")
	}
	return name == ".npmrc" || name == ".swcrc"
}

func (n *nestRunner) toolchain(w io.Writer) {
	node := lookPath(n.environ, "node")
	if info, err := os.Stat(node); err == nil {
		real, _ := filepath.EvalSymlinks(node)
		_, _ = fmt.Fprintln(w, runtime.GOOS, runtime.GOARCH, real, info.Size(), info.ModTime().UnixNano())
	}
}

// Prepare installs what the lock file names, and builds the program, unless both is done already.
func (n *nestRunner) Prepare(ctx context.Context, note func(string)) (Invocation, error) {
	node, npm, err := n.tools()
	if err != nil {
		return Invocation{}, err
	}
	if err := n.installed(ctx, node, npm, note); err != nil {
		return Invocation{}, err
	}
	if !n.marked(nestBuilt, n.hash) {
		built := n.hash
		if err := n.build(ctx, npm, note); err != nil {
			return Invocation{}, err
		}
		if now, err := n.Sources(ctx); err == nil && now == built { // else a file was saved meanwhile, and may be in it or not
			if err := n.setMark(nestBuilt, built); err != nil {
				return Invocation{}, err
			}
		}
	}
	return Invocation{Path: node, Args: append(slices.Clone(nestOptions), nestProgram)}, nil
}

// installed installs what the lock file names, unless that is done already.
func (n *nestRunner) installed(ctx context.Context, node, npm string, note func(string)) error {
	packages, err := n.packages()
	if err != nil || n.marked(nestInstalled, packages) {
		return err
	}
	if err := n.checkVersion(ctx, node); err != nil {
		return err
	}
	return n.install(ctx, npm, packages, note)
}

func (n *nestRunner) tools() (node, npm string, err error) {
	for name, path := range map[string]*string{"node": &node, "npm": &npm} {
		if *path = lookPath(n.environ, name); *path == "" {
			return "", "", errdefs.As(errdefs.ErrUnavailable, errdefs.WithHint(
				fmt.Errorf("build functions/nestjs: there is no %s on the PATH", name),
				"install Node.js from https://nodejs.org, or run nself up --driver docker"))
		}
	}
	return node, npm, nil
}

// checkVersion refuses a Node.js that would fail later and less clearly.
func (n *nestRunner) checkVersion(ctx context.Context, node string) error {
	var out bytes.Buffer
	if err := n.helper(ctx, "nestjs-version", command{path: node, args: []string{"--version"}, env: n.env(), dir: n.dir, out: &out}); err != nil {
		return errdefs.As(errdefs.ErrUnavailable, fmt.Errorf("build functions/nestjs: %s --version: %s", node, exitText(err)))
	}
	version := strings.TrimPrefix(strings.TrimSpace(out.String()), "v")
	parts := strings.SplitN(version, ".", 3)
	var have [2]int
	for i := range min(len(parts), len(have)) {
		have[i], _ = strconv.Atoi(parts[i]) // a version that cannot be read counts as too old
	}
	if slices.Compare(have[:], minNode[:]) < 0 {
		return errdefs.As(errdefs.ErrUnavailable, errdefs.WithHint(
			fmt.Errorf("build functions/nestjs: node %s at %s is too old: %d.%d or newer is needed", version, node, minNode[0], minNode[1]),
			"install a newer Node.js from https://nodejs.org, or run nself up --driver docker"))
	}
	return nil
}

// packages hashes what decides over the content of node_modules.
func (n *nestRunner) packages() (string, error) {
	h := sha256.New()
	n.toolchain(h) // packages with machine code differ from one version to the next
	for _, name := range []string{"package.json", "package-lock.json", ".npmrc"} {
		content, err := os.ReadFile(filepath.Join(n.dir, name))
		switch {
		case errors.Is(err, fs.ErrNotExist) && name != "package.json":
		case errors.Is(err, fs.ErrNotExist):
			return "", errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(
				errors.New("build functions/nestjs: package.json is missing"), "run nself build to write it"))
		case err != nil:
			return "", fmt.Errorf("build functions/nestjs: %w", err)
		}
		hashFile(h, n.dir, filepath.Join(n.dir, name), content)
	}
	return hex.EncodeToString(h.Sum(nil))[:32], nil
}

// install fetches the packages, from npm's own cache where they are in there.
func (n *nestRunner) install(ctx context.Context, npm, packages string, note func(string)) error {
	args := []string{"ci"}
	if _, err := os.Stat(filepath.Join(n.dir, "package-lock.json")); err != nil {
		args[0] = "install"
	}
	note("installing the packages of functions/nestjs")
	args = append(args, "--prefer-offline", "--include=dev", "--no-audit", "--no-fund", "--no-progress", "--loglevel=error")
	if err := n.npm(ctx, npm, "nestjs-install", args...); err != nil {
		return failed(ctx, "install the packages of functions/nestjs", "npm "+args[0], err, errdefs.ErrUnavailable,
			"look at what npm says in nself logs nestjs; it needs the network where its cache lacks a package")
	}
	return n.setMark(nestInstalled, packages)
}

func (n *nestRunner) build(ctx context.Context, npm string, note func(string)) error {
	note("compiling functions/nestjs")
	if done, err := n.buildReady(ctx); done {
		return err
	}
	if err := n.npm(ctx, npm, "nestjs-build", "run", "--silent", "build"); err != nil {
		return failed(ctx, "compile functions/nestjs", "npm run build", err, errdefs.ErrInvalid,
			"mend what the compiler says, then run nself up nestjs")
	}
	if _, err := os.Stat(filepath.Join(n.dir, nestProgram)); err != nil {
		return errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(
			errors.New("compile functions/nestjs: npm run build did not write "+nestProgram),
			"let the script build in package.json write it"))
	}
	return nil
}

// buildReady builds with the compiler in waiting. It reports false where there is none.
func (n *nestRunner) buildReady(ctx context.Context) (bool, error) {
	if n.compile == nil {
		return false, nil
	}
	dir, err := n.scripts()
	if err != nil {
		return false, nil //nolint:nilerr // npm can do it too
	}
	c, ok := n.compiler(dir)
	if !ok {
		return false, nil
	}
	n.out.mark()
	faults, done := n.compile(ctx, c)
	if !done {
		return false, nil
	}
	if faults == "" {
		return true, nil
	}
	_, _ = n.out.Write([]byte(nestPlace.ReplaceAllString(faults, "functions/nestjs/$1")))
	n.out.flush()
	return true, failed(ctx, "compile functions/nestjs", "the compiler", errors.New("found faults"), errdefs.ErrInvalid,
		"mend what the compiler says, then run nself up nestjs")
}

// nestPlace is how the compiler begins a message: a file relative to the service's folder, and a place.
var nestPlace = regexp.MustCompile(`(?m)^(src/[^\s(]+\(\d+,\d+\): )`) //nolint:gochecknoglobals // a constant

// tscBuild is a script build that nothing but the compiler has a part in.
var tscBuild = regexp.MustCompile(`^tsc (?:-p|--project) ([\w./-]+)$`) //nolint:gochecknoglobals // a constant

// compiler holds the project's own compiler ready, where the script build runs nothing else.
func (n *nestRunner) compiler(dir string) (command, bool) {
	b, err := os.ReadFile(filepath.Join(n.dir, "package.json"))
	if err != nil {
		return command{}, false
	}
	var manifest struct{ Scripts struct{ Build string } }
	if json.Unmarshal(b, &manifest) != nil {
		return command{}, false
	}
	m := tscBuild.FindStringSubmatch(manifest.Scripts.Build)
	node := lookPath(n.environ, "node")
	if m == nil || node == "" {
		return command{}, false
	}
	return command{
		path: node, args: []string{filepath.Join(dir, "compile.cjs"), m[1]}, env: n.env(), dir: n.dir, out: n.out,
	}, true
}

// spare is a process that has loaded the packages.
func (n *nestRunner) spare(dir string, inv Invocation) command {
	args := append(slices.Clone(nestOptions), filepath.Join(dir, "program.cjs"), nestProgram)
	return command{path: inv.Path, args: args, out: n.out}
}

// npm runs npm with its output in the service's log.
func (n *nestRunner) npm(ctx context.Context, path, name string, args ...string) error {
	n.out.mark()
	err := n.helper(ctx, name, command{path: path, args: args, env: n.env(), dir: n.dir, out: io.Writer(n.out)})
	n.out.flush()
	return err
}

// env is the caller's own, but for what would keep the tools for building away.
func (n *nestRunner) env() []string {
	env := slices.DeleteFunc(slices.Clone(n.environ), func(kv string) bool { return strings.HasPrefix(kv, "NODE_ENV=") })
	return append(append(env, "NO_UPDATE_NOTIFIER=1"), n.mark...)
}

func failed(ctx context.Context, what, tool string, err, class error, hint string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errdefs.As(class, errdefs.WithHint(fmt.Errorf("%s: %s: %s", what, tool, exitText(err)), hint))
}

func (n *nestRunner) marked(name, value string) bool {
	content, err := os.ReadFile(filepath.Join(n.dir, filepath.FromSlash(name)))
	return err == nil && string(content) == value
}

func (n *nestRunner) setMark(name, value string) error {
	path := filepath.Join(n.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { // a package without dependencies has no node_modules
		return fmt.Errorf("build functions/nestjs: %w", err)
	}
	if err := os.WriteFile(path, []byte(value), 0o600); err != nil {
		return fmt.Errorf("build functions/nestjs: %w", err)
	}
	return nil
}
