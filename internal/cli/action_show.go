package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nself-org/nself/internal/metadata"
	"github.com/nself-org/nself/internal/ui"
)

type actionShowOptions struct {
	IO      *ui.Streams
	Project func() (string, error)
	Name    string
	JSON    bool
}

func newActionShowCmd(f *Factory, run func(context.Context, *actionShowOptions) error) *cobra.Command {
	opts := &actionShowOptions{IO: f.IO, Project: f.ProjectDir}
	cmd := &cobra.Command{
		Use:   "show <name>",
		Short: "Show one action: types, handler, headers, permissions",
		Example: `  nself action show registerUser
  nself action show registerUser --json`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: f.completeActions,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Name = args[0]
			return run(cmd.Context(), opts)
		},
	}
	cmd.Flags().BoolVar(&opts.JSON, "json", false, "Print JSON, as Hasura's metadata has it")
	return cmd
}

func runActionShow(_ context.Context, opts *actionShowOptions) error {
	dir, err := opts.Project()
	if err != nil {
		return err
	}
	md, err := metadata.LoadDir(dir)
	if err != nil {
		return err
	}
	a, err := findAction(md, opts.Name)
	if err != nil {
		return err
	}
	if opts.JSON {
		return opts.IO.JSON(a)
	}
	t := opts.IO.OutTheme()
	timeout := "30 s"
	if a.Definition.Timeout != 0 {
		timeout = strconv.Itoa(a.Definition.Timeout) + " s"
	}
	rows := [][]string{
		{"action", t.Bold(a.Name)},
		{"kind", kindOf(a)},
		{"declared", fmt.Sprintf("%s, %s", a.Pos, a.YAMLPos)},
		{"handler", a.Definition.Handler},
		{"timeout", timeout},
		{"roles", roles(a)},
	}
	if a.Comment != "" {
		rows = append(rows, []string{"comment", firstLine(a.Comment)})
	}
	for _, h := range a.Definition.Headers {
		value := h.Value
		if h.ValueFromEnv != "" {
			value = "from " + h.ValueFromEnv
		}
		rows = append(rows, []string{"header", h.Name + ": " + value})
	}
	for _, transform := range []struct {
		name string
		set  bool
	}{{"request", len(a.Definition.RequestTransform) > 0}, {"response", len(a.Definition.ResponseTransform) > 0}} {
		if transform.set {
			rows = append(rows, []string{"transform", transform.name})
		}
	}
	ui.Rows(opts.IO.Out, rows)
	opts.IO.Printf("\n%s\n\n%s\n", strings.TrimRight(metadata.SDLOf(md, a), "\n"), t.Dim(sampleCall(md, a)))
	return nil
}
