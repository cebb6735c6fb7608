package native_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/stack/native"
)

// TestMain makes the test binary the supervisor when it is started as one, as nself itself is.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "supervise" {
		os.Exit(supervise(os.Args[3]))
	}
	os.Exit(m.Run())
}

func supervise(dir string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	err := native.Supervise(ctx, native.SuperviseOptions{
		ProjectDir: dir, LoadConfig: loadConfig, Log: log, FunctionEnv: functionEnv, SavePorts: savePorts,
		Engine: newFakeEngine, Mail: fakeMail, Migrate: migrateFile,
	})
	if err != nil {
		log.Error("supervise", slog.Any("error", err))
		return 1
	}
	return 0
}

func loadConfig(dir string, environ []string) (*env.Config, error) {
	cfg, _, err := env.Load(dir, env.Options{Environ: environ})
	return cfg, err
}

func functionEnv(cfg *env.Config, runtime string) []string {
	for _, rt := range cfg.Runtimes() {
		if rt.Name == runtime {
			return cfg.FunctionEnv(rt, cfg.LocalEndpoints())
		}
	}
	return nil
}

func savePorts(dir string, ports map[string]int) error {
	for key, port := range ports {
		if _, err := env.Set(dir, key, strconv.Itoa(port), env.SetOptions{Environ: []string{}}); err != nil {
			return err
		}
	}
	return nil
}

// migrateFile applies migration.sql of the project, if there is one, each time anew.
func migrateFile(ctx context.Context, cfg *env.Config, note func(string)) error {
	sql, err := os.ReadFile(filepath.Join(cfg.Dir, "migration.sql"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, cfg.DatabaseURL(cfg.LocalEndpoints().Postgres).Reveal())
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, string(sql)); err != nil {
		return fmt.Errorf("migration.sql: %w", err)
	}
	note("applied migration.sql")
	return nil
}

// fakeEngine answers its probe, and with what the file metadata held at the last reload.
type fakeEngine struct {
	dir string
	srv *http.Server
}

func newFakeEngine(ctx context.Context, cfg *env.Config, log *slog.Logger) (native.Engine, error) {
	log.InfoContext(ctx, "engine built")
	e := &fakeEngine{dir: cfg.Dir}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	e.srv = &http.Server{Handler: mux}
	return e, nil
}

func (e *fakeEngine) Run(ctx context.Context, ln net.Listener) error {
	defer context.AfterFunc(ctx, func() { _ = e.srv.Close() })()
	if err := e.srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (e *fakeEngine) Reload(context.Context) error {
	if _, err := os.Stat(filepath.Join(e.dir, "broken-metadata")); err == nil {
		return errors.New("actions.yaml:3: no such type")
	}
	return nil
}

func fakeMail(ctx context.Context, _ *env.Config, smtp, page net.Listener, _ *slog.Logger) error {
	defer func() { _ = smtp.Close() }()
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "no mail") })}
	defer context.AfterFunc(ctx, func() { _ = srv.Close() })()
	_ = srv.Serve(page)
	return nil
}
