package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/nself-org/nself/internal/database"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/migrate"
)

type dbDumpOptions struct {
	dbOptions
	Now func() time.Time

	File             string
	Force            bool
	SchemaOnly, Data bool
}

func newDBDumpCmd(f *Factory, run func(context.Context, *dbDumpOptions) error) *cobra.Command {
	opts := &dbDumpOptions{dbOptions: newDBOptions(f), Now: time.Now}
	cmd := &cobra.Command{
		Use:   "dump [<file>]",
		Short: "Save the database to a file",
		Long: `Save the project's database as SQL, to a file or, with -, to standard output. Without a name the file is called after the
project and the time. The first line says which Postgres and which migration the dump is of; nself db restore reads it.`,
		Example: "  nself db dump\n  nself db dump before.sql\n  nself db dump - | gzip > before.sql.gz",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				opts.File = args[0]
			}
			return run(cmd.Context(), opts)
		},
	}
	cmd.Flags().BoolVar(&opts.Force, "force", false, "Replace a file that is there")
	cmd.Flags().BoolVar(&opts.SchemaOnly, "schema-only", false, "Leave the data out")
	cmd.Flags().BoolVar(&opts.Data, "data-only", false, "Leave the schema out")
	cmd.MarkFlagsMutuallyExclusive("schema-only", "data-only")
	return cmd
}

func runDBDump(ctx context.Context, opts *dbDumpOptions) error {
	cfg, server, err := opts.server()
	if err != nil {
		return err
	}
	contents, err := server.Look(ctx)
	if err != nil {
		return err
	}
	now := opts.Now()
	header, err := database.Header{Project: cfg.ProjectName, Postgres: contents.Version, Migration: contents.Migration, At: now.UTC()}.Line()
	if err != nil {
		return err
	}
	command := []string{"pg_dump", "--no-owner", "--no-privileges"}
	switch {
	case opts.SchemaOnly:
		command = append(command, "--schema-only")
	case opts.Data:
		command = append(command, "--data-only")
	}
	if opts.File == "-" {
		if _, err := opts.IO.Out.Write(header); err != nil {
			return err
		}
		return opts.program(ctx, nil, opts.IO.Out, command...)
	}
	name := opts.File
	if name == "" {
		name = cfg.ProjectName + "-" + now.Format("20060102-150405") + ".sql"
	}
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(opts.WorkDir, path)
	}
	if err := opts.save(ctx, path, name, header, command); err != nil {
		return err
	}
	t := opts.IO.ErrTheme()
	size := int64(0)
	if info, err := os.Stat(path); err == nil {
		size = info.Size()
	}
	opts.IO.Notef("%s %s %s\n", t.Good("✓"), name, t.Dim(fmt.Sprintf("%d tables, %.1f KiB", contents.Tables, float64(size)/(1<<10))))
	return nil
}

// save writes the dump beside its name first: a dump that breaks off leaves no file that looks like one.
func (o *dbDumpOptions) save(ctx context.Context, path, name string, header []byte, command []string) (err error) {
	if _, err := os.Lstat(path); !o.Force && !errors.Is(err, fs.ErrNotExist) {
		return errdefs.WithHint(fmt.Errorf("%w: %s is there already", errdefs.ErrUsage, name), "choose another name, or add --force")
	}
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // only the owner can read it
	if errors.Is(err, fs.ErrNotExist) {
		return errdefs.WithHint(fmt.Errorf("%w: write %s: there is no folder %s", errdefs.ErrUsage, name, filepath.Dir(path)),
			"make the folder, or choose another name")
	}
	if err != nil {
		return errdefs.Writing(path, err)
	}
	defer func() {
		if err != nil {
			_ = file.Close()
			_ = os.Remove(file.Name())
		}
	}()
	out := bufio.NewWriter(file)
	if _, err := out.Write(header); err != nil {
		return err
	}
	if err := o.program(ctx, nil, out, command...); err != nil {
		return err
	}
	if err := errors.Join(out.Flush(), file.Sync(), file.Close()); err != nil {
		return errdefs.Writing(path, err)
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return errdefs.Writing(path, err)
	}
	return nil
}

