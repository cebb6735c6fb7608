package docker

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/stack"
)

// Exec runs a command in a service's container; see [stack.Driver]. For postgres the PG* variables are set, so that psql,
// pg_dump and the like need no arguments.
func (d *driver) Exec(ctx context.Context, opts stack.ExecOptions) (int, error) {
	if len(opts.Command) == 0 {
		return 0, fmt.Errorf("%w: exec %s: no command given", errdefs.ErrUsage, opts.Service)
	}
	if err := known(d.config(), []string{opts.Service}); err != nil {
		return 0, err
	}
	e, err := d.open(ctx)
	if err != nil {
		return 0, err
	}
	all, err := e.containers(ctx, d.config().ProjectName)
	if err != nil {
		return 0, err
	}
	c, ok := all[opts.Service]
	if !ok || !c.State.Running {
		return 0, errdefs.As(errdefs.ErrUnavailable, errdefs.WithHint(
			fmt.Errorf("exec %s: its container does not run", opts.Service), "run nself up "+opts.Service))
	}
	var environ []string
	if opts.Service == stack.Postgres {
		pg := d.config().Postgres
		environ = []string{"PGUSER=" + pg.User, "PGPASSWORD=" + pg.Password.Reveal(), "PGDATABASE=" + pg.DB}
	}
	code, err := e.run(ctx, c.ID, opts.Command, environ, opts.Stdin, opts.Stdout, opts.Stderr)
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if err != nil {
		return 0, errdefs.As(errdefs.ErrUnavailable, fmt.Errorf("exec %s: %w", opts.Service, err))
	}
	return code, nil
}

// run executes a command in a running container and returns its exit code: 126 and 127 when it cannot be started, as a
// shell has it.
func (e *engine) run(
	ctx context.Context, id string, command, environ []string, stdin io.Reader, stdout, stderr io.Writer,
) (int, error) {
	created, err := e.api.ExecCreate(ctx, id, client.ExecCreateOptions{
		Cmd: command, Env: environ, AttachStdin: stdin != nil, AttachStdout: true, AttachStderr: true,
	})
	if err != nil {
		return 0, err
	}
	conn, err := e.api.ExecAttach(ctx, created.ID, client.ExecAttachOptions{})
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, conn.Close)
	defer stop()
	if stdin != nil {
		// Left behind when the command ends without reading all: a terminal's read cannot be ended.
		go func() {
			_, _ = io.Copy(conn.Conn, stdin)
			_ = conn.CloseWrite()
		}()
	}
	if _, err := stdcopy.StdCopy(orDiscard(stdout), orDiscard(stderr), conn.Reader); err != nil && !errors.Is(err, io.EOF) {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		return 0, err
	}
	done, err := e.api.ExecInspect(ctx, created.ID, client.ExecInspectOptions{})
	if err != nil {
		return 0, err
	}
	return done.ExitCode, nil
}

func orDiscard(w io.Writer) io.Writer {
	if w == nil {
		return io.Discard
	}
	return w
}
