package actions

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nself-org/nself/templates/golang/internal/jobs"
)

// storageIn returns settings that keep files in a folder of the test's own.
func storageIn(t *testing.T) map[string]string {
	t.Helper()
	return map[string]string{"STORAGE_DIR": filepath.Join(t.TempDir(), "storage")}
}

// storedFile reads a file of that folder.
func storedFile(t *testing.T, env map[string]string, key string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(env["STORAGE_DIR"], filepath.FromSlash(key)))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// awaitJob waits until the job has the wanted status.
func awaitJob(t *testing.T, s *testService, id any, want jobs.Status) jobs.Job {
	t.Helper()
	text, _ := id.(string)
	service := jobs.Of(s.deps.Parts, s.deps.Config, s.deps.DB, s.deps.Env, s.deps.Log)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); ; <-tick.C {
		job, err := service.Find(t.Context(), text)
		if err != nil {
			t.Fatalf("job %v: %v", id, err)
		}
		if job.Status == want {
			return job
		}
		if time.Now().After(deadline) {
			t.Fatalf("the job is %+v, want %s\n%s", job, want, s.log)
		}
	}
}
