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

	"github.com/spf13/cobra"

	"github.com/nself-org/nself/internal/build"
	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/metadata"
	"github.com/nself-org/nself/internal/scaffold"
	"github.com/nself-org/nself/internal/ui"
)

type actionRenameOptions struct {
	IO      *ui.Streams
	Config  func() (*env.Config, *env.Report, error)
	Environ []string

	Name, To string
}

func newActionRenameCmd(f *Factory, run func(context.Context, *actionRenameOptions) error) *cobra.Command {
	opts := &actionRenameOptions{IO: f.IO, Config: f.Config, Environ: f.Environ}
	return &cobra.Command{
		Use:     "rename <old> <new>",
		Aliases: []string{"mv"},
		Short:   "Give an action another name: metadata, path, files, code",
		Long: `Give an action another name: its field and entry in hasura/metadata, the handler's path, the files of the handler and of its
test, and in these two what the generated code calls them by. What you wrote stays. Types keep their names, and so does the
method in a NestJS controller. What is left to do by hand is listed with file and line.`,
		Example: "  nself action rename createInvoice writeInvoice",
		Args:    cobra.ExactArgs(2),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return f.completeActions(cmd, args, toComplete)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Name, opts.To = args[0], args[1]
			if err := metadata.CheckActionName(opts.To); err != nil {
				return err
			}
			if opts.Name == opts.To {
				return fmt.Errorf("%w: the new name is the old one, %q", errdefs.ErrUsage, opts.To)
			}
			return run(cmd.Context(), opts)
		},
	}
}

func runActionRename(ctx context.Context, opts *actionRenameOptions) error {
	cfg, _, err := opts.Config()
	if err != nil {
		return err
	}
	md, err := metadata.LoadDir(cfg.Dir)
	if err != nil {
		return err
	}
	action, err := findAction(md, opts.Name)
	if err != nil {
		return err
	}
	others := otherActions(md, opts.Name)
	if other, clashes := metadata.Clash(opts.To, others); clashes {
		return errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(
			fmt.Errorf("action %q would share its files and path with action %q", opts.To, other), "choose another name"))
	}
	if _, documented := scaffold.Documented(opts.To); documented {
		return errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(
			fmt.Errorf("%s is the name of a documented action, which brings its own implementation", opts.To), "choose another name"))
	}
	runtime := build.RuntimeOf(cfg, action.Definition.Handler)
	renaming, ok := scaffold.NewRenaming(runtime, opts.Name, opts.To)
	if !ok {
		return errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(
			fmt.Errorf("the %s service knows the classes of %s by the action's name", runtime, opts.Name),
			"declare "+opts.To+" with nself action new, and let its controller call the services of "+opts.Name))
	}
	if err := freeTargets(cfg.Dir, renaming); err != nil {
		return err
	}
	modified, err := metadata.RenameAction(cfg.Dir, opts.Name, opts.To)
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
	printEdited(opts.IO, changed, opts.Name+" is now "+opts.To, modified)
	if err := renameCode(opts.IO, cfg.Dir, renaming); err != nil {
		return errdefs.WithHint(err, "the declaration is renamed already; rename the files by hand and run nself build")
	}
	result, err := build.Run(ctx, build.Options{Dir: cfg.Dir, Env: env.Options{Environ: opts.Environ}})
	if err != nil {
		return errdefs.WithHint(err, "the action is renamed; finish with nself build")
	}
	printBuilt(opts.IO, result)
	left, err := leftToRename(cfg.Dir, renaming)
	if err != nil {
		return err
	}
	left = append(left, mentionsIn(cfg.Dir, opts.Name)...)
	if len(left) > 0 {
		opts.IO.Notef("\nThese still use the old name; change them by hand:\n  %s\n", strings.Join(left, "\n  "))
	}
	opts.IO.Notef("\nClients that call %s have to call %s from now on\n", opts.Name, opts.To)
	return nil
}

// freeTargets refuses to rename files onto others.
func freeTargets(dir string, r scaffold.Renaming) error {
	for from, to := range r.Files {
		if _, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(from))); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if _, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(to))); err == nil {
			return errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(fmt.Errorf("%s: there is a file of that name already", to),
				"move it away, or choose another name"))
		}
	}
	return nil
}

// renameCode moves the action's files and changes what the generated code calls them by.
func renameCode(io *ui.Streams, dir string, r scaffold.Renaming) error {
	t := io.ErrTheme()
	for _, from := range sortedKeys(r.Files) {
		old := filepath.Join(dir, filepath.FromSlash(from))
		data, err := os.ReadFile(old)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		to := r.Files[from]
		if err := metadata.WriteFiles(dir, map[string][]byte{to: r.Apply(data)}); err != nil {
			return err
		}
		if err := os.Remove(old); err != nil {
			return err
		}
		io.Notef("%s %s %s\n", t.Good("✓"), to, t.Dim("was "+path.Base(from)))
	}
	return nil
}

// leftToRename finds, in the service's other code, lines that use the action's old names.
func leftToRename(dir string, r scaffold.Renaming) ([]string, error) {
	var found []string
	if r.Dir == "" {
		return nil, nil
	}
	root := filepath.Join(dir, filepath.FromSlash(r.Dir))
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if slices.Contains([]string{"node_modules", ".venv", "dist", "__pycache__", "coverage"}, d.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		if !slices.Contains([]string{".go", ".ts", ".py"}, filepath.Ext(p)) {
			return nil
		}
		data, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		for _, line := range r.Mentions(data) {
			found = append(found, fmt.Sprintf("%s:%d", filepath.ToSlash(rel), line))
		}
		return nil
	})
	return found, err
}
