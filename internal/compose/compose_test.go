package compose

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/env"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const minimal = `
PROJECT_NAME=shop
POSTGRES_PASSWORD=pg-secret-value
HASURA_GRAPHQL_ADMIN_SECRET=admin-secret-value
`

const full = `
PROJECT_NAME=full-shop
ENV=staging
POSTGRES_PORT=15432
POSTGRES_USER=owner
POSTGRES_PASSWORD='p@ss/w:rd #1 $HOME "quoted"'
HASURA_GRAPHQL_ADMIN_SECRET=admin-secret-value
HASURA_JWT_KEY=jwt-key-of-at-least-thirty-two-characters
HASURA_GRAPHQL_UNAUTHORIZED_ROLE=visitor
HASURA_GRAPHQL_CORS_DOMAIN=https://shop.example
HASURA_GRAPHQL_LOG_LEVEL=warn
REDIS_PASSWORD=redis-secret-value
MAILPIT_ENABLED=true
MINIO_ENABLED=true
MINIO_ROOT_PASSWORD=minio-secret-value
STRIPE_SECRET_KEY=stripe-secret-value
GOLANG_ENABLED=true
GOLANG_IMAGE=registry.example.com/go:1.26
NESTJS_ENABLED=true
PYTHON_ENABLED=true
PYTHON_PORT=4002
POSTGRES_IMAGE=registry.example.com/postgres:16
`

// config loads a configuration from the text of an .env.local, without the environment of the test.
func config(t *testing.T, text string) *env.Config {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ".env.local"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, _, err := env.Load(dir, env.Options{Environ: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// load writes what cfg gives into a folder and lets Compose's own loader read, validate and resolve it.
func load(t *testing.T, cfg *env.Config) *types.Project {
	t.Helper()
	dir := t.TempDir()
	text, err := Marshal(Project(cfg))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range EnvFiles(cfg) {
		path := filepath.Join(dir, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	project, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir:  dir,
		ConfigFiles: []types.ConfigFile{{Filename: FileName, Content: text}},
		Environment: types.Mapping{"HOME": "/not-expanded", "POSTGRES_USER": "not-expanded"},
	}, func(o *loader.Options) { o.SetProjectName(cfg.ProjectName, true) })
	if err != nil {
		t.Fatalf("Compose refuses the file: %v\n%s", err, text)
	}
	return project
}

// variable returns what a service's container would see.
func variable(t *testing.T, p *types.Project, service, key string) string {
	t.Helper()
	s, err := p.GetService(service)
	if err != nil {
		t.Fatal(err)
	}
	value := s.Environment[key]
	if value == nil {
		t.Fatalf("%s has no %s", service, key)
	}
	return *value
}

func TestMarshalGolden(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"minimal": minimal,
		"golang":  minimal + "GOLANG_ENABLED=true\nREDIS_PASSWORD=redis-secret-value\n",
		"full":    full,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config(t, text)
			got, err := Marshal(Project(cfg))
			if err != nil {
				t.Fatal(err)
			}
			again, err := Marshal(Project(cfg))
			if err != nil || !bytes.Equal(got, again) {
				t.Fatalf("a second rendering differs (error %v)", err)
			}
			golden := filepath.Join("testdata", name+".yml")
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("%s (-want +got), accept with -update:\n%s", golden, diff)
			}
			load(t, cfg)
		})
	}
}

// TestModelSurvives: what Compose reads back is the model, so that a driver may use either.
func TestModelSurvives(t *testing.T) {
	t.Parallel()
	cfg := config(t, full)
	want, got := Project(cfg), load(t, cfg)
	for name, s := range want.Services {
		g := got.Services[name]
		if diff := cmp.Diff(s.HealthCheck.Test, g.HealthCheck.Test); diff != "" {
			t.Errorf("%s: health check (-model +file):\n%s", name, diff)
		}
		if diff := cmp.Diff(s.Command, g.Command); diff != "" {
			t.Errorf("%s: command (-model +file):\n%s", name, diff)
		}
		if diff := cmp.Diff(s.Deploy, g.Deploy); diff != "" {
			t.Errorf("%s: limits (-model +file):\n%s", name, diff)
		}
		if diff := cmp.Diff(s.DependsOn, g.DependsOn); diff != "" {
			t.Errorf("%s: depends_on (-model +file):\n%s", name, diff)
		}
		if diff := cmp.Diff(s.Ports, g.Ports); diff != "" {
			t.Errorf("%s: ports (-model +file):\n%s", name, diff)
		}
	}
}

func TestNoSecretInFile(t *testing.T) {
	t.Parallel()
	text, err := Marshal(Project(config(t, full)))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{
		"p@ss", "pg-secret", "admin-secret", "jwt-key", "redis-secret", "minio-secret", "stripe-secret", "STRIPE",
	} {
		if bytes.Contains(text, []byte(secret)) {
			t.Errorf("%q appears in %s", secret, FileName)
		}
	}
}

// TestEveryServiceIsHardened states what holds for all services; each service's own test states its exceptions.
func TestEveryServiceIsHardened(t *testing.T) {
	t.Parallel()
	p := load(t, config(t, full))
	if len(p.Services) != len(order) {
		t.Fatalf("the full project has %d services, want %d", len(p.Services), len(order))
	}
	for name, s := range p.Services {
		for what, ok := range map[string]bool{
			"drops all capabilities":      slices.Equal(s.CapDrop, []string{"ALL"}),
			"no new privileges":           slices.Contains(s.SecurityOpt, "no-new-privileges:true"),
			"read-only root":              s.ReadOnly,
			"writable /tmp":               slices.Contains(s.Tmpfs, "/tmp"),
			"init":                        s.Init != nil && *s.Init,
			"restarts":                    s.Restart == "unless-stopped",
			"health check":                s.HealthCheck != nil && (len(s.HealthCheck.Test) > 1 || name == "golang"),
			"memory limit":                s.Deploy.Resources.Limits.MemoryBytes > 0,
			"processor limit":             s.Deploy.Resources.Limits.NanoCPUs > 0,
			"process limit":               s.Deploy.Resources.Limits.Pids > 0,
			"rotated logs":                s.Logging.Options["max-size"] != "" && s.Logging.Options["max-file"] != "",
			"time to stop":                s.StopGracePeriod != nil,
			"an image with a fixed tag":   strings.Contains(s.Image, ":") != (s.Build != nil),
			"no privileges":               !s.Privileged,
			"joins the project's network": len(s.Networks) == 1,
		} {
			if !ok {
				t.Errorf("%s: not so: %s", name, what)
			}
		}
		for _, port := range s.Ports {
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s: port %s is published on %q", name, port.Published, port.HostIP)
			}
		}
	}
	for _, v := range p.Volumes {
		if !strings.HasPrefix(v.Name, "full-shop_") {
			t.Errorf("volume %s does not carry the project's name", v.Name)
		}
	}
	if got := p.Networks["default"].Name; got != "full-shop_network" {
		t.Errorf("network is %q", got)
	}
}

// TestDependencies: a dependency on a service that is not there would make the file invalid.
func TestDependencies(t *testing.T) {
	t.Parallel()
	p := load(t, config(t, minimal+"PYTHON_ENABLED=true\nREDIS_ENABLED=false\n"))
	if diff := cmp.Diff([]string{"postgres"}, p.Services["python"].GetDependencies()); diff != "" {
		t.Errorf("python depends on (-want +got):\n%s", diff)
	}
	if got := variable(t, p, "python", "REDIS_URL"); got != "" {
		t.Errorf("REDIS_URL = %q without Redis", got)
	}
}
