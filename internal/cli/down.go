package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/nself-org/nself/internal/stack"
	"github.com/nself-org/nself/internal/ui"
)

type downOptions struct {
	IO    *ui.Streams
	Stack func(context.Context, stackChoice) (*openStack, error)

	Choice  stackChoice
	Volumes bool
}

func newDownCmd(f *Factory, run func(context.Context, *downOptions) error) *cobra.Command {
	opts := &downOptions{IO: f.IO, Stack: f.RunningStack}
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Stop the project",
		Long: `Stop all services of the project. The data stays and is there after the next nself up, unless --volumes
removes it. On a stopped project it does nothing.`,
		Example: `  nself down
  nself down --volumes`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), opts) },
	}
	opts.Choice.addFlag(cmd)
	cmd.Flags().BoolVar(&opts.Volumes, "volumes", false, "Remove the data too: database, cache, mails")
	return cmd
}

func runDown(ctx context.Context, opts *downOptions) error {
	s, err := opts.Stack(ctx, opts.Choice)
	if err != nil {
		return err
	}
	show := newEventDisplay(opts.IO)
	err = s.Driver.Down(ctx, stack.DownOptions{Volumes: opts.Volumes, Report: show.Event})
	show.Close()
	if err != nil {
		return err
	}
	if opts.Volumes {
		opts.IO.Notef("%s is down and its data is removed\n", s.Config.ProjectName)
	} else {
		opts.IO.Notef("%s is down; its data stays for the next nself up\n", s.Config.ProjectName)
	}
	return nil
}
