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

// defaultWaitTimeout is how long up waits for one service to become healthy: enough for a first download of Postgres or
// a cold compile on a slow machine.
const defaultWaitTimeout = 2 * time.Minute

type upOptions struct {
	IO      *ui.Streams
	Stack   func(context.Context, stackChoice) (*openStack, error)
	Environ []string

	Choice stackChoice
	Renew  renewChoice
	Attach bool
	Watch  bool
	Poll   bool
	JSON   bool
	Up     stack.UpOptions
}

func newUpCmd(f *Factory, run func(context.Context, *upOptions) error) *cobra.Command {
	opts := &upOptions{IO: f.IO, Stack: f.Stack, Environ: f.Environ, Renew: renewAsk}
	cmd := &cobra.Command{
		Use:   "up [<service>...]",
		Short: "Start the project and wait until it is healthy",
		Long: `Start the project's services, or the named ones with what they depend on, wait until each is healthy, apply the
migrations, load the metadata and print where everything is.

The driver "docker" runs containers, "native" runs processes on this machine; "auto" takes docker where an engine answers.
A service that does not become healthy in time is reported with its last probe and its last log lines; the others keep
running and the exit code is 5.

With --watch nself stays and renews the services whose files are saved: a service goes on answering until its new version
is built, and one that does not build is told and left as it is. Saved metadata is built, its diff shown, and loaded.
Migrations are not applied by themselves. Files are looked at from time to time where the system does not tell of changes,
and with --poll.`,
		Example: `  nself up
  nself up golang
  nself up --watch
  nself up --auto-ports --wait-timeout 5m`,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Up.Services = args
			if opts.Up.WaitTimeout <= 0 {
				return fmt.Errorf("%w: --wait-timeout must be above 0, got %s", errdefs.ErrUsage, opts.Up.WaitTimeout)
			}
			if opts.Poll && !opts.Watch {
				return errdefs.WithHint(fmt.Errorf("%w: --poll says how to watch, and nothing is watched", errdefs.ErrUsage),
					"add --watch")
			}
			return run(cmd.Context(), opts)
		},
		ValidArgsFunction: f.completeServices,
	}
	opts.Choice.addFlag(cmd)
	cmd.Flags().DurationVar(&opts.Up.WaitTimeout, "wait-timeout", defaultWaitTimeout, "Give each service this `time` to become healthy")
	cmd.Flags().BoolVar(&opts.Up.AutoPorts, "auto-ports", false, "Where a port is taken, pick a free one and write it to .env.local")
	cmd.Flags().BoolVar(&opts.Attach, "attach", false, "Follow the logs afterwards; Ctrl-C stops following, not the project")
	cmd.Flags().BoolVar(&opts.Watch, "watch", false, "Stay, and renew what is saved; Ctrl-C ends watching, not the project")
	cmd.Flags().BoolVar(&opts.Poll, "poll", false, "With --watch: look at the files instead of listening, as network folders need")
	cmd.MarkFlagsMutuallyExclusive("watch", "attach")
	cmd.Flags().Var(&opts.Renew, "renew", "Start containers anew that have changed since they started: {ask | yes | no}; without a terminal ask means yes")
	cmd.Flags().BoolVar(&opts.JSON, "json", false, "Print the final status as JSON")
	return cmd
}

func runUp(ctx context.Context, opts *upOptions) error {
	s, err := opts.Stack(ctx, opts.Choice)
	if err != nil {
		return err
	}
	printWarnings(opts.IO, s.Report)
	start := time.Now()
	opts.IO.Notef("%s\n", opts.IO.ErrTheme().Dim(fmt.Sprintf("%s with the %s driver (%s)", s.Config.ProjectName, s.Driver.Name(), s.Why)))
	if s.Driver.Name() == string(driverDocker) {
		warnComposeFile(ctx, opts.IO, s.Config, opts.Environ)
	}
	opts.Up.Renew = renew(ctx, opts.IO, opts.Renew)
	show := newEventDisplay(opts.IO)
	opts.Up.Report = show.Event
	err = s.Driver.Up(ctx, opts.Up)
	show.Close()
	if ctx.Err() != nil {
		return err
	}
	status, statusErr := s.Driver.Status(ctx)
	if err != nil && (statusErr != nil || !anyStarted(status)) {
		return err // there is nothing to show
	}
	if statusErr == nil {
		if printErr := printReady(opts, status, time.Since(start), err == nil); printErr != nil {
			return printErr
		}
	}
	if opts.Watch {
		if err != nil {
			printError(opts.IO, err)
		}
		return followFiles(ctx, opts, s)
	}
	if err == nil && opts.Attach {
		return follow(ctx, opts.IO, s.Driver, stack.LogsOptions{Services: opts.Up.Services, Follow: true, Tail: 1})
	}
	return errors.Join(err, statusErr)
}

// printReady writes what runs where; the last lines that a person sees after up.
func printReady(opts *upOptions, status stack.Status, took time.Duration, healthy bool) error {
	if opts.JSON {
		return opts.IO.JSON(status)
	}
	t := opts.IO.ErrTheme()
	if healthy {
		opts.IO.Notef("\n%s in %s\n\n", t.Good("All healthy"), ui.Duration(took))
	} else {
		opts.IO.Notef("\n%s\n\n", t.Warn(unhealthySummary(status)))
	}
	printURLs(opts.IO, status)
	opts.IO.Notef("\n%s\n", t.Dim("Stop with nself down, look with nself status, read with nself logs -f"))
	return nil
}

// anyStarted tells whether an up that has failed has left something behind.
func anyStarted(status stack.Status) bool {
	return status.Running && slices.ContainsFunc(status.Services, func(s stack.ServiceStatus) bool {
		return s.State != stack.StateStopped
	})
}

// unhealthySummary says what an up that has failed leaves behind: a migration, or metadata, can fail while all runs.
func unhealthySummary(status stack.Status) string {
	if slices.ContainsFunc(status.Services, func(s stack.ServiceStatus) bool { return s.State != stack.StateHealthy }) {
		return "Some services are not healthy; the others keep running"
	}
	return "The services run, but not as the project's files say"
}
