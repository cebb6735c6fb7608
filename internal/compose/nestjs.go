package compose

import (
	"fmt"
	"time"

	"github.com/nself-org/nself/internal/env"
)

func nestjs(cfg *env.Config) service {
	s := function(cfg, cfg.NestJS, limits{cpus: 1, memoryMB: 512, pids: 256})
	// Node itself is the one HTTP client that its image is sure to have.
	s.config.HealthCheck = check(functionProbe, 30*time.Second, "CMD", "node", "-e", fmt.Sprintf(
		"fetch('%s/healthz').then(r=>process.exit(r.ok?0:1),()=>process.exit(1))", address("127.0.0.1", cfg.NestJS.Port)))
	return s
}
