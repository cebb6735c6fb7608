package testneeds

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/gofrs/flock"

	"github.com/nself-org/nself/templates"
)

// NodeModules installs the packages of the NestJS template into a folder that is kept for the next run, and returns it.
func NodeModules(tb testing.TB) string {
	tb.Helper()
	npm := Program(tb, "npm")
	var sum bytes.Buffer
	files := map[string][]byte{}
	for _, name := range []string{".npmrc", "package-lock.json", "package.json"} {
		data, err := templates.FS.ReadFile("nestjs/" + name)
		if err != nil {
			tb.Fatal(err)
		}
		files[name] = data
		sum.Write(data)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		tb.Fatal(err)
	}
	hash := sha256.Sum256(sum.Bytes())
	dir := filepath.Join(cache, "nself-test", "nestjs-"+hex.EncodeToString(hash[:8]))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		tb.Fatal(err)
	}
	lock := flock.New(dir + ".lock") // tests of several packages ask at once
	if err := lock.Lock(); err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = lock.Unlock() }()
	installed := filepath.Join(dir, "installed")
	if _, err := os.Stat(installed); err == nil {
		return filepath.Join(dir, "node_modules")
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	cmd := exec.CommandContext(context.Background(), npm, "ci", "--prefer-offline", "--no-audit", "--no-fund")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		Missing(tb, "npm ci: %v\n%s", err, out)
	}
	if err := os.WriteFile(installed, nil, 0o600); err != nil {
		tb.Fatal(err)
	}
	return filepath.Join(dir, "node_modules")
}
