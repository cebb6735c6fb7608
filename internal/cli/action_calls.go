package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nself-org/nself/internal/calllog"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/ui"
)

type actionCallsOptions struct {
	IO      *ui.Streams
	Project func() (string, error)
	Calls   callSender

	Filter calllog.Filter
	Follow bool
	JSON   bool
}

// defaultCalls is how many calls are listed: a screen full.
const defaultCalls = 20

func newActionCallsCmd(f *Factory, run func(context.Context, *actionCallsOptions) error) *cobra.Command {
	opts := &actionCallsOptions{IO: f.IO, Project: f.ProjectDir, Calls: f.callSender()}
	cmd := &cobra.Command{
		Use:   "calls [<name>]",
		Short: "List the last calls of actions",
		Long: `List the last calls that the native driver's engine has made of handlers, of one action or of all: some hundred are kept
in .nself/calls, for this user alone. Passwords, tokens and secrets, told by the names of their fields, are not kept, nor are
inputs and answers above 64 KiB.

In containers it is Hasura that calls the handlers, and keeps no record: there only the calls that nself action test and
replay make are kept, without the handler's status. What else was called is in nself logs hasura.

A call counts as failed when the client got an error, or the handler's answer has success: false.`,
		Example: `  nself action calls
  nself action calls registerUser --failed
  nself action calls --follow --json`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: f.completeActions,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				opts.Filter.Action = args[0]
			}
			if opts.Filter.Limit < 0 {
				return fmt.Errorf("%w: --limit must be 0 or more, got %d", errdefs.ErrUsage, opts.Filter.Limit)
			}
			return run(cmd.Context(), opts)
		},
	}
	cmd.Flags().BoolVar(&opts.Filter.Failed, "failed", false, "Only calls that failed")
	cmd.Flags().IntVar(&opts.Filter.Limit, "limit", defaultCalls, "Only the last `n` calls (0 for all)")
	cmd.Flags().BoolVarP(&opts.Follow, "follow", "f", false, "Go on with calls as they are made")
	cmd.Flags().BoolVar(&opts.JSON, "json", false, "Print JSON; with --follow one call per line")
	cmd.AddCommand(newActionCallShowCmd(f, runActionCallShow))
	return cmd
}

func runActionCalls(ctx context.Context, opts *actionCallsOptions) error {
	dir, err := opts.Project()
	if err != nil {
		return err
	}
	entries, err := calllog.Read(callsDir(dir), opts.Filter)
	if err != nil {
		return err
	}
	switch {
	case opts.JSON && !opts.Follow:
		if entries == nil {
			entries = []calllog.Entry{}
		}
		return opts.IO.JSON(entries)
	case opts.JSON:
		for _, e := range entries {
			if err := opts.IO.JSONLine(e); err != nil {
				return err
			}
		}
	case len(entries) == 0 && !opts.Follow:
		opts.IO.Notef("No calls yet; make one with nself action test NAME\n")
		opts.noteKeeper(ctx, dir)
		return nil
	default:
		rows := make([][]string, len(entries))
		for i, e := range entries {
			rows[i] = callRow(opts.IO.OutTheme(), e)
		}
		ui.Table(opts.IO.Out, []string{"ID", "TIME", "ACTION", "ROLE", "STATUS", "TOOK", "ERROR"}, rows)
	}
	if !opts.Follow {
		if len(entries) > 0 && entries[len(entries)-1].FromEngine && !opts.JSON {
			opts.noteKeeper(ctx, dir)
		}
		return nil
	}
	opts.noteKeeper(ctx, dir)
	return calllog.Follow(ctx, callsDir(dir), opts.Filter, func(e calllog.Entry) {
		if opts.JSON {
			_ = opts.IO.JSONLine(e) // a reader who went away ends the program by a signal
			return
		}
		opts.IO.Printf("%s\n", strings.TrimRight(strings.Join(callRow(opts.IO.OutTheme(), e), "  "), " "))
	})
}

