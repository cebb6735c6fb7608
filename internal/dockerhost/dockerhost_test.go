package dockerhost_test

import (
	"maps"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/nself-org/nself/internal/dockerhost"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func listen(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
}

func TestFind(t *testing.T) {
	t.Parallel()
	const rootless = ".docker/contexts/meta/12b961af5feb3e9d39f93b2cefb9a1a944f18d02cca0cac2f04f5a982240605f/meta.json" // the name's SHA-256
	for name, c := range map[string]struct {
		env      map[string]string
		prepare  func(t *testing.T, home, run string)
		from     string
		path     string // below the home or runtime folder
		whole    string
		guessed  bool
		needsNil bool // only where this machine has no engine at the default socket
	}{
		"the environment": {env: map[string]string{"DOCKER_HOST": "tcp://10.0.0.1:2375", "DOCKER_CONTEXT": "x"}, whole: "tcp://10.0.0.1:2375", from: "DOCKER_HOST"},
		"a context that is not there": {
			env: map[string]string{"DOCKER_CONTEXT": "away"}, whole: "context://away", from: "the context away",
		},
		"the current context": {
			prepare: func(t *testing.T, home, _ string) {
				t.Helper()
				write(t, filepath.Join(home, ".docker", "config.json"), `{"currentContext":"rootless"}`)
				write(t, filepath.Join(home, rootless), `{"Endpoints":{"docker":{"Host":"unix:///run/user/7/docker.sock"}}}`)
			},
			whole: "unix:///run/user/7/docker.sock", from: "the context rootless",
		},
		"rootless Docker": {
			prepare: func(t *testing.T, _, run string) { t.Helper(); listen(t, filepath.Join(run, "docker.sock")) },
			path:    "docker.sock", from: "rootless Docker's socket", guessed: true, needsNil: true,
		},
		"Podman": {
			prepare: func(t *testing.T, _, run string) { t.Helper(); listen(t, filepath.Join(run, "podman", "podman.sock")) },
			path:    "podman/podman.sock", from: "Podman's socket", guessed: true, needsNil: true,
		},
		"a file is no socket": {
			prepare:  func(t *testing.T, _, run string) { t.Helper(); write(t, filepath.Join(run, "docker.sock"), "") },
			needsNil: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := os.Stat(dockerhost.DefaultSocket); err == nil && c.needsNil {
				t.Skip("this machine has an engine")
			}
			home, run := t.TempDir(), t.TempDir()
			if c.prepare != nil {
				c.prepare(t, home, run)
			}
			env := map[string]string{"HOME": home, "XDG_RUNTIME_DIR": run}
			maps.Copy(env, c.env)
			want := dockerhost.Host{URL: c.whole, From: c.from, Guessed: c.guessed}
			if c.path != "" {
				want.URL = "unix://" + filepath.Join(run, c.path)
			}
			if got := dockerhost.Find(func(k string) string { return env[k] }); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}
