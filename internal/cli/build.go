package cli

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nself-org/nself/internal/build"
	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/ui"
)

// buildGCPercent lets a build of a usual project end with some 40 MB and without a collection.
const buildGCPercent = 800

type buildOptions struct {
	IO      *ui.Streams
	Project func() (string, error)
	Environ []string

	Check, Diff, JSON bool
	Force, Keep       bool
	Only              []string
}

func newBuildCmd(f *Factory, run func(context.Context, *buildOptions) error) *cobra.Command {
	opts := &buildOptions{IO: f.IO, Project: f.ProjectDir, Environ: f.Environ}
	cmd := &cobra.Command{
		Use:   "build [<file>...]",
		Short: "Make the project's files agree with its settings and metadata",
		Long: `Read the .env files and hasura/metadata, work out which files the project needs, and write those that are missing or
out of date. Handlers, tests and everything else that belongs to you are written once and never again; files that belong to
nself are kept current, and one that you edited is reported with a diff: --keep accepts your edit, --force replaces it and
saves a copy under .nself/backup. Files named on the command line limit --keep and --force to these.

--check writes nothing and exits with 3 when a build would change something.`,
		Example: `  nself build
  nself build --check --diff
  nself build --keep docker-compose.yml`,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Only = args
			if len(args) > 0 && !opts.Keep && !opts.Force {
				return errdefs.WithHint(errdefs.As(errdefs.ErrUsage, errors.New("files can be named with --keep or --force only")),
					"run nself build alone to build everything")
			}
			return run(cmd.Context(), opts)
		},
	}
	cmd.Flags().BoolVar(&opts.Check, "check", false, "Write nothing; exit with 3 when something would change")
	cmd.Flags().BoolVar(&opts.Diff, "diff", false, "Show what changes as a unified diff")
	cmd.Flags().BoolVar(&opts.JSON, "json", false, "Print the plan as JSON")
	cmd.Flags().BoolVar(&opts.Force, "force", false, "Replace files of nself's that were edited, saving a copy")
	cmd.Flags().BoolVar(&opts.Keep, "keep", false, "Keep files of nself's that were edited as they are")
	cmd.MarkFlagsMutuallyExclusive("force", "keep")
	return cmd
}

func runBuild(ctx context.Context, opts *buildOptions) error {
	// The program ends before garbage is worth collecting: the first collections would take a tenth of its time.
	defer debug.SetGCPercent(debug.SetGCPercent(buildGCPercent))
	dir, err := opts.Project()
	if err != nil {
		return err
	}
	choice := build.Report
	switch {
	case opts.Force:
		choice = build.ForceAll
	case opts.Keep:
		choice = build.AcceptAll
	}
	result, err := build.Run(ctx, build.Options{
		Dir: dir, Env: env.Options{Environ: opts.Environ}, Check: opts.Check, Choice: choice, Only: opts.Only,
	})
	for _, w := range result.Warnings {
		printWarning(opts.IO, w.Text, w.Hint)
	}
	if err != nil && !errors.Is(err, errdefs.ErrDrift) {
		return err
	}
	if opts.JSON {
		return errors.Join(opts.IO.JSON(buildReport{Plan: result.Plan, Applied: result.Applied, Warnings: result.Warnings}), err)
	}
	conflicts := len(result.Plan.Conflicts()) > 0
	if opts.Diff || conflicts {
		opts.IO.Printf("%s", colourDiff(opts.IO.OutTheme(), result.Plan.Diff()))
	}
	printPlan(opts.IO, result.Plan)
	return err
}

// buildReport is what build --json prints.
type buildReport struct {
	Plan     build.Plan      `json:"plan"`
	Applied  bool            `json:"applied"`
	Warnings []build.Warning `json:"warnings,omitempty"`
}

// collapseFrom is how many new files of one folder are told in one line: more would push everything else off the screen.
const collapseFrom = 6

// printPlan shows one line per change, with its cause. What a folder gets as a whole, such as a new function service, is
// one line; the files that are there for an action are always named.
func printPlan(io *ui.Streams, plan build.Plan) {
	t := io.ErrTheme()
	folders := map[string]int{}
	for _, c := range plan.Changes {
		if folder := wholeFolder(c); folder != "" {
			folders[folder]++
		}
	}
	var rows [][]string
	told := map[string]bool{}
	for _, c := range plan.Changes {
		if c.Action == build.Unchanged || c.Action == build.Adopt {
			continue
		}
		path, reason := c.Path, c.Reason
		if folder := wholeFolder(c); folders[folder] >= collapseFrom {
			if told[folder] {
				continue
			}
			told[folder] = true
			path, reason = folder+"/", fmt.Sprintf("%d files, %s", folders[folder], c.Reason)
		}
		rows = append(rows, []string{paintAction(t, c.Action), path, t.Dim(reason)})
	}
	if len(rows) == 0 {
		io.Notef("nothing to do\n")
		return
	}
	ui.Rows(io.Err, rows)
}

// wholeFolder names the function service that a new file comes with, or "".
func wholeFolder(c build.Change) string {
	parts := strings.SplitN(c.Path, "/", 3)
	if c.Action != build.Create || len(parts) < 3 || parts[0] != "functions" || strings.HasPrefix(c.Reason, "action ") {
		return ""
	}
	return parts[0] + "/" + parts[1]
}

func paintAction(t ui.Theme, action build.Action) string {
	switch action {
	case build.Create, build.Update:
		return t.Good(string(action))
	case build.Conflict:
		return t.Bad(string(action))
	default:
		return t.Warn(string(action))
	}
}

// colourDiff paints the lines of a unified diff.
func colourDiff(t ui.Theme, diff string) string {
	var out strings.Builder
	for line := range strings.SplitAfterSeq(diff, "\n") {
		text, end := strings.CutSuffix(line, "\n")
		switch {
		case strings.HasPrefix(text, "+++"), strings.HasPrefix(text, "---"):
			text = t.Bold(text)
		case strings.HasPrefix(text, "@@"):
			text = t.Link(text)
		case strings.HasPrefix(text, "+"):
			text = t.Good(text)
		case strings.HasPrefix(text, "-"):
			text = t.Bad(text)
		}
		out.WriteString(text)
		if end {
			out.WriteByte('\n')
		}
	}
	return out.String()
}
