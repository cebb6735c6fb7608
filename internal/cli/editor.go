package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/metadata"
	"github.com/nself-org/nself/internal/scaffold"
	"github.com/nself-org/nself/internal/ui"
)

type editorOptions struct {
	IO     *ui.Streams
	Config func() (*env.Config, *env.Report, error)
	Print  bool
}

func newEditorCmd(f *Factory, run func(context.Context, *editorOptions) error) *cobra.Command {
	opts := &editorOptions{IO: f.IO, Config: f.Config}
	cmd := &cobra.Command{
		Use:   "editor",
		Short: "Write settings for editors: tasks, debuggers, GraphQL completion",
		Long: `Write settings for editors: tasks and debuggers of Visual Studio Code for each enabled runtime in .vscode, and .graphqlrc.yml,
from which GraphQL language servers of all editors take the types. The debuggers attach to the services that nself up has
started without containers. Files that are there already are yours and stay as they are.`,
		Example: "  nself editor\n  nself editor --print",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), opts) },
	}
	cmd.Flags().BoolVar(&opts.Print, "print", false, "Print the files and write nothing")
	return cmd
}

func runEditor(_ context.Context, opts *editorOptions) error {
	cfg, _, err := opts.Config()
	if err != nil {
		return err
	}
	var runtimes []string
	for _, rt := range cfg.Runtimes() {
		if rt.Enabled {
			runtimes = append(runtimes, rt.Name)
		}
	}
	files, err := scaffold.EditorFiles(scaffold.EditorInput{Runtimes: runtimes, Endpoint: graphqlURL(cfg)})
	if err != nil {
		return err
	}
	t := opts.IO.ErrTheme()
	for _, f := range files {
		if opts.Print {
			opts.IO.Printf("-- %s --\n%s", f.Path, f.Data)
			continue
		}
		if _, err := os.Lstat(filepath.Join(cfg.Dir, filepath.FromSlash(f.Path))); !errors.Is(err, fs.ErrNotExist) {
			opts.IO.Notef("%s %s %s\n", t.Dim("-"), f.Path, t.Dim("is there already; nself editor --print shows what it would be"))
			continue
		}
		if err := metadata.WriteFiles(cfg.Dir, map[string][]byte{f.Path: f.Data}); err != nil {
			return fmt.Errorf("write %s: %w", f.Path, err)
		}
		opts.IO.Notef("%s %s\n", t.Good("✓"), f.Path)
	}
	return nil
}
