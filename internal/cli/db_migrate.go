package cli

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/migrate"
	"github.com/nself-org/nself/internal/ui"
)

func newDBMigrateCmd(f *Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Apply, take back and make migrations",
		Long: `Apply, take back and make migrations. They stand in hasura/migrations/default, a folder each with up.sql and down.sql; nself up
applies what is missing too.`,
		Example: `  nself db migrate new create_invoices
  nself db migrate status
  nself db migrate up
  nself db migrate redo`,
	}
	cmd.AddCommand(newMigrateUpCmd(f), newMigrateDownCmd(f), newMigrateRedoCmd(f), newMigrateStatusCmd(f), newMigrateNewCmd(f))
	return cmd
}

func newMigrateUpCmd(f *Factory) *cobra.Command {
	opts := newDBOptions(f)
	return &cobra.Command{
		Use:   "up",
		Short: "Apply the migrations that are missing",
		Long: `Apply the migrations of hasura/migrations/default that the database does not have, in the order of their versions, each in a
transaction of its own. At the first that fails it stops: what was applied before stays.`,
		Example: "  nself db migrate up",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runMigrateUp(cmd.Context(), opts) },
	}
}

func runMigrateUp(ctx context.Context, opts dbOptions) error {
	cfg, server, err := opts.server()
	if err != nil {
		return err
	}
	applied, err := migrate.Up(ctx, server.URL, cfg.Dir, migrationReport(opts.IO, "applied"))
	if err != nil {
		return err
	}
	if len(applied) == 0 {
		opts.IO.Notef("nothing to do\n")
	}
	return nil
}

func newMigrateDownCmd(f *Factory) *cobra.Command {
	opts := newDBOptions(f)
	return &cobra.Command{
		Use:     "down [<count>]",
		Short:   "Take back the newest migrations, one when no number is given",
		Long:    "Take back the newest migrations that are applied with their down.sql, one when no number is given. What their tables hold is lost.",
		Example: "  nself db migrate down\n  nself db migrate down 3",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			steps := 1
			if len(args) > 0 {
				var err error
				if steps, err = strconv.Atoi(args[0]); err != nil || steps < 1 {
					return fmt.Errorf("%w: the count must be a number from 1, got %q", errdefs.ErrUsage, args[0])
				}
			}
			return runMigrateDown(cmd.Context(), opts, steps)
		},
	}
}

func runMigrateDown(ctx context.Context, opts dbOptions, steps int) error {
	cfg, server, err := opts.server()
	if err != nil {
		return err
	}
	undone, err := migrate.Down(ctx, server.URL, cfg.Dir, steps, migrationReport(opts.IO, "taken back"))
	if err != nil {
		return err
	}
	if len(undone) == 0 {
		opts.IO.Notef("no migration is applied\n")
	}
	return nil
}

func newMigrateRedoCmd(f *Factory) *cobra.Command {
	opts := newDBOptions(f)
	return &cobra.Command{
		Use:     "redo",
		Short:   "Take the newest migration back and apply it again",
		Long:    "Take the newest migration back with its down.sql and apply it again, as it stands on disk now: the loop while it is being written.",
		Example: "  nself db migrate redo",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := runMigrateDown(cmd.Context(), opts, 1); err != nil {
				return err
			}
			return runMigrateUp(cmd.Context(), opts)
		},
	}
}

// migrationReport shows the progress of a run.
func migrationReport(io *ui.Streams, verb string) func(migrate.Event) {
	return func(e migrate.Event) {
		switch {
		case e.Warning != "":
			printWarning(io, e.Warning, "look with nself db migrate status")
		case e.Done:
			io.Notef("%s %s %s\n", io.ErrTheme().Good("✓"), e.Migration, io.ErrTheme().Dim(verb+" in "+ui.Duration(e.Duration)))
		}
	}
}

func newMigrateStatusCmd(f *Factory) *cobra.Command {
	opts := newDBOptions(f)
	var asJSON, check bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show which migrations are applied, and what is odd about them",
		Long: `Show which migrations the database has, and what is odd about them: changed after they were applied, gone from disk, or out of
order, each with what to do about it.`,
		Example: "  nself db migrate status\n  nself db migrate status --check",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runMigrateStatus(cmd.Context(), opts, asJSON, check)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "Print JSON")
	cmd.Flags().BoolVar(&check, "check", false, "Exit with 3 when a migration is missing or odd")
	return cmd
}

// migrationStatus is a migration in --json.
type migrationStatus struct {
	Version   int64      `json:"version"`
	Name      string     `json:"name"`
	State     string     `json:"state"`
	AppliedAt *time.Time `json:"applied_at,omitempty"`
	Problem   string     `json:"problem,omitempty"`
	Fix       string     `json:"fix,omitempty"`
}

func runMigrateStatus(ctx context.Context, opts dbOptions, asJSON, check bool) error {
	cfg, server, err := opts.server()
	if err != nil {
		return err
	}
	states, err := migrate.Status(ctx, server.URL, cfg.Dir)
	if err != nil {
		return err
	}
	list, sound := describeMigrations(states)
	switch {
	case asJSON:
		if err := opts.IO.JSON(list); err != nil {
			return err
		}
	case len(list) == 0:
		opts.IO.Notef("No migrations yet; make one with nself db migrate new NAME\n")
	default:
		rows := make([][]string, 0, len(list))
		for _, m := range list {
			applied := ""
			if m.AppliedAt != nil {
				applied = m.AppliedAt.Local().Format(time.DateTime)
			}
			rows = append(rows, []string{strconv.FormatInt(m.Version, 10), m.Name, m.State, applied})
		}
		ui.Table(opts.IO.Out, []string{"VERSION", "NAME", "STATE", "APPLIED"}, rows)
		for _, m := range list {
			if m.Problem != "" {
				printWarning(opts.IO, m.Problem, m.Fix)
			}
		}
	}
	if check && !sound {
		return &exitError{exitInvalid}
	}
	return nil
}

// describeMigrations puts states into words; sound is false when one is missing or odd.
func describeMigrations(states []migrate.State) (list []migrationStatus, sound bool) {
	var newest migrate.Migration
	for _, s := range states {
		if s.Applied {
			newest = s.Migration
		}
	}
	sound = true
	list = []migrationStatus{}
	for _, s := range states {
		m := migrationStatus{Version: s.Version, Name: s.Name, State: "pending"}
		m.Problem, m.Fix = s.Explain(newest)
		switch {
		case s.Missing:
			m.State = "missing"
		case s.Changed:
			m.State = "changed"
		case s.Applied:
			m.State = "applied"
		case s.OutOfOrder:
			m.State = "out of order"
		}
		if s.Applied {
			at := s.AppliedAt
			m.AppliedAt = &at
		}
		sound = sound && m.State == "applied"
		list = append(list, m)
	}
	return list, sound
}

func newMigrateNewCmd(f *Factory) *cobra.Command {
	opts := newDBOptions(f)
	return &cobra.Command{
		Use:     "new <name>",
		Aliases: []string{"create"},
		Short:   "Make a new migration to fill in",
		Example: "  nself db migrate new create_invoices",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			cfg, _, err := opts.Config()
			if err != nil {
				return err
			}
			folder, err := migrate.Create(cfg.Dir, args[0], time.Now())
			if err != nil {
				return err
			}
			t := opts.IO.ErrTheme()
			opts.IO.Printf("%s\n", folder)
			opts.IO.Notef("\nWrite %s and %s, then %s\n", folder+"/up.sql", "down.sql", t.Link("nself db migrate up"))
			return nil
		},
	}
}
