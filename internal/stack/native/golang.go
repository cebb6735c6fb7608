package native

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/modfile"

	"github.com/nself-org/nself/internal/errdefs"
)

// keptBuilds is how many programs stay in the cache: the running one, and those before it, to go back to a branch.
const keptBuilds = 5

// goRunner builds the Go function service.
type goRunner struct {
	dir     string // the module
	bin     string // the cache of programs, each named by the hash of its sources
	environ []string
	build   func(context.Context, command) error // runs the compiler
	mark    []string
	out     *logFile
	tags    string // of the build

	hash string
}

// goTags are what a service with these variables is built with. OpenTelemetry's libraries are compiled for who wants
// traces only: they take longer than all the rest.
func goTags(settings []string) string {
	if slices.ContainsFunc(settings, func(kv string) bool {
		key, value, _ := strings.Cut(kv, "=")
		return value != "" && (key == "OTEL_EXPORTER_OTLP_ENDPOINT" || key == "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
	}) {
		return "otel"
	}
	return ""
}

var _ Runner = (*goRunner)(nil)

// Sources hashes the module, the local modules that it replaces others with, and the toolchain.
func (g *goRunner) Sources(context.Context) (string, error) {
	h := sha256.New()
	toolchain := lookPath(g.environ, "go")
	if info, err := os.Stat(toolchain); err == nil {
		real, _ := filepath.EvalSymlinks(toolchain)
		_, _ = fmt.Fprintln(h, runtime.GOOS, runtime.GOARCH, real, info.Size(), info.ModTime().UnixNano())
	}
	for _, key := range []string{"GOFLAGS", "CGO_ENABLED", "GOTOOLCHAIN", "GOWORK"} {
		_, _ = fmt.Fprintln(h, key, lookupEnv(g.environ, key))
	}
	if g.tags != "" {
		_, _ = fmt.Fprintln(h, "tags", g.tags)
	}
	dirs := append([]string{g.dir}, g.localModules()...)
	for _, dir := range dirs {
		if err := hashModule(h, dir); err != nil {
			return "", fmt.Errorf("read the sources in %s: %w", dir, err)
		}
	}
	g.hash = hex.EncodeToString(h.Sum(nil))[:32]
	return g.hash, nil
}

// localModules lists the folders that go.mod replaces modules with. A go.mod that does not parse is for the compiler to
// complain about.
func (g *goRunner) localModules() []string {
	path := filepath.Join(g.dir, "go.mod")
	b, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	mod, err := modfile.ParseLax(path, b, nil)
	if err != nil {
		return nil
	}
	full, err := modfile.Parse(path, b, nil)
	if err == nil {
		mod = full
	}
	var dirs []string
	for _, r := range mod.Replace {
		if r.New.Version != "" {
			continue
		}
		dir := r.New.Path
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(g.dir, dir)
		}
		dirs = append(dirs, dir)
	}
	return dirs
}

// hashModule adds what the compiler would read. Beside code that is what a package embeds: where one embeds, everything
// below its folder counts; else only code does, so that files which the service writes at run time do not.
func hashModule(h hash.Hash, root string) error {
	var embedding []string
	var others []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if path != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "node_modules") {
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		switch filepath.Ext(name) {
		case ".go", ".s", ".c", ".h", ".mod", ".sum", ".work":
		default:
			others = append(others, path)
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if strings.Contains(string(b), "\n//go:embed ") {
			embedding = append(embedding, filepath.Dir(path)+string(filepath.Separator))
		}
		hashFile(h, root, path, b)
		return nil
	})
	if err != nil {
		return err
	}
	for _, path := range others {
		if !slices.ContainsFunc(embedding, func(dir string) bool { return strings.HasPrefix(path, dir) }) {
			continue
		}
		b, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		hashFile(h, root, path, b)
	}
	return nil
}

func hashFile(h hash.Hash, root, path string, content []byte) {
	rel, err := filepath.Rel(root, path)
	if err != nil {
		rel = path
	}
	sum := sha256.Sum256(content)
	_, _ = fmt.Fprintf(h, "%q %x\n", rel, sum)
}

