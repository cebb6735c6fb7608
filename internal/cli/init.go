package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nself-org/nself/internal/build"
	"github.com/nself-org/nself/internal/scaffold"
	"github.com/nself-org/nself/internal/ui"
)

type initOptions struct {
	IO      *ui.Streams
	WorkDir string
	Environ []string

	Dir      string
	Name     string
	Runtimes []string
	Example  bool
	Wizard   bool
}

func newInitCmd(f *Factory, run func(context.Context, *initOptions) error) *cobra.Command {
	opts := &initOptions{IO: f.IO, WorkDir: f.WorkDir, Environ: f.Environ}
	cmd := &cobra.Command{
		Use:   "init [<dir>]",
		Short: "Make a new project",
		Long: `Make a new project in a folder, this one when none is named: .env with shared settings, .env.local with generated
secrets (mode 0600, ignored by git), a Hasura CLI project under hasura/ and its first migration. Nothing is asked, except with --wizard.

A folder that holds a project already is refused, and a file that is there already is never overwritten.`,
		Example: `  nself init shop --runtime golang
  nself init --runtime golang,python --name shop-api
  nself init demo --runtime golang --example
  nself init --wizard`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Dir = "."
			if len(args) == 1 {
				opts.Dir = args[0]
			}
			return run(cmd.Context(), opts)
		},
	}
	cmd.Flags().StringSliceVar(&opts.Runtimes, "runtime", nil, "Enable these runtimes: {golang | nestjs | python}, separated by commas")
	cmd.Flags().StringVar(&opts.Name, "name", "", "Call the project `name` instead of after its folder")
	cmd.Flags().BoolVar(&opts.Example, "example", false, "Declare the documented actions: "+strings.Join(scaffold.DocumentedNames(), ", "))
	cmd.Flags().BoolVar(&opts.Wizard, "wizard", false, "Ask for all of this")
	_ = cmd.RegisterFlagCompletionFunc("runtime", cobra.FixedCompletions(scaffold.RuntimeNames(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func runInit(ctx context.Context, opts *initOptions) error {
	if opts.Wizard {
		return runWizard(ctx, opts)
	}
	dir := opts.Dir
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(opts.WorkDir, dir)
	}
	name := opts.Name
	if name == "" {
		name = scaffold.ProjectName(filepath.Base(dir))
	}
	runtimes := slices.DeleteFunc(slices.Clone(opts.Runtimes), func(rt string) bool { return strings.TrimSpace(rt) == "" })
	if opts.Example && len(runtimes) == 0 {
		runtimes = []string{"golang"}
	}
	files, err := scaffold.Project(scaffold.ProjectInput{Name: name, Runtimes: runtimes})
	if err != nil {
		return err
	}
	written, err := build.WriteProject(ctx, dir, files)
	if err != nil {
		return err
	}
	t := opts.IO.ErrTheme()
	for _, line := range summarize(written) {
		opts.IO.Notef("%s %s\n", t.Good("create"), line)
	}
	opts.IO.Notef("\nProject %s is ready in %s\n", t.Bold(name), opts.Dir)
	if opts.Example {
		if err := declareExamples(ctx, opts, dir, runtimes[0]); err != nil {
			return err
		}
	}
	next := "nself action new registerUser"
	if len(runtimes) != 1 {
		next += " --runtime golang"
	}
	if opts.Example {
		next = "nself build && nself up"
	}
	if opts.Dir != "." {
		next = "cd " + shellQuote(opts.Dir) + " && " + next
	}
	opts.IO.Notef("Next: %s\n", t.Link(next))
	return nil
}

// plainWord is text that a shell takes as one word without quotes.
var plainWord = regexp.MustCompile(`^[\pL\pN_@%+:,./-]+$`)

// shellQuote writes text so that it can be pasted into a shell.
func shellQuote(text string) string {
	if plainWord.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// summarize lists files, each top folder in one line with the number of its files.
func summarize(paths []string) []string {
	var lines []string
	counts := map[string]int{}
	for _, path := range paths {
		folder, _, nested := strings.Cut(path, "/")
		if !nested {
			lines = append(lines, path)
			continue
		}
		if counts[folder]++; counts[folder] == 1 {
			lines = append(lines, folder)
		}
	}
	for i, line := range lines {
		if n := counts[line]; n > 0 {
			lines[i] = fmt.Sprintf("%s/ (%d files)", line, n)
		}
	}
	return lines
}

// declareExamples declares every documented action in the new project.
func declareExamples(ctx context.Context, opts *initOptions, dir, runtime string) error {
	f := &Factory{IO: opts.IO, Environ: opts.Environ, WorkDir: opts.WorkDir, project: dir}
	var errs []error
	for _, name := range scaffold.DocumentedNames() {
		errs = append(errs, runActionNew(ctx, &actionNewOptions{
			IO: opts.IO, Config: f.Config, Environ: f.Environ, WorkDir: f.WorkDir, Name: name, Runtime: runtime,
		}))
	}
	return errors.Join(errs...)
}
