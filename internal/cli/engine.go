package cli

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/nself-org/nself/internal/auth"
	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/gateway"
	"github.com/nself-org/nself/internal/metadata"
	"github.com/nself-org/nself/internal/stack/native"
	"github.com/nself-org/nself/internal/worker"
)

const (
	// metadataPoll is how often the project's metadata is looked at for changes: soon enough that a saved file answers
	// before a person has switched windows, and cheap, since only names, sizes and times are read.
	metadataPoll = 300 * time.Millisecond
	// drainTimeout is how long requests under way may take when the engine stops.
	drainTimeout = time.Second
	// readHeaderTimeout bounds how long a client may take to send a request's headers.
	readHeaderTimeout = 10 * time.Second
)

// projectEngine is the gateway, serving the metadata of one project's folder and following its changes.
type projectEngine struct {
	dir    string
	engine *gateway.Engine
	log    *slog.Logger
	worker *worker.Worker
	// closeLog gives up the action log, when nothing uses it any more.
	closeLog func()

	mu   sync.Mutex // held while metadata is loaded
	seen uint64     // fingerprint of the files that were loaded last
}

// newProjectEngine builds the gateway for a project. Metadata with faults does not keep it from starting: what is sound
// is served, and the faults are in the log.
func newProjectEngine(ctx context.Context, cfg *env.Config, log *slog.Logger) (native.Engine, error) {
	vars := cfg.EngineEnv(cfg.LocalEndpoints())
	authConfig, err := auth.ConfigFromEnv(func(key string) string { return vars[key] })
	if err != nil {
		return nil, err
	}
	authenticator, err := auth.New(ctx, authConfig, nil, log)
	if err != nil {
		return nil, err
	}
	options := gateway.Options{
		Auth: authenticator, Log: log, Version: engineVersion(),
		Lookup:                 func(name string) (string, bool) { value, ok := vars[name]; return value, ok },
		DevMode:                isTrue(vars["HASURA_GRAPHQL_DEV_MODE"]),
		HideAdminInternals:     isFalse(vars["HASURA_GRAPHQL_ADMIN_INTERNAL_ERRORS"]),
		Preserve401:            isTrue(vars["HASURA_GRAPHQL_PRESERVE_401_ERRORS"]),
		ConfiguredHeadersFirst: isTrue(vars["HASURA_GRAPHQL_CONFIGURED_HEADER_PRECEDENCE"]),
		CORSDomains:            vars["HASURA_GRAPHQL_CORS_DOMAIN"],
		DisableCORS:            isTrue(vars["HASURA_GRAPHQL_DISABLE_CORS"]),
		Config: gateway.ConfigFacts{
			AdminSecretSet: len(authConfig.AdminSecrets) > 0, AuthHookSet: authConfig.Hook.URL != "", JWTSet: len(authConfig.JWTSecrets) > 0,
		},
	}
	if err := socketSettings(vars, &options); err != nil {
		return nil, err
	}
	store, closeLog := openActionLog(ctx, vars, log)
	options.ActionLog = store
	e := &projectEngine{dir: cfg.Dir, log: log, closeLog: closeLog}
	if e.engine, err = gateway.New(options); err == nil {
		e.worker, err = newActionWorker(vars, e.engine, store, log)
	}
	if err != nil {
		closeLog()
		return nil, err
	}
	if err := e.Reload(ctx); err != nil {
		log.ErrorContext(ctx, "metadata not loaded", slog.String("error", err.Error()))
	}
	return e, nil
}

// engineVersion is what /v1/version reports.
func engineVersion() string { return "nself-" + readVersion().Version }

// Reload reads the metadata again; the gateway's requests under way end with what they began with.
func (e *projectEngine) Reload(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	seen := fingerprint(filepath.Join(e.dir, filepath.FromSlash(metadata.Folder)))
	md, err := metadata.LoadDir(e.dir)
	e.seen = seen
	if err != nil {
		return fmt.Errorf("load metadata: %w", err)
	}
	inconsistencies, err := e.engine.Load(md)
	if err != nil {
		return fmt.Errorf("load metadata: %w", err)
	}
	for _, i := range inconsistencies {
		e.log.WarnContext(ctx, "metadata is inconsistent", slog.String("object", i.Name), slog.String("reason", i.Reason))
	}
	return nil
}

// Run serves on ln, runs asynchronous actions and follows the metadata until ctx ends, then lets what is under way end.
func (e *projectEngine) Run(ctx context.Context, ln net.Listener) error {
	server := &http.Server{
		Handler: e.engine.Handler(), ReadHeaderTimeout: readHeaderTimeout,
		ErrorLog: slog.NewLogLogger(e.log.Handler(), slog.LevelWarn),
	}
	ctx, stop := context.WithCancel(ctx)
	var actions sync.WaitGroup
	actions.Go(func() {
		if err := runActions(ctx, e.engine, e.worker); err != nil {
			e.log.ErrorContext(ctx, "asynchronous actions are not run", slog.String("error", err.Error()))
		}
	})
	defer func() {
		stop()
		actions.Wait()
		e.closeLog()
	}()
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(ln) }()
	tick := time.NewTicker(metadataPoll)
	defer tick.Stop()
	for {
		select {
		case err := <-failed:
			return err
		case <-tick.C:
			e.follow(ctx)
		case <-ctx.Done():
			drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
			defer cancel()
			err := e.engine.Shutdown(drain)
			err = errors.Join(err, server.Shutdown(drain))
			if errors.Is(err, context.DeadlineExceeded) {
				e.log.WarnContext(ctx, "requests cut off at shutdown", slog.Duration("after", drainTimeout))
				err = server.Close()
			}
			return err
		}
	}
}

// follow reloads the metadata when a file of it has changed. A fault keeps the last good state.
func (e *projectEngine) follow(ctx context.Context) {
	e.mu.Lock()
	seen := e.seen
	e.mu.Unlock()
	if fingerprint(filepath.Join(e.dir, filepath.FromSlash(metadata.Folder))) == seen {
		return
	}
	if err := e.Reload(ctx); err != nil {
		e.log.ErrorContext(ctx, "metadata not reloaded, the last good one stays", slog.String("error", err.Error()))
	}
}

// fingerprint sums up names, sizes and times of the files under dir.
func fingerprint(dir string) uint64 {
	sum := fnv.New64a()
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil //nolint:nilerr // what cannot be read now is read when it changes
		}
		if info, err := os.Stat(path); err == nil {
			fmt.Fprintf(sum, "%s %d %d\n", path, info.Size(), info.ModTime().UnixNano())
		}
		return nil
	})
	return sum.Sum64()
}

// isTrue and isFalse read booleans as Hasura does; anything else is neither.
func isTrue(text string) bool  { return oneOf(text, "true", "t", "yes", "y") }
func isFalse(text string) bool { return oneOf(text, "false", "f", "no", "n") }

func oneOf(text string, words ...string) bool {
	for _, word := range words {
		if strings.EqualFold(text, word) {
			return true
		}
	}
	return false
}
