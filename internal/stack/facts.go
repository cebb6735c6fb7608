package stack

import (
	"fmt"
	"strings"

	"github.com/nself-org/nself/internal/env"
)

// Facts are what is known of a service whether it runs or not.
type Facts struct {
	// URL is where a person on this machine finds it; Port is the port in it. Empty and 0 for a service of unknown name.
	URL  string
	Port int
	// Ports are all that it listens on, by the variable that sets each.
	Ports map[string]int
	// Detail is what else a status shows; most services have none.
	Detail string
}

// FactsOf returns the facts of a service of the project.
func FactsOf(cfg *env.Config, name string) Facts {
	local := func(port int) string { return fmt.Sprintf("http://localhost:%d", port) }
	switch name {
	case Postgres:
		return Facts{
			URL:  fmt.Sprintf("postgres://%s@localhost:%d/%s", cfg.Postgres.User, cfg.Postgres.Port, cfg.Postgres.DB),
			Port: cfg.Postgres.Port, Ports: map[string]int{"POSTGRES_PORT": cfg.Postgres.Port},
		}
	case Redis:
		return Facts{
			URL:  fmt.Sprintf("redis://localhost:%d", cfg.Redis.Port),
			Port: cfg.Redis.Port, Ports: map[string]int{"REDIS_PORT": cfg.Redis.Port},
		}
	case Mail:
		return Facts{
			URL: local(cfg.Mail.UIPort), Port: cfg.Mail.UIPort,
			Ports: map[string]int{"MAILPIT_UI_PORT": cfg.Mail.UIPort, "MAILPIT_SMTP_PORT": cfg.Mail.SMTPPort},
		}
	case Hasura:
		return Facts{
			URL: local(cfg.Hasura.Port), Port: cfg.Hasura.Port, Ports: map[string]int{"HASURA_PORT": cfg.Hasura.Port},
		}
	case Minio:
		return Facts{
			URL: local(cfg.Minio.Port), Port: cfg.Minio.Port,
			Ports: map[string]int{"MINIO_PORT": cfg.Minio.Port, "MINIO_CONSOLE_PORT": cfg.Minio.ConsolePort},
		}
	}
	for _, rt := range cfg.Runtimes() {
		if rt.Name == name {
			return Facts{URL: local(rt.Port), Port: rt.Port, Ports: map[string]int{strings.ToUpper(name) + "_PORT": rt.Port}}
		}
	}
	return Facts{}
}
