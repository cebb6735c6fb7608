package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/docker/cli/cli/command"
	"github.com/docker/cli/cli/flags"
	"github.com/docker/compose/v5/pkg/api"
	"github.com/docker/compose/v5/pkg/compose"
	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/client"
	"github.com/sirupsen/logrus"

	"github.com/nself-org/nself/internal/dockerhost"
	"github.com/nself-org/nself/internal/errdefs"
)

// pingPatience is how long an engine may take to answer the first question. One that starts on demand, by its socket,
// needs some seconds.
const pingPatience = 10 * time.Second

// engine is a connection to a Docker engine.
type engine struct {
	cli  command.Cli
	api  client.APIClient
	host string
}

// connect opens the engine that the docker command would use, and asks whether it answers.
func connect(ctx context.Context) (*engine, error) {
	// The libraries below log in words of their own to the terminal; what matters of it comes back as errors and events.
	logrus.SetOutput(io.Discard)
	cli, err := command.NewDockerCli(
		command.WithCombinedStreams(io.Discard),
		command.WithInputStream(io.NopCloser(strings.NewReader(""))),
	)
	if err != nil {
		return nil, fmt.Errorf("open the Docker client: %w", err)
	}
	opts := flags.NewClientOptions()
	if h := dockerhost.Find(os.Getenv); h.Guessed {
		opts.Hosts = []string{h.URL}
	}
	err = cli.Initialize(opts)
	if err == nil {
		// Asked first, because cli.Client ends the program where the environment describes no engine.
		var probe client.APIClient
		if probe, err = command.NewAPIClientFromFlags(opts, cli.ConfigFile()); err == nil {
			_ = probe.Close()
		}
	}
	if err != nil {
		return nil, errdefs.As(errdefs.ErrUnavailable, errdefs.WithHint(
			fmt.Errorf("open the Docker client: %w", err),
			"correct DOCKER_HOST or DOCKER_CONTEXT in the environment (docker context ls lists what there is), or use --driver native",
		))
	}
	e := &engine{cli: cli, api: cli.Client(), host: cli.Client().DaemonHost()}
	pingCtx, cancel := context.WithTimeout(ctx, pingPatience)
	defer cancel()
	if _, err := e.api.Ping(pingCtx, client.PingOptions{NegotiateAPIVersion: true}); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, unreachable(e.host, err)
	}
	return e, nil
}

// podman says whether the engine is Podman's.
func (e *engine) podman(ctx context.Context) bool {
	v, err := e.api.ServerVersion(ctx, client.ServerVersionOptions{})
	return err == nil && slices.ContainsFunc(v.Components, func(c system.ComponentVersion) bool { return strings.HasPrefix(c.Name, "Podman") })
}

// unreachable says why the engine does not answer, and what to do about it.
func unreachable(host string, err error) error {
	path, local := strings.CutPrefix(host, "unix://")
	hint := "start the engine (Docker Desktop, or systemctl start docker), or use --driver native"
	reason := err
	switch {
	case errors.Is(err, os.ErrPermission) || errors.Is(err, syscall.EACCES) || local && !accessible(path):
		reason = fmt.Errorf("permission denied on %s", path)
		hint = "add yourself to the group docker (sudo usermod -aG docker $USER) and log in again, or use --driver native"
	case local && !exists(path):
		reason = fmt.Errorf("there is no socket %s", path)
	case local:
		reason = fmt.Errorf("nothing answers at %s", path)
	case errors.Is(err, context.DeadlineExceeded):
		reason = fmt.Errorf("%s does not answer within %s", host, pingPatience)
	}
	if os.Getenv("DOCKER_HOST") != "" {
		hint += "; DOCKER_HOST is set to " + os.Getenv("DOCKER_HOST")
	}
	return errdefs.As(errdefs.ErrUnavailable, errdefs.WithHint(fmt.Errorf("reach the Docker engine: %w", reason), hint))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// accessible reports whether this user may talk to the socket; one that does not exist counts as accessible.
func accessible(path string) bool {
	const read, write = 4, 2
	err := syscall.Access(path, read|write)
	return !errors.Is(err, syscall.EACCES) && !errors.Is(err, syscall.EPERM)
}

// local reports whether published ports are on this machine.
func (e *engine) local() bool {
	return dockerhost.Local(e.host)
}

// compose opens the SDK with out for the builder's output, which may be nil.
func (e *engine) compose(out io.Writer) (api.Compose, error) {
	if out == nil {
		out = io.Discard
	}
	s, err := compose.NewComposeService(e.cli, compose.WithStreams(out, out, strings.NewReader("")),
		compose.WithPrompt(func(_ string, byDefault bool) (bool, error) { return byDefault, nil }))
	if err != nil {
		return nil, fmt.Errorf("open Compose: %w", err)
	}
	return s, nil
}
