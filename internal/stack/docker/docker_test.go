package docker_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/stack"
)

func TestMissingImage(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	p.set(t, map[string]string{"REDIS_IMAGE": "nself-test/absent:1"})
	err := p.up(t, stack.Postgres, stack.Redis)
	if !errors.Is(err, errdefs.ErrUnavailable) || !strings.Contains(err.Error(), "nself-test/absent:1 is not on this machine and cannot be pulled") {
		t.Errorf("up: %v, want class unavailable and the image's name", err)
	}
	if hints := strings.Join(errdefs.Hints(err), " "); !strings.Contains(hints, "REDIS_IMAGE") {
		t.Errorf("hints %q, want REDIS_IMAGE", hints)
	}
	st, err := p.driver(t).Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range st.Services {
		if s.Name == stack.Postgres && s.State != stack.StateHealthy {
			t.Errorf("postgres is %s, want it running all the same", s.State)
		}
	}
}

func TestTakenPort(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	taken := ln.Addr().(*net.TCPAddr).Port
	p.set(t, map[string]string{"REDIS_PORT": strconv.Itoa(taken)})
	err = p.up(t, stack.Redis)
	if !errors.Is(err, errdefs.ErrUnavailable) || !strings.Contains(err.Error(), strconv.Itoa(taken)) {
		t.Errorf("up: %v, want class unavailable and the port", err)
	}
	err = p.driver(t).Up(t.Context(), stack.UpOptions{
		Services: []string{stack.Redis}, AutoPorts: true, WaitTimeout: time.Minute, Report: p.report,
	})
	if err != nil {
		t.Errorf("up with free ports: %v", err)
	}
}

// TestPortTakenMeanwhile takes the port when it has been looked at already.
func TestPortTakenMeanwhile(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	var holder net.Listener
	err := p.driver(t).Up(t.Context(), stack.UpOptions{
		Services: []string{stack.Redis}, WaitTimeout: time.Minute, Report: func(e stack.Event) {
			p.report(e)
			if e.Kind == stack.EventStarting && holder == nil {
				var err error
				if holder, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(p.ports["REDIS_PORT"]))); err != nil {
					t.Error(err)
				}
			}
		},
	})
	p.wantFailure(t, err, errdefs.ErrUnavailable, stack.Redis, "taken the port")
	if holder != nil {
		_ = holder.Close()
	}
	if err := p.up(t, stack.Redis); err != nil {
		t.Errorf("up when the port is free again: %v", err)
	}
}

func TestOverride(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	path := filepath.Join(p.dir, "docker-compose.override.yml")
	for text, want := range map[string]error{
		"services:\n  redis:\n    environ: {A: b}\n": errdefs.ErrInvalid,
		"services: [\n": errdefs.ErrInvalid,
		"services:\n  extra:\n    image: nself-test/redis\n    command: [sleep, '99']\n": nil,
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		services := []string{stack.Redis}
		if want == nil {
			services = append(services, "extra")
		}
		if err := p.up(t, services...); !errors.Is(err, want) {
			t.Errorf("up with %q: %v, want %v", text, err, want)
		}
	}
}

func TestDownWithVolumesForgetsCalls(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	calls := filepath.Join(p.dir, ".nself", "calls")
	if err := errors.Join(os.MkdirAll(calls, 0o700), p.up(t, stack.Redis)); err != nil {
		t.Fatal(err)
	}
	for _, volumes := range []bool{false, true} {
		if err := p.driver(t).Down(t.Context(), stack.DownOptions{Volumes: volumes}); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(calls); (err == nil) == volumes {
			t.Errorf("the kept calls after down, with volumes %t: %v", volumes, err)
		}
	}
}
