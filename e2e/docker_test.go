package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestDocker runs the journeys on a Docker engine. They need the images that scripts/images/build.sh makes; where they are
// missing the test is skipped, and fails when NSELF_TEST_DOCKER is set.
func TestDocker(t *testing.T) {
	t.Parallel()
	for _, image := range []string{"postgres", "redis", "golang", "gateway"} {
		out, err := exec.CommandContext(t.Context(), "docker", "image", "inspect", "nself-test/"+image).CombinedOutput()
		if err == nil {
			continue
		}
		if os.Getenv("NSELF_TEST_DOCKER") != "" {
			t.Fatalf("docker image inspect nself-test/%s: %v\n%s", image, err, out)
		}
		t.Skipf("no Docker engine with the images of scripts/images: %s", strings.TrimSpace(string(out)))
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(binDir, "nself-docker"), "../cmd/nself-docker")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build nself-docker: %v\n%s", err, out)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "docker"),
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			if err := setup(env); err != nil {
				return err
			}
			env.Setenv("DOCKER_HOST", os.Getenv("DOCKER_HOST"))
			env.Defer(func() {
				projects, _ := filepath.Glob(filepath.Join(env.WorkDir, "*", "hasura", "config.yaml"))
				for _, config := range projects {
					dir := filepath.Dir(filepath.Dir(config))
					if out, err := exec.Command(filepath.Join(binDir, "nself"), "down", "--driver", "docker", "--volumes", "-C", dir).
						CombinedOutput(); err != nil {
						t.Errorf("clean up %s: %v\n%s", dir, err, out)
					}
				}
			})
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"freeports": cmdFreePorts},
	})
}
