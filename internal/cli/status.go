package cli

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nself-org/nself/internal/errdefs"
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
stopped, and 5 when a service that should run is not healthy.

A service whose settings or sources have changed since it started is told, in JSON with "changed": true; nself up starts it
anew.`,
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
	if err := markChanged(ctx, s.Driver, &status); err != nil {
		if ctx.Err() != nil {
			return err
		}
		hints := append(errdefs.Hints(err), "")
		printWarning(opts.IO, "whether services have changed since they started is not known: "+firstLine(err.Error()), hints[0])
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

// markChanged marks the services that are not what the settings and sources ask for any more.
func markChanged(ctx context.Context, driver stack.Driver, status *stack.Status) error {
	names, err := driver.Changed(ctx)
	for i := range status.Services {
		status.Services[i].Changed = slices.Contains(names, status.Services[i].Name)
	}
	return err
}

func printStatus(io *ui.Streams, status stack.Status) {
	t := io.OutTheme()
	rows := make([][]string, 0, len(status.Services))
	var changed []string
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
		detail := firstLine(s.Detail)
		if s.Changed {
			detail = strings.TrimSuffix(t.Warn("changed since it started")+"; "+detail, "; ")
			changed = append(changed, s.Name)
		}
		rows = append(rows, []string{s.Name, paintState(t, s.State), port, age, restarts, detail})
	}
	ui.Table(io.Out, []string{"SERVICE", "STATE", "PORT", "UP", "RESTARTS", "DETAIL"}, rows)
	if !status.Running {
		io.Notef("%s is stopped; start it with nself up\n", status.Project)
	}
	if len(changed) > 0 {
		io.Notef("%s changed since it started; nself up starts it anew\n", strings.Join(changed, ", "))
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
