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

	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/migrate"
	"github.com/nself-org/nself/internal/stack"
	"github.com/nself-org/nself/internal/ui"
)

// seedsFolder is where a project keeps its seeds, relative to the project, as the Hasura CLI has it.
const seedsFolder = "hasura/seeds/default"

type dbSeedOptions struct {
	dbOptions

	Files []string
}

func newDBSeedCmd(f *Factory, run func(context.Context, *dbSeedOptions) error) *cobra.Command {
	opts := &dbSeedOptions{dbOptions: newDBOptions(f)}
	return &cobra.Command{
		Use:   "seed [<file>...]",
		Short: "Fill the database with the project's seeds",
		Long: `Run the SQL files in hasura/seeds/default, in the order of their names, or the named ones. Each runs in a transaction of its
own. Seeds are not recorded: write them so that they can run again, with INSERT ... ON CONFLICT DO NOTHING.`,
		Example: "  nself db seed\n  nself db seed hasura/seeds/default/users.sql",
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Files = args
			return run(cmd.Context(), opts)
		},
	}
}

func runDBSeed(ctx context.Context, opts *dbSeedOptions) error {
	cfg, server, err := opts.server()
	if err != nil {
		return err
	}
	return opts.run(ctx, cfg, server.URL)
}

// run seeds the database at a connection string.
func (o *dbSeedOptions) run(ctx context.Context, cfg *env.Config, url string) error {
	files := map[string]string{} // where to read, by how to call it
	for _, name := range o.Files {
		at := name
		if !filepath.IsAbs(at) {
			at = filepath.Join(o.WorkDir, at)
		}
		files[name] = at
	}
	if len(o.Files) == 0 {
		entries, err := os.ReadDir(filepath.Join(cfg.Dir, filepath.FromSlash(seedsFolder)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("read seeds: %w", err)
		}
		for _, e := range entries {
			if !e.IsDir() && strings.HasSuffix(e.Name(), ".sql") {
				name := path.Join(seedsFolder, e.Name())
				files[name] = filepath.Join(cfg.Dir, filepath.FromSlash(name))
			}
		}
		if len(files) == 0 {
			o.IO.Notef("No seeds: put SQL files into %s\n", seedsFolder)
			return nil
		}
	}
	names := sortedKeys(files)
	if len(o.Files) > 0 {
		names = o.Files
	}
	for _, name := range names {
		sql, err := os.ReadFile(files[name])
		if err != nil {
			return inputFault(name, err, "name an SQL file; the project's own seeds are in "+seedsFolder)
		}
		began := time.Now()
		if err := migrate.RunScript(ctx, url, name, strings.TrimPrefix(string(sql), "\uFEFF")); err != nil {
			return err
		}
		t := o.IO.ErrTheme()
		o.IO.Notef("%s %s %s\n", t.Good("✓"), name, t.Dim(ui.Duration(time.Since(began))))
	}
	return nil
}

type dbPsqlOptions struct {
	dbOptions

	Choice stackChoice
	Args   []string
}

func newDBPsqlCmd(f *Factory, run func(context.Context, *dbPsqlOptions) error) *cobra.Command {
	opts := &dbPsqlOptions{dbOptions: newDBOptions(f)}
	cmd := &cobra.Command{
		Use:   "psql [-- <argument>...]",
		Short: "Open psql on the project's database",
		Long: `Open psql on the project's database, in its container or, with the native driver, on this machine. What stands behind -- are
psql's own arguments. The exit code is psql's.`,
		Example: `  nself db psql
  nself db psql -- -At -c 'select email from users'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Args = args
			return run(cmd.Context(), opts)
		},
	}
	opts.Choice.addFlag(cmd)
	return cmd
}

func runDBPsql(ctx context.Context, opts *dbPsqlOptions) error {
	s, err := opts.Stack(ctx, opts.Choice)
	if err != nil {
		return err
	}
	code, err := s.Driver.Exec(ctx, stack.ExecOptions{
		Service: stack.Postgres, Command: slices.Concat([]string{"psql"}, opts.Args), Stdin: opts.IO.In, Stdout: opts.IO.Out, Stderr: opts.IO.Err,
	})
	if err != nil {
		return err
	}
	if code != 0 {
		return &exitError{code}
	}
	return nil
}
