package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aymanbagabas/go-udiff"
	"github.com/spf13/cobra"

	"github.com/nself-org/nself/internal/database"
	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/migrate"
)

type dbResetOptions struct {
	dbOptions

	Confirm string
	NoSeed  bool
}

func newDBResetCmd(f *Factory, run func(context.Context, *dbResetOptions) error) *cobra.Command {
	opts := &dbResetOptions{dbOptions: newDBOptions(f)}
	cmd := &cobra.Command{
		Use:   "reset",
		Short: "Make the database anew: migrations and seeds, no data",
		Long: `Make the project's database anew: an empty one with all migrations and seeds takes the place of the old one, whose data is
lost. The name of the database has to be typed, or given with --confirm. When a migration or a seed fails, the old one stays.`,
		Example: "  nself db reset\n  nself db reset --confirm shop --no-seed",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), opts) },
	}
	cmd.Flags().StringVar(&opts.Confirm, "confirm", "", "Do not ask: the `name` of the database, as it would have to be typed")
	cmd.Flags().BoolVar(&opts.NoSeed, "no-seed", false, "Leave the seeds out")
	return cmd
}

func runDBReset(ctx context.Context, opts *dbResetOptions) error {
	cfg, server, err := opts.server()
	if err != nil {
		return err
	}
	name := cfg.Postgres.DB
	if opts.Confirm != "" && opts.Confirm != name {
		return fmt.Errorf("%w: --confirm %s: the database is called %s", errdefs.ErrUsage, opts.Confirm, name)
	}
	contents, err := server.Look(ctx)
	if err != nil {
		return err
	}
	question := fmt.Sprintf("this loses all data in %s (%s)", holdings(name, contents), cfg.Env)
	if err := confirm(opts.IO, question, name, opts.Confirm != "", "--confirm "+name); err != nil {
		return err
	}
	scratch, remove, err := server.Scratch(ctx, "reset")
	if err != nil {
		return err
	}
	if err := opts.fill(ctx, cfg, server, scratch); err != nil {
		return errdefs.WithHint(errors.Join(err, remove()), "mend the file and reset again; the database is what it was")
	}
	if err := server.Replace(ctx, scratch); err != nil {
		return errors.Join(err, remove())
	}
	opts.IO.Notef("%s %s %s\n", opts.IO.ErrTheme().Good("✓"), name, opts.IO.ErrTheme().Dim("is new"))
	return nil
}

// fill applies migrations and seeds to a new database.
func (o *dbResetOptions) fill(ctx context.Context, cfg *env.Config, server database.Server, scratch string) error {
	at, err := server.At(scratch)
	if err != nil {
		return err
	}
	if _, err := migrate.Up(ctx, at, cfg.Dir, migrationReport(o.IO, "applied")); err != nil {
		return err
	}
	if o.NoSeed {
		return nil
	}
	seed := &dbSeedOptions{dbOptions: o.dbOptions}
	return seed.run(ctx, cfg, at)
}

type dbDiffOptions struct{ dbOptions }

func newDBDiffCmd(f *Factory, run func(context.Context, *dbDiffOptions) error) *cobra.Command {
	opts := &dbDiffOptions{dbOptions: newDBOptions(f)}
	return &cobra.Command{
		Use:   "diff",
		Short: "Show where the database's schema is not what the migrations make",
		Long: `Apply the migrations to a throw-away database beside the project's and print, as a unified diff, where the schema of the
project's database differs: what was changed by hand or in a console, and migrations that are not applied. The exit code is 3
when something differs.`,
		Example: "  nself db diff",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), opts) },
	}
}

func runDBDiff(ctx context.Context, opts *dbDiffOptions) error {
	cfg, server, err := opts.server()
	if err != nil {
		return err
	}
	scratch, remove, err := server.Scratch(ctx, "diff")
	if err != nil {
		return err
	}
	diff, err := opts.compare(ctx, cfg, server, scratch)
	if err := errors.Join(err, remove()); err != nil {
		return err
	}
	if diff == "" {
		opts.IO.Notef("%s the schema is what the migrations make\n", opts.IO.ErrTheme().Good("✓"))
		return nil
	}
	opts.IO.Printf("%s", diff)
	opts.IO.Notef("\nPut what the database has into a migration (nself db migrate new), or apply what is missing (nself db migrate up)\n")
	return &exitError{exitInvalid}
}

func (o *dbDiffOptions) compare(ctx context.Context, cfg *env.Config, server database.Server, scratch string) (string, error) {
	at, err := server.At(scratch)
	if err != nil {
		return "", err
	}
	if _, err := migrate.Up(ctx, at, cfg.Dir, nil); err != nil {
		return "", err
	}
	var texts [2]string
	for i, name := range []string{scratch, cfg.Postgres.DB} {
		var out strings.Builder
		err := o.program(ctx, nil, &out, "pg_dump", "--schema-only", "--no-owner", "--no-privileges",
			"--exclude-schema=nself", "--exclude-schema=hdb_catalog", "-d", name)
		if err != nil {
			return "", err
		}
		texts[i] = database.Schema(out.String())
	}
	return udiff.Unified("migrations", "database", texts[0], texts[1]), nil
}
