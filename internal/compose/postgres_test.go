package compose

import (
	"slices"
	"testing"
)

func TestPostgres(t *testing.T) {
	t.Parallel()
	p := load(t, config(t, full))
	s := p.Services["postgres"]
	if got := s.Image; got != "registry.example.com/postgres:16" {
		t.Errorf("image = %q", got)
	}
	if got := variable(t, p, "postgres", "POSTGRES_PASSWORD"); got != `p@ss/w:rd #1 $HOME "quoted"` {
		t.Errorf("POSTGRES_PASSWORD = %q", got)
	}
	if got := variable(t, p, "postgres", "POSTGRES_USER"); got != "owner" {
		t.Errorf("POSTGRES_USER = %q", got)
	}
	if s.Ports[0].Published != "15432" || s.Ports[0].Target != 5432 {
		t.Errorf("port = %+v", s.Ports[0])
	}
	if !slices.Contains(s.CapAdd, "SETUID") || slices.Contains(s.CapAdd, "SYS_ADMIN") {
		t.Errorf("capabilities = %v", s.CapAdd)
	}
	if !slices.Contains(s.Tmpfs, "/var/run/postgresql") {
		t.Errorf("the socket's folder is not writable: %v", s.Tmpfs)
	}
	if got := s.HealthCheck.Test[1]; got != `pg_isready -q -h 127.0.0.1 -U "$POSTGRES_USER" -d "$POSTGRES_DB"` {
		t.Errorf("health check = %s", got)
	}
}
