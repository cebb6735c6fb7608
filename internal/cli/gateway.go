package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/jsonlog"
	"github.com/nself-org/nself/internal/metadata"
	"github.com/nself-org/nself/internal/metadataapi"
	"github.com/nself-org/nself/internal/ui"
)

const (
	// databaseRetry is the pause between two attempts to reach the database; Hasura's.
	databaseRetry = time.Second
	// databaseTimeout bounds one such attempt.
	databaseTimeout = 30 * time.Second
	// healthTimeout bounds one health check; container engines give up after 30 s by default.
	healthTimeout = 5 * time.Second
)

type gatewayOptions struct {
	IO      *ui.Streams
	WorkDir string
	// Vars are the process environment with the flags in place of their variables.
	Vars map[string]string
}

func newGatewayCmd(f *Factory, run func(context.Context, *gatewayOptions) error) *cobra.Command {
	opts := &gatewayOptions{IO: f.IO, WorkDir: f.WorkDir}
	cmd := &cobra.Command{
		Use:   "gateway",
		Short: "Run the GraphQL engine alone",
		Long: `Run the GraphQL engine alone: Hasura's Actions without Hasura. Flags and environment variables have the names that
Hasura gives them; a flag wins over its variable.

With a metadata database the metadata is kept there, as Hasura keeps it, and changed through /v1/metadata. With
--metadata-dir it is read from files, and read again when they change; the metadata API then only reads. Asynchronous
actions are kept in the metadata database, or in memory where there is none.

Metrics are at /metrics. Traces are sent where OTEL_EXPORTER_OTLP_ENDPOINT says. The log is on standard output, a JSON
object a line. SIGTERM ends the engine when what is under way has ended; a second one ends it at once.`,
		Example: `  nself gateway --metadata-dir shop --admin-secret secret
  HASURA_GRAPHQL_DATABASE_URL=postgres://localhost/shop nself gateway --server-port 8081
  nself gateway healthcheck`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			opts.Vars = hasuraVariables(cmd.Flags(), f.Environ)
			return run(cmd.Context(), opts)
		},
	}
	addHasuraFlags(cmd)
	cmd.AddCommand(newHealthcheckCmd(f, runHealthcheck))
	return cmd
}

func runGateway(ctx context.Context, opts *gatewayOptions) error {
	settings, err := readEngineSettings(opts.Vars)
	address, addressErr := listenAddress(opts.Vars)
	if err := errors.Join(err, addressErr); err != nil {
		return err
	}
	lines := jsonlog.NewBatch(opts.IO.Out)
	defer func() { _ = lines.Flush() }()
	log := slog.New(jsonlog.New(lines, settings.LogLevel))
	open, kept, err := opts.store(settings, log)
	if err != nil {
		return err
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		hint := "set --server-host to an address of this machine, and --server-port to a port that you may use"
		if errors.Is(err, syscall.EADDRINUSE) {
			hint = "end the other program or choose another port with --server-port"
		}
		return errdefs.As(errdefs.ErrUnavailable, errdefs.WithHint(fmt.Errorf("start the engine: %w", err), hint))
	}
	core, err := newEngineCore(ctx, settings, open, log)
	if err != nil {
		_ = ln.Close()
		return err
	}
	if settings.Startup {
		logStartup(ctx, log, settings, ln, kept)
	}
	dropStartPages()
	err = core.Run(ctx, ln)
	if settings.Startup {
		log.InfoContext(ctx, "startup", slog.String("event", "stopped"))
	}
	return err
}

// logStartup says what runs, without any secret.
func logStartup(ctx context.Context, log *slog.Logger, s *engineSettings, ln net.Listener, kept string) {
	authentication := "none: every caller is an administrator"
	switch {
	case s.Auth.Hook.URL != "":
		authentication = "admin secret, webhook"
	case len(s.Auth.JWTSecrets) > 0:
		authentication = "admin secret, JWT"
	case len(s.Auth.AdminSecrets) > 0:
		authentication = "admin secret"
	}
	log.InfoContext(ctx, "startup", slog.String("event", "listening"), slog.String("address", ln.Addr().String()),
		slog.String("version", s.Gateway.Version), slog.String("metadata", kept),
		slog.String("authentication", authentication), slog.String("unauthorized_role", s.Auth.UnauthorizedRole),
		slog.Bool("dev_mode", s.Gateway.DevMode), slog.Duration("graceful_shutdown_timeout", s.Drain))
	for _, key := range s.Ignored {
		log.WarnContext(ctx, "setting has no effect", slog.String("variable", key))
	}
}

// listenAddress reads the address to listen on.
func listenAddress(vars map[string]string) (string, error) {
	host := vars["HASURA_GRAPHQL_SERVER_HOST"]
	if host == "*" {
		host = ""
	}
	port := cmp.Or(vars["HASURA_GRAPHQL_SERVER_PORT"], "8080")
	if n, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", errdefs.As(errdefs.ErrInvalid,
			fmt.Errorf("HASURA_GRAPHQL_SERVER_PORT (--server-port): expected a number from 0 to 65535, got %q", port))
	} else if n == 0 {
		port = "0" // any free one
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), port), nil
}

