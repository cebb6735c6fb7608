package native

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/nself-org/nself/internal/errdefs"
)

// TestTools prepares the test command of a project's function services.
type TestTools struct {
	Dir     string // the project
	Environ []string
	// Note tells of long work, such as an installation.
	Note func(detail string)
}

// TestCommand is a service's own test command, ready to run.
type TestCommand struct {
	Dir  string
	Path string
	Args []string
	Env  []string // variables that this runtime adds
}

// Command returns the test command of a runtime with args behind it, once what it needs is installed: go test ./..., npm
// test, or pytest.
func (t TestTools) Command(ctx context.Context, runtime string, args []string) (TestCommand, error) {
	lay := layout{t.Dir}
	c := TestCommand{Dir: lay.function(runtime)}
	if _, err := os.Stat(c.Dir); errors.Is(err, fs.ErrNotExist) {
		return c, errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(
			fmt.Errorf("test functions/%s: there is no such folder", runtime), "run nself build to write it"))
	}
	if err := lay.create(); err != nil {
		return c, err
	}
	out, err := openLog(lay.log(runtime + "-test"))
	if err != nil {
		return c, err
	}
	defer out.close()
	spawn := newSpawner()
	run := func(ctx context.Context, _ string, cmd command) error {
		return spawn.run(ctx, cmd, func(int) func() { return func() {} })
	}
	switch runtime {
	case "golang":
		err = t.golang(&c, args)
	case "nestjs":
		n := &nestRunner{dir: c.Dir, environ: t.Environ, helper: run, out: out}
		err = t.nestjs(ctx, &c, n, args)
	case "python":
		p := &pythonRunner{
			dir: c.Dir, cache: filepath.Join(lay.root(), "cache", "venv"), environ: t.Environ, out: out, run: run,
		}
		err = t.python(ctx, &c, p, args)
	default:
		_, err = unknownRunner{runtime}.Sources(ctx)
	}
	if err != nil {
		for _, line := range out.last() {
			t.Note(line)
		}
	}
	return c, err
}

func (t TestTools) golang(c *TestCommand, args []string) error {
	if c.Path = lookPath(t.Environ, "go"); c.Path == "" {
		return errdefs.As(errdefs.ErrUnavailable, errdefs.WithHint(
			errors.New("test functions/golang: there is no go on the PATH"),
			"install Go from https://go.dev/dl and put it on the PATH"))
	}
	c.Args = slices.Concat([]string{"test"}, args)
	if len(args) == 0 {
		c.Args = append(c.Args, "./...")
	}
	return nil
}

func (t TestTools) nestjs(ctx context.Context, c *TestCommand, n *nestRunner, args []string) error {
	node, npm, err := n.tools()
	if err != nil {
		return err
	}
	if err := n.installed(ctx, node, npm, t.Note); err != nil {
		return err
	}
	c.Path, c.Args = npm, []string{"test", "--silent"}
	if len(args) > 0 {
		c.Args = slices.Concat(c.Args, []string{"--"}, args)
	}
	return nil
}

func (t TestTools) python(ctx context.Context, c *TestCommand, p *pythonRunner, args []string) error {
	if p.found = p.interpreter(ctx); p.found.path == "" {
		return p.missing()
	}
	lock := "requirements-dev.txt"
	if _, err := os.Stat(filepath.Join(p.dir, lock)); errors.Is(err, fs.ErrNotExist) {
		lock = "requirements.txt"
	}
	venv, err := p.venv(ctx, lock, t.Note)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(p.dir))
	c.Path, c.Args = filepath.Join(venv, "bin", "python"), slices.Concat([]string{"-m", "pytest"}, args)
	c.Env = []string{
		"PYTHONPYCACHEPREFIX=" + filepath.Join(venv, "pycache", hex.EncodeToString(sum[:4])),
		"PATH=" + filepath.Join(venv, "bin") + string(filepath.ListSeparator) + lookupEnv(t.Environ, "PATH"),
	}
	return nil
}
