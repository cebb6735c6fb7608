package testports_test

import (
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/nself-org/nself/internal/testports"
)

// Many processes at once are given each port once.
func TestFree(t *testing.T) {
	if os.Getenv("TESTPORTS") != "" {
		ports, err := testports.Free(200)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range ports {
			_, _ = os.Stdout.WriteString("port " + strconv.Itoa(p) + "\n")
		}
		_, _ = os.Stdin.Read(make([]byte, 1)) // holds them until it is told to end
		return
	}
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for range 5 {
		cmd := exec.CommandContext(t.Context(), exe, "-test.run", "^TestFree$")
		cmd.Env = append(os.Environ(), "TESTPORTS=1")
		end, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = end.Close()
			_ = cmd.Wait()
		})
		text := ""
		for buf := make([]byte, 4096); strings.Count(text, "\n") < 200; {
			n, err := out.Read(buf)
			if err != nil {
				t.Fatalf("%v after %q", err, text)
			}
			text += string(buf[:n])
		}
		for line := range strings.Lines(text) {
			if seen[line] {
				t.Errorf("given twice: %s", line)
			}
			seen[line] = true
		}
	}
}

func TestPort(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(testports.Port(t))))
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
}
