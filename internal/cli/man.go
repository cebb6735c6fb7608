package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/ui"
)

func newManCmd(f *Factory) *cobra.Command {
	opts := &manOptions{IO: f.IO, WorkDir: f.WorkDir}
	return &cobra.Command{
		Use:   "man <dir>",
		Short: "Write manual pages for man(1)",
		Long: `Write a manual page per command into a folder, such as /usr/local/share/man/man1, where man(1) finds them. The pages carry
the date of SOURCE_DATE_EPOCH where that is set.`,
		Example: "  nself man ~/.local/share/man/man1",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			opts.Dir = args[0]
			return runMan(opts)
		},
	}
}

type manOptions struct {
	IO      *ui.Streams
	WorkDir string
	Dir     string
}

func runMan(opts *manOptions) error {
	dir := opts.Dir
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(opts.WorkDir, dir)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return errdefs.WithHint(fmt.Errorf("write manual pages: %w", err), "name a folder that you may write to")
	}
	header := &doc.GenManHeader{Title: "NSELF", Section: "1", Source: "nself " + readVersion().Version, Manual: "nself manual"}
	if os.Getenv("SOURCE_DATE_EPOCH") == "" {
		now := time.Now()
		header.Date = &now
	}
	if err := doc.GenManTree(Tree(), header, dir); err != nil {
		return fmt.Errorf("write manual pages: %w", err)
	}
	pages, err := filepath.Glob(filepath.Join(dir, "nself*.1"))
	if err != nil {
		return err
	}
	opts.IO.Notef("%s %d pages in %s\n", opts.IO.ErrTheme().Good("✓"), len(pages), opts.Dir)
	return nil
}
