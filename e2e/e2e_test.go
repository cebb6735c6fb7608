package e2e

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/nself-org/nself/internal/testneeds"
	"github.com/nself-org/nself/internal/testports"
)

// binDir holds the nself that the scripts run.
var binDir string //nolint:gochecknoglobals // set once by TestMain

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "nself-e2e-bin-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	args := []string{"build", "-o", filepath.Join(dir, "nself")}
	if os.Getenv("GOCOVERDIR") != "" {
		args = append(args, "-cover", "-coverpkg", "./...")
	}
	build := exec.Command("go", append(args, "../cmd/nself")...)
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build nself:", err)
		return 1
	}
	binDir = dir
	return m.Run()
}

func TestScripts(t *testing.T) {
	t.Parallel()
	requireServers(t)
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup:               setup,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"freeports":  cmdFreePorts,
			"eventually": cmdEventually,
			"tour":       cmdTour,
			"record":     cmdRecord,
		},
	})
}

// requireServers fails in CI, and skips elsewhere, where the machine lacks what the journeys run on.
func requireServers(t *testing.T) {
	t.Helper()
	postgres, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	for name, found := range map[string]bool{
		"postgres": len(postgres) > 0 || onPath("postgres"), "redis-server": onPath("redis-server"), "curl": onPath("curl"),
	} {
		if !found {
			testneeds.Missing(t, "%s is not installed", name)
		}
	}
}

func onPath(name string) bool {
	_, err := exec.LookPath(name)
	return err == nil
}

// setup gives a script the built nself, the machine's Go caches (compiling a service twice would only cost time) and a
// home of its own, and sees to it that nothing runs on when the script ends.
func setup(env *testscript.Env) error {
	env.Setenv("PATH", binDir+string(os.PathListSeparator)+os.Getenv("PATH"))
	env.Setenv("HOME", filepath.Join(env.WorkDir, "home"))
	env.Setenv("NO_COLOR", "1")
	env.Setenv("DOCKER_HOST", "unix://"+filepath.Join(env.WorkDir, "no-engine.sock")) // these journeys are the native driver's
	for _, name := range []string{"GOPROXY", "GOFLAGS", "GOSUMDB", "GONOSUMDB", "GOTOOLCHAIN", "GOCOVERDIR", "SSL_CERT_FILE"} {
		if value, ok := os.LookupEnv(name); ok {
			env.Setenv(name, value)
		}
	}
	if home, err := os.UserHomeDir(); err == nil { // npm would look for both in the script's own home
		env.Setenv("npm_config_cache", cmp.Or(os.Getenv("npm_config_cache"), filepath.Join(home, ".npm")))
		env.Setenv("npm_config_userconfig", cmp.Or(os.Getenv("npm_config_userconfig"), filepath.Join(home, ".npmrc")))
	}
	for _, name := range []string{"GOMODCACHE", "GOCACHE"} {
		out, err := exec.Command("go", "env", name).Output()
		if err != nil {
			return fmt.Errorf("go env %s: %w", name, err)
		}
		env.Setenv(name, strings.TrimSpace(string(out)))
	}
	env.Defer(func() {
		projects, _ := filepath.Glob(filepath.Join(env.WorkDir, "*", "hasura", "config.yaml"))
		for _, config := range projects {
			down := exec.Command(filepath.Join(binDir, "nself"), "down", "--driver", "native", "--volumes", "-C", filepath.Dir(filepath.Dir(config)))
			if out, err := down.CombinedOutput(); err != nil {
				fmt.Fprintf(os.Stderr, "clean up %s: %v\n%s", config, err, out)
			}
		}
	})
	return os.MkdirAll(filepath.Join(env.WorkDir, "home"), 0o755)
}

// portKeys are the settings that decide where a project listens.
var portKeys = []string{ //nolint:gochecknoglobals // a constant list
	"HASURA_PORT", "POSTGRES_PORT", "REDIS_PORT", "MAILPIT_SMTP_PORT", "MAILPIT_UI_PORT", "GOLANG_PORT", "NESTJS_PORT", "PYTHON_PORT",
}

// cmdFreePorts implements "freeports <project>": appends free ports to the project's .env.local and gives them to the
// script as variables of these names with AT_ before them.
func cmdFreePorts(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: freeports <project>")
	}
	var lines strings.Builder
	ports, err := testports.Free(len(portKeys))
	ts.Check(err)
	for i, port := range ports {
		fmt.Fprintf(&lines, "%s=%d\n", portKeys[i], port)
		ts.Setenv("AT_"+portKeys[i], strconv.Itoa(port)) // not the key itself: the environment would win over the files
	}
	path := filepath.Join(ts.MkAbs(args[0]), ".env.local")
	old, err := os.ReadFile(path)
	ts.Check(err)
	text := string(old)
	kept := make([]string, 0, 32)
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		key, _, _ := strings.Cut(line, "=")
		if !contains(portKeys, key) {
			kept = append(kept, line)
		}
	}
	ts.Check(os.WriteFile(path, []byte(strings.Join(kept, "\n")+"\n"+lines.String()), 0o600))
}

// cmdEventually implements "eventually <seconds> <program> [<arg>...]": runs the program until it succeeds.
func cmdEventually(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: eventually <seconds> <program> [<arg>...]")
	}
	limit, err := time.ParseDuration(args[0] + "s")
	ts.Check(err)
	deadline := time.Now().Add(limit)
	for {
		err := ts.Exec(args[1], args[2:]...)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s: still failing after %s: %v", strings.Join(args[1:], " "), limit, err)
		}
		wait(50 * time.Millisecond)
	}
}

func contains(list []string, s string) bool {
	return slices.Contains(list, s)
}
