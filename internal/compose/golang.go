package compose

import (
	"time"

	"github.com/nself-org/nself/internal/env"
)

func golang(cfg *env.Config) service {
	s := function(cfg, cfg.Golang, "GO_IMAGE", limits{cpus: 1, memoryMB: 256, pids: 128})
	// The image holds the program and nothing else, so the program asks itself.
	s.config.HealthCheck = check(functionProbe, 15*time.Second, "CMD", "/service", "healthcheck")
	return s
}
