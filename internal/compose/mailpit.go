package compose

import (
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/nself-org/nself/internal/env"
)

const (
	mailpitSMTPPort = 1025
	mailpitUIPort   = 8025
)

func mailpit(cfg *env.Config) service {
	c := harden(mailpitName, limits{cpus: 0.5, memoryMB: 128, pids: 64})
	c.Image = cfg.Mail.Image
	c.User = "65534:65534" // nobody; the image would run as root and does not need it
	c.EnvFiles = nil       // it has no secrets
	c.Environment = public(map[string]string{
		"MP_MAX_MESSAGES": "500",
		// Whatever a handler logs in with is accepted: nothing leaves this catcher.
		"MP_SMTP_AUTH_ACCEPT_ANY":     "1",
		"MP_SMTP_AUTH_ALLOW_INSECURE": "1",
	})
	c.Ports = []types.ServicePortConfig{
		published(cfg.Mail.SMTPPort, mailpitSMTPPort),
		published(cfg.Mail.UIPort, mailpitUIPort),
	}
	c.HealthCheck = check(serverProbe, 10*time.Second, "CMD", "/mailpit", "readyz")
	return service{config: c}
}
