package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/stack"
	"github.com/nself-org/nself/internal/stack/native"
	"github.com/nself-org/nself/internal/ui"
	"github.com/nself-org/nself/internal/watch"
)

// testServers are a database and a Redis that tests may do with as they like.
type testServers interface {
	// Environ is the environment of a runtime's service with these servers.
	Environ(runtime string) []string
	Close() error
}

type testOptions struct {
	IO      *ui.Streams
	Config  func() (*env.Config, *env.Report, error)
	Environ []string
	// Servers starts the servers, and Command prepares the test command of a runtime.
	Servers func(ctx context.Context, cfg *env.Config, report func(stack.Event)) (testServers, error)
	Command func(ctx context.Context, cfg *env.Config, runtime string, args []string, note func(string)) (native.TestCommand, error)

	Runtimes []string
	Args     []string
	Watch    bool
}

func newTestCmd(f *Factory, run func(context.Context, *testOptions) error) *cobra.Command {
	opts := &testOptions{IO: f.IO, Config: f.Config, Environ: f.Environ, Servers: f.testServers, Command: f.testCommand}
	cmd := &cobra.Command{
		Use:   "test [<runtime>...] [-- <argument>...]",
		Short: "Run the services' own tests",
		Long: `Run the tests of the project's function services, or of the named runtimes: go test ./..., npm test, pytest. What
follows -- goes to that command.

The tests get the service's environment with a database of their own in DATABASE_URL, with the migrations applied, and a
Redis of their own in REDIS_URL; both are thrown away afterwards. The project need not run: where it does its own server
holds the database meanwhile, which is quicker.

The exit code is that of the first test command that fails.`,
		Example: `  nself test
  nself test golang -- -run TestPing -v ./actions
  nself test python --watch`,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Runtimes = args
			if at := cmd.ArgsLenAtDash(); at >= 0 {
				opts.Runtimes, opts.Args = args[:at], args[at:]
			}
			if len(opts.Args) > 0 && len(opts.Runtimes) != 1 {
				return errdefs.WithHint(fmt.Errorf("%w: what follows -- is for one test command", errdefs.ErrUsage),
					"name the runtime, as in nself test golang -- -v")
			}
			return run(cmd.Context(), opts)
		},
		ValidArgs: []string{"golang", "nestjs", "python"},
	}
	cmd.Flags().BoolVar(&opts.Watch, "watch", false, "Run the tests again whenever a file of the service is saved")
	return cmd
}

func runTest(ctx context.Context, opts *testOptions) error {
	cfg, _, err := opts.Config()
	if err != nil {
		return err
	}
	runtimes, err := testedRuntimes(cfg, opts.Runtimes)
	if err != nil {
		return err
	}
	show := newEventDisplay(opts.IO)
	servers, err := opts.Servers(ctx, cfg, show.Event)
	show.Close()
	if err != nil {
		return err
	}
	err = opts.runAll(ctx, cfg, servers, runtimes)
	if opts.Watch && ctx.Err() == nil {
		err = opts.again(ctx, cfg, servers, runtimes)
	}
	return errors.Join(err, servers.Close())
}

// testedRuntimes are the named runtimes, or all that are enabled.
func testedRuntimes(cfg *env.Config, named []string) ([]string, error) {
	var enabled []string
	for _, rt := range cfg.Runtimes() {
		if rt.Enabled {
			enabled = append(enabled, rt.Name)
		}
	}
	for _, name := range named {
		if !isRuntime(name) {
			hint := "choose among golang, nestjs, python"
			if near := nearest(name, []string{"golang", "nestjs", "python"}); near != "" {
				hint = "did you mean " + near + "?"
			}
			return nil, errdefs.WithHint(fmt.Errorf("%w: runtime %q is not known", errdefs.ErrUsage, name), hint)
		}
		if !slices.Contains(enabled, name) {
			return nil, errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(
				fmt.Errorf("the project has no %s service", name), "set "+strings.ToUpper(name)+"_ENABLED=true in .env.local and run nself build"))
		}
	}
	switch {
	case len(named) > 0:
		return named, nil
	case len(enabled) == 0:
		return nil, errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(
			errors.New("the project has no function service to test"), "add one with nself action new NAME --runtime golang"))
	}
	return enabled, nil
}

// runAll runs the tests of one runtime after another, all of them even if one fails.
func (opts *testOptions) runAll(ctx context.Context, cfg *env.Config, servers testServers, runtimes []string) error {
	var first error
	for _, name := range runtimes {
		if err := opts.runOne(ctx, cfg, servers, name); err != nil && first == nil {
			first = err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return first
}

func (opts *testOptions) runOne(ctx context.Context, cfg *env.Config, servers testServers, name string) error {
	t := opts.IO.ErrTheme()
	c, err := opts.Command(ctx, cfg, name, opts.Args, func(text string) { opts.IO.Notef("%s\n", t.Dim(text)) })
	if err != nil {
		return err
	}
	opts.IO.Notef("%s %s\n", t.Bold(name+":"), filepath.Base(c.Path)+" "+strings.Join(c.Args, " "))
	begin := time.Now()
	cmd := exec.CommandContext(ctx, c.Path, c.Args...)
	cmd.Dir, cmd.Env = c.Dir, slices.Concat(opts.Environ, servers.Environ(name), c.Env)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = opts.IO.In, opts.IO.Out, opts.IO.Err
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = testGrace
	err = cmd.Run()
	took := ui.Duration(time.Since(begin))
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && ctx.Err() == nil {
		opts.IO.Notef("%s %s\n", t.Bad("✗ "+name), t.Dim("tests failed after "+took))
		return &exitError{exit.ExitCode()}
	}
	if err != nil {
		return fmt.Errorf("test %s: %w", name, err)
	}
	opts.IO.Notef("%s %s\n", t.Good("✓ "+name), t.Dim(took))
	return nil
}

// testGrace is how long an interrupted test command may take to end.
const testGrace = 10 * time.Second

// again runs the tests of a service whenever one of its files is saved, until ctx ends.
func (opts *testOptions) again(ctx context.Context, cfg *env.Config, servers testServers, runtimes []string) error {
	dirs := make([]string, len(runtimes))
	for i, name := range runtimes {
		dirs[i] = filepath.Join(cfg.Dir, "functions", name)
	}
	opts.IO.Notef("\nWatching %d services; Ctrl-C ends\n", len(dirs))
	f := &follower{dir: cfg.Dir}
	return watch.Run(ctx, watch.Options{Dirs: dirs, Skip: f.skip}, nil, func(ctx context.Context, paths []string) {
		var changed []string
		for i, name := range runtimes {
			if slices.ContainsFunc(paths, func(p string) bool { return strings.HasPrefix(p, dirs[i]+string(filepath.Separator)) }) {
				changed = append(changed, name)
			}
		}
		opts.IO.Notef("\n")
		if err := opts.runAll(ctx, cfg, servers, changed); err != nil && ctx.Err() == nil {
			if _, failed := errors.AsType[*exitError](err); !failed {
				printError(opts.IO, err)
			}
		}
	})
}
