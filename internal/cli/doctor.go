package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nself-org/nself/internal/doctor"
	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/stack/native"
	"github.com/nself-org/nself/internal/ui"
)

type doctorOptions struct {
	IO      *ui.Streams
	Project func() (string, error)
	Environ []string
	JSON    bool
	Fix     bool
}

func newDoctorCmd(f *Factory, run func(context.Context, *doctorOptions) error) *cobra.Command {
	opts := &doctorOptions{IO: f.IO, Project: f.ProjectDir, Environ: f.Environ}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Find out what this machine or project lacks",
		Long: `Look at the programs that the project needs, its ports and who holds them, disk and memory, its files and their
permissions, its configuration and its metadata. Each finding comes with its fix. Outside of a project the machine alone is
looked at. Where a Docker engine answers, it is examined too, and, while the project runs, whether Hasura reaches each
handler from its container, with the hop that fails. The exit code is 4 when something is missing that the project needs.

--fix mends what is wrong within the project: the mode of .env.local, lines that .gitignore lacks, ports that other programs
hold, generated files that are missing. Programs of the machine are left to you.`,
		Example: `  nself doctor
  nself doctor --fix
  nself doctor --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), opts) },
	}
	cmd.Flags().BoolVar(&opts.JSON, "json", false, "Print JSON")
	cmd.Flags().BoolVar(&opts.Fix, "fix", false, "Mend what is wrong within the project")
	return cmd
}

func runDoctor(ctx context.Context, opts *doctorOptions) error {
	in := doctor.Input{Driver: doctor.DriverAuto, Environ: opts.Environ}
	if dir, err := opts.Project(); err == nil {
		in.Dir = dir
		if native.Running(ctx, dir) {
			in.Driver = doctor.DriverNative
		}
		in.Config, in.Report, _ = env.Load(dir, env.Options{Environ: opts.Environ}) // the report holds what is wrong
	}
	findings := doctor.Run(ctx, in)
	if opts.Fix && in.Dir != "" {
		done, err := fixProject(ctx, in, findings)
		for _, what := range done {
			opts.IO.Notef("%s %s\n", opts.IO.ErrTheme().Good("fixed"), what)
		}
		if err != nil {
			return err
		}
		in.Config, in.Report, _ = env.Load(in.Dir, env.Options{Environ: opts.Environ})
		findings = doctor.Run(ctx, in)
	}
	if opts.JSON {
		if err := opts.IO.JSON(findings); err != nil {
			return err
		}
	} else {
		printDiagnosis(opts.IO, findings)
	}
	if doctor.Worst(findings) == doctor.Fail {
		return &exitError{exitUnavailable}
	}
	return nil
}

func printDiagnosis(io *ui.Streams, findings []doctor.Finding) {
	t := io.OutTheme()
	marks := map[doctor.Level]string{doctor.OK: t.Good("✓"), doctor.Warn: t.Warn("!"), doctor.Fail: t.Bad("✗")}
	width := 0
	for _, f := range findings {
		width = max(width, len(f.Check))
	}
	for _, f := range findings {
		io.Printf("%s %-*s  %s\n", marks[f.Level], width, f.Check, f.Detail)
		if f.Fix != "" {
			io.Printf("  %s %s %s\n", strings.Repeat(" ", width), t.Good("fix:"), f.Fix)
		}
	}
}