// store chooses where the metadata is kept, and says so.
func (o *gatewayOptions) store(s *engineSettings, log *slog.Logger) (open openStore, kept string, err error) {
	if dir := o.Vars["HASURA_GRAPHQL_METADATA_DIR"]; dir != "" {
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(o.WorkDir, dir)
		}
		folder, err := metadataFolder(dir)
		if err != nil {
			return nil, "", err
		}
		return func(context.Context, *pgxpool.Pool) (metadataapi.Store, error) {
			return metadataapi.NewFolderStore(folder), nil
		}, folder, nil
	}
	if s.MetadataDatabase == "" {
		return nil, "", errdefs.As(errdefs.ErrUsage, errdefs.WithHint(errors.New("the engine has no metadata"),
			"give --metadata-dir DIR for files, or --metadata-database-url URL for a database"))
	}
	r := &settingsReader{vars: o.Vars}
	retries := r.number("HASURA_GRAPHQL_NO_OF_RETRIES", 1)
	if err := errors.Join(r.errs...); err != nil {
		return nil, "", errdefs.As(errdefs.ErrInvalid, err)
	}
	return func(ctx context.Context, pool *pgxpool.Pool) (metadataapi.Store, error) {
		return openMetadata(ctx, pool, firstMetadata(s), retries, log)
	}, "database", nil
}

const metadataDirHint = "name a project or its metadata with --metadata-dir or HASURA_GRAPHQL_METADATA_DIR"

// metadataFolder finds the metadata in dir: a project of nself or of the Hasura CLI, or the metadata itself.
func metadataFolder(dir string) (string, error) {
	for _, folder := range []string{metadata.Folder, "metadata"} {
		inProject := filepath.Join(dir, filepath.FromSlash(folder))
		if info, err := os.Stat(inProject); err == nil && info.IsDir() {
			return inProject, nil
		}
	}
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return "", errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(fmt.Errorf("read metadata: %w", err), metadataDirHint))
	case !info.IsDir():
		return "", errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(fmt.Errorf("read metadata: %s is a file, not a folder", dir), metadataDirHint))
	}
	return dir, nil
}

// firstMetadata is the metadata of a database that has none yet: with a database URL there is the source default, as in
// Hasura.
func firstMetadata(s *engineSettings) *metadata.Metadata {
	md := &metadata.Metadata{Version: 3}
	if s.Database != "" {
		md.Rest = map[string]json.RawMessage{"sources": metadataapi.DefaultSources("HASURA_GRAPHQL_DATABASE_URL")}
	}
	return md
}

// openMetadata makes the metadata's table, as soon as the database answers. first is stored if there is no metadata.
func openMetadata(
	ctx context.Context, pool *pgxpool.Pool, first *metadata.Metadata, retries int, log *slog.Logger,
) (metadataapi.Store, error) {
	for attempt := 0; ; attempt++ {
		within, cancel := context.WithTimeout(ctx, databaseTimeout)
		store, err := metadataapi.NewPostgresStore(within, pool, first)
		cancel()
		if err == nil {
			return store, nil
		}
		if attempt >= retries {
			return nil, errdefs.WithHint(err, "check the database's URL (--metadata-database-url or --database-url) and that its server runs; "+
				"--retries waits longer for it")
		}
		log.WarnContext(ctx, "database not reached, trying again", slog.String("error", err.Error()))
		pause := time.NewTimer(databaseRetry)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return nil, context.Cause(ctx)
		}
	}
}

type healthcheckOptions struct {
	IO  *ui.Streams
	URL string
}

func newHealthcheckCmd(f *Factory, run func(context.Context, *healthcheckOptions) error) *cobra.Command {
	opts := &healthcheckOptions{IO: f.IO}
	cmd := &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask a running engine whether it is healthy",
		Long: `Ask the engine on this machine whether it is healthy, for images that have no other program. The exit code is 5 if it
is not. The port is HASURA_GRAPHQL_SERVER_PORT, 8080 if that is not set.`,
		Example: "  nself gateway healthcheck",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if opts.URL == "" {
				vars := hasuraVariables(cmd.Flags(), f.Environ)
				opts.URL = "http://localhost:" + cmp.Or(vars["HASURA_GRAPHQL_SERVER_PORT"], "8080") + "/healthz"
			}
			return run(cmd.Context(), opts)
		},
	}
	cmd.Flags().StringVar(&opts.URL, "url", "", "Ask this `URL` instead")
	return cmd
}

func runHealthcheck(ctx context.Context, opts *healthcheckOptions) error {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, opts.URL, nil)
	if err != nil {
		return errdefs.As(errdefs.ErrUsage, fmt.Errorf("--url %q is not a URL", opts.URL))
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return errdefs.As(errdefs.ErrUnhealthy, errdefs.WithHint(fmt.Errorf("check the engine: %s: %w", opts.URL, withoutURL(err)),
			"start it, or name another one with --url"))
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	if err != nil {
		return errdefs.As(errdefs.ErrUnhealthy, fmt.Errorf("check the engine: %w", err))
	}
	if resp.StatusCode != http.StatusOK {
		return errdefs.As(errdefs.ErrUnhealthy, fmt.Errorf("check the engine: %s: %s: %s", opts.URL, resp.Status, body))
	}
	opts.IO.Printf("%s\n", body)
	return nil
}
