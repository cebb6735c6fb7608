package testneeds

import (
	"os"
	"syscall"
	"testing"
)

// WriteProgram writes a file that the test is going to run. A process that another test starts meanwhile would have it open
// for writing for a moment, and the system refuses to run such a file: "text file busy". So none is started until it is written.
func WriteProgram(tb testing.TB, path string, data []byte) {
	tb.Helper()
	syscall.ForkLock.RLock()
	err := os.WriteFile(path, data, 0o755)
	syscall.ForkLock.RUnlock()
	if err != nil {
		tb.Fatal(err)
	}
}
