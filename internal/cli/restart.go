package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/nself-org/nself/internal/stack"
	"github.com/nself-org/nself/internal/ui"
)

type restartOptions struct {
	IO    *ui.Streams
	Stack func(context.Context, stackChoice) (*openStack, error)

	Choice   stackChoice
	Services []string
	Up       stack.UpOptions
}

func newRestartCmd(f *Factory, run func(context.Context, *restartOptions) error) *cobra.Command {
	opts := &restartOptions{IO: f.IO, Stack: f.Stack}
	cmd := &cobra.Command{
		Use:   "restart [<service>...]",
		Short: "Stop and start services",
		Long:  "Stop and start the named services, or all of them, and wait until they are healthy again.",
		Example: `  nself restart golang
  nself restart`,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Services = args
			return run(cmd.Context(), opts)
		},
		ValidArgsFunction: f.completeServices,
	}
	opts.Choice.addFlag(cmd)
	cmd.Flags().DurationVar(&opts.Up.WaitTimeout, "wait-timeout", defaultWaitTimeout, "Give each service this `time` to become healthy")
	return cmd
}

func runRestart(ctx context.Context, opts *restartOptions) error {
	s, err := opts.Stack(ctx, opts.Choice)
	if err != nil {
		return err
	}
	start := time.Now()
	show := newEventDisplay(opts.IO)
	opts.Up.Report = show.Event
	err = s.Driver.Restart(ctx, opts.Services, opts.Up)
	show.Close()
	if err != nil {
		return err
	}
	opts.IO.Notef("%s\n", opts.IO.ErrTheme().Good("All healthy in "+ui.Duration(time.Since(start))))
	return nil
}
