package compose

import (
	"fmt"
	"time"

	"github.com/nself-org/nself/internal/env"
)

func python(cfg *env.Config) service {
	s := function(cfg, cfg.Python, limits{cpus: 1, memoryMB: 512, pids: 256})
	// Python itself is the one HTTP client that its image is sure to have.
	s.config.HealthCheck = check(functionProbe, 30*time.Second, "CMD", "python", "-c", fmt.Sprintf(
		"import urllib.request as u; u.urlopen('%s/healthz', timeout=4)", address("127.0.0.1", cfg.Python.Port)))
	return s
}
