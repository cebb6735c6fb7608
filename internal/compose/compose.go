// Package compose describes a project's services as a Compose model and writes that model as docker-compose.yml. Each
// service has a file of its own.
//
// No secret is part of the model: what a service must keep to itself stands in its own environment file under
// .nself/env (see [EnvFiles]), which only the owner can read and git does not see.
package compose

import (
	"fmt"
	"strconv"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/nself-org/nself/internal/env"
)

// FileName is where the model is written, relative to the project. A user's own changes go into OverrideFileName, which
// Compose merges over it.
const (
	FileName         = "docker-compose.yml"
	OverrideFileName = "docker-compose.override.yml"
)

// Service names, which are also the host names inside the project's network.
const (
	postgresName = "postgres"
	redisName    = "redis"
	mailpitName  = "mailpit"
	hasuraName   = "hasura"
	minioName    = "minio"
	golangName   = "golang"
	nestjsName   = "nestjs"
	pythonName   = "python"
)

// service is one service and what it brings along.
type service struct {
	config  types.ServiceConfig
	volumes []string          // named volumes, without the project's prefix
	private map[string]string // variables of its environment file
}

// services lists the project's services in the order of writing.
func services(cfg *env.Config) []service {
	list := []service{postgres(cfg)}
	if cfg.Redis.Enabled {
		list = append(list, redis(cfg))
	}
	if cfg.Mail.Enabled {
		list = append(list, mailpit(cfg))
	}
	if cfg.Minio.Enabled {
		list = append(list, minio(cfg))
	}
	list = append(list, hasura(cfg))
	if cfg.Golang.Enabled {
		list = append(list, golang(cfg))
	}
	if cfg.NestJS.Enabled {
		list = append(list, nestjs(cfg))
	}
	if cfg.Python.Enabled {
		list = append(list, python(cfg))
	}
	return list
}

// Project returns the Compose model of cfg. It is a pure function: the same configuration gives the same model. Paths
// in it are relative to the project's folder.
func Project(cfg *env.Config) *types.Project {
	project := &types.Project{
		Name:       cfg.ProjectName,
		WorkingDir: cfg.Dir,
		Services:   types.Services{},
		Networks:   types.Networks{"default": {Name: cfg.ProjectName + "_network"}},
		Volumes:    types.Volumes{},
	}
	for _, s := range services(cfg) {
		project.Services[s.config.Name] = s.config
		for _, volume := range s.volumes {
			project.Volumes[volume] = types.VolumeConfig{Name: cfg.ProjectName + "_" + volume}
		}
	}
	return project
}

// How often a service is probed. Probing a function service starts an interpreter, which costs more than asking a
// database.
const (
	serverProbe   = 3 * time.Second
	functionProbe = 5 * time.Second
)

// limits bound what one service may take from the host.
type limits struct {
	cpus     float32
	memoryMB int64
	pids     int64
}

// harden returns a service with what all of them share: no privileges, a read-only root, bounded resources and logs.
// Services add what they cannot do without, and say why.
func harden(name string, l limits) types.ServiceConfig {
	return types.ServiceConfig{
		Name:            name,
		Restart:         types.RestartPolicyUnlessStopped,
		CapDrop:         []string{"ALL"},
		EnvFiles:        []types.EnvFile{{Path: "./" + EnvPath(name), Required: true}},
		Init:            new(true), // reaps children and forwards signals to what runs
		Logging:         &types.LoggingConfig{Driver: "json-file", Options: types.Options{"max-size": "10m", "max-file": "3"}},
		ReadOnly:        true,
		SecurityOpt:     []string{"no-new-privileges:true"},
		StopGracePeriod: duration(10 * time.Second),
		Tmpfs:           types.StringList{"/tmp"},
		Networks:        map[string]*types.ServiceNetworkConfig{"default": nil},
		Deploy: &types.DeployConfig{Resources: types.Resources{Limits: &types.Resource{
			NanoCPUs:    types.NanoCPUs(l.cpus),
			MemoryBytes: types.UnitBytes(l.memoryMB << 20),
			Pids:        l.pids,
		}}},
	}
}

// published maps a port of the container to one of the host, on the loopback interface only.
func published(host, container int) types.ServicePortConfig {
	return types.ServicePortConfig{
		Mode:      "ingress",
		HostIP:    "127.0.0.1",
		Target:    uint32(container), //nolint:gosec // a port fits
		Published: strconv.Itoa(host),
		Protocol:  "tcp",
	}
}

// named mounts a named volume.
func named(volume, target string) types.ServiceVolumeConfig {
	return types.ServiceVolumeConfig{
		Type: types.VolumeTypeVolume, Source: volume, Target: target, Volume: &types.ServiceVolumeVolume{},
	}
}

// check is a health check. While a service starts, failures do not count. The pace is the same from the first probe on:
// a quicker one for the start needs an engine of version 25, and Compose refuses older ones over it.
func check(interval, startPeriod time.Duration, test ...string) *types.HealthCheckConfig {
	return &types.HealthCheckConfig{
		Test:        test,
		Interval:    duration(interval),
		Timeout:     duration(5 * time.Second),
		Retries:     new(uint64(6)),
		StartPeriod: duration(startPeriod),
	}
}

// needs lists services to wait for until they are healthy.
func needs(names ...string) types.DependsOnConfig {
	deps := types.DependsOnConfig{}
	for _, name := range names {
		deps[name] = types.ServiceDependency{Condition: types.ServiceConditionHealthy, Required: true}
	}
	return deps
}

// hostGateway lets a container reach programs on the host by the name that Docker Desktop gives it.
func hostGateway() types.HostsList {
	return types.HostsList{"host.docker.internal": {"host-gateway"}}
}

// public turns variables that anyone may read into the model's form.
func public(vars map[string]string) types.MappingWithEquals {
	m := types.MappingWithEquals{}
	for key, value := range vars {
		m[key] = &value
	}
	return m
}

func duration(d time.Duration) *types.Duration { return new(types.Duration(d)) }

func address(host string, port int) string { return fmt.Sprintf("http://%s:%d", host, port) }
