package cli

import (
	"context"
	"strings"

	"github.com/aymanbagabas/go-udiff"
	"github.com/spf13/cobra"

	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/hasura"
	"github.com/nself-org/nself/internal/metadata"
	"github.com/nself-org/nself/internal/ui"
)

type actionDiffOptions struct {
	IO     *ui.Streams
	Config func() (*env.Config, *env.Report, error)

	Engine engineFlags
	JSON   bool
}

func newActionDiffCmd(f *Factory, run func(context.Context, *actionDiffOptions) error) *cobra.Command {
	opts := &actionDiffOptions{IO: f.IO, Config: f.Config}
	cmd := &cobra.Command{
		Use:   "diff",
		Short: "Show where the running engine's metadata is not that of the files",
		Long: `Compare hasura/metadata with the running engine's metadata, object by object, and tell which side has changed since the
files were applied: lines with + are what nself action apply would put there, lines with - what nself action export would
bring into the files. The exit code is 3 when they differ.`,
		Example: `  nself action diff
  nself action diff --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), opts) },
	}
	opts.Engine.add(cmd)
	cmd.Flags().BoolVar(&opts.JSON, "json", false, "Print JSON")
	return cmd
}

// sided is a difference between engine and files.
type sided struct {
	Object string `json:"object"`
	Change string `json:"change"`            // from the engine to the files
	Side   string `json:"changed,omitempty"` // engine, files or both; empty where it is not known
	Diff   string `json:"diff"`
}

func runActionDiff(ctx context.Context, opts *actionDiffOptions) error {
	cfg, _, err := opts.Config()
	if err != nil {
		return err
	}
	files, err := metadata.LoadDir(cfg.Dir)
	if err != nil {
		return err
	}
	client := opts.Engine.client(cfg)
	server, _, err := client.Export(ctx)
	if err != nil {
		return err
	}
	list, err := sidedDifferences(cfg.Dir, server, files)
	if err != nil {
		return err
	}
	if opts.JSON {
		if err := opts.IO.JSON(list); err != nil {
			return err
		}
	} else {
		printSided(opts.IO, client.Base, list)
	}
	if len(list) > 0 {
		return &exitError{exitInvalid}
	}
	return nil
}

func sidedDifferences(dir string, server, files *metadata.Metadata) ([]sided, error) {
	differences, err := metadata.Compare(server, files)
	if err != nil {
		return nil, err
	}
	base, err := hasura.Applied(dir)
	if err != nil {
		return nil, err
	}
	there, here := map[string]bool{}, map[string]bool{}
	if base != nil {
		for _, side := range []struct {
			md      *metadata.Metadata
			changed map[string]bool
		}{{server, there}, {files, here}} {
			changes, err := metadata.Compare(base, side.md)
			if err != nil {
				return nil, err
			}
			for _, d := range changes {
				side.changed[d.Object] = true
			}
		}
	}
	list := []sided{} // prints as [] when there is nothing
	for _, d := range differences {
		s := sided{
			Object: d.Object,
			Change: d.Change(),
			Diff:   udiff.Unified("engine: "+d.Object, "files: "+d.Object, d.A, d.B),
		}
		switch {
		case there[d.Object] && here[d.Object]:
			s.Side = "both"
		case there[d.Object]:
			s.Side = "engine"
		case here[d.Object]:
			s.Side = "files"
		}
		list = append(list, s)
	}
	return list, nil
}

func printSided(io *ui.Streams, base string, list []sided) {
	t := io.OutTheme()
	if len(list) == 0 {
		io.Printf("%s %s says what the files say\n", t.Good("✓"), base)
		return
	}
	sides := map[string]string{
		"engine": "edited on the engine", "files": "changed in the files", "both": "changed on the engine and in the files", "": "differs",
	}
	for _, s := range list {
		io.Printf("%s %s\n", t.Bold(s.Object+":"), sides[s.Side])
		for line := range strings.Lines(s.Diff) {
			switch {
			case strings.HasPrefix(line, "+"):
				line = t.Good(strings.TrimSuffix(line, "\n")) + "\n"
			case strings.HasPrefix(line, "-"):
				line = t.Bad(strings.TrimSuffix(line, "\n")) + "\n"
			}
			io.Printf("%s", line)
		}
	}
	io.Notef("\nnself action apply makes the engine say what the files say, nself action export the other way round\n")
}
