package cli

import (
	"os"
	"path/filepath"
	"testing"
)

func TestMetadataFolder(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]string{"a project": "hasura/metadata", "a project of the Hasura CLI": "metadata", "the metadata": ""} {
		dir := t.TempDir()
		want := filepath.Join(dir, filepath.FromSlash(in))
		if err := os.MkdirAll(want, 0o755); err != nil {
			t.Fatal(err)
		}
		if got, err := metadataFolder(dir); err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", name, got, err, want)
		}
	}
}
