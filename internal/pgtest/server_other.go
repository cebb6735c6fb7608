//go:build !unix

package pgtest

import (
	"errors"
	"testing"
)

const superuser = "postgres"

// Server is not available on this system.
type Server struct{}

// StartServer skips the test.
func StartServer(tb testing.TB) *Server {
	tb.Helper()
	tb.Skip("not supported on this system")
	return nil
}

// URL is not available.
func (s *Server) URL() string { return "" }

// Start is not available.
func (s *Server) Start() {}

// Stop is not available.
func (s *Server) Stop() {}

func startServer() (*server, error) {
	return nil, errors.New("not supported on this system")
}
