package compose

import (
	"time"

	"github.com/nself-org/nself/internal/env"
)

func golang(cfg *env.Config) service {
	s := function(cfg, cfg.Golang, limits{cpus: 1, memoryMB: 256, pids: 128})
	// The command stays that of the project's Dockerfile: the image holds the program alone, so the program asks itself,
	// and only the Dockerfile, which belongs to the user, knows where it is.
	s.config.HealthCheck = check(functionProbe, 15*time.Second)
	return s
}
