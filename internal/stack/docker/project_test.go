package docker_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/metadata"
	"github.com/nself-org/nself/internal/stack"
	"github.com/nself-org/nself/internal/stack/docker"
	"github.com/nself-org/nself/internal/testneeds"
	"github.com/nself-org/nself/internal/testports"
)

// testImages are what the tests run on; scripts/images/build.sh makes them.
var testImages = map[string]string{
	"POSTGRES_IMAGE": "nself-test/postgres", "REDIS_IMAGE": "nself-test/redis", "HASURA_IMAGE": "nself-test/gateway",
	"GOLANG_IMAGE": "nself-test/base",
}

// requireEngine skips a test where no engine answers or the images are missing.
func requireEngine(t *testing.T) {
	t.Helper()
	if testing.Short() || os.Getenv("NSELF_TEST_DOCKER") == "0" {
		t.Skip("needs containers")
	}
	for _, image := range testImages {
		out, err := exec.CommandContext(t.Context(), "docker", "image", "inspect", image).CombinedOutput()
		if err == nil {
			continue
		}
		testneeds.Missing(t, "no Docker engine with the images of scripts/images: docker image inspect %s: %v\n%s", image, err, out)
	}
}

// project is a project on disk for one test.
type project struct {
	dir   string
	name  string
	ports map[string]int

	mu     sync.Mutex
	events []stack.Event
}

// serviceBinary is the function service, compiled once.
var serviceBinary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "nself-test-service-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "server")
	cmd := exec.Command("go", "build", "-o", path, ".")
	cmd.Dir = filepath.Join("testdata", "service")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("compile the service: %w\n%s", err, out)
	}
	return path, nil
})

// newProject writes a project with a function service and free ports. It is taken down when the test ends.
func newProject(t *testing.T) *project {
	t.Helper()
	requireEngine(t)
	dir := t.TempDir()
	p := &project{dir: dir, name: "nselftest-" + strings.ToLower(rand.Text()[:8]), ports: freePorts(t,
		"POSTGRES_PORT", "REDIS_PORT", "HASURA_PORT", "MAILPIT_SMTP_PORT", "MAILPIT_UI_PORT", "GOLANG_PORT")}
	folder := filepath.Join(dir, "functions", "golang")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	binary, err := serviceBinary()
	if err != nil {
		t.Fatal(err)
	}
	for name, source := range map[string]string{
		"server": binary, "Dockerfile": filepath.Join("testdata", "service", "Dockerfile"),
	} {
		content, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	p.set(t, nil)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		p.set(t, nil)
		_ = os.Remove(filepath.Join(dir, "docker-compose.override.yml"))
		if err := p.driver(t).Down(ctx, stack.DownOptions{Volumes: true}); err != nil {
			t.Errorf("down: %v", err)
		}
		_ = exec.CommandContext(ctx, "docker", "image", "rm", p.name+"-golang").Run()
	})
	return p
}

// set writes the env file: the ports and the project's constants, under the given settings.
func (p *project) set(t *testing.T, settings map[string]string) {
	t.Helper()
	vars := map[string]string{
		"PROJECT_NAME": p.name, "GOLANG_ENABLED": "true", "MAILPIT_ENABLED": "false",
		"POSTGRES_PASSWORD":           "pg pass\"word$of-enough-length",
		"HASURA_GRAPHQL_ADMIN_SECRET": "admin-secret-of-enough-length-0123456789", "REDIS_PASSWORD": "redis-pass-word-0123456789",
	}
	maps.Copy(vars, testImages)
	for k, v := range p.ports {
		vars[k] = strconv.Itoa(v)
	}
	maps.Copy(vars, settings)
	var b strings.Builder
	for k, v := range vars {
		fmt.Fprintf(&b, "%s='%s'\n", k, strings.ReplaceAll(v, "'", ""))
	}
	if err := os.WriteFile(filepath.Join(p.dir, ".env"), []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (p *project) load() (*env.Config, error) {
	cfg, _, err := env.Load(p.dir, env.Options{})
	return cfg, err
}

func (p *project) driver(t *testing.T) stack.Driver {
	t.Helper()
	cfg, err := p.load()
	if err != nil {
		t.Fatalf("load the configuration: %v", err)
	}
	return docker.New(docker.Options{
		Config: cfg, Load: p.load, Log: slog.New(slog.DiscardHandler),
		SavePorts: func(dir string, ports map[string]int) error {
			for key, port := range ports {
				if _, err := env.Set(dir, key, strconv.Itoa(port), env.SetOptions{}); err != nil {
					return err
				}
			}
			return nil
		},
		Metadata: func(string) (*metadata.Metadata, error) {
			return metadata.ParseDocument([]byte(`{"version": 3, "sources": []}`), "metadata.json")
		},
	})
}

func (p *project) report(e stack.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events = append(p.events, e)
}

// taken returns the events reported since the last call.
func (p *project) taken() []stack.Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	events := p.events
	p.events = nil
	return events
}

func (p *project) up(t *testing.T, services ...string) error {
	t.Helper()
	return p.driver(t).Up(t.Context(), stack.UpOptions{Services: services, WaitTimeout: time.Minute, Report: p.report})
}

func freePorts(t *testing.T, keys ...string) map[string]int {
	t.Helper()
	ports := map[string]int{}
	for _, key := range keys {
		ports[key] = testports.Port(t)
	}
	return ports
}
