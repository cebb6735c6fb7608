package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/nself-org/nself/internal/dockerhost"
	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/metadata"
	"github.com/nself-org/nself/internal/stack"
)

// containerProgram is nself with the driver for containers linked in.
const containerProgram = "nself-docker"

// Containers is the driver for containers, in the program that has it.
type Containers struct {
	// Available tells whether an engine answers, and where.
	Available func(context.Context) (host string, err error)
	New       func(ContainerOptions) stack.Driver
}

// ContainerOptions are what the driver needs from the commands.
type ContainerOptions struct {
	Config    *env.Config
	Load      func() (*env.Config, error)
	SavePorts func(dir string, ports map[string]int) error
	Migrate   func(ctx context.Context, cfg *env.Config, note func(detail string)) error
	Metadata  func(projectDir string) (*metadata.Metadata, error)
	Log       *slog.Logger
}

// handOver replaces this process by the program that has the driver for containers, with the same command line. It
// returns only when that fails.
func (f *Factory) handOver() error {
	program := f.findContainerProgram()
	if program == "" {
		return errdefs.As(errdefs.ErrUnavailable, errdefs.WithHint(
			fmt.Errorf("%s, the program that runs containers, is neither beside nself nor on the PATH", containerProgram),
			"install it with make install, or use --driver native"))
	}
	err := syscall.Exec(program, append([]string{program}, f.Args...), f.Environ)
	return fmt.Errorf("run %s: %w", program, err)
}

// findContainerProgram looks beside this program, then on the PATH; "" when it is not there.
func (f *Factory) findContainerProgram() string {
	beside := filepath.Join(filepath.Dir(f.Executable), containerProgram)
	if info, err := os.Stat(beside); err == nil && !info.IsDir() {
		return beside
	}
	if path, err := exec.LookPath(containerProgram); err == nil {
		return path
	}
	return ""
}

// engineLikely looks for signs of a Docker engine without asking one.
func (f *Factory) engineLikely() error {
	if dockerhost.Find(f.getenv).URL == "" {
		return errors.New("no Docker engine here")
	}
	return nil
}

// getenv reads the environment that the commands were given.
func (f *Factory) getenv(key string) string {
	for _, entry := range f.Environ {
		if k, value, _ := strings.Cut(entry, "="); k == key {
			return value
		}
	}
	return ""
}
