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
		if !isProject(dir) {
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
func (f *Factory) Stack(_ context.Context, choice stackChoice) (*openStack, error) {
	cfg, report, err := f.Config()
	if err != nil {
		return nil, err
	}
	return f.open(cfg, report, choice)
}

// RunningStack opens the driver for commands that look at what runs already, or end it: they go on with a broken
// configuration, whose faults become warnings, since a fault in a file must not keep a person from stopping the project.
func (f *Factory) RunningStack(_ context.Context, choice stackChoice) (*openStack, error) {
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
	return f.open(cfg, report, choice)
}

func (f *Factory) open(cfg *env.Config, report *env.Report, choice stackChoice) (*openStack, error) {
	if choice == driverDocker {
		return nil, errdefs.As(errdefs.ErrUnavailable, errdefs.WithHint(
			errors.New("the docker driver is not part of this version: docker-compose.yml is rendered, running it is not"),
			"use --driver native, or run docker compose up in the project's folder"))
	}
	driver := native.New(native.Options{
		Config: cfg, Supervise: native.SuperviseCommand(f.Executable, cfg.Dir), Environ: f.Environ,
		FunctionEnv: functionEnv, Log: f.Log,
	})
	why := "asked for"
	if choice == driverAuto {
		why = "auto: running containers is not part of this version"
	}
	return &openStack{Config: cfg, Report: report, Driver: driver, Why: why}, nil
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
