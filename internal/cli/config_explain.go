package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/ui"
)

type configExplainOptions struct {
	IO   *ui.Streams
	Load configLoader

	Key, Env     string
	Reveal, JSON bool
}

func newConfigExplainCmd(f *Factory, run func(context.Context, *configExplainOptions) error) *cobra.Command {
	opts := &configExplainOptions{IO: f.IO, Load: f.loadConfig}
	cmd := &cobra.Command{
		Use:               "explain <key>",
		Short:             "Show how a value came about: every place that sets it",
		Example:           "  nself config explain POSTGRES_PORT",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeKeys,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Key = args[0]
			return run(cmd.Context(), opts)
		},
	}
	addEnvFlag(cmd, &opts.Env)
	cmd.Flags().BoolVar(&opts.Reveal, "reveal", false, "Show secrets")
	cmd.Flags().BoolVar(&opts.JSON, "json", false, "Print JSON")
	return cmd
}

// explanation is what --json prints.
type explanation struct {
	shownValue
	Doc      string       `json:"doc,omitempty"`
	Kind     env.Kind     `json:"kind,omitempty"`
	Rule     string       `json:"rule,omitempty"`
	Default  string       `json:"default,omitempty"`
	Note     string       `json:"note,omitempty"`
	Shadowed []shownValue `json:"shadowed"`
	Problems []string     `json:"problems,omitempty"`
}

func runConfigExplain(_ context.Context, opts *configExplainOptions) error {
	cfg, _, err := opts.Load(opts.Env)
	if cfg == nil {
		return err
	}
	found, ok := cfg.Explain(opts.Key)
	if !ok {
		return errors.Join(unknownKey(cfg, opts.Key), err)
	}
	e := explanation{
		shownValue: showValue(found.Value, opts.Reveal), Doc: found.Value.Doc, Kind: found.Kind, Rule: found.Rule,
		Default: found.Default, Note: found.Note, Shadowed: []shownValue{},
	}
	for _, v := range found.Shadowed {
		v.Group = found.Value.Group
		e.Shadowed = append(e.Shadowed, showValue(v, opts.Reveal))
	}
	for _, p := range env.Problems(err) {
		if p.Key == opts.Key {
			e.Problems = append(e.Problems, p.Error())
		}
	}
	if opts.JSON {
		return opts.IO.JSON(e)
	}
	printExplanation(opts.IO, e)
	return nil
}

func printExplanation(io *ui.Streams, e explanation) {
	t := io.OutTheme()
	rows := [][]string{{t.Bold(e.Key), valueText(e.Value), t.Dim(e.Source)}}
	for _, v := range e.Shadowed {
		rows = append(rows, []string{t.Dim("  not used"), valueText(v.Value), t.Dim(v.Source)})
	}
	ui.Rows(io.Out, rows)
	for _, line := range [][2]string{
		{"meaning", e.Doc}, {"allowed", e.allowed()}, {"default", e.Default}, {"note", e.Note},
	} {
		if line[1] != "" {
			io.Printf("  %-9s %s\n", line[0], line[1])
		}
	}
	for _, problem := range e.Problems {
		io.Printf("  %s %s\n", t.Bad("problem  "), problem)
	}
}

func (e explanation) allowed() string {
	switch {
	case e.Rule != "":
		return e.Rule
	case e.Kind == env.KindBool:
		return "true or false"
	case e.Kind == env.KindPort:
		return "a port, 1 to 65535"
	case e.Kind == env.KindNumber:
		return "a whole number above 0"
	case e.Kind == env.KindURL:
		return "an http or https URL"
	}
	return ""
}

func valueText(text string) string {
	if text == "" {
		return "(no text)"
	}
	return onOneLine(text)
}
