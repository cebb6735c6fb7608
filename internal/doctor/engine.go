package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/client"
	"github.com/shirou/gopsutil/v4/disk"

	"github.com/nself-org/nself/internal/dockerhost"
)

const (
	// minAPI is the oldest version of the Engine API that the docker driver is known to work with, that of Docker 20.10 and
	// Podman 4.
	minAPI = "1.41"
	// warnEngineMemory is what an engine in a virtual machine should have: all services take about half of it.
	warnEngineMemory = 3 * gib / 2
)

// The labels that Compose puts on containers.
const (
	projectLabel = "com.docker.compose.project"
	serviceLabel = "com.docker.compose.service"
	folderLabel  = "com.docker.compose.project.working_dir"
)

// engineFacts are what the Docker engine says of itself.
type engineFacts struct {
	host       dockerhost.Host
	cli        *client.Client // nil where the environment describes no engine
	version    string
	api        string
	info       *system.Info // nil where it was not told
	containers []container.Summary
	err        error // why it does not answer
}

// askEngine asks an engine for what the checks need; ssh is left alone, because it may ask for a password.
func (x *examiner) askEngine(ctx context.Context) *engineFacts {
	f := &engineFacts{host: dockerhost.Find(func(key string) string { return x.env[key] })}
	if strings.HasPrefix(f.host.URL, "ssh://") {
		f.err = errors.New("engines over ssh are not examined")
		return f
	}
	f.cli, f.err = client.NewClientWithOpts(x.dockerOptions(f.host.URL)...)
	if f.err != nil {
		return f
	}
	// Docker answers in milliseconds, Podman asks its own programs first. What follows has the rest.
	patience, cancel := context.WithTimeout(ctx, x.Patience*2/3)
	defer cancel()
	v, err := f.cli.ServerVersion(patience)
	if f.err = err; err != nil {
		return f
	}
	f.version, f.api = v.Version, v.APIVersion
	if info, err := f.cli.Info(ctx); err == nil {
		f.info = &info
	}
	f.containers, _ = f.cli.ContainerList(ctx, container.ListOptions{All: true}) // none known: none is named
	return f
}

func (f *engineFacts) close() {
	if f.cli != nil {
		_ = f.cli.Close()
	}
}

func checkDocker(ctx context.Context, x *examiner) []Finding {
	unreachable := OK
	if x.Driver == DriverDocker {
		unreachable = Fail
	}
	f := x.engine()
	at := f.host.URL
	if f.cli != nil {
		at = f.cli.DaemonHost()
	}
	err := f.err
	switch {
	case strings.HasPrefix(f.host.URL, "ssh://"):
		return one("docker", Warn, "DOCKER_HOST="+f.host.URL+": engines over ssh are not examined", "docker version")
	case f.cli == nil:
		return one(
			"docker",
			atLeastWarn(unreachable),
			fmt.Sprintf("%s describes no engine: %v", cmp.Or(f.host.From, "the environment"), err),
			x.unset(),
		)
	case errors.Is(err, os.ErrPermission) || err != nil && strings.Contains(err.Error(), "permission denied"):
		return one("docker", atLeastWarn(unreachable), "this user may not talk to the engine at "+at,
			"sudo usermod -aG docker $USER && newgrp docker")
	case err != nil && unreachable == OK:
		return one("docker", OK, "no engine answers at "+at+"; the native driver does without", "")
	case err != nil:
		return one("docker", Fail, "no engine answers at "+at, x.startDocker())
	case older(version(f.api), minAPI):
		return one("docker", Warn, fmt.Sprintf("engine %s at %s has the API %s; %s is the oldest that is known to work", f.version, at, f.api, minAPI),
			open("https://docs.docker.com/engine/install/"))
	}
	detail := fmt.Sprintf("engine %s at %s, API %s", f.version, at, f.api)
	if f.host.Guessed {
		detail += ", found by " + f.host.From
	}
	return append(one("docker", OK, detail, ""), x.engineRoom(ctx, f)...)
}

// engineRoom looks at what an engine has for images, volumes and containers. Where its data is on another machine, or in a
// virtual one, its disk cannot be seen from here.
func (x *examiner) engineRoom(ctx context.Context, f *engineFacts) []Finding {
	if f.info == nil {
		return nil
	}
	var found []Finding
	if dockerhost.Local(f.host.URL) && runtime.GOOS == "linux" {
		if u, err := disk.UsageWithContext(ctx, f.info.DockerRootDir); err == nil {
			detail := fmt.Sprintf(
				"%s of %s free where the engine keeps images and volumes, %s",
				bytesText(u.Free),
				bytesText(u.Total),
				f.info.DockerRootDir,
			)
			level, fix := OK, ""
			switch {
			case u.Free < failDiskBytes:
				level = Fail
			case u.Free < warnDiskBytes:
				level = Warn
			}
			if level != OK {
				fix = "docker system prune" // asks before it removes what nothing uses
			}
			found = append(found, Finding{Check: "docker disk", Level: level, Detail: detail, Fix: fix})
		}
	}
	if total := uint64(max(f.info.MemTotal, 0)); total > 0 {
		level, fix := OK, ""
		if total < warnEngineMemory {
			level, fix = Warn, "give the engine's machine 2 GiB: Docker Desktop, Settings, Resources"
		}
		found = append(
			found,
			Finding{Check: "docker memory", Level: level, Fix: fix, Detail: "the engine has " + bytesText(total)},
		)
	}
	return found
}

// unset takes back what names an engine that is none.
func (x *examiner) unset() string {
	switch {
	case x.env[client.EnvOverrideHost] != "":
		return "unset DOCKER_HOST"
	case x.env["DOCKER_CONTEXT"] != "":
		return "unset DOCKER_CONTEXT"
	}
	return "docker context use default"
}

// dockerOptions are those of client.FromEnv, for the environment under examination.
func (x *examiner) dockerOptions(host string) []client.Opt {
	opts := []client.Opt{client.WithAPIVersionNegotiation()}
	if dir := x.env[client.EnvOverrideCertPath]; dir != "" {
		opts = append(opts, client.WithTLSClientConfig(
			filepath.Join(dir, "ca.pem"), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")))
	}
	if host != "" {
		opts = append(opts, client.WithHost(host))
	}
	return opts
}

func (x *examiner) startDocker() string {
	switch {
	case x.env[client.EnvOverrideHost] != "":
		return "unset DOCKER_HOST"
	case runtime.GOOS == "darwin":
		return "open -a Docker"
	case x.has("dockerd"):
		return x.install.sudo + "systemctl start docker"
	}
	return x.install.command(packages{"apt-get": "docker.io", "dnf": "docker", "apk": "docker", "pacman": "docker"},
		open("https://docs.docker.com/engine/install/"))
}

// container finds the container of one of this project's services; nil where there is none.
func (x *examiner) container(service string) *container.Summary {
	for i, c := range x.engine().containers {
		if c.Labels[projectLabel] == x.Config.ProjectName && c.Labels[serviceLabel] == service {
			return &x.engine().containers[i]
		}
	}
	return nil
}

// publisher finds the container that publishes a port; nil where it is none.
func (x *examiner) publisher(port int) *container.Summary {
	for i, c := range x.engine().containers {
		for _, p := range c.Ports {
			if int(p.PublicPort) == port {
				return &x.engine().containers[i]
			}
		}
	}
	return nil
}
