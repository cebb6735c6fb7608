package auth_test

import (
	"log/slog"
	"testing"
)

func newLogger(t testing.TB) *slog.Logger {
	t.Helper()
	return slog.New(slog.NewTextHandler(t.Output(), nil))
}