// noteKeeper tells whose calls are kept where the engine keeps none.
func (opts *actionCallsOptions) noteKeeper(ctx context.Context, dir string) {
	if !opts.Calls.EngineKeeps(ctx, dir) {
		opts.IO.Notef("%s\n", opts.IO.ErrTheme().Dim(
			"In containers only the calls of nself action test and replay are kept; all are in nself logs hasura, or run nself up --driver native"))
	}
}

// callRow shows a call in a line.
func callRow(t ui.Theme, e calllog.Entry) []string {
	status := strconv.Itoa(e.Status)
	if e.Status == 0 {
		status = "-"
	}
	why := ""
	switch {
	case e.Failed && e.Error == "":
		why = t.Bad("failed")
	case e.Failed:
		why = t.Bad(firstLine(e.Error))
	}
	return []string{
		e.ID, e.Time.Local().Format(time.TimeOnly), e.Action, e.Role, status, callTook(e), why,
	}
}

func callTook(e calllog.Entry) string {
	return ui.Duration(time.Duration(e.Took * float64(time.Millisecond)))
}

type actionCallShowOptions struct {
	IO      *ui.Streams
	Project func() (string, error)
	ID      string
	JSON    bool
}

func newActionCallShowCmd(f *Factory, run func(context.Context, *actionCallShowOptions) error) *cobra.Command {
	opts := &actionCallShowOptions{IO: f.IO, Project: f.ProjectDir}
	cmd := &cobra.Command{
		Use:   "show <id>",
		Short: "Show one call with its input and its answer",
		Long:  `Show one call that nself action calls lists, with its input and its answer. The id may be shortened; "last" is the newest.`,
		Example: `  nself action calls show last
  nself action calls show k3x9 --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.ID = args[0]
			return run(cmd.Context(), opts)
		},
	}
	cmd.Flags().BoolVar(&opts.JSON, "json", false, "Print JSON")
	return cmd
}

func runActionCallShow(_ context.Context, opts *actionCallShowOptions) error {
	dir, err := opts.Project()
	if err != nil {
		return err
	}
	e, err := findCall(dir, opts.ID)
	if err != nil {
		return err
	}
	if opts.JSON {
		return opts.IO.JSON(e)
	}
	t := opts.IO.OutTheme()
	opts.IO.Printf("%s %s as %s, %s, %s\n", t.Bold(e.Action), e.ID, e.Role, e.Time.Local().Format(time.DateTime), callTook(e))
	if e.Failed {
		opts.IO.Printf("%s %s\n", t.Bad("failed:"), e.Error)
	}
	if len(e.Hidden) > 0 {
		opts.IO.Printf("%s %s\n", t.Dim("not kept:"), strings.Join(e.Hidden, ", "))
	}
	for _, part := range e.Cut {
		opts.IO.Printf("%s the %s, which was too large\n", t.Dim("not kept:"), part)
	}
	printJSONPart(opts.IO, "input", e.Input)
	switch {
	case e.FromEngine:
		printJSONPart(opts.IO, "answer of the engine", e.Response)
		return nil
	case e.Status == 0:
		opts.IO.Printf("\n%s\n", t.Bold("no answer"))
		return nil
	}
	printJSONPart(opts.IO, fmt.Sprintf("answer, status %d", e.Status), e.Response)
	return nil
}

func printJSONPart(io *ui.Streams, title string, doc []byte) {
	if len(doc) > 0 {
		io.Printf("\n%s\n%s\n", io.OutTheme().Bold(title), strings.TrimRight(ui.PrettyJSON(io.OutTheme(), doc), "\n"))
	}
}

// findCall finds a kept call by its id.
func findCall(dir, id string) (calllog.Entry, error) {
	e, err := calllog.Find(callsDir(dir), id)
	if errors.Is(err, calllog.ErrNotFound) {
		return e, errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(
			fmt.Errorf("call %q: %w is kept", id, err), "look for its id with nself action calls --limit 0"))
	}
	return e, err
}
