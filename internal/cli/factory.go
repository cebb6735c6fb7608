package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/metadata"
	"github.com/nself-org/nself/internal/stack"
	"github.com/nself-org/nself/internal/stack/native"
	"github.com/nself-org/nself/internal/ui"
)

// Factory wires the commands to the world. It is the only place that chooses implementations; commands receive what
// they need as fields of their options.
type Factory struct {
	IO *ui.Streams
	// Environ is the process environment, as os.Environ gives it.
	Environ []string
	// WorkDir is where the program was started.
	WorkDir string
	// Executable is nself itself, for the background supervisor.
	Executable string
	// Args is the command line after the program's name, to hand over to the program that has the driver for containers.
	Args []string
	// Containers is the driver for containers; nil in the program that does not have it.
	Containers *Containers
	Log        *slog.Logger

	project string // --project
}

// ProjectDir returns the folder of the project that the command is about: --project, else the nearest folder, from the
// working directory upwards, that holds one.
func (f *Factory) ProjectDir() (string, error) {
	if f.project != "" {
		dir := f.project
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(f.WorkDir, dir)
		}
		switch info, err := os.Stat(dir); {
		case errors.Is(err, fs.ErrNotExist):
			return "", errdefs.WithHint(fmt.Errorf("%w: --project %s: there is no such folder", errdefs.ErrUsage, f.project),
				"name a project's folder, or make one with nself init "+f.project)
		case err == nil && !info.IsDir():
			return "", errdefs.WithHint(fmt.Errorf("%w: --project %s is a file, not a folder", errdefs.ErrUsage, f.project),
				"name the project's folder")
		case !isProject(dir):
			return "", errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(
				fmt.Errorf("%s: not an nself project: it has no hasura/config.yaml", f.project),
				"run nself init "+f.project))
		}
		return filepath.Clean(dir), nil
	}
	for dir := f.WorkDir; ; dir = filepath.Dir(dir) {
		if isProject(dir) {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	return "", errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(
		fmt.Errorf("%s: no nself project here or in a folder above", f.WorkDir),
		"run nself init NAME to make one, or name one with --project DIR"))
}

// Config reads the project's configuration. The report holds its warnings: build and up show them, the others do not.
func (f *Factory) Config() (*env.Config, *env.Report, error) {
	dir, err := f.ProjectDir()
	if err != nil {
		return nil, nil, err
	}
	cfg, report, err := env.Load(dir, env.Options{Environ: f.Environ})
	if err != nil {
		return nil, report, err
	}
	return cfg, report, nil
}

// Stack opens the driver that runs the project's services.
func (f *Factory) Stack(ctx context.Context, choice stackChoice) (*openStack, error) {
	cfg, report, err := f.Config()
	if err != nil {
		return nil, err
	}
	return f.open(ctx, cfg, report, choice)
}

// RunningStack opens the driver for commands that look at what runs already, or end it: they go on with a broken
// configuration, whose faults become warnings, since a fault in a file must not keep a person from stopping the project.
func (f *Factory) RunningStack(ctx context.Context, choice stackChoice) (*openStack, error) {
	dir, err := f.ProjectDir()
	if err != nil {
		return nil, err
	}
	cfg, report, err := env.Load(dir, env.Options{Environ: f.Environ})
	if cfg == nil {
		return nil, err
	}
	if err != nil {
		printAsWarning(f.IO, err)
	}
	return f.open(ctx, cfg, report, choice)
}

// open takes the driver that was asked for. With auto it is the one whose services run, else docker where an engine
// answers, else native.
func (f *Factory) open(
	ctx context.Context, cfg *env.Config, report *env.Report, choice stackChoice,
) (*openStack, error) {
	why := "asked for"
	if choice == driverAuto {
		choice, why = f.choose(ctx, cfg)
	}
	s := &openStack{Config: cfg, Report: report, Why: why}
	if choice == driverDocker && f.Containers == nil {
		return nil, f.handOver()
	}
	if choice == driverDocker {
		s.Driver = f.Containers.New(ContainerOptions{
			Config: cfg, Load: func() (*env.Config, error) { return loadConfig(cfg.Dir, f.Environ) }, SavePorts: savePorts,
			Migrate: migrateProject, Metadata: metadata.LoadDir, Log: f.Log,
		})
		return s, nil
	}
	s.Driver = native.New(native.Options{
		Config: cfg, Supervise: native.SuperviseCommand(f.Executable, cfg.Dir), Environ: f.Environ,
		FunctionEnv: functionEnv, Log: f.Log,
	})
	return s, nil
}

// callSender keeps the calls of commands where the engine does not.
func (f *Factory) callSender() callSender { return callSender{EngineKeeps: native.Running, Log: f.Log} }

// scratch are the servers of nself test.
type scratch struct{ *native.Scratch }

// Environ is the environment of a runtime's service with these servers.
func (s scratch) Environ(runtime string) []string { return functionEnv(s.Config, runtime) }

func (f *Factory) testServers(ctx context.Context, cfg *env.Config, report func(stack.Event)) (testServers, error) {
	s, err := native.NewScratch(ctx, native.ScratchOptions{
		Config: cfg, Environ: f.Environ, Migrate: migrateProject, Log: f.Log, Report: report,
	})
	if err != nil {
		return nil, err
	}
	return scratch{s}, nil
}

func (f *Factory) testCommand(
	ctx context.Context, cfg *env.Config, runtime string, args []string, note func(string),
) (native.TestCommand, error) {
	return native.TestTools{Dir: cfg.Dir, Environ: f.Environ, Note: note}.Command(ctx, runtime, args)
}

// choose is what auto means, and why, for a person.
func (f *Factory) choose(ctx context.Context, cfg *env.Config) (choice stackChoice, why string) {
	if native.Running(ctx, cfg.Dir) {
		return driverNative, "auto: its services run natively now"
	}
	if f.Containers == nil {
		if err := f.engineLikely(); err != nil {
			return driverNative, "auto: " + err.Error()
		}
		if f.findContainerProgram() == "" {
			return driverNative, "auto: " + containerProgram + ", which runs containers, is not installed"
		}
		return driverDocker, "" // it is the other program that asks the engine, and decides
	}
	host, err := f.Containers.Available(ctx)
	if err != nil {
		return driverNative, "auto: " + err.Error()
	}
	return driverDocker, "auto: an engine answers at " + host
}

// isProject tells whether dir holds a project: a Hasura project with nself's env file beside it.
func isProject(dir string) bool {
	if _, err := os.Stat(filepath.Join(dir, "hasura", "config.yaml")); err != nil {
		return false
	}
	for _, name := range []string{".env", ".env.local"} {
		if _, err := os.Stat(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
			return true
		}
	}
	return false
}
