package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/ui"
)

// configLoader reads the project's configuration for the environment name; "" leaves the choice to ENV. The Config is
// there beside an error about its values, so that a broken configuration can be looked at.
type configLoader func(name string) (*env.Config, *env.Report, error)

func (f *Factory) loadConfig(name string) (*env.Config, *env.Report, error) {
	dir, err := f.ProjectDir()
	if err != nil {
		return nil, nil, err
	}
	return env.Load(dir, env.Options{Environ: f.Environ, Env: name})
}

func newConfigCmd(f *Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Show, check and change the configuration",
		Long: `Show, check and change the configuration.

A value comes from the first of these that sets it: the process environment, .env.local, .env.$ENV (dev, staging or
prod), .env, the default. Note that .env is the weakest file.`,
		Example: `  nself config show
  nself config explain NESTJS_PORT
  nself config set NESTJS_ENABLED true
  openssl rand -hex 32 | nself config set POSTGRES_PASSWORD -`,
	}
	cmd.AddCommand(
		newConfigShowCmd(f, runConfigShow),
		newConfigExplainCmd(f, runConfigExplain),
		newConfigGetCmd(f, runConfigGet),
		newConfigSetCmd(f, runConfigSet),
		newConfigValidateCmd(f, runConfigValidate),
	)
	return cmd
}

// addEnvFlag is --env of the commands that read the configuration.
func addEnvFlag(cmd *cobra.Command, name *string) {
	cmd.Flags().StringVar(name, "env", "", "Look at the environment `name` instead of the one that ENV chooses")
	_ = cmd.RegisterFlagCompletionFunc("env", cobra.FixedCompletions(
		[]string{env.Dev, env.Staging, env.Prod}, cobra.ShellCompDirectiveNoFileComp))
}

// completeKeys completes the names that nself knows, with what they mean.
func completeKeys(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, k := range env.Keys() {
		names = append(names, k.Name+"\t"+k.Doc)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

type configShowOptions struct {
	IO   *ui.Streams
	Load configLoader

	Env               string
	All, Reveal, JSON bool
}

func newConfigShowCmd(f *Factory, run func(context.Context, *configShowOptions) error) *cobra.Command {
	opts := &configShowOptions{IO: f.IO, Load: f.loadConfig}
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Show every value and where it comes from",
		Long: `Show every setting that has a value, with the environment, file and line it comes from, or that it is the default. Secrets are
masked unless --reveal is given.`,
		Example: `  nself config show
  nself config show --env prod --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), opts) },
	}
	addEnvFlag(cmd, &opts.Env)
	cmd.Flags().BoolVar(&opts.All, "all", false, "Show names without a value too")
	cmd.Flags().BoolVar(&opts.Reveal, "reveal", false, "Show secrets")
	cmd.Flags().BoolVar(&opts.JSON, "json", false, "Print JSON")
	return cmd
}

// shownValue is a value as --json prints it.
type shownValue struct {
	Key    string    `json:"key"`
	Value  string    `json:"value"`
	Source string    `json:"source"`
	Group  env.Group `json:"group"`
	Secret bool      `json:"secret"`
}

func showValue(v env.Value, reveal bool) shownValue {
	text := v.Masked()
	if reveal {
		text = v.Text
	}
	return shownValue{Key: v.Key, Value: text, Source: v.Source.String(), Group: v.Group, Secret: v.Secret}
}

func runConfigShow(_ context.Context, opts *configShowOptions) error {
	cfg, _, err := opts.Load(opts.Env)
	if cfg == nil {
		return err
	}
	values := []shownValue{}
	for _, v := range cfg.Values() {
		if v.Text != "" || opts.All {
			values = append(values, showValue(v, opts.Reveal))
		}
	}
	if opts.JSON {
		if jsonErr := opts.IO.JSON(values); jsonErr != nil {
			return jsonErr
		}
		return err
	}
	printValues(opts.IO, values)
	return err
}

// printValues prints one block per group.
func printValues(io *ui.Streams, values []shownValue) {
	t := io.OutTheme()
	for start := 0; start < len(values); {
		end := start
		var rows [][]string
		for end < len(values) && values[end].Group == values[start].Group {
			v := values[end]
			rows = append(rows, []string{"  " + v.Key, onOneLine(v.Value), t.Dim(v.Source)})
			end++
		}
		if start > 0 {
			io.Printf("\n")
		}
		io.Printf("%s\n", t.Bold(string(values[start].Group)))
		ui.Rows(io.Out, rows)
		start = end
	}
}

// onOneLine quotes a text that would not stay in its line.
func onOneLine(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return strconv.Quote(text)
	}
	return text
}

type configGetOptions struct {
	IO   *ui.Streams
	Load configLoader

	Key, Env     string
	Reveal, JSON bool
}

func newConfigGetCmd(f *Factory, run func(context.Context, *configGetOptions) error) *cobra.Command {
	opts := &configGetOptions{IO: f.IO, Load: f.loadConfig}
	cmd := &cobra.Command{
		Use:   "get <key>",
		Short: "Print one value",
		Long: `Print the value of a setting as nself reads it: from the environment or the file that sets it, else the default. A secret is
printed with --reveal only.`,
		Example: `  nself config get HASURA_PORT
  nself config get HASURA_GRAPHQL_ADMIN_SECRET --reveal`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeKeys,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Key = args[0]
			return run(cmd.Context(), opts)
		},
	}
	addEnvFlag(cmd, &opts.Env)
	cmd.Flags().BoolVar(&opts.Reveal, "reveal", false, "Print the value of a secret")
	cmd.Flags().BoolVar(&opts.JSON, "json", false, "Print JSON: the value and where it comes from")
	return cmd
}

func runConfigGet(_ context.Context, opts *configGetOptions) error {
	cfg, _, err := opts.Load(opts.Env)
	if err != nil {
		return err
	}
	v, ok := cfg.Get(opts.Key)
	if !ok {
		return unknownKey(cfg, opts.Key)
	}
	if opts.JSON {
		return opts.IO.JSON(showValue(v, opts.Reveal))
	}
	if v.Secret && v.Text != "" && !opts.Reveal { // a script would take "[redacted]" for the secret
		return errdefs.WithHint(fmt.Errorf("%w: %s is a secret", errdefs.ErrUsage, opts.Key), "add --reveal to print it")
	}
	opts.IO.Printf("%s\n", v.Text)
	return nil
}

// unknownKey is the error for a key that nself does not know and no file sets.
func unknownKey(cfg *env.Config, key string) error {
	err := fmt.Errorf("%w: nself does not know %s, and no file sets it", errdefs.ErrUsage, key)
	if e, _ := cfg.Explain(key); e.Note != "" {
		return errdefs.WithHint(err, e.Note)
	}
	return errdefs.WithHint(err, "run nself config show --all for the names")
}
