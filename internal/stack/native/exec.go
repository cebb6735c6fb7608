package native

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/stack"
)

// execGrace is how long an interrupted command may take to end.
const execGrace = 5 * time.Second

// Exec runs a command in a service's folder with its environment; see [stack.Driver]. The service need not run. For
// postgres the PG* variables are set, so that psql, pg_dump and the like need no arguments; redis-cli is told the port.
func (d *driver) Exec(ctx context.Context, opts stack.ExecOptions) (int, error) {
	if len(opts.Command) == 0 {
		return 0, fmt.Errorf("%w: exec %s: no command given", errdefs.ErrUsage, opts.Service)
	}
	if _, err := selectServices(enabled(d.Config), []string{opts.Service}); err != nil {
		return 0, err
	}
	environ, dir := d.execContext(ctx, opts.Service)
	path := opts.Command[0]
	if filepath.Base(path) == path {
		if path = lookPath(environ, path); path == "" {
			return 0, errdefs.As(errdefs.ErrUnavailable, errdefs.WithHint(
				fmt.Errorf("exec %s: %s: no such program on the PATH", opts.Service, opts.Command[0]),
				"install it or name it by its path: without containers, commands run on this machine"))
		}
	}
	args := opts.Command[1:]
	if opts.Service == stack.Redis && filepath.Base(path) == "redis-cli" {
		// It has no variable for the port, and in a container it would need none.
		args = append([]string{"-h", "127.0.0.1", "-p", strconv.Itoa(d.Config.Redis.Port)}, args...)
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env, cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = environ, dir, opts.Stdin, opts.Stdout, opts.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = execGrace
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && ctx.Err() == nil {
		return exit.ExitCode(), nil
	}
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if err != nil {
		return 0, errdefs.As(errdefs.ErrUnavailable, errdefs.WithHint(fmt.Errorf("exec %s: %w", opts.Service, err),
			"name a program that you may run"))
	}
	return 0, nil
}

func (d *driver) execContext(ctx context.Context, name string) (environ []string, dir string) {
	environ = slices.Clone(d.Environ)
	switch name {
	case stack.Postgres:
		c := d.Config.Postgres
		environ = append(environ, "PGHOST=127.0.0.1", "PGPORT="+strconv.Itoa(c.Port), "PGUSER="+c.User,
			"PGPASSWORD="+c.Password.Reveal(), "PGDATABASE="+c.DB, "PGSSLMODE=disable")
		if i, _, err := findPostgres(ctx, d.Environ, c.BinDir, ""); err == nil && i.bin != "" {
			// Behind the user's own, whose psql may be a wrapper that knows its version.
			path := lookupEnv(d.Environ, "PATH") + string(filepath.ListSeparator) + i.bin
			environ = append(environ, "PATH="+strings.Trim(path, string(filepath.ListSeparator)))
		}
	case stack.Redis:
		c := d.Config.Redis
		environ = append(environ, "REDIS_HOST=127.0.0.1", "REDIS_PORT="+strconv.Itoa(c.Port), "REDISCLI_AUTH="+c.Password.Reveal())
	default:
		if _, err := os.Stat(d.lay.function(name)); err == nil {
			if d.FunctionEnv != nil {
				environ = append(environ, d.FunctionEnv(d.Config, name)...)
			}
			return environ, d.lay.function(name)
		}
	}
	return environ, d.lay.dir
}
