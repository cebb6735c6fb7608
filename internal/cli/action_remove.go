package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nself-org/nself/internal/build"
	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/metadata"
	"github.com/nself-org/nself/internal/scaffold"
	"github.com/nself-org/nself/internal/ui"
)

// removedDir is where the code of removed actions is kept, relative to the project.
const removedDir = ".nself/removed"

type actionRemoveOptions struct {
	IO      *ui.Streams
	Config  func() (*env.Config, *env.Report, error)
	Environ []string
	Now     func() time.Time

	Name string
}

func newActionRemoveCmd(f *Factory, run func(context.Context, *actionRemoveOptions) error) *cobra.Command {
	opts := &actionRemoveOptions{IO: f.IO, Config: f.Config, Environ: f.Environ, Now: time.Now}
	return &cobra.Command{
		Use:     "remove <name>",
		Aliases: []string{"rm", "delete"},
		Short:   "Remove an action; its code is kept under .nself/removed",
		Long: `Remove an action from hasura/metadata: its field, its entry with the permissions, and the types that no other action
uses. Its handler and tests are not deleted: they move to a folder under .nself/removed, which is named on the screen.
Migrations, and the data in their tables, stay.`,
		Example:           "  nself action remove createInvoice",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: f.completeActions,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Name = args[0]
			return run(cmd.Context(), opts)
		},
	}
}

func runActionRemove(ctx context.Context, opts *actionRemoveOptions) error {
	cfg, _, err := opts.Config()
	if err != nil {
		return err
	}
	md, err := metadata.LoadDir(cfg.Dir)
	if md == nil {
		return err
	}
	if err != nil { // an entry without a declaration, or the other way round, is what a removal mends
		printAsWarning(opts.IO, err)
	}
	action, err := findAction(md, opts.Name)
	if err != nil {
		return err
	}
	modified, err := metadata.RemoveActionAndTypes(cfg.Dir, opts.Name)
	if err != nil {
		return err
	}
	if err := checkEdited(cfg.Dir, md, modified.Files); err != nil {
		return err
	}
	changed, err := writeEdited(cfg.Dir, modified.Files)
	if err != nil {
		return err
	}
	printEdited(opts.IO, changed, opts.Name+" removed", modified)
	keep := path.Join(removedDir, opts.Now().Format("20060102-150405")+"-"+opts.Name)
	moved, err := moveCode(cfg.Dir, keep, scaffold.ActionFiles(build.RuntimeOf(cfg, action.Definition.Handler), opts.Name, otherActions(md, opts.Name)))
	if err != nil {
		return errdefs.WithHint(err, "the declaration is removed already; move the files by hand and run nself build")
	}
	t := opts.IO.ErrTheme()
	for _, p := range moved {
		opts.IO.Notef("%s %s %s\n", t.Good("✓"), p, t.Dim("moved to "+path.Join(keep, p)))
	}
	result, err := build.Run(ctx, build.Options{Dir: cfg.Dir, Env: env.Options{Environ: opts.Environ}})
	if err != nil {
		return errdefs.WithHint(err, "the action is removed; finish with nself build")
	}
	printBuilt(opts.IO, result)
	if len(moved) > 0 {
		opts.IO.Notef("\nIts code is kept in %s\n", keep)
	}
	if mentions := mentionsIn(cfg.Dir, opts.Name); len(mentions) > 0 {
		opts.IO.Notef("%s is still named in %s\n", opts.Name, strings.Join(mentions, ", "))
	}
	return nil
}

func otherActions(md *metadata.Metadata, name string) []string {
	var others []string
	for i := range md.Actions {
		if md.Actions[i].Name != name {
			others = append(others, md.Actions[i].Name)
		}
	}
	return others
}

// moveCode moves those of the files that are there below a folder of the project, and names them.
func moveCode(dir, keep string, files []string) ([]string, error) {
	var moved []string
	for _, p := range files {
		from := filepath.Join(dir, filepath.FromSlash(p))
		if _, err := os.Lstat(from); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		to := filepath.Join(dir, filepath.FromSlash(path.Join(keep, p)))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return moved, err
		}
		if err := os.Rename(from, to); err != nil {
			return moved, fmt.Errorf("move %s: %w", p, err)
		}
		moved = append(moved, p)
	}
	return moved, nil
}

// metadataTexts are the files of the metadata that hold operations of clients, which may call an action.
var metadataTexts = []string{"query_collections.yaml", "rest_endpoints.yaml", "cron_triggers.yaml"}

// mentionsIn names the files of the metadata in which clients' operations call an action.
func mentionsIn(dir, name string) []string {
	var found []string
	for _, file := range metadataTexts {
		p := path.Join(metadata.Folder, file)
		data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(p)))
		if err == nil && hasWord(string(data), name) {
			found = append(found, p)
		}
	}
	return found
}

// hasWord says whether a GraphQL name stands in a text by itself.
func hasWord(text, name string) bool {
	for rest := text; ; {
		i := strings.Index(rest, name)
		if i < 0 {
			return false
		}
		before, after := i == 0 || !isNameByte(rest[i-1]), i+len(name) == len(rest) || !isNameByte(rest[i+len(name)])
		if before && after {
			return true
		}
		rest = rest[i+len(name):]
	}
}

func isNameByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
