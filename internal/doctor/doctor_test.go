package doctor

import (
	"context"
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/ports"
	"github.com/nself-org/nself/internal/testneeds"
	"github.com/nself-org/nself/internal/testports"
)

// machine is a PATH with programs that say what a test wants.
func machine(t *testing.T, programs map[string]string) []string {
	t.Helper()
	dir := t.TempDir()
	for name, script := range programs {
		testneeds.WriteProgram(t, filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"))
	}
	return []string{"PATH=" + dir, "HOME=" + t.TempDir(), "DOCKER_HOST=unix://" + filepath.Join(dir, "no-engine.sock")}
}

// patience is how long checks may take here: the machine may be busy with other tests.
const patience = time.Minute

// project writes a sound project and reads its configuration.
func project(t *testing.T, files map[string]string) Input {
	t.Helper()
	dir := t.TempDir()
	all := map[string]string{
		"hasura/config.yaml": "version: 3\n", "hasura/metadata/version.yaml": "version: 3\n",
		"hasura/metadata/actions.graphql": "", "hasura/metadata/actions.yaml": "actions: []\n",
		"docker-compose.yml": "services: {}\n", ".env": "PROJECT_NAME=shop\n",
		".env.local": "POSTGRES_PASSWORD=" + strings.Repeat("p", 32) + "\nREDIS_PASSWORD=" + strings.Repeat("r", 32) +
			"\nHASURA_GRAPHQL_ADMIN_SECRET=" + strings.Repeat("s", 32) + "\n",
	}
	maps.Copy(all, files)
	for name, text := range all {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// Nothing of the machine's environment, and ports that no other test asks for.
	cfg, report, _ := env.Load(dir, env.Options{Environ: []string{}})
	for _, port := range []*int{
		&cfg.Hasura.Port, &cfg.Postgres.Port, &cfg.Redis.Port, &cfg.Mail.SMTPPort, &cfg.Mail.UIPort,
		&cfg.Golang.Port, &cfg.NestJS.Port, &cfg.Python.Port,
	} {
		*port = freePort(t)
	}
	return Input{Dir: dir, Config: cfg, Report: report, Patience: patience}
}

func freePort(t *testing.T) int {
	t.Helper()
	return testports.Port(t)
}

func pick(findings []Finding, check string) []Finding {
	var found []Finding
	for _, f := range findings {
		if f.Check == check {
			found = append(found, f)
		}
	}
	return found
}

// want checks that the check's only finding has the level, and that its texts contain what a person needs.
func want(t *testing.T, findings []Finding, check string, level Level, detail, fix string) {
	t.Helper()
	found := pick(findings, check)
	if len(found) != 1 {
		t.Fatalf("%s: %d findings: %+v", check, len(found), found)
	}
	f := found[0]
	if f.Level != level || !strings.Contains(f.Detail, detail) || !strings.Contains(f.Fix, fix) {
		t.Errorf("%s: got %s %q, fix %q; want %s %q, fix %q", check, f.Level, f.Detail, f.Fix, level, detail, fix)
	}
	if (f.Level == OK) != (f.Fix == "") {
		t.Errorf("%s: level %s with fix %q", check, f.Level, f.Fix)
	}
}

const allOn = "PROJECT_NAME=shop\nGOLANG_ENABLED=true\nNESTJS_ENABLED=true\nPYTHON_ENABLED=true\n"

func TestPrograms(t *testing.T) {
	t.Parallel()
	const goOK, nodeOK, pythonOK = "echo go version go1.30.1 linux/amd64", "echo v24.1.0", "echo 3.13.1"
	tests := []struct {
		name     string
		programs map[string]string
		files    map[string]string
		driver   string
		check    string
		level    Level
		detail   string
		fix      string
	}{
		{"go", map[string]string{"go": goOK}, nil, "", "go", OK, "go 1.30.1 at", ""},
		{"no go", nil, nil, "", "go", Fail, "not on the PATH", "go.dev/dl"},
		{"no go, brew", map[string]string{"brew": ""}, nil, "", "go", Fail, "not on the PATH", "brew install go"},
		{"no go, docker", nil, nil, DriverDocker, "go", Warn, "not on the PATH", "go.dev/dl"},
		{"go does not run", map[string]string{"go": "echo broken >&2; exit 3"}, nil, "", "go", Warn, "broken", "go.dev/dl"},
		{"old go", map[string]string{"go": "echo go version go1.21.0 linux/amd64"}, nil, "", "go", Warn, "needs " + minGo, "go.dev/dl/go" + minGo},
		{
			"go older than the module",
			map[string]string{"go": "echo go version go1.26.3 linux/amd64"},
			map[string]string{"functions/golang/go.mod": "module shop\n\ngo 1.27.2\n"},
			"", "go", Warn, "needs 1.27.2", "go1.27.2.",
		},
		{"node", map[string]string{"node": nodeOK, "npm": ""}, nil, "", "node", OK, "node 24.1.0", ""},
		{"no node", map[string]string{"apt-get": ""}, nil, "", "node", Fail, "not on the PATH", "apt-get install -y nodejs npm"},
		{"no npm", map[string]string{"node": nodeOK}, nil, "", "node", Fail, "npm is not", "nodejs.org"},
		{"old node", map[string]string{"node": "echo v18.19.0", "npm": ""}, nil, "", "node", Fail, "needs 20", "n lts"},
		{
			"node older than the package",
			map[string]string{"node": "echo v20.1.0", "npm": ""},
			map[string]string{"functions/nestjs/package.json": `{"engines":{"node":">=22.12"}}`},
			"", "node", Fail, "needs 22.12", "n lts",
		},
		{"python", map[string]string{"python3": pythonOK}, nil, "", "python", OK, "python 3.13.1", ""},
		{"no python", nil, nil, "", "python", Fail, "not on the PATH", "python.org"},
		{"old python", map[string]string{"python3": "echo 3.8.1"}, nil, "", "python", Fail, "needs 3.10", "python.org"},
		{
			"python older than the project",
			map[string]string{"python3": "echo 3.10.1"},
			map[string]string{"functions/python/pyproject.toml": "[project]\nrequires-python = \">=3.12\"\n"},
			"", "python", Fail, "needs 3.12", "python.org",
		},
		{
			"python without venv",
			map[string]string{"apt-get": "", "python3": "echo 3.12.1 no venv"},
			nil, "", "python", Fail, "virtual environments", "python3-venv",
		},
		{"redis", map[string]string{"redis-server": "echo Redis server v=7.0.15 sha=0"}, nil, "", "redis", OK, "redis-server 7.0.15", ""},
		{"no redis", map[string]string{"dnf": ""}, nil, "", "redis", Warn, "stand-in", "dnf install -y redis"},
		{"no redis, docker", nil, nil, DriverDocker, "redis", OK, "container", ""},
		{"postgres", map[string]string{"postgres": "echo 'postgres (PostgreSQL) 17.2'", "initdb": ""}, nil, "", "postgres", OK, "postgres 17.2 in", ""},
		{"old postgres", map[string]string{"postgres": "echo 'postgres (PostgreSQL) 9.6.2'", "initdb": ""}, nil, "", "postgres", Warn, "9.6.2", "postgresql"},
		{"postgres does not run", map[string]string{"postgres": "exit 1", "initdb": ""}, nil, "", "postgres", Warn, "does not run", "postgresql"},
		{
			"NSELF_PG_BIN", nil,
			map[string]string{".env": allOn + "NSELF_PG_BIN=/nowhere\n"},
			"", "postgres", Fail,
			"NSELF_PG_BIN=/nowhere", "config set NSELF_PG_BIN",
		},
		{"no engine", nil, nil, "", "docker", OK, "the native driver does without", ""},
		{"no engine, docker", map[string]string{"dockerd": ""}, nil, DriverDocker, "docker", Fail, "no engine answers", "unset DOCKER_HOST"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			files := map[string]string{".env": allOn}
			maps.Copy(files, tt.files)
			in := project(t, files)
			in.Driver, in.Environ = tt.driver, machine(t, tt.programs)
			want(t, Run(t.Context(), in), tt.check, tt.level, tt.detail, tt.fix)
		})
	}
}

func TestOnlyWhatIsEnabled(t *testing.T) {
	t.Parallel()
	in := project(t, nil)
	in.Environ = machine(t, nil)
	for _, check := range []string{"go", "node", "python", "redis"} {
		if found := pick(Run(t.Context(), in), check); len(found) != 0 {
			t.Errorf("%s is not used and reported: %+v", check, found)
		}
	}
}

func TestOutsideOfAProject(t *testing.T) {
	t.Parallel()
	found := Run(t.Context(), Input{Environ: machine(t, nil), Patience: patience})
	if Worst(found) == Fail {
		t.Errorf("nothing is required before there is a project: %+v", found)
	}
	for _, check := range []string{"go", "node", "python", "redis", "docker", "disk", "memory"} {
		if len(pick(found, check)) == 0 {
			t.Errorf("%s is not examined", check)
		}
	}
}

func TestDockerEngine(t *testing.T) {
	t.Parallel()
	engine := func(t *testing.T, version, api string) []string {
		t.Helper()
		mux := http.NewServeMux()
		mux.HandleFunc("/_ping", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Api-Version", api) })
		mux.HandleFunc("/v"+api+"/version", func(w http.ResponseWriter, _ *http.Request) {
			_ = json.NewEncoder(w).Encode(map[string]string{"Version": version, "ApiVersion": api})
		})
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		srv := &http.Server{Handler: mux}
		go func() { _ = srv.Serve(l) }()
		t.Cleanup(func() { _ = srv.Close() })
		return append(machine(t, nil), "DOCKER_HOST=tcp://"+l.Addr().String())
	}
	t.Run("current", func(t *testing.T) {
		t.Parallel()
		want(t, Run(t.Context(), Input{Driver: DriverDocker, Environ: engine(t, "27.3.1", "1.47"), Patience: patience}), "docker", OK, "engine 27.3.1 at tcp://", "")
	})
	t.Run("podman", func(t *testing.T) {
		t.Parallel()
		want(t, Run(t.Context(), Input{Driver: DriverDocker, Environ: engine(t, "4.3.1", "1.41"), Patience: patience}), "docker", OK, "engine 4.3.1 at tcp://", "")
	})
	t.Run("old", func(t *testing.T) {
		t.Parallel()
		want(t, Run(t.Context(), Input{Environ: engine(t, "19.03.1", "1.40"), Patience: patience}), "docker", Warn, "19.03.1", "docs.docker.com")
	})
	t.Run("silent", func(t *testing.T) {
		t.Parallel()
		l, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		start := time.Now()
		found := Run(t.Context(), Input{Driver: DriverDocker, Environ: append(machine(t, nil), "DOCKER_HOST=tcp://"+l.Addr().String())})
		want(t, found, "docker", Fail, "no engine answers", "unset DOCKER_HOST")
		if took := time.Since(start); took > patience {
			t.Errorf("waited %v", took)
		}
	})
	t.Run("ssh", func(t *testing.T) {
		t.Parallel()
		want(t, Run(t.Context(), Input{Environ: append(machine(t, nil), "DOCKER_HOST=ssh://host")}), "docker", Warn, "ssh", "docker version")
	})
	t.Run("nonsense", func(t *testing.T) {
		t.Parallel()
		want(t, Run(t.Context(), Input{Environ: append(machine(t, nil), "DOCKER_HOST=nonsense")}), "docker", Warn, "no engine", "unset DOCKER_HOST")
	})
}

func TestPorts(t *testing.T) {
	t.Parallel()
	in := project(t, nil)
	in.Environ = machine(t, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	in.Config.Postgres.Port = l.Addr().(*net.TCPAddr).Port
	found := Run(t.Context(), in)
	check := "port " + strconv.Itoa(in.Config.Postgres.Port)
	want(t, found, check, Fail, "postgres: "+check+" is held by", "nself config set POSTGRES_PORT ")
	if self := strconv.Itoa(os.Getpid()); !strings.Contains(pick(found, check)[0].Detail, "pid "+self) {
		t.Errorf("the holder, pid %s, is not named: %+v", self, pick(found, check))
	}
	other, err := strconv.Atoi(strings.Fields(pick(found, check)[0].Fix)[4])
	if err != nil || ports.InUse(t.Context(), other) {
		t.Errorf("the port to use instead: %d, %v", other, err)
	}
	want(t, found, "ports", OK, "3 free", "")
}

func TestHolderFromAProject(t *testing.T) {
	t.Parallel()
	x := &examiner{Input: project(t, nil), engine: func() *engineFacts { return &engineFacts{} }}
	u := usedPort{"redis", "REDIS_PORT", 6379}
	f := x.conflict(t.Context(), u, &ports.Holder{Project: "/home/a b/shop", PID: 1}, map[int]bool{})
	if f.Fix != "nself --project '/home/a b/shop' down" {
		t.Errorf("fix %q", f.Fix)
	}
	x.Driver = DriverDocker
	f = x.conflict(t.Context(), u, &ports.Holder{Name: "docker-proxy", PID: 1}, map[int]bool{})
	if f.Level != Warn || f.Fix != "docker ps --filter publish=6379" {
		t.Errorf("container: %+v", f)
	}
}

func TestProjectFiles(t *testing.T) {
	t.Parallel()
	t.Run("sound", func(t *testing.T) {
		t.Parallel()
		in := project(t, nil)
		in.Environ = machine(t, nil)
		found := Run(t.Context(), in)
		for _, check := range []string{"project", "secrets", "metadata", "config"} {
			want(t, found, check, OK, "", "")
		}
	})
	t.Run("missing", func(t *testing.T) {
		t.Parallel()
		in := project(t, map[string]string{".env": "PROJECT_NAME=shop\nGOLANG_ENABLED=true\n"})
		in.Environ = machine(t, nil)
		if err := os.Remove(filepath.Join(in.Dir, "docker-compose.yml")); err != nil {
			t.Fatal(err)
		}
		found := pick(Run(t.Context(), in), "project")
		if len(found) != 2 || !strings.Contains(found[0].Detail, "docker-compose.yml") || !strings.Contains(found[1].Detail, "functions/golang") {
			t.Fatalf("got %+v", found)
		}
		for _, f := range found {
			if f.Level != Fail || !strings.HasSuffix(f.Fix, "nself build") {
				t.Errorf("got %+v", f)
			}
		}
	})
	t.Run("modes", func(t *testing.T) {
		t.Parallel()
		in := project(t, nil)
		in.Environ = machine(t, nil)
		path := filepath.Join(in.Dir, ".env.local")
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		want(t, Run(t.Context(), in), "secrets", Warn, "0644", "chmod 600 "+path)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		want(t, Run(t.Context(), in), "secrets", Warn, "missing", "nself init")
	})
	t.Run("problems", func(t *testing.T) {
		t.Parallel()
		in := project(t, map[string]string{
			".env":                            "PROJECT_NAME=shop\nPOSTGRES_PORT=many\nNESTJS_ENABLE=true\n",
			"hasura/metadata/actions.graphql": "type Mutation {\n  login(name: String!): LoginOutpt\n}\n",
			"hasura/metadata/actions.yaml":    "actions:\n  - name: login\n    definition:\n      kind: synchronous\n      handler: '{{GOLANG_URL}}/actions/login'\n",
		})
		in.Environ = machine(t, nil)
		found := Run(t.Context(), in)
		var text strings.Builder
		for _, f := range append(pick(found, "config"), pick(found, "metadata")...) {
			text.WriteString(string(f.Level) + " " + f.Detail + "\n")
			if f.Fix == "" {
				t.Errorf("no fix: %+v", f)
			}
			if strings.Contains(f.Detail+f.Fix, strings.Repeat("s", 32)) {
				t.Errorf("a secret is shown: %+v", f)
			}
		}
		for _, part := range []string{"fail .env:2: POSTGRES_PORT", "NESTJS_ENABLE", "fail hasura/metadata/actions.graphql:2", "LoginOutpt"} {
			if !strings.Contains(text.String(), part) {
				t.Errorf("%q is not in:\n%s", part, text.String())
			}
		}
	})
}

func TestGit(t *testing.T) {
	t.Parallel()
	git := testneeds.Program(t, "git")
	in := project(t, nil)
	in.Environ = append(machine(t, nil), "PATH="+filepath.Dir(git), "HOME="+t.TempDir(), "GIT_CONFIG_NOSYSTEM=1")
	run := func(args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), git, append([]string{"-C", in.Dir}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
	}
	if found := pick(Run(t.Context(), in), "git"); len(found) != 0 {
		t.Errorf("no repository: %+v", found)
	}
	run("init", "-q")
	want(t, Run(t.Context(), in), "git", Warn, "not ignored", ".gitignore")
	run("add", ".env.local")
	want(t, Run(t.Context(), in), "git", Fail, "in the repository", "rm --cached .env.local")
	run("rm", "-q", "--cached", ".env.local")
	if err := os.WriteFile(filepath.Join(in.Dir, ".gitignore"), []byte(".env.local\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	want(t, Run(t.Context(), in), "git", OK, "is ignored", "")
}

func TestStuckProgramDoesNotHoldUpTheRest(t *testing.T) {
	t.Parallel()
	in := project(t, map[string]string{".env": allOn})
	in.Environ = machine(t, map[string]string{"node": "exec /bin/sleep 60", "npm": "", "redis-server": "echo v=7"})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	start := time.Now()
	found := Run(ctx, in)
	if took := time.Since(start); took > patience/2 {
		t.Errorf("took %v", took)
	}
	want(t, found, "node", Warn, "no answer in time", "--version")
	if len(pick(found, "redis")) != 1 || len(pick(found, "metadata")) != 1 {
		t.Errorf("other findings are missing: %+v", found)
	}
}

// On this machine as it is, every finding that is not well has its fix, and the whole is quick.
func TestRealMachine(t *testing.T) {
	t.Parallel()
	in := project(t, map[string]string{".env": allOn})
	in.Environ, in.Patience = os.Environ(), 0
	best := time.Hour
	for end := time.Now().Add(patience); best > 2*time.Second && time.Now().Before(end); { // the machine may be busy with other tests
		start := time.Now()
		found := Run(t.Context(), in)
		best = min(best, time.Since(start))
		for _, f := range found {
			if (f.Level == OK) != (f.Fix == "") || f.Detail == "" || strings.Contains(f.Detail, "\n") {
				t.Errorf("%+v", f)
			}
			t.Logf("%-8s %-4s %s  %s", f.Check, f.Level, f.Detail, f.Fix)
		}
	}
	t.Logf("took %v", best)
	if best > 2*time.Second {
		t.Errorf("took %v", best)
	}
}

func TestVersions(t *testing.T) {
	t.Parallel()
	tests := []struct {
		have, want string
		older      bool
	}{
		{"1.26", "1.26.0", false},
		{"1.9", "1.26", true},
		{"20.10.7", "20.10", false},
		{"19.03.1", "20.10", true},
		{"24", "20", false},
		{"", "1", true},
		{"1.27rc1", "1.27", true},
	}
	for _, tt := range tests {
		if got := older(tt.have, tt.want); got != tt.older {
			t.Errorf("older(%q, %q) = %v", tt.have, tt.want, got)
		}
	}
	for text, want := range map[string]string{
		"go version go1.26.1 linux/amd64": "1.26.1", "v20.20.2\n": "20.20.2", "postgres (PostgreSQL) 15.18 (Debian)": "15.18",
		"Redis server v=7.0.15 sha=0": "7.0.15", "nothing": "",
	} {
		if got := version(text); got != want {
			t.Errorf("version(%q) = %q, want %q", text, got, want)
		}
	}
}
