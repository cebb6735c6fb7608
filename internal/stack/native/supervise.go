package native

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"github.com/thejerf/suture/v4"

	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/stack"
)

// SuperviseOptions tells [Supervise] what to run, and with what.
type SuperviseOptions struct {
	ProjectDir string // absolute
	LoadConfig LoadConfig
	// Engine, Mail, Migrate, SavePorts and FunctionEnv may be nil: then there is no such service, or step.
	Engine      EngineFactory
	Mail        MailCatcher
	Migrate     Migrate
	SavePorts   SavePorts
	FunctionEnv FunctionEnv
	Log         *slog.Logger
}

const (
	// lockPatience is how long a new supervisor waits for one that is just ending.
	lockPatience = 30 * time.Second
	lockRetry    = 5 * time.Millisecond
	// idlePatience is how long a supervisor without services waits for a request before it ends.
	idlePatience = 3 * time.Second
)

// supervisor owns the services of one project.
type supervisor struct {
	SuperviseOptions
	lay    layout
	spawn  *spawner
	ledger *ledger
	tree   *suture.Supervisor
	ready  *readiness
	// pythons remembers which interpreter the Python service gets.
	pythons interpreters
	// op holds what must not overlap: up, down, restart.
	op chan struct{}

	mu      sync.Mutex
	environ []string // of the last caller
	units   map[string]*unit
	logs    map[string]*logFile
	current map[string]context.CancelCauseFunc // requests under way, by id
	closing bool
	quit    chan struct{}
	touched chan struct{}
	locked  os.FileInfo // the lock's file
	lost    bool        // the lock's file is gone, and with it the project; only read and written by run
}

// Supervise runs the supervisor of a project until `down`, or until ctx ends, which stops the services in good order. It
// returns nil at once when another supervisor serves the project.
func Supervise(ctx context.Context, opts SuperviseOptions) error {
	lay := layout{opts.ProjectDir}
	if err := lay.create(); err != nil {
		return err
	}
	lock := flock.New(lay.lock(), flock.SetPermissions(0o600))
	held, err := takeLock(ctx, lay, lock)
	if err != nil || !held {
		return err
	}
	defer func() { _ = lock.Close() }()
	awaitFormer(ctx, lay, opts.Log)
	recoverOrphans(ctx, lay, opts.Log)
	locked, err := os.Stat(lay.lock())
	if err != nil {
		return fmt.Errorf("lock the project: %w", err)
	}

	s := &supervisor{
		SuperviseOptions: opts, lay: lay, spawn: newSpawner(), environ: os.Environ(), op: make(chan struct{}, 1),
		units: map[string]*unit{}, logs: map[string]*logFile{}, current: map[string]context.CancelCauseFunc{},
		quit: make(chan struct{}), touched: make(chan struct{}, 1), locked: locked,
	}
	s.ready = newReadiness(s)
	s.tree = suture.New("services", suture.Spec{
		// Each unit paces its own restarts: one service's crashes must not hold up the others.
		FailureThreshold: math.MaxFloat64,
		EventHook:        s.treeEvent,
		Timeout:          30 * time.Second,
	})
	if s.ledger, err = openLedger(lay, opts.Log); err != nil {
		return err
	}
	return s.run(ctx)
}

// takeLock waits for the project's lock. It gives up when another supervisor answers.
func takeLock(ctx context.Context, lay layout, lock *flock.Flock) (bool, error) {
	deadline := time.Now().Add(lockPatience)
	for {
		held, err := lock.TryLock()
		if err != nil {
			return false, fmt.Errorf("lock the project: %w", err)
		}
		if held {
			return true, nil
		}
		if p, err := newClient(lay).ping(ctx); err == nil && sameDir(p.Dir, lay.dir) {
			return false, nil
		}
		if time.Now().After(deadline) {
			return false, errdefs.As(errdefs.ErrUnavailable, errdefs.WithHint(
				fmt.Errorf("lock the project: %s is held by another process", lay.lock()), "end that process and run nself up again"))
		}
		timer := time.NewTimer(lockRetry)
		select {
		case <-ctx.Done():
			timer.Stop()
			return false, ctx.Err()
		case <-timer.C:
		}
	}
}

