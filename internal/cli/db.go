package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nself-org/nself/internal/database"
	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/stack"
	"github.com/nself-org/nself/internal/ui"
)

func newDBCmd(f *Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "db",
		Aliases: []string{"database"},
		Short:   "Migrate, seed, look into, save and reset the database",
		Example: `  nself db migrate new create_invoices
  nself db migrate up
  nself db psql -- -c 'select count(*) from users'
  nself db dump before.sql`,
	}
	cmd.AddCommand(newDBMigrateCmd(f), newDBSeedCmd(f, runDBSeed), newDBPsqlCmd(f, runDBPsql), newDBDumpCmd(f, runDBDump),
		newDBRestoreCmd(f, runDBRestore), newDBResetCmd(f, runDBReset), newDBDiffCmd(f, runDBDiff))
	return cmd
}

// dbOptions is what the commands about the database have in common.
type dbOptions struct {
	IO      *ui.Streams
	Config  func() (*env.Config, *env.Report, error)
	Stack   func(context.Context, stackChoice) (*openStack, error)
	WorkDir string
}

func newDBOptions(f *Factory) dbOptions {
	return dbOptions{IO: f.IO, Config: f.Config, Stack: f.Stack, WorkDir: f.WorkDir}
}

// server returns the project's configuration and its database server, on the port that both drivers publish.
func (o dbOptions) server() (*env.Config, database.Server, error) {
	cfg, _, err := o.Config()
	if err != nil {
		return nil, database.Server{}, err
	}
	return cfg, database.Server{URL: cfg.DatabaseURL(cfg.LocalEndpoints().Postgres).Reveal()}, nil
}

// program runs one of Postgres' programs beside the server, wherever the driver runs it: it needs no arguments for the
// connection. A failure is told with what the program said.
func (o dbOptions) program(ctx context.Context, stdin io.Reader, stdout io.Writer, command ...string) error {
	s, err := o.Stack(ctx, driverAuto)
	if err != nil {
		return err
	}
	if stdin == nil {
		stdin = strings.NewReader("")
	}
	var said strings.Builder
	code, err := s.Driver.Exec(ctx, stack.ExecOptions{
		Service: stack.Postgres, Command: command, Stdin: stdin, Stdout: stdout, Stderr: &said,
	})
	if err != nil {
		return err
	}
	if code != 0 {
		text := strings.TrimSpace(said.String())
		if text == "" {
			text = fmt.Sprintf("exit status %d", code)
		}
		return fmt.Errorf("%s: %s", command[0], text)
	}
	return nil
}

// confirm asks before something is lost. The answer has to be word; answered says that a flag, named in the advice, gave it.
func confirm(streams *ui.Streams, question, word string, answered bool, flag string) error {
	if answered {
		return nil
	}
	if !streams.InIsTerminal {
		return errdefs.WithHint(fmt.Errorf("%w: %s, and there is no terminal to ask on", errdefs.ErrUsage, question), "add "+flag)
	}
	streams.Notef("%s Type %s to go on: ", strings.ToUpper(question[:1])+question[1:]+".", streams.ErrTheme().Bold(word))
	line, err := bufio.NewReader(streams.In).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the answer: %w", err)
	}
	if strings.TrimSpace(line) != word {
		streams.Notef("Nothing was changed\n")
		return &exitError{exitFailure}
	}
	return nil
}

// holdings describes a database for the question whether it may go.
func holdings(name string, c database.Contents) string {
	return fmt.Sprintf("the database %s with %d tables (%.1f MiB)", name, c.Tables, float64(c.Bytes)/(1<<20))
}
