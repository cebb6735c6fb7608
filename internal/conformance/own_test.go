package conformance_test

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestOwn runs this project's cases: what it promises beyond Hasura's, or differently. Each file is a gateway of its
// own.
func TestOwn(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("testdata", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			t.Parallel()
			steps, err := readSteps(file)
			if err != nil {
				t.Fatal(err)
			}
			startStack(t, adminSecret).run(t, steps, runOptions{})
		})
	}
}
