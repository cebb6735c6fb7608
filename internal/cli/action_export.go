package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nself-org/nself/internal/build"
	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/hasura"
	"github.com/nself-org/nself/internal/metadata"
	"github.com/nself-org/nself/internal/ui"
)

type actionExportOptions struct {
	IO      *ui.Streams
	Config  func() (*env.Config, *env.Report, error)
	Environ []string
	Now     func() time.Time

	Engine engineFlags
	Force  bool
	Check  bool
}

func newActionExportCmd(f *Factory, run func(context.Context, *actionExportOptions) error) *cobra.Command {
	opts := &actionExportOptions{IO: f.IO, Config: f.Config, Environ: f.Environ, Now: time.Now}
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Bring what was edited on the running engine into the files",
		Long: `Read the running engine's metadata and write what was edited there, with the console or another tool, into hasura/metadata.
What has changed in the files only, since they were applied, stays. Comments stay with what they stand at, and where that can
be done safely only what differs is touched. A copy of each file that changes is kept under .nself/backup.

What both sides have changed is a conflict: nothing is written, unless --force takes the engine's version.`,
		Example: `  nself action export
  nself action export --check
  nself action export --endpoint https://hasura.example.com --admin-secret "$SECRET"`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), opts) },
	}
	opts.Engine.add(cmd)
	cmd.Flags().BoolVar(&opts.Force, "force", false, "Where both sides have changed the same object, take the engine's")
	cmd.Flags().BoolVar(&opts.Check, "check", false, "Write nothing; exit with 3 when something would change")
	return cmd
}

func runActionExport(ctx context.Context, opts *actionExportOptions) error {
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
	base, err := hasura.Applied(cfg.Dir)
	if err != nil {
		return err
	}
	merged, conflicts, err := metadata.Merge(base, files, server)
	if err != nil {
		return err
	}
	if len(conflicts) > 0 && !opts.Force {
		return errdefs.As(
			errdefs.ErrDrift,
			errdefs.WithHint(fmt.Errorf(
				"changed on the engine and in the files: %s; nothing was written",
				strings.Join(
					conflicts,
					", ",
				),
			), "nself action diff shows both; --force takes the engine's version and saves a copy of the files"),
		)
	}
	adopted, err := metadata.Adopt(cfg.Dir, merged)
	if err != nil {
		return err
	}
	if len(adopted.Files) == 0 {
		opts.IO.Printf("%s nothing was edited at %s\n", opts.IO.OutTheme().Good("✓"), client.Base)
		return nil
	}
	printAdopted(opts.IO, adopted, opts.Check)
	if opts.Check {
		return &exitError{exitInvalid}
	}
	kept, err := writeAdopted(cfg.Dir, adopted.Files, opts.Now())
	if err != nil {
		return err
	}
	if kept != "" {
		opts.IO.Notef("  %s\n", opts.IO.ErrTheme().Dim("the files as they were are in "+kept))
	}
	if opts.Engine.Endpoint == "" {
		if err := hasura.Agree(cfg.Dir, server); err != nil {
			return err
		}
	}
	result, err := build.Run(ctx, build.Options{Dir: cfg.Dir, Env: env.Options{Environ: opts.Environ}})
	if err != nil {
		return errdefs.WithHint(err, "the metadata is written; finish with nself build")
	}
	printBuilt(opts.IO, result)
	return nil
}

func printAdopted(io *ui.Streams, a *metadata.Adopted, check bool) {
	t := io.OutTheme()
	mark := t.Good("✓")
	if check {
		mark = t.Warn("!")
	}
	for _, d := range a.Differences {
		io.Printf("%s %s %s\n", mark, d.Object, d.Change())
	}
	for _, name := range sortedKeys(a.Files) {
		how := "changed in place"
		switch {
		case a.Files[name] == nil:
			how = "no longer used, removed"
		case slices.Contains(a.Uncommented, name):
			how = "written anew, without its comments"
		case slices.Contains(a.Rewritten, name):
			how = "written anew, with its comments"
		}
		io.Printf("  %s %s\n", name, t.Dim(how))
	}
}

// writeAdopted saves the files that change, writes the new ones and removes those that go. It returns the folder of the
// copies, relative to the project; "" where there was nothing to save.
func writeAdopted(dir string, files map[string][]byte, now time.Time) (string, error) {
	backup := path.Join(".nself/backup", now.Format("20060102-150405")+"-export")
	saved := ""
	write := map[string][]byte{}
	for name, data := range files {
		old, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return "", fmt.Errorf("save %s: %w", name, err)
		default:
			if err := writePrivate(dir, path.Join(backup, name), old); err != nil {
				return "", fmt.Errorf("save %s: %w", name, err)
			}
			saved = backup
		}
		if data != nil {
			write[name] = data
		}
	}
	if err := metadata.WriteFiles(dir, write); err != nil {
		return "", err
	}
	for name, data := range files {
		if data == nil {
			if err := os.Remove(filepath.Join(dir, filepath.FromSlash(name))); err != nil &&
				!errors.Is(err, fs.ErrNotExist) {
				return "", fmt.Errorf("remove %s: %w", name, err)
			}
		}
	}
	return saved, nil
}

// writePrivate writes a file that is for its owner alone, with its folders.
func writePrivate(dir, name string, data []byte) error {
	file := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o600)
}
