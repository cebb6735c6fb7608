package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nself-org/nself/internal/metadata"
	"github.com/nself-org/nself/internal/ui"
)

type actionListOptions struct {
	IO      *ui.Streams
	Project func() (string, error)
	JSON    bool
}

func newActionListCmd(f *Factory, run func(context.Context, *actionListOptions) error) *cobra.Command {
	opts := &actionListOptions{IO: f.IO, Project: f.ProjectDir}
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the project's actions",
		Example: `  nself action list
  nself action list --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), opts) },
	}
	cmd.Flags().BoolVar(&opts.JSON, "json", false, "Print JSON")
	return cmd
}

func runActionList(_ context.Context, opts *actionListOptions) error {
	dir, err := opts.Project()
	if err != nil {
		return err
	}
	md, err := metadata.LoadDir(dir)
	if err != nil {
		return err
	}
	if opts.JSON {
		actions := md.Actions
		if actions == nil {
			actions = []metadata.Action{}
		}
		return opts.IO.JSON(actions)
	}
	if len(md.Actions) == 0 {
		opts.IO.Notef("No actions yet; declare one with nself action new NAME\n")
		return nil
	}
	rows := make([][]string, 0, len(md.Actions))
	for i := range md.Actions {
		a := &md.Actions[i]
		rows = append(rows, []string{a.Name, kindOf(a), a.Definition.OutputType, a.Definition.Handler, roles(a)})
	}
	ui.Table(opts.IO.Out, []string{"NAME", "KIND", "OUTPUT", "HANDLER", "ROLES"}, rows)
	return nil
}

// kindOf says in a word what an action is: "mutation", "query" or "async mutation".
func kindOf(a *metadata.Action) string {
	switch {
	case a.Definition.Type == metadata.Query:
		return "query"
	case a.Definition.Kind == metadata.Asynchronous:
		return "async mutation"
	default:
		return "mutation"
	}
}

// roles lists who may call an action; admin always may.
func roles(a *metadata.Action) string {
	names := make([]string, 0, 1+len(a.Permissions))
	names = append(names, "admin")
	for _, p := range a.Permissions {
		names = append(names, p.Role)
	}
	return strings.Join(names, ", ")
}
