package compose

import (
	"net"
	"net/url"
	"strconv"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/nself-org/nself/internal/env"
)

const postgresPort = 5432

func postgres(cfg *env.Config) service {
	c := harden(postgresName, limits{cpus: 2, memoryMB: 1024, pids: 512})
	c.Image = cfg.Postgres.Image
	// The image's entrypoint starts as root, gives the data folder to the user postgres and becomes that user. A fixed
	// user is no way out: its number differs between the Alpine and the Debian image.
	c.CapAdd = []string{"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"}
	c.Environment = public(map[string]string{
		"POSTGRES_DB":   cfg.Postgres.DB,
		"POSTGRES_USER": cfg.Postgres.User,
		// A folder of its own, because a volume's root may hold a lost+found, which initdb refuses.
		"PGDATA": "/var/lib/postgresql/data/pgdata",
	})
	c.Tmpfs = types.StringList{"/tmp", "/var/run/postgresql"}
	c.ShmSize = 128 << 20 // parallel queries fail with Docker's 64 MB
	c.Volumes = []types.ServiceVolumeConfig{named("postgres_data", "/var/lib/postgresql/data")}
	c.Ports = []types.ServicePortConfig{published(cfg.Postgres.Port, postgresPort)}
	// Over TCP: while initdb runs its scripts, the temporary server answers on the socket only.
	c.HealthCheck = check(serverProbe, 30*time.Second, "CMD-SHELL",
		`pg_isready -q -h 127.0.0.1 -U "$POSTGRES_USER" -d "$POSTGRES_DB"`)
	c.StopSignal = "SIGINT" // fast shutdown: ends sessions instead of waiting for them
	c.StopGracePeriod = duration(time.Minute)
	return service{
		config:  c,
		volumes: []string{"postgres_data"},
		private: map[string]string{"POSTGRES_PASSWORD": cfg.Postgres.Password.Reveal()},
	}
}

// databaseURL is the address of the database inside the project's network.
func databaseURL(cfg *env.Config) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(cfg.Postgres.User, cfg.Postgres.Password.Reveal()),
		Host:     net.JoinHostPort(postgresName, strconv.Itoa(postgresPort)),
		Path:     "/" + cfg.Postgres.DB,
		RawQuery: "sslmode=disable", // the network is the project's own
	}
	return u.String()
}
