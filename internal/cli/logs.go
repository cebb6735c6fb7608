package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/stack"
	"github.com/nself-org/nself/internal/ui"
)

type logsOptions struct {
	IO    *ui.Streams
	Stack func(context.Context, stackChoice) (*openStack, error)

	Choice stackChoice
	JSON   bool
	Logs   stack.LogsOptions
}

func newLogsCmd(f *Factory, run func(context.Context, *logsOptions) error) *cobra.Command {
	opts := &logsOptions{IO: f.IO, Stack: f.RunningStack}
	cmd := &cobra.Command{
		Use:   "logs [<service>...]",
		Short: "Show the output of services",
		Long: `Show what the services have written, all of them or the named ones. Without --tail and --since every line that is kept is
shown.`,
		Example: `  nself logs golang --tail 50
  nself logs -f
  nself logs --since 10m --json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Logs.Services = args
			if opts.Logs.Tail < 0 {
				return fmt.Errorf("%w: --tail must be 0 or more, got %d", errdefs.ErrUsage, opts.Logs.Tail)
			}
			if opts.Logs.Since < 0 {
				return fmt.Errorf("%w: --since must be 0 or more, got %s", errdefs.ErrUsage, opts.Logs.Since)
			}
			return run(cmd.Context(), opts)
		},
		ValidArgsFunction: f.completeServices,
	}
	opts.Choice.addFlag(cmd)
	cmd.Flags().BoolVarP(&opts.Logs.Follow, "follow", "f", false, "Go on with new lines until Ctrl-C")
	cmd.Flags().IntVar(&opts.Logs.Tail, "tail", 0, "Start from the last `n` lines of each service (0 for all)")
	cmd.Flags().DurationVar(&opts.Logs.Since, "since", 0, "Only lines younger than this `time`, such as 10m (0 for all)")
	cmd.Flags().BoolVar(&opts.JSON, "json", false, "Print one JSON object per line")
	return cmd
}

func runLogs(ctx context.Context, opts *logsOptions) error {
	s, err := opts.Stack(ctx, opts.Choice)
	if err != nil {
		return err
	}
	if opts.Logs.Follow {
		status, err := s.Driver.Status(ctx)
		if err == nil && !slices.ContainsFunc(status.Services, func(s stack.ServiceStatus) bool { return s.State != stack.StateStopped }) {
			opts.IO.Notef("nothing runs yet: new lines come after nself up, Ctrl-C ends waiting\n")
		}
	}
	if opts.JSON {
		opts.Logs.Sink = func(line stack.LogLine) { _ = opts.IO.JSONLine(line) }
		return endQuietly(ctx, s.Driver.Logs(ctx, opts.Logs))
	}
	return follow(ctx, opts.IO, s.Driver, opts.Logs)
}

// follow prints log lines, each service in a colour of its own. Ctrl-C ends following without an error.
func follow(ctx context.Context, io *ui.Streams, driver stack.Driver, opts stack.LogsOptions) error {
	t := io.OutTheme()
	accents := map[string]int{}
	opts.Sink = func(line stack.LogLine) {
		accent, known := accents[line.Service]
		if !known {
			accent = len(accents)
			accents[line.Service] = accent
		}
		stamp := line.Time.Local().Format(time.TimeOnly)
		io.Printf("%s %s %s\n", t.Dim(stamp), t.Accent(accent, fmt.Sprintf("%-9s|", line.Service)), line.Text)
	}
	err := driver.Logs(ctx, opts)
	if err == nil && len(accents) == 0 && !opts.Follow {
		io.Notef("no lines; nself status shows what runs\n")
	}
	return endQuietly(ctx, err)
}

// endQuietly turns the end of following by Ctrl-C into success.
func endQuietly(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
