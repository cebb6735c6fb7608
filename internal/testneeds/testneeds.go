// Package testneeds says what a test does where something that it needs is missing: it skips on a developer's machine and
// fails in continuous integration, which has to bring everything.
package testneeds

import (
	"os"
	"os/exec"
	"testing"
)

// Missing ends the test: what it needs is not there.
func Missing(tb testing.TB, format string, args ...any) {
	tb.Helper()
	if os.Getenv("CI") != "" {
		tb.Fatalf(format, args...)
	}
	tb.Skipf(format, args...)
}

// Program returns the path of a program, or ends the test.
func Program(tb testing.TB, name string) string {
	tb.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Missing(tb, "%s is not installed", name)
	}
	return path
}
