package cli

import (
	"context"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/ui"
)

type configValidateOptions struct {
	IO   *ui.Streams
	Load configLoader

	Env          string
	Strict, JSON bool
}

func newConfigValidateCmd(f *Factory, run func(context.Context, *configValidateOptions) error) *cobra.Command {
	opts := &configValidateOptions{IO: f.IO, Load: f.loadConfig}
	cmd := &cobra.Command{
		Use:   "validate",
		Short: "Check the configuration, and name settings that nothing reads",
		Long: `Check the .env files and the environment, without the metadata: what cannot be read, values that a setting does not take, and, as
warnings, names that nothing reads. Every finding has its file, line and fix. The exit code is 3 when there is an error, with
--strict when there is a warning too.`,
		Example: `  nself config validate
  nself config validate --env prod --strict`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), opts) },
	}
	addEnvFlag(cmd, &opts.Env)
	cmd.Flags().BoolVar(&opts.Strict, "strict", false, "Fail on warnings too")
	cmd.Flags().BoolVar(&opts.JSON, "json", false, "Print JSON")
	return cmd
}

// finding is a problem or a warning as --json prints it.
type finding struct {
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
	Key  string `json:"key,omitempty"`
	Text string `json:"text"`
	Hint string `json:"hint,omitempty"`
}

type validation struct {
	Env      string    `json:"env"`
	Files    []string  `json:"files"`
	Valid    bool      `json:"valid"`
	Problems []finding `json:"problems"`
	Warnings []finding `json:"warnings"`
}

func runConfigValidate(_ context.Context, opts *configValidateOptions) error {
	cfg, report, err := opts.Load(opts.Env)
	if cfg == nil {
		return err
	}
	if err == nil {
		unread, scanErr := cfg.UnreadKeys(os.DirFS(cfg.Dir))
		if scanErr != nil {
			return scanErr
		}
		report.Warnings = append(report.Warnings, unread...)
	}
	if err == nil && opts.Strict && len(report.Warnings) > 0 {
		err = errdefs.As(errdefs.ErrInvalid, errors.New("the configuration has warnings, which --strict does not allow"))
	}
	if opts.JSON {
		return printValidation(opts.IO, cfg, report, err)
	}
	printWarnings(opts.IO, report)
	if err != nil {
		return err
	}
	opts.IO.Notef("%s the configuration of %s is valid for %s\n", opts.IO.ErrTheme().Good("ok:"), cfg.ProjectName, cfg.Env)
	return nil
}

func printValidation(io *ui.Streams, cfg *env.Config, report *env.Report, err error) error {
	v := validation{Env: cfg.Env, Files: report.Files, Valid: err == nil, Problems: []finding{}, Warnings: []finding{}}
	for _, p := range report.Problems {
		v.Problems = append(v.Problems, finding{p.Pos.File, p.Pos.Line, p.Key, p.Text, p.Hint})
	}
	for _, w := range report.Warnings {
		v.Warnings = append(v.Warnings, finding{w.Pos.File, w.Pos.Line, w.Key, w.Text, w.Hint})
	}
	if jsonErr := io.JSON(v); jsonErr != nil {
		return jsonErr
	}
	if err != nil {
		return &exitError{code: exitInvalid} // the JSON has said it all
	}
	return nil
}
