package docker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// availablePatience bounds the question whether there is an engine: a command that has a choice does not wait long.
const availablePatience = 2 * time.Second

// defaultSocket is where an engine listens that nobody has configured.
const defaultSocket = "/var/run/docker.sock"

// Available tells whether an engine answers, and where. It is quick where none is installed.
func Available(ctx context.Context) (host string, err error) {
	if os.Getenv("DOCKER_HOST") == "" && os.Getenv("DOCKER_CONTEXT") == "" && !exists(defaultSocket) && !configured() {
		return "", errors.New("no Docker engine here")
	}
	ctx, cancel := context.WithTimeout(ctx, availablePatience)
	defer cancel()
	e, err := connect(ctx)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "", fmt.Errorf("no Docker engine answers within %s", availablePatience)
	case err != nil:
		return "", errors.New("no Docker engine: " + strings.TrimPrefix(firstLine(err.Error()), "reach the Docker engine: "))
	}
	return strings.TrimPrefix(e.host, "unix://"), nil
}

// configured reports whether the docker command has a configuration, which may name another engine.
func configured() bool {
	dir := os.Getenv("DOCKER_CONFIG")
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return false
		}
		dir = home + "/.docker"
	}
	return exists(dir + "/config.json")
}
