//go:build unix

package pgtest

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Server is a Postgres of one test alone, which can be stopped and started again.
type Server struct {
	tb       testing.TB
	bin, dir string
	attr     *syscall.SysProcAttr
	port     int
	running  *server // nil while it is stopped
}

// StartServer starts a server with an empty database. It is stopped and removed when the test ends.
func StartServer(tb testing.TB) *Server {
	tb.Helper()
	s := &Server{tb: tb}
	err := s.create()
	if err != nil {
		if os.Getenv("CI") != "" {
			tb.Fatalf("postgres for tests: %v", err)
		}
		tb.Skipf("postgres for tests: %v", err)
	}
	tb.Cleanup(func() {
		s.Stop()
		if err := os.RemoveAll(s.dir); err != nil {
			tb.Errorf("remove the server: %v", err)
		}
	})
	s.Start()
	return s
}

func (s *Server) create() (err error) {
	if s.bin, err = findBin(); err != nil {
		return err
	}
	if s.port, err = freePort(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(s.tb.Context(), startTimeout)
	defer cancel()
	s.dir, s.attr, err = newCluster(ctx, s.bin)
	return err
}

// URL is the connection string of the database. It stays the same.
func (s *Server) URL() string { return (&server{port: s.port}).url("postgres") }

// Start starts the server, if it is stopped, and returns when it answers.
func (s *Server) Start() {
	s.tb.Helper()
	if s.running != nil {
		return
	}
	running, err := launch(s.tb.Context(), filepath.Join(s.bin, "postgres"), s.dir, s.port, "on", s.attr)
	if err != nil {
		s.tb.Fatal(err)
	}
	s.running = running
}

// Stop ends the server at once, as a crash would, and returns when it is gone. Its data stays.
func (s *Server) Stop() {
	s.tb.Helper()
	if s.running == nil {
		return
	}
	if _, err := io.WriteString(s.running.lifeline, "keep\n"); err != nil {
		s.tb.Error(err)
	}
	_ = s.running.lifeline.Close()
	_ = s.running.ended() // the last command of the shell says nothing
	s.running = nil
}
