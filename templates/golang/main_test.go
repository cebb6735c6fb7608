package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nself-org/nself/templates/golang/internal/testenv"
)

// asService makes the test program be the service: signals then reach a process of its own.
const asService = "TEST_AS_SERVICE"

// patience bounds what is waited for; a machine that is busy needs it.
const patience = time.Minute

func TestMain(m *testing.M) {
	if os.Getenv(asService) != "" {
		main()
		return
	}
	os.Exit(testenv.Main(m))
}

// command runs the service with this environment and nothing else.
func command(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = slices.Concat(env, []string{asService + "=1", "PATH=" + os.Getenv("PATH")})
	return cmd
}

func TestServiceLife(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no SIGTERM")
	}
	redisURL, _ := testenv.Redis(t)
	port := freePort(t)
	env := []string{
		"PORT=" + port, "LISTEN_HOST=127.0.0.1", "DATABASE_URL=" + testenv.Database(t), "REDIS_URL=" + redisURL,
		"HASURA_ADMIN_SECRET=hidden-secret",
	}
	if out, err := command(t, env, "healthcheck").CombinedOutput(); err == nil {
		t.Errorf("healthcheck succeeded before the start: %s", out)
	}
	service := command(t, env)
	var log bytes.Buffer
	service.Stdout, service.Stderr = &log, &log
	if err := service.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- service.Wait() }()

	base := "http://127.0.0.1:" + port
	waitFor(t, base+"/healthz", ended)
	if out, err := command(t, env, "healthcheck").CombinedOutput(); err != nil {
		t.Errorf("healthcheck: %v\n%s", err, out)
	}
	if status, body := get(t, base+"/readyz"); status != http.StatusOK ||
		body != `{"status":"ready","checks":{"postgres":"up","redis":"up"}}`+"\n" {
		t.Errorf("readyz answered %d %s", status, body)
	}

	if err := service.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("the service ended with %v", err)
		}
	case <-time.After(patience):
		t.Fatal("the service did not end after SIGTERM")
	}
	checkLog(t, log.String())
	if !strings.Contains(log.String(), `"msg":"stopped"`) {
		t.Errorf("log:\n%s", &log)
	}
}

// The service starts while Postgres and Redis are down, and says that it is not ready.
func TestServiceStartsAlone(t *testing.T) {
	t.Parallel()
	port, dead := freePort(t), freePort(t)
	service := command(t, []string{
		"PORT=" + port, "LISTEN_HOST=127.0.0.1", "DATABASE_URL=postgres://u:hidden-secret@127.0.0.1:" + dead + "/d",
		"REDIS_URL=redis://:hidden-secret@127.0.0.1:" + dead, "HASURA_ADMIN_SECRET=s",
	})
	var log bytes.Buffer
	service.Stdout, service.Stderr = &log, &log
	if err := service.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- service.Wait() }()
	base := "http://127.0.0.1:" + port
	waitFor(t, base+"/healthz", ended)
	if status, body := get(t, base+"/readyz"); status != http.StatusServiceUnavailable ||
		body != `{"status":"unready","checks":{"postgres":"down","redis":"down"}}`+"\n" {
		t.Errorf("readyz answered %d %s", status, body)
	}
	_ = service.Process.Kill()
	<-ended
	checkLog(t, log.String())
}

// checkLog looks for lines that are not JSON, and for secrets.
func checkLog(t *testing.T, log string) {
	t.Helper()
	for line := range strings.Lines(log) {
		if !json.Valid([]byte(line)) {
			t.Errorf("log line is not JSON: %s", line)
		}
	}
	if strings.Contains(log, "hidden-secret") {
		t.Errorf("the log holds a secret:\n%s", log)
	}
}

func TestServiceRefusesToStart(t *testing.T) {
	t.Parallel()
	out, err := command(t, []string{"PORT=many"}).CombinedOutput()
	if err == nil {
		t.Fatal("the service started without its configuration")
	}
	for _, want := range []string{"PORT must be", "DATABASE_URL is not set", "HASURA_ADMIN_SECRET is not set"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q is not in: %s", want, out)
		}
	}
	if out, err := command(t, nil, "no-such-command").CombinedOutput(); err == nil || !strings.Contains(string(out), "usage") {
		t.Errorf("got %v, %s", err, out)
	}
}

// freePort returns a port on which nothing listens.
func freePort(t *testing.T) string {
	t.Helper()
	for range 1000 {
		port := strconv.Itoa(10000 + rand.IntN(5000)) // below the ports that systems give to outgoing connections
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", net.JoinHostPort("127.0.0.1", port))
		if errors.Is(err, syscall.ECONNREFUSED) {
			return port
		}
		if err == nil {
			_ = conn.Close()
		}
	}
	t.Fatal("no port is free")
	return ""
}

func waitFor(t *testing.T, url string, ended <-chan error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_ = resp.Body.Close()
			return
		}
		select {
		case err := <-ended:
			t.Fatalf("the service ended: %v", err)
		case <-ctx.Done():
			t.Fatalf("%s does not answer", url)
		case <-tick.C:
		}
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}
