package cli

import (
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/nself-org/nself/internal/stack"
	"github.com/nself-org/nself/internal/ui"
)

type statusOptions struct {
	IO    *ui.Streams
	Stack func(context.Context, stackChoice) (*openStack, error)

	Choice stackChoice
	JSON   bool
}

func newStatusCmd(f *Factory, run func(context.Context, *statusOptions) error) *cobra.Command {
	opts := &statusOptions{IO: f.IO, Stack: f.RunningStack}
	cmd := &cobra.Command{
		Use:     "status",
		Aliases: []string{"ps"},
		Short:   "Show the state of every service",
		Long: `Show the state of every service. The exit code is 0 when the project runs and all of it is healthy, or when it is
stopped, and 5 when a service that should run is not healthy.`,
		Example: `  nself status
  nself status --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), opts) },
	}
	opts.Choice.addFlag(cmd)
	cmd.Flags().BoolVar(&opts.JSON, "json", false, "Print JSON")
	return cmd
}

func runStatus(ctx context.Context, opts *statusOptions) error {
	s, err := opts.Stack(ctx, opts.Choice)
	if err != nil {
		return err
	}
	status, err := s.Driver.Status(ctx)
	if err != nil {
		return err
	}
	if opts.JSON {
		if err := opts.IO.JSON(status); err != nil {
			return err
		}
	} else {
		printStatus(opts.IO, status)
	}
	for _, service := range status.Services {
		switch service.State {
		case stack.StateUnhealthy, stack.StateCrashed, stack.StateFailed:
			return &exitError{exitUnhealthy}
		case stack.StateStopped, stack.StateStarting, stack.StateHealthy:
		}
	}
	return nil
}

func printStatus(io *ui.Streams, status stack.Status) {
	t := io.OutTheme()
	rows := make([][]string, 0, len(status.Services))
	for _, s := range status.Services {
		port, age, restarts := "-", "-", ""
		if s.Port != 0 {
			port = strconv.Itoa(s.Port)
		}
		if !s.Started.IsZero() && s.State != stack.StateStopped {
			age = ui.Duration(time.Since(s.Started).Round(time.Second))
		}
		if s.Restarts > 0 {
			restarts = strconv.Itoa(s.Restarts)
		}
		rows = append(rows, []string{s.Name, paintState(t, s.State), port, age, restarts, firstLine(s.Detail)})
	}
	ui.Table(io.Out, []string{"SERVICE", "STATE", "PORT", "UP", "RESTARTS", "DETAIL"}, rows)
	if !status.Running {
		io.Notef("%s is stopped; start it with nself up\n", status.Project)
	}
}

func paintState(t ui.Theme, state stack.State) string {
	switch state {
	case stack.StateHealthy:
		return t.Good(string(state))
	case stack.StateStarting:
		return t.Warn(string(state))
	case stack.StateUnhealthy, stack.StateCrashed, stack.StateFailed:
		return t.Bad(string(state))
	default:
		return t.Dim(string(state))
	}
}
