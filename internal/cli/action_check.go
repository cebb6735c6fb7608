package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nself-org/nself/internal/build"
	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/metadata"
	"github.com/nself-org/nself/internal/ui"
)

type actionCheckOptions struct {
	IO      *ui.Streams
	Project func() (string, error)
	Environ []string
	JSON    bool
}

func newActionCheckCmd(f *Factory, run func(context.Context, *actionCheckOptions) error) *cobra.Command {
	opts := &actionCheckOptions{IO: f.IO, Project: f.ProjectDir, Environ: f.Environ}
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Find where SDL, metadata and handlers disagree",
		Long: `Check the actions: types that do not exist, entries without a declaration and declarations without an entry, handlers
that are missing or that nobody answers, generated code that is out of date, and what Hasura would drop or refuse. Nothing
is written. The exit code is 3 when something has to be mended.`,
		Example: `  nself action check
  nself action check --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), opts) },
	}
	cmd.Flags().BoolVar(&opts.JSON, "json", false, "Print JSON")
	return cmd
}

// actionFinding is one line of a check.
type actionFinding struct {
	Severity string `json:"severity"` // error or warning
	Place    string `json:"place,omitempty"`
	Text     string `json:"text"`
	Fix      string `json:"fix,omitempty"`
}

func runActionCheck(ctx context.Context, opts *actionCheckOptions) error {
	dir, err := opts.Project()
	if err != nil {
		return err
	}
	findings, err := checkActions(ctx, dir, opts.Environ)
	if err != nil {
		return err
	}
	faults := 0
	for _, f := range findings {
		if f.Severity == "error" {
			faults++
		}
	}
	if opts.JSON {
		if err := opts.IO.JSON(findings); err != nil {
			return err
		}
	} else {
		printFindings(opts.IO, findings)
	}
	if faults > 0 {
		return &exitError{exitInvalid}
	}
	return nil
}

// checkActions gathers what is wrong with the metadata, and, where that is sound, what a build would change.
func checkActions(ctx context.Context, dir string, environ []string) ([]actionFinding, error) {
	findings := []actionFinding{} // prints as [] when there is nothing
	md, err := metadata.LoadDir(dir)
	if md == nil {
		return nil, err
	}
	if problems := metadata.Validate(md, nil); len(problems.Errors()) > 0 {
		for _, p := range problems {
			severity := "error"
			if p.Severity == metadata.SeverityWarning {
				severity = "warning"
			}
			findings = append(findings, actionFinding{Severity: severity, Place: p.Pos.String(), Text: p.Text, Fix: p.Hint})
		}
		return findings, nil // what a build would write from this is not worth telling
	}
	result, err := build.Run(ctx, build.Options{Dir: dir, Env: env.Options{Environ: environ}, Check: true})
	if err != nil && !errors.Is(err, errdefs.ErrDrift) {
		return nil, err
	}
	for _, w := range result.Warnings {
		findings = append(findings, actionFinding{Severity: "warning", Text: w.Text, Fix: w.Hint})
	}
	if cfg, _, err := env.Load(dir, env.Options{Environ: environ}); err == nil {
		findings = append(findings, unsetFindings(cfg, md)...)
	}
	for _, c := range result.Plan.Changes {
		if c.Action != build.Unchanged && c.Action != build.Adopt {
			findings = append(findings, actionFinding{
				Severity: "error", Place: c.Path, Fix: "run nself build",
				Text: strings.TrimSuffix("build would "+string(c.Action)+" it: "+c.Reason, ": "),
			})
		}
	}
	return findings, nil
}

// unsetFindings warns about headers whose variable is set nowhere: the metadata is sound, each call would fail.
func unsetFindings(cfg *env.Config, md *metadata.Metadata) []actionFinding {
	var findings []actionFinding
	for i := range md.Actions {
		a := &md.Actions[i]
		for _, name := range unsetVariables(cfg, a.Definition.Headers) {
			findings = append(findings, actionFinding{
				Severity: "warning", Place: a.YAMLPos.String(), Fix: "nself config set " + name + " VALUE",
				Text: fmt.Sprintf("action %q: a header uses %s, which is set nowhere: every call fails until it is", a.Name, name),
			})
		}
	}
	return findings
}

func printFindings(io *ui.Streams, findings []actionFinding) {
	t := io.OutTheme()
	if len(findings) == 0 {
		io.Printf("%s SDL, metadata and handlers agree\n", t.Good("✓"))
		return
	}
	for _, f := range findings {
		mark := t.Bad("error:")
		if f.Severity == "warning" {
			mark = t.Warn("warning:")
		}
		text := f.Text
		if f.Place != "" {
			text = f.Place + ": " + text
		}
		io.Printf("%s %s\n", mark, text)
		if f.Fix != "" {
			io.Printf("%s %s\n", t.Good("  fix:"), f.Fix)
		}
	}
}
