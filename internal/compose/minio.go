package compose

import (
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/nself-org/nself/internal/env"
)

const (
	minioPort        = 9000
	minioConsolePort = 9001
)

func minio(cfg *env.Config) service {
	c := harden(minioName, limits{cpus: 1, memoryMB: 512, pids: 256})
	c.Image = cfg.Minio.Image
	c.Command = types.ShellCommand{"server", "/data", "--console-address", ":9001"}
	// The image has no user of its own and its volume belongs to root, so it runs as root without any capability.
	c.Environment = public(map[string]string{
		"MINIO_ROOT_USER": cfg.Minio.RootUser,
		"MC_CONFIG_DIR":   "/tmp/.mc", // the client used by the health check writes its configuration
	})
	c.Volumes = []types.ServiceVolumeConfig{named("minio_data", "/data")}
	c.Ports = []types.ServicePortConfig{
		published(cfg.Minio.Port, minioPort),
		published(cfg.Minio.ConsolePort, minioConsolePort),
	}
	c.HealthCheck = check(serverProbe, 10*time.Second, "CMD", "mc", "ready", "local") // the image lost curl in October 2023
	c.StopGracePeriod = duration(30 * time.Second)
	return service{
		config:  c,
		volumes: []string{"minio_data"},
		private: map[string]string{"MINIO_ROOT_PASSWORD": cfg.Minio.RootPassword.Reveal()},
	}
}