// Prepare compiles the module's main package, unless that very program is in the cache.
func (g *goRunner) Prepare(ctx context.Context, note func(string)) (Invocation, error) {
	target := filepath.Join(g.bin, "golang-"+g.hash)
	if _, err := os.Stat(target); err == nil {
		now := time.Now()
		_ = os.Chtimes(target, now, now) // the cache drops what was not used for longest
		return Invocation{Path: target}, nil
	}
	toolchain := lookPath(g.environ, "go")
	if toolchain == "" {
		return Invocation{}, errdefs.As(errdefs.ErrUnavailable, errdefs.WithHint(
			errors.New("compile functions/golang: there is no go on the PATH"),
			"install Go from https://go.dev/dl and put it on the PATH"))
	}
	if err := os.MkdirAll(g.bin, 0o700); err != nil {
		return Invocation{}, fmt.Errorf("compile functions/golang: %w", err)
	}
	note("compiling functions/golang")
	g.out.mark()
	tmp := target + ".new"
	defer func() { _ = os.Remove(tmp) }()
	// No -trimpath: it would compile the standard library once more, apart from the user's own build cache. -s leaves out
	// what only a debugger reads, a third of the linker's work; a debugger compiles a program of its own.
	args := []string{"build", "-buildvcs=false", "-ldflags=-s", "-o", tmp}
	if g.tags != "" {
		args = append(args, "-tags="+g.tags)
	}
	places := &lineWriter{out: g.out, rewrite: compilerLine}
	err := g.build(ctx, command{
		path: toolchain, args: append(args, "."),
		env: g.compilerEnv(), dir: g.dir, out: places,
	})
	places.flush()
	g.out.flush()
	if err != nil {
		if ctx.Err() != nil {
			return Invocation{}, ctx.Err()
		}
		return Invocation{}, errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(
			fmt.Errorf("compile functions/golang: %s", exitText(err)), "mend what the compiler says, then run nself up golang"))
	}
	built := g.hash
	if now, err := g.Sources(ctx); err != nil || now != built {
		target += "-mixed" // a file was saved meanwhile, and may have a part in it or not: the cache must not have it
	}
	if err := os.Rename(tmp, target); err != nil {
		return Invocation{}, fmt.Errorf("compile functions/golang: %w", err)
	}
	g.prune()
	return Invocation{Path: target}, nil
}

// compilerEnv lets the tools collect no garbage below a limit that a build of a service does not reach: they are done sooner
// by a fifth.
func (g *goRunner) compilerEnv() []string {
	env := append(slices.Clone(g.environ), g.mark...)
	if lookupEnv(env, "GOGC") == "" && lookupEnv(env, "GOMEMLIMIT") == "" {
		env = append(env, "GOGC=off", "GOMEMLIMIT=400MiB")
	}
	return env
}

// compilerPlace is how the compiler begins a message: a file relative to the module, and a line.
var compilerPlace = regexp.MustCompile(`^(\./)?([^\s:/][^\s:]*\.go:\d+)`)

// compilerLine rewrites a line of the compiler with the place as seen from the project's folder, where the user and the
// editor's links are.
func compilerLine(line []byte) []byte {
	if m := compilerPlace.FindSubmatch(line); m != nil {
		return slices.Concat([]byte(path.Join("functions/golang", string(m[2]))), line[len(m[0]):])
	}
	return line
}

// prune drops the programs that were not used for longest.
func (g *goRunner) prune() {
	type built struct {
		path string
		used time.Time
	}
	paths, err := filepath.Glob(filepath.Join(g.bin, "golang-*"))
	if err != nil {
		return
	}
	var all []built
	for _, p := range paths {
		if info, err := os.Stat(p); err == nil {
			all = append(all, built{p, info.ModTime()})
		}
	}
	slices.SortFunc(all, func(a, b built) int { return cmp.Compare(b.used.UnixNano(), a.used.UnixNano()) })
	for i, b := range all {
		if i >= keptBuilds {
			_ = os.Remove(b.path)
		}
	}
}
