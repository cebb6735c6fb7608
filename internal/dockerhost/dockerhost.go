// Package dockerhost finds the Docker engine that a person's docker command would talk to, and, where that has none, the
// usual sockets of rootless Docker, Docker Desktop, Colima and Podman. It asks no engine.
package dockerhost

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// DefaultSocket is where an engine listens that nobody has configured.
const DefaultSocket = "/var/run/docker.sock"

// Host is an engine that may be there.
type Host struct {
	// URL is its address: "unix:///var/run/docker.sock". Empty: there are no signs of an engine.
	URL string
	// From says what names it: "DOCKER_HOST", "the context rootless", "the default socket", "Podman's socket".
	From string
	// Guessed tells that the docker command itself would not find it.
	Guessed bool
}

// Find looks at the environment, the docker command's configuration, and the usual sockets, in this order.
func Find(getenv func(string) string) Host {
	if h := getenv("DOCKER_HOST"); h != "" {
		return Host{URL: h, From: "DOCKER_HOST"}
	}
	home := getenv("HOME")
	config := getenv("DOCKER_CONFIG")
	if config == "" && home != "" {
		config = filepath.Join(home, ".docker")
	}
	if name := currentContext(getenv, config); name != "" && name != "default" {
		return Host{URL: contextHost(config, name), From: "the context " + name}
	}
	if isSocket(DefaultSocket) {
		return Host{URL: "unix://" + DefaultSocket, From: "the default socket"}
	}
	runtime := getenv("XDG_RUNTIME_DIR")
	if runtime == "" {
		runtime = "/run/user/" + strconv.Itoa(os.Getuid())
	}
	for _, c := range []struct{ folder, path, from string }{
		{runtime, "docker.sock", "rootless Docker's socket"},
		{home, ".docker/run/docker.sock", "Docker Desktop's socket"},
		{home, ".docker/desktop/docker.sock", "Docker Desktop's socket"},
		{home, ".colima/default/docker.sock", "Colima's socket"},
		{runtime, "podman/podman.sock", "Podman's socket"},
		{"/run", "podman/podman.sock", "Podman's socket"},
	} {
		if path := filepath.Join(c.folder, c.path); c.folder != "" && isSocket(path) {
			return Host{URL: "unix://" + path, From: c.from, Guessed: true}
		}
	}
	return Host{}
}

func currentContext(getenv func(string) string, config string) string {
	if name := getenv("DOCKER_CONTEXT"); name != "" {
		return name
	}
	data, err := os.ReadFile(filepath.Join(config, "config.json"))
	if err != nil {
		return ""
	}
	var file struct {
		CurrentContext string `json:"currentContext"`
	}
	if json.Unmarshal(data, &file) != nil {
		return ""
	}
	return file.CurrentContext
}

// contextHost reads where a context's engine is; a context that cannot be read gets its name, so that whoever connects says
// what is wrong with it.
func contextHost(config, name string) string {
	sum := sha256.Sum256([]byte(name))
	data, err := os.ReadFile(filepath.Join(config, "contexts", "meta", hex.EncodeToString(sum[:]), "meta.json"))
	var meta struct {
		Endpoints map[string]struct {
			Host string `json:"Host"`
		} `json:"Endpoints"`
	}
	if err != nil || json.Unmarshal(data, &meta) != nil || meta.Endpoints["docker"].Host == "" {
		return "context://" + name
	}
	return meta.Endpoints["docker"].Host
}

// Local reports whether an engine's published ports are on this machine.
func Local(url string) bool {
	return strings.HasPrefix(url, "unix://") || strings.HasPrefix(url, "npipe://")
}

func isSocket(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&os.ModeSocket != 0
}
