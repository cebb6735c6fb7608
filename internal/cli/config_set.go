package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/ui"
)

// maxStdinBytes bounds a value read from stdin: no variable that a process can be started with is longer.
const maxStdinBytes = 128 << 10

type configSetOptions struct {
	IO *ui.Streams
	// Set writes the value into the project's file.
	Set func(key, value string, opts env.SetOptions) (env.SetResult, error)

	Key, Value, File, Env string
	JSON                  bool
}

func newConfigSetCmd(f *Factory, run func(context.Context, *configSetOptions) error) *cobra.Command {
	opts := &configSetOptions{IO: f.IO, Set: f.setConfig}
	cmd := &cobra.Command{
		Use:   "set <key> {<value> | -}",
		Short: "Write a value into .env.local",
		Long: `Write a value into .env.local, or into the file that --file names. Comments and order stay as they are.

With - the value is read from standard input, so that a secret is neither on the command line nor in the shell's
history.`,
		Example: `  nself config set NESTJS_ENABLED true
  nself config set --file .env NESTJS_PORT 3101
  openssl rand -hex 32 | nself config set POSTGRES_PASSWORD -`,
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: completeKeys,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Key, opts.Value = args[0], args[1]
			return run(cmd.Context(), opts)
		},
	}
	addEnvFlag(cmd, &opts.Env)
	cmd.Flags().StringVar(&opts.File, "file", "", "Write to `file`: .env, .env.local or .env.NAME (default .env.local)")
	cmd.Flags().BoolVar(&opts.JSON, "json", false, "Print JSON: the file and line")
	return cmd
}

func (f *Factory) setConfig(key, value string, opts env.SetOptions) (env.SetResult, error) {
	dir, err := f.ProjectDir()
	if err != nil {
		return env.SetResult{}, err
	}
	opts.Environ = f.Environ
	return env.Set(dir, key, value, opts)
}

// written is what --json prints.
type written struct {
	File       string `json:"file"`
	Line       int    `json:"line"`
	Changed    bool   `json:"changed"`
	ShadowedBy string `json:"shadowed_by,omitempty"`
}

func runConfigSet(_ context.Context, opts *configSetOptions) error {
	value := opts.Value
	if value == "-" {
		var err error
		if value, err = readValue(opts.IO); err != nil {
			return err
		}
	}
	result, err := opts.Set(opts.Key, value, env.SetOptions{File: opts.File, Env: opts.Env})
	if err != nil {
		return err
	}
	for _, w := range result.Warnings {
		printWarning(opts.IO, w.String(), w.Hint)
	}
	if by := result.ShadowedBy; by != nil {
		printWarning(opts.IO, fmt.Sprintf("%s: %s sets it too, and counts", opts.Key, by), "change or remove it there")
	}
	if opts.JSON {
		out := written{File: result.File, Line: result.Line, Changed: result.Changed}
		if result.ShadowedBy != nil {
			out.ShadowedBy = result.ShadowedBy.String()
		}
		return opts.IO.JSON(out)
	}
	done := "set"
	if !result.Changed {
		done = "unchanged:"
	}
	opts.IO.Notef("%s %s in %s:%d\n", done, opts.Key, result.File, result.Line)
	return nil
}

// readValue reads a value from standard input, without the line end that echo and openssl put behind it.
func readValue(streams *ui.Streams) (string, error) {
	if streams.InIsTerminal {
		streams.Notef("type the value, then Enter and Ctrl-D\n")
	}
	data, err := io.ReadAll(io.LimitReader(streams.In, maxStdinBytes+1))
	if err != nil {
		return "", fmt.Errorf("read the value from standard input: %w", err)
	}
	if len(data) > maxStdinBytes {
		return "", fmt.Errorf("%w: the value is longer than %d bytes", errdefs.ErrUsage, maxStdinBytes)
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r"), nil
}