func (s *supervisor) run(ctx context.Context) error {
	path, err := s.lay.socket()
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove the old control socket: %w", err)
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "unix", path)
	if err != nil {
		return fmt.Errorf("open the control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return errors.Join(fmt.Errorf("open the control socket: %w", err), ln.Close())
	}
	if err := os.WriteFile(s.lay.endpoint(), []byte(path), 0o600); err != nil {
		return errors.Join(fmt.Errorf("record the control socket: %w", err), ln.Close())
	}
	treeCtx, stopTree := context.WithCancel(context.WithoutCancel(ctx))
	treeDone := s.tree.ServeBackground(treeCtx)

	srv := &http.Server{Handler: s.routes(), ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	s.Log.InfoContext(ctx, "supervisor started", slog.String("socket", path), slog.Int("pid", os.Getpid()))

	s.waitForEnd(ctx)
	if s.lost {
		s.Log.WarnContext(ctx, "the project's folder is gone or moved, ending its services")
		s.ledger.abandon()
		if unix, ok := ln.(*net.UnixListener); ok {
			unix.SetUnlinkOnClose(false)
		}
	}
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	last := context.WithoutCancel(ctx)
	if end, err := s.begin(last); err == nil { // a cancelled request may still be taking back what it did
		s.stopAll(last, func(stack.Event) {})
		end()
	}
	stopTree()
	<-treeDone //nolint:errcheck // it ends because it was told to
	shutdown, cancel := context.WithTimeout(last, time.Second)
	defer cancel()
	if err := srv.Shutdown(shutdown); err != nil {
		_ = srv.Close()
	}
	<-served //nolint:errcheck // it ends because it was told to
	for _, l := range s.logs {
		l.close()
	}
	s.Log.InfoContext(ctx, "supervisor ended")
	if s.lost { // what stands under these names may be another supervisor's by now
		return nil
	}
	_ = os.Remove(s.lay.endpoint())
	_ = os.Remove(path) // closing the listener has removed it, unless the project was moved
	_ = os.Remove(filepath.Join(s.lay.run(), "nself.sock"))
	return s.ledger.close()
}

// lookInterval is how often a supervisor looks whether its project is still there.
const lookInterval = time.Second

// waitForEnd blocks until the supervisor has nothing more to do.
func (s *supervisor) waitForEnd(ctx context.Context) {
	idle := time.NewTimer(idlePatience)
	defer idle.Stop()
	look := time.NewTicker(lookInterval)
	defer look.Stop()
	misses := 0
	for {
		select {
		case <-ctx.Done():
			s.cancelAll()
			return
		case <-s.quit:
			return
		case <-s.touched:
			idle.Reset(idlePatience)
		case <-look.C:
			if now, err := os.Stat(s.lay.lock()); err == nil && os.SameFile(now, s.locked) {
				misses = 0
			} else if misses++; misses >= 2 { // once may be a rename there and back
				s.lost = true
				s.cancelAll()
				return
			}
		case <-idle.C:
			if s.endIfIdle() {
				return
			}
			idle.Reset(idlePatience)
		}
	}
}

// endIfIdle ends the supervisor when no service is left and no request is under way.
func (s *supervisor) endIfIdle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.current) > 0 {
		return false
	}
	for _, u := range s.units {
		if u.active() {
			return false
		}
	}
	s.close()
	return true
}

// close is called with the mutex held.
func (s *supervisor) close() {
	if !s.closing {
		s.closing = true
		close(s.quit)
	}
}

func (s *supervisor) treeEvent(e suture.Event) {
	switch e.Type() {
	case suture.EventTypeServicePanic, suture.EventTypeStopTimeout:
		s.Log.Error("supervision", slog.String("event", e.String()))
	case suture.EventTypeServiceTerminate, suture.EventTypeBackoff, suture.EventTypeResume:
		s.Log.Debug("supervision", slog.String("event", e.String()))
	}
}

// load reads the configuration as the last caller sees it.
func (s *supervisor) load() (*env.Config, error) {
	return s.LoadConfig(s.lay.dir, s.env())
}

// logFor opens a service's log, once per supervisor.
func (s *supervisor) logFor(name string) (*logFile, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.logs[name]; l != nil {
		return l, nil
	}
	l, err := openLog(s.lay.log(name))
	if err != nil {
		return nil, err
	}
	s.logs[name] = l
	return l, nil
}

func (s *supervisor) unit(name string) *unit {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.units[name]
}

// errTakenDown is what an interrupted caller learns.
var errTakenDown = errors.New("another command has stopped the services meanwhile")

func (s *supervisor) cancelAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, cancel := range s.current {
		cancel(errTakenDown)
	}
}

// helper runs a short-lived tool of a service to its end. It is recorded like a service, so that a tool which outlives a
// killed supervisor is ended.
func (s *supervisor) helper(ctx context.Context, name string, c command) error {
	return s.spawn.run(ctx, c, func(pid int) func() {
		s.ledger.add(child{PID: pid, Service: name})
		return func() { s.ledger.remove(name, pid) }
	})
}

// begin takes the right to change things; the returned function gives it back.
func (s *supervisor) begin(ctx context.Context) (func(), error) {
	select {
	case s.op <- struct{}{}:
		return func() { <-s.op }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *supervisor) env() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.environ
}
