// Command golang serves the project's actions that are written in Go.
//
//	golang              serve until SIGTERM or SIGINT
//	golang healthcheck  ask a running service for its health; exit status 0 when it is alive
package main

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
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/nself-org/nself/templates/golang/actions"
	"github.com/nself-org/nself/templates/golang/internal/cache"
	"github.com/nself-org/nself/templates/golang/internal/config"
	"github.com/nself-org/nself/templates/golang/internal/lifecycle"
	"github.com/nself-org/nself/templates/golang/internal/logging"
	"github.com/nself-org/nself/templates/golang/internal/mail"
	"github.com/nself-org/nself/templates/golang/internal/ratelimit"
	"github.com/nself-org/nself/templates/golang/internal/redis"
	"github.com/nself-org/nself/templates/golang/internal/server"
	"github.com/nself-org/nself/templates/golang/internal/store"
	"github.com/nself-org/nself/templates/golang/internal/tracing"
)

// flushTimeout bounds how long the last traces may take to be sent.
const flushTimeout = 3 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	if err := run(ctx, os.Args[1:], os.Getenv, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) error {
	switch {
	case len(args) == 0:
		return serve(ctx, getenv, stdout)
	case len(args) == 1 && strings.TrimLeft(args[0], "-") == "healthcheck":
		return healthcheck(ctx, getenv)
	default:
		return errors.New("usage: golang [healthcheck]")
	}
}

// ballastBytes is what the heap counts as in use from the start. Nothing is ever written there, so that it takes no memory;
// but the collector, which runs whenever the heap has doubled, need not run many times a second over a few megabytes.
const ballastBytes = 32 << 20

// serve puts the parts together and runs them until ctx ends.
func serve(ctx context.Context, getenv func(string) string, stdout io.Writer) error {
	cfg, err := config.Load(getenv)
	if err != nil {
		return err
	}
	ballast := make([]byte, ballastBytes)
	defer runtime.KeepAlive(ballast)
	out := logging.NewBuffer(stdout)
	defer func() { _ = out.Flush() }() // where it could be told is what failed
	log := logging.New(out, cfg.LogLevel)
	db, err := store.Open(ctx, cfg.DatabaseURL)
	if err != nil {
		return err
	}
	defer db.Close()
	redis.LogTo(log)
	redisClient, err := redis.Open(cfg.RedisURL)
	if err != nil {
		return err
	}
	checks := []server.Check{{Name: "postgres", Required: true, Probe: db.Ping}, {Name: "redis"}}
	if redisClient != nil {
		defer func() { _ = redisClient.Close() }() // nothing is left to be written
		checks[1].Probe = redisClient.Ping
	}

	prefix := cfg.ProjectName + ":golang:"
	parts, vars := lifecycle.New(log), config.NewReader(getenv)
	list := actions.All(actions.Deps{ //nolint:contextcheck // what works in the background ends with parts
		Log:    log,
		Config: cfg,
		Env:    vars,
		DB:     db,
		Cache:  cache.New(redisClient, prefix, log),
		Mail:   mail.New(cfg.SMTP),
		Parts:  parts,
	})
	if err := vars.Err(); err != nil {
		return err
	}
	trace, flush, err := tracing.Start(ctx, getenv, cfg.ProjectName+"-golang", log)
	if err != nil {
		return err
	}
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
		defer cancel()
		if err := flush(end); err != nil {
			log.WarnContext(end, "traces not sent", slog.Any("error", err))
		}
	}()
	srv, err := server.New(server.Options{
		Log:         log,
		AdminSecret: cfg.AdminSecret,
		Limiter:     ratelimit.New(redisClient, prefix, cfg.RateLimit, cfg.UnauthorizedRole, log),
		Checks:      append(checks, parts.Checks()...),
		Routes:      parts.Routes,
		Wrap:        trace,
	}, list)
	if err != nil {
		return err
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(cfg.ListenHost, strconv.Itoa(cfg.Port)))
	if err != nil {
		return fmt.Errorf("listen on PORT %d: %w", cfg.Port, err)
	}
	log.InfoContext(ctx, "serving", slog.String("address", ln.Addr().String()), slog.String("env", cfg.Env))
	stop := parts.Start(ctx)
	defer stop()
	if err := srv.Serve(ctx, ln); err != nil {
		return err
	}
	stop()
	log.InfoContext(ctx, "stopped")
	return nil
}

// healthcheck lets a container without a shell probe itself.
func healthcheck(ctx context.Context, getenv func(string) string) error {
	port := getenv("PORT")
	if port == "" {
		port = "3003"
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort("127.0.0.1", port)+"/healthz", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("healthz answered %s", resp.Status)
	}
	return nil
}
