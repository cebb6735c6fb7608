package ports_test

import (
	"net"
	"os"
	"strings"
	"testing"

	"github.com/nself-org/nself/internal/ports"
)

func listen(t *testing.T, address string) int {
	t.Helper()
	ln, err := net.Listen("tcp", address)
	if err != nil {
		t.Skipf("listen on %s: %v", address, err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return ln.Addr().(*net.TCPAddr).Port
}

func TestInUse(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"127.0.0.1:0", "0.0.0.0:0", "[::]:0", "[::1]:0"} {
		t.Run(address, func(t *testing.T) {
			t.Parallel()
			port := listen(t, address)
			if !ports.InUse(t.Context(), port) {
				t.Errorf("port %d, listened on as %s, counts as free", port, address)
			}
		})
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := ln.Addr().(*net.TCPAddr).Port
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	if ports.InUse(t.Context(), port) {
		t.Errorf("port %d counts as in use after its listener was closed", port)
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	port := listen(t, "127.0.0.1:0")
	h, err := ports.Find(t.Context(), port)
	if err != nil {
		t.Fatal(err)
	}
	if h == nil || h.PID != os.Getpid() || h.Project != "" || h.User == "" {
		t.Fatalf("holder is %+v, want this process", h)
	}
	if s := h.String(); !strings.Contains(s, "ports.test") || !strings.Contains(s, "pid ") {
		t.Errorf("holder reads %q", s)
	}
}

func TestFree(t *testing.T) {
	t.Parallel()
	port := listen(t, "127.0.0.1:0")
	got, err := ports.Free(t.Context(), port-1, map[int]bool{port + 1: true})
	if err != nil {
		t.Fatal(err)
	}
	if got == port || got == port+1 || got < port {
		t.Errorf("free port above %d is %d", port, got)
	}
	got, err = ports.Free(t.Context(), 65535, nil)
	if err != nil || got <= 0 || got > 65535 {
		t.Errorf("free port above the last is %d, %v", got, err)
	}
}

func TestHolderString(t *testing.T) {
	t.Parallel()
	for want, h := range map[string]ports.Holder{
		"a process that this user may not see":                {Port: 1},
		"redis-server (pid 8, user redis)":                    {Port: 1, PID: 8, Name: "redis-server", User: "redis"},
		"golang of the nself project /shop (golang-1, pid 8)": {PID: 8, Name: "golang-1", Project: "/shop", Service: "golang"},
		"the nself project /shop (pid 8, user me)":            {PID: 8, Name: "nself", User: "me", Project: "/shop"},
	} {
		if got := h.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
