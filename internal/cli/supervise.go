package cli

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/mailcatcher"
	"github.com/nself-org/nself/internal/migrate"
	"github.com/nself-org/nself/internal/stack/native"
	"github.com/nself-org/nself/internal/ui"
)

// newSuperviseCmd is the background half of the native driver; nself up starts it.
func newSuperviseCmd(f *Factory) *cobra.Command {
	return &cobra.Command{
		Use:    "supervise",
		Short:  "Run the services of a project in the background (nself up starts this)",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := f.ProjectDir()
			if err != nil {
				return err
			}
			log := slog.New(slog.NewJSONHandler(f.IO.Err, nil))
			return native.Supervise(cmd.Context(), native.SuperviseOptions{
				ProjectDir: dir, LoadConfig: loadConfig, Engine: newProjectEngine, Mail: runMailCatcher,
				Migrate: migrateProject, SavePorts: savePorts, FunctionEnv: functionEnv, Log: log,
			})
		},
	}
}

// loadConfig reads a project's configuration for the supervisor.
func loadConfig(dir string, environ []string) (*env.Config, error) {
	cfg, _, err := env.Load(dir, env.Options{Environ: environ})
	if err != nil {
		return nil, err
	}
	return cfg, nil
}

// runMailCatcher keeps the project's mails under .nself/data/mail.
func runMailCatcher(ctx context.Context, cfg *env.Config, smtp, page net.Listener, log *slog.Logger) error {
	server, err := mailcatcher.New(mailcatcher.Options{Dir: filepath.Join(cfg.Dir, ".nself", "data", "mail"), Log: log})
	if err != nil {
		return err
	}
	return server.Run(ctx, smtp, page)
}

// migrateProject applies the migrations under hasura/migrations/default.
func migrateProject(ctx context.Context, cfg *env.Config, note func(detail string)) error {
	url := cfg.DatabaseURL(cfg.LocalEndpoints().Postgres).Reveal()
	_, err := migrate.Up(ctx, url, cfg.Dir, func(e migrate.Event) {
		switch {
		case e.Warning != "":
			note("warning: " + e.Warning)
		case e.Done:
			note(fmt.Sprintf("migration %s applied in %s", e.Migration, ui.Duration(e.Duration)))
		}
	})
	return err
}

// savePorts writes the ports that --auto-ports has found to .env.local.
func savePorts(dir string, ports map[string]int) error {
	for key, port := range ports {
		if _, set := os.LookupEnv(key); set {
			return errdefs.As(errdefs.ErrUnavailable, errdefs.WithHint(
				fmt.Errorf("%s is set in the environment, which wins over .env.local: a free port cannot be saved there", key),
				"unset "+key))
		}
		if _, err := env.Set(dir, key, strconv.Itoa(port), env.SetOptions{}); err != nil {
			return err
		}
	}
	return nil
}

// storageDir is where function services on this machine keep files. A relative STORAGE_DIR begins at the project.
func storageDir(cfg *env.Config) string {
	dir := filepath.FromSlash(cmp.Or(cfg.Functions["STORAGE_DIR"], ".nself/data/storage"))
	if filepath.IsAbs(dir) {
		return dir
	}
	return filepath.Join(cfg.Dir, dir)
}

// functionEnv is the environment of a runtime's service, with everything on this machine.
func functionEnv(cfg *env.Config, runtime string) []string {
	for _, rt := range cfg.Runtimes() {
		if rt.Name == runtime {
			// Containers publish on the loopback address only; a process on this machine must not do more.
			return append(cfg.FunctionEnv(rt, cfg.LocalEndpoints()),
				"LISTEN_HOST=127.0.0.1", "STORAGE_DIR="+storageDir(cfg))
		}
	}
	return nil
}
