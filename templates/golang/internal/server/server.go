// Package server is the HTTP side of the service: it serves actions under /actions/, tells its health, and stops without
// dropping a request.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/nself-org/nself/templates/golang/internal/action"
	"github.com/nself-org/nself/templates/golang/internal/config"
)

// Limits of the server. They leave room below the 30 s that the engine waits for a handler by default.
const (
	// DefaultMaxBodyBytes bounds a request body: actions carry form data, not files.
	DefaultMaxBodyBytes = 1 << 20
	// DefaultActionTimeout bounds one call of a handler.
	DefaultActionTimeout = 25 * time.Second
	// DefaultShutdownGrace is how long running requests may take to end after the service was told to stop. It is longer
	// than DefaultActionTimeout, so that no handler is cut off.
	DefaultShutdownGrace = 28 * time.Second

	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 60 * time.Second
	idleTimeout       = 2 * time.Minute
)

// Limiter decides whether a call may proceed. retryAfter is how long to wait when it may not.
type Limiter interface {
	Allow(ctx context.Context, a action.Action, s action.Session) (ok bool, retryAfter time.Duration)
}

// Options configures a Server. Log and AdminSecret are required.
type Options struct {
	Log         *slog.Logger
	AdminSecret config.Secret
	// Limiter may be nil: no limit.
	Limiter Limiter
	// Checks are what GET /readyz looks at.
	Checks []Check
	// Routes, when set, adds further routes beside those of the actions.
	Routes func(*http.ServeMux)
	// Wrap, when set, is put around everything, such as to trace requests.
	Wrap func(http.Handler) http.Handler
	// MaxBodyBytes, ActionTimeout and ShutdownGrace are the defaults above when zero. The grace is never shorter than what
	// the slowest action may take.
	MaxBodyBytes  int64
	ActionTimeout time.Duration
	ShutdownGrace time.Duration
}

// Server serves actions. It is an [http.Handler]; [Server.Serve] runs it.
type Server struct {
	opts     Options
	actions  map[string]action.Action
	handler  http.Handler
	draining atomic.Bool
}

// New makes a Server for the given actions. Two actions with one path are an error.
func New(opts Options, actions []action.Action) (*Server, error) {
	if opts.MaxBodyBytes == 0 {
		opts.MaxBodyBytes = DefaultMaxBodyBytes
	}
	if opts.ActionTimeout == 0 {
		opts.ActionTimeout = DefaultActionTimeout
	}
	if opts.ShutdownGrace == 0 {
		opts.ShutdownGrace = DefaultShutdownGrace
	}
	if opts.AdminSecret == "" {
		return nil, errors.New("the admin secret is empty: every caller would be let in")
	}
	s := &Server{opts: opts, actions: make(map[string]action.Action, len(actions))}

	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.Handle("/actions/", s.requireSecret(http.HandlerFunc(s.serveAction)))
	mux.HandleFunc("/", notFound)
	for _, a := range actions {
		if other, ok := s.actions[a.Path]; ok {
			return nil, fmt.Errorf("actions %s and %s have the same path /actions/%s", other.Name, a.Name, a.Path)
		}
		s.actions[a.Path] = a
		s.opts.ShutdownGrace = max(s.opts.ShutdownGrace, a.Timeout)
		a.Routes(mux)
	}
	if opts.Routes != nil {
		opts.Routes(mux)
	}
	s.handler = s.withLog(s.withRecover(mux))
	if opts.Wrap != nil {
		s.handler = opts.Wrap(s.handler)
	}
	return s, nil
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Serve answers requests that arrive at ln until ctx ends. It then takes no new ones, lets those that run come to their
// end for the grace period, and returns nil; or an error, when some had to be cut off. It closes ln.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	srv := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		ErrorLog:          slog.NewLogLogger(s.opts.Log.Handler(), slog.LevelWarn),
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(ln) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}

	s.draining.Store(true)
	s.opts.Log.InfoContext(ctx, "stopping", slog.String("grace", s.opts.ShutdownGrace.String()))
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.opts.ShutdownGrace)
	defer cancel()
	if err := srv.Shutdown(grace); err != nil {
		return errors.Join(fmt.Errorf("stop: requests were still running after %s: %w", s.opts.ShutdownGrace, err), srv.Close())
	}
	return nil
}
