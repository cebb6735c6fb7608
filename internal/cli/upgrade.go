package cli

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/aymanbagabas/go-udiff"
	"github.com/spf13/cobra"

	"github.com/nself-org/nself/internal/build"
	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/metadata"
	"github.com/nself-org/nself/internal/scaffold"
	"github.com/nself-org/nself/internal/ui"
	"github.com/nself-org/nself/internal/upgrade"
)

type upgradeOptions struct {
	IO      *ui.Streams
	Config  func() (*env.Config, *env.Report, error)
	Environ []string
	Now     func() time.Time

	Paths []string
	Check bool
	Diff  bool
	JSON  bool
}

func newUpgradeCmd(f *Factory, run func(context.Context, *upgradeOptions) error) *cobra.Command {
	opts := &upgradeOptions{IO: f.IO, Config: f.Config, Environ: f.Environ, Now: time.Now}
	cmd := &cobra.Command{
		Use:   "upgrade [<path>...]",
		Short: "Bring what changed in nself's templates into your files",
		Long: `Bring what this version of nself would write differently into the files of the function services, which are yours since they
were written: a three-way merge of what nself wrote then (kept in .nself/base), what you made of it and what nself writes now.
All files are looked at, or those below the named paths. Where both changed the same lines both stand in the file, between the
marks that git uses, and the exit code is 3. What the files were is kept under .nself/backup. Handlers that are your own code
from the first line are left alone.`,
		Example: `  nself upgrade --check
  nself upgrade --diff
  nself upgrade functions/golang/internal`,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Paths = args
			return run(cmd.Context(), opts)
		},
	}
	cmd.Flags().BoolVar(&opts.Check, "check", false, "Write nothing, and exit with 3 when there is something to bring in")
	cmd.Flags().BoolVar(&opts.Diff, "diff", false, "Write nothing, and print what would change")
	cmd.Flags().BoolVar(&opts.JSON, "json", false, "Print JSON")
	return cmd
}

func runUpgrade(ctx context.Context, opts *upgradeOptions) error {
	cfg, _, err := opts.Config()
	if err != nil {
		return err
	}
	md, err := metadata.LoadDir(cfg.Dir)
	if err != nil {
		return err
	}
	rendered, err := templateFiles(cfg, md)
	if err != nil {
		return err
	}
	changes, known, err := upgrade.Plan(cfg.Dir, rendered)
	if err != nil {
		return err
	}
	if changes, err = opts.within(changes, rendered); err != nil {
		return err
	}
	conflicts := 0
	for _, c := range changes {
		conflicts += c.Conflicts
	}
	backup := path.Join(".nself/backup", "upgrade-"+opts.Now().Format("20060102-150405"))
	if !opts.Check && !opts.Diff {
		if err := upgrade.Apply(cfg.Dir, backup, changes, known); err != nil {
			return err
		}
	}
	if err := opts.show(changes); err != nil {
		return err
	}
	if opts.Check || opts.Diff {
		if slices.ContainsFunc(changes, func(c upgrade.Change) bool { return c.Action != upgrade.Unknown }) {
			return &exitError{exitInvalid}
		}
		return nil
	}
	if err := opts.rebuild(ctx, cfg); err != nil {
		return err
	}
	if slices.ContainsFunc(changes, func(c upgrade.Change) bool { return c.Action != upgrade.Unknown }) {
		opts.IO.Notef("\nWhat the files were is kept in %s\n", backup)
	}
	if conflicts > 0 {
		opts.IO.Notef("%d places need your decision: search for <<<<<<< yours\n", conflicts)
		return &exitError{exitInvalid}
	}
	return nil
}

// rebuild writes the generated files of this version, and the template's new ones.
func (o *upgradeOptions) rebuild(ctx context.Context, cfg *env.Config) error {
	result, err := build.Run(ctx, build.Options{Dir: cfg.Dir, Env: env.Options{Environ: o.Environ}})
	if err != nil {
		return errdefs.WithHint(err, "the merge is done; finish with nself build")
	}
	printBuilt(o.IO, result)
	return nil
}

// templateFiles are the files of the enabled services that come from the templates, as they would be written today. Stubs are
// the user's code from the start.
func templateFiles(cfg *env.Config, md *metadata.Metadata) ([]scaffold.File, error) {
	var out []scaffold.File
	for _, rt := range cfg.Runtimes() {
		if !rt.Enabled {
			continue
		}
		in := scaffold.ServiceInput{Project: cfg.ProjectName, Types: md.CustomTypes}
		var stubs []string
		for _, a := range md.Actions {
			if build.RuntimeOf(cfg, a.Definition.Handler) != rt.Name {
				continue
			}
			in.Actions = append(in.Actions, a)
			if _, documented := scaffold.Documented(a.Name); !documented {
				stubs = append(stubs, scaffold.ActionFiles(rt.Name, a.Name, nil)...)
			}
		}
		files, err := scaffold.Service(rt.Name, in)
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			if f.Owner == scaffold.OwnerUser && !slices.Contains(stubs, f.Path) {
				out = append(out, f)
			}
		}
	}
	return out, nil
}

// within keeps the changes below the named paths.
func (o *upgradeOptions) within(changes []upgrade.Change, rendered []scaffold.File) ([]upgrade.Change, error) {
	if len(o.Paths) == 0 {
		return changes, nil
	}
	below := func(p, root string) bool {
		root = strings.Trim(path.Clean(root), "/")
		return root == "." || p == root || strings.HasPrefix(p, root+"/")
	}
	for _, root := range o.Paths {
		if !slices.ContainsFunc(rendered, func(f scaffold.File) bool { return below(f.Path, root) }) {
			return nil, errdefs.WithHint(fmt.Errorf("%w: %s: no file of nself's templates is there", errdefs.ErrUsage, root),
				"name a file or folder under functions/, relative to the project")
		}
	}
	return slices.DeleteFunc(changes, func(c upgrade.Change) bool {
		return !slices.ContainsFunc(o.Paths, func(root string) bool { return below(c.Path, root) })
	}), nil
}

// show prints the changes.
func (o *upgradeOptions) show(changes []upgrade.Change) error {
	if o.JSON {
		if changes == nil {
			changes = []upgrade.Change{}
		}
		return o.IO.JSON(changes)
	}
	t := o.IO.ErrTheme()
	if len(changes) == 0 {
		o.IO.Notef("%s your files have all that this version of nself writes\n", t.Good("✓"))
	}
	var rows [][]string
	for _, c := range changes {
		switch c.Action {
		case upgrade.Update:
			rows = append(rows, []string{t.Good("update"), c.Path, t.Dim("you never changed it")})
		case upgrade.Merged:
			rows = append(rows, []string{t.Good("merge"), c.Path, t.Dim("your changes stay")})
		case upgrade.Conflict:
			rows = append(rows, []string{t.Warn("conflict"), c.Path, t.Dim(fmt.Sprintf("%d places that both changed", c.Conflicts))})
		case upgrade.Unknown:
			rows = append(rows, []string{t.Dim("leave"), c.Path, t.Dim("what nself wrote once is not known: compare with --diff")})
		}
	}
	ui.Rows(o.IO.Err, rows)
	if !o.Diff {
		return nil
	}
	for _, c := range changes {
		to := c.New
		if c.Action == upgrade.Unknown {
			to = c.Today
		}
		o.IO.Printf("%s", udiff.Unified(c.Path, c.Path, c.Old, to))
	}
	return nil
}
