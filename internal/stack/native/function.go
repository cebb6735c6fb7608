package native

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/stack"
)

// functionStop is how long a function service may take to finish its requests before it is killed. It is what containers
// are given: stop_grace_period in the compose file. One that has nothing to finish ends at once.
const functionStop = 30 * time.Second

// Runner turns the sources of a function service into a program. There is one for each runtime.
type Runner interface {
	// Sources is a hash of everything the program is made of. It must be quick: every `up` asks.
	Sources(ctx context.Context) (string, error)
	// Prepare builds the program, unless it is built already, and returns how to run it. What it keeps for the next time is
	// built of the sources that Sources has hashed. note tells of long work; the tools' output goes to the service's log.
	Prepare(ctx context.Context, note func(detail string)) (Invocation, error)
}

// Invocation is a program to run: the path, its arguments, and variables that this runtime adds to the environment.
type Invocation struct {
	Path string
	Args []string
	Env  []string
}

// function is one function service.
type function struct {
	sup     *supervisor
	cfg     *env.Config
	rt      env.Runtime
	out     *logFile
	environ []string
	runner  Runner

	once  sync.Once
	print string
	inv   Invocation
	err   error // of Sources
}

var _ program = (*function)(nil)

func newFunction(s *supervisor, cfg *env.Config, rt env.Runtime, out *logFile) program {
	f := &function{sup: s, cfg: cfg, rt: rt, out: out, environ: s.env()}
	f.runner = newRunner(f)
	return f
}

// newRunner chooses the runner of a runtime.
func newRunner(f *function) Runner {
	dir := f.sup.lay.function(f.rt.Name)
	if f.rt.Name == "golang" {
		return &goRunner{
			dir: dir, bin: f.sup.lay.bin(), environ: f.environ, mark: f.sup.marks(f.rt.Name), out: f.out,
			tags:  goTags(slices.Concat(f.environ, f.settings())),
			build: func(ctx context.Context, c command) error { return f.sup.helper(ctx, "golang-build", c) },
		}
	}
	if f.rt.Name == "nestjs" {
		return &nestRunner{
			dir: dir, environ: f.environ, helper: f.sup.helper, mark: f.sup.marks(f.rt.Name), out: f.out,
			compile: f.sup.ready.compile, scripts: f.sup.ready.scripts,
		}
	}
	if f.rt.Name == "python" {
		return newPythonRunner(f)
	}
	return unknownRunner{name: f.rt.Name}
}

// unknownRunner stands for a runtime that this driver cannot run.
type unknownRunner struct{ name string }

func (u unknownRunner) Sources(context.Context) (string, error) {
	return "", errdefs.As(errdefs.ErrUnavailable, errdefs.WithHint(
		fmt.Errorf("the native driver cannot run the %s runtime", u.name), "run nself up --driver docker"))
}

func (u unknownRunner) Prepare(ctx context.Context, _ func(string)) (Invocation, error) {
	_, err := u.Sources(ctx)
	return Invocation{}, err
}

func (f *function) fingerprint() string {
	f.once.Do(func() { f.print, f.err = f.look() })
	return f.print
}

// look is the fingerprint of what is there now.
func (f *function) look() (string, error) {
	sources, err := f.sources()
	if err != nil {
		return "", err
	}
	return fingerprint(append([]string{f.rt.Name, sources}, f.settings()...)...), nil
}

func (f *function) sources() (string, error) {
	dir := f.sup.lay.function(f.rt.Name)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", fmt.Errorf("read functions/%s: %w", f.rt.Name, err)
		}
		return "", errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(
			fmt.Errorf("functions/%s is missing, and %s_ENABLED is true", f.rt.Name, strings.ToUpper(f.rt.Name)),
			"run nself build to write it, or set "+strings.ToUpper(f.rt.Name)+"_ENABLED=false"))
	}
	return f.runner.Sources(context.Background())
}

// settings is what the configuration gives the service.
func (f *function) settings() []string {
	if f.sup.FunctionEnv != nil {
		return f.sup.FunctionEnv(f.cfg, f.rt.Name)
	}
	return nil
}

func (f *function) info() stack.Facts { return stack.FactsOf(f.cfg, f.rt.Name) }

func (f *function) prepare(ctx context.Context, report func(stack.Event)) error {
	if f.fingerprint(); f.err != nil { //nolint:contextcheck // a hash of sources is not worth interrupting
		return f.err
	}
	for range maxPrepare {
		var err error
		f.inv, err = f.runner.Prepare(ctx, func(detail string) {
			report(stack.Event{Kind: stack.EventBuilding, Detail: detail})
		})
		if err != nil {
			return err
		}
		before := f.print
		if f.print, f.err = f.look(); f.err != nil || f.print == before { //nolint:contextcheck // as above
			return f.err
		}
	}
	return nil
}

// maxPrepare bounds how often a service is built because files were saved while it was: a build that writes sources of its
// own would not come to an end.
const maxPrepare = 3

func (f *function) beforeStart(context.Context) error { return nil }

// environment is the caller's own, under what the configuration says, under the marks.
func (f *function) environment() []string { return f.environmentOf(f.inv) }

func (f *function) environmentOf(inv Invocation) []string {
	list := slices.DeleteFunc(slices.Clone(f.environ), func(kv string) bool { return strings.HasPrefix(kv, "NSELF_") })
	list = append(list, inv.Env...)
	list = append(list, f.settings()...)
	return append(list, f.sup.marks(f.rt.Name)...)
}

func (f *function) run(ctx context.Context, started func(int)) error {
	proc := f.sup.ready.serve(f)
	if proc == nil {
		var err error
		proc, err = f.sup.spawn.start(command{
			path: f.inv.Path, args: f.inv.Args, env: f.environment(), dir: f.sup.lay.function(f.rt.Name), out: f.out,
			deathSignal: syscall.SIGKILL,
		})
		if err != nil {
			return permanent(errdefs.As(errdefs.ErrUnavailable, err))
		}
	}
	f.sup.ledger.add(child{PID: proc.pid, Service: f.rt.Name, Port: f.rt.Port})
	defer f.sup.ledger.remove(f.rt.Name, proc.pid)
	started(proc.pid)
	select {
	case <-ctx.Done():
		proc.stop(stopStep{syscall.SIGTERM, functionStop})
		return ctx.Err()
	case <-proc.done:
		return proc.err
	}
}

func (f *function) probe(ctx context.Context) (string, error) {
	return stack.ProbeHTTP(ctx, f.rt.Port, "/healthz", "/readyz")
}
