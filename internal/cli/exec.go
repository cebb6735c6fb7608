package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/stack"
	"github.com/nself-org/nself/internal/ui"
)

type execOptions struct {
	IO    *ui.Streams
	Stack func(context.Context, stackChoice) (*openStack, error)

	Choice  stackChoice
	Service string
	Command []string
}

func newExecCmd(f *Factory, run func(context.Context, *execOptions) error) *cobra.Command {
	opts := &execOptions{IO: f.IO, Stack: f.Stack}
	cmd := &cobra.Command{
		Use:   "exec <service> -- <command> [<arg>...]",
		Short: "Run a command in a service's context",
		Long: `Run a command in a service's context: inside its container, or, with the native driver, in its folder and with
its environment. The exit code is the command's.`,
		Example: `  nself exec postgres -- psql -c 'select email from users'
  nself exec golang -- go vet ./...`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 {
				return fmt.Errorf("%w: exec needs a service and a command", errdefs.ErrUsage)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Service, opts.Command = args[0], args[1:]
			if opts.Command[0] == "--" {
				opts.Command = opts.Command[1:]
			}
			if len(opts.Command) == 0 {
				return fmt.Errorf("%w: exec needs a command after --", errdefs.ErrUsage)
			}
			return run(cmd.Context(), opts)
		},
		ValidArgsFunction: f.completeServices,
	}
	cmd.Flags().SetInterspersed(false)
	opts.Choice.addFlag(cmd)
	return cmd
}

func runExec(ctx context.Context, opts *execOptions) error {
	s, err := opts.Stack(ctx, opts.Choice)
	if err != nil {
		return err
	}
	code, err := s.Driver.Exec(ctx, stack.ExecOptions{
		Service: opts.Service, Command: opts.Command, Stdin: opts.IO.In, Stdout: opts.IO.Out, Stderr: opts.IO.Err,
	})
	if err != nil {
		return err
	}
	if code != 0 {
		return &exitError{code}
	}
	return nil
}
