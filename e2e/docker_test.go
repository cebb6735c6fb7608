package e2e

import (
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/nself-org/nself/internal/testneeds"
)

// requireDocker needs an engine that has the images of scripts/images/build.sh; NSELF_TEST_DOCKER=0 leaves the test out. It adds the program for containers to the built ones.
func requireDocker(t *testing.T) {
	t.Helper()
	if os.Getenv("NSELF_TEST_DOCKER") == "0" {
		t.Skip("NSELF_TEST_DOCKER=0")
	}
	for _, image := range []string{"postgres", "redis", "golang", "node", "python", "gateway"} {
		out, err := exec.CommandContext(t.Context(), "docker", "image", "inspect", "nself-test/"+image).CombinedOutput()
		if err == nil {
			continue
		}
		testneeds.Missing(t, "no Docker engine with the images of scripts/images: docker image inspect nself-test/%s: %v\n%s", image, err, out)
	}
	if err := buildContainerProgram(); err != nil {
		t.Fatal(err)
	}
}

// buildContainerProgram builds nself-docker beside nself, once.
var buildContainerProgram = sync.OnceValue(func() error { //nolint:gochecknoglobals // built once
	build := exec.Command("go", "build", "-o", filepath.Join(binDir, "nself-docker"), "../cmd/nself-docker")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build nself-docker: %w\n%s", err, out)
	}
	return nil
})

// TestDocker runs the journey of each runtime on a Docker engine.
func TestDocker(t *testing.T) {
	t.Parallel()
	requireDocker(t)
	for _, runtime := range []string{"golang", "nestjs", "python"} {
		t.Run(runtime, func(t *testing.T) {
			t.Parallel()
			runDockerScripts(t, "journey.txtar", runtime)
		})
	}
}

// TestDockerCases runs the scripts that do not depend on the runtime.
func TestDockerCases(t *testing.T) {
	t.Parallel()
	requireDocker(t)
	files, err := filepath.Glob(filepath.Join("testdata", "docker", "case-*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, f := range files {
		name := filepath.Base(f)
		t.Run(strings.TrimSuffix(name, ".txtar"), func(t *testing.T) {
			t.Parallel()
			runDockerScripts(t, name, "golang")
		})
	}
}

func runDockerScripts(t *testing.T, file, runtime string) {
	t.Helper()
	project := "nselfe2e-" + runtime + "-" + strings.ToLower(rand.Text()[:6])
	testscript.Run(t, testscript.Params{
		Files:               []string{filepath.Join("testdata", "docker", file)},
		RequireExplicitExec: true,
		Condition: func(name string) (bool, error) {
			if name == "full" { // the runtime that goes through all of it; NSELF_TEST_DOCKER=all: every one does
				return runtime == "golang" || os.Getenv("NSELF_TEST_DOCKER") == "all", nil
			}
			if name == "golang" || name == "nestjs" || name == "python" {
				return runtime == name, nil
			}
			return false, fmt.Errorf("unknown condition %q", name)
		},
		Setup: func(env *testscript.Env) error {
			if err := setup(env); err != nil {
				return err
			}
			env.Setenv("DOCKER_HOST", os.Getenv("DOCKER_HOST"))
			env.Setenv("RUNTIME", runtime)
			env.Setenv("PROJECT", project)
			env.Defer(func() { cleanDocker(t, env.WorkDir, project) })
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"freeports": func(ts *testscript.TestScript, neg bool, args []string) {
				cmdFreePorts(ts, neg, args)
				ts.Setenv("AT_FUNCTION_PORT", ts.Getenv("AT_"+strings.ToUpper(runtime)+"_PORT"))
			},
			"eventually": cmdEventually,
		},
	})
}

// cleanDocker takes a script's containers, volumes and images away.
func cleanDocker(t *testing.T, workDir, project string) {
	t.Helper()
	_ = os.Remove(filepath.Join(workDir, "shop", "docker-compose.override.yml"))
	down := exec.Command(filepath.Join(binDir, "nself"), "down", "--driver", "docker", "--volumes", "-C", filepath.Join(workDir, "shop"))
	if out, err := down.CombinedOutput(); err != nil {
		t.Errorf("clean up %s: %v\n%s", project, err, out)
	}
	for _, runtime := range []string{"golang", "nestjs", "python"} {
		_ = exec.Command("docker", "image", "rm", project+"-"+runtime).Run()
	}
}