type dbRestoreOptions struct {
	dbOptions

	File string
	Yes  bool
}

func newDBRestoreCmd(f *Factory, run func(context.Context, *dbRestoreOptions) error) *cobra.Command {
	opts := &dbRestoreOptions{dbOptions: newDBOptions(f)}
	cmd := &cobra.Command{
		Use:   "restore <file>",
		Short: "Replace the database with a dump",
		Long: `Replace the project's database with a dump: one of nself db dump, or of pg_dump in plain or custom format; - is standard
input. The dump is restored beside the database first, which is replaced only when all of it is in. A dump of a newer Postgres,
or with migrations that this project does not have, is refused.`,
		Example: "  nself db restore before.sql\n  gunzip -c before.sql.gz | nself db restore - --yes",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.File = args[0]
			return run(cmd.Context(), opts)
		},
	}
	cmd.Flags().BoolVarP(&opts.Yes, "yes", "y", false, "Do not ask")
	return cmd
}

func runDBRestore(ctx context.Context, opts *dbRestoreOptions) error {
	cfg, server, err := opts.server()
	if err != nil {
		return err
	}
	source, closeSource, err := opts.open()
	if err != nil {
		return err
	}
	defer closeSource()
	dump, source, err := database.Read(source)
	if errors.Is(err, syscall.EISDIR) {
		return inputFault(opts.File, err, dumpHint)
	}
	if err != nil {
		return fmt.Errorf("restore %s: %w", opts.File, err)
	}
	contents, err := server.Look(ctx)
	if err != nil {
		return err
	}
	newest := int64(0)
	list, err := migrate.List(cfg.Dir)
	if err != nil {
		return err
	}
	if n := len(list); n > 0 {
		newest = list[n-1].Version
	}
	if err := dump.Refuse(contents.Version, newest); err != nil {
		return fmt.Errorf("restore %s: %w", opts.File, err)
	}
	if err := confirm(opts.IO, "this replaces "+holdings(cfg.Postgres.DB, contents), "yes", opts.Yes, "--yes"); err != nil {
		return err
	}
	name, remove, err := server.Scratch(ctx, "restore")
	if err != nil {
		return err
	}
	command := []string{"psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null", "-f", "-", "-d", name} // with -f it names the line of a fault
	if dump.Format == database.Custom {
		command = []string{"pg_restore", "--exit-on-error", "--no-owner", "--no-privileges", "-d", name}
	}
	if err := opts.program(ctx, source, io.Discard, command...); err != nil {
		return errdefs.WithHint(errors.Join(fmt.Errorf("restore %s: %w", opts.File, err), remove()), "mend the dump and restore it again; the database is what it was")
	}
	if err := server.Replace(ctx, name); err != nil {
		return errors.Join(err, remove())
	}
	opts.IO.Notef("%s %s %s\n", opts.IO.ErrTheme().Good("✓"), cfg.Postgres.DB, opts.IO.ErrTheme().Dim("restored from "+opts.File))
	states, err := migrate.Status(ctx, server.URL, cfg.Dir)
	if err != nil {
		return err
	}
	if _, sound := describeMigrations(states); !sound {
		opts.IO.Notef("\nIts migrations are not those of the project; look with nself db migrate status\n")
	}
	return nil
}

// dumpHint is what to name for a dump.
const dumpHint = "name a file that nself db dump has made, or - for standard input"

func (o *dbRestoreOptions) open() (io.Reader, func(), error) {
	if o.File == "-" {
		return o.IO.In, func() {}, nil
	}
	path := o.File
	if !filepath.IsAbs(path) {
		path = filepath.Join(o.WorkDir, path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, inputFault(o.File, err, dumpHint)
	}
	return file, func() { _ = file.Close() }, nil
}
