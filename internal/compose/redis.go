package compose

import (
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/nself-org/nself/internal/env"
)

const redisPort = 6379

// redisCommand feeds the password through standard input, because arguments can be read by every process on the host.
const redisCommand = `exec redis-server - --appendonly yes --maxmemory-policy noeviction --dir /data <<END
$NSELF_REDIS_CONFIG
END
`

func redis(cfg *env.Config) service {
	c := harden(redisName, limits{cpus: 1, memoryMB: 512, pids: 128})
	c.Image = cfg.Redis.Image
	c.User = redisName // by name: its number differs between the Alpine and the Debian image
	c.Command = types.ShellCommand{"sh", "-c", redisCommand}
	c.Volumes = []types.ServiceVolumeConfig{named("redis_data", "/data")}
	c.Ports = []types.ServicePortConfig{published(cfg.Redis.Port, redisPort)}
	// redis-cli takes the password from REDISCLI_AUTH; it exits 0 on an error reply too, so the reply is read.
	c.HealthCheck = check(serverProbe, 10*time.Second, "CMD-SHELL", `redis-cli ping | grep -q PONG`)
	private := map[string]string{"NSELF_REDIS_CONFIG": ""}
	if password := cfg.Redis.Password.Reveal(); password != "" {
		private["REDISCLI_AUTH"] = password
		private["NSELF_REDIS_CONFIG"] = "requirepass " + redisQuote(password)
	}
	return service{config: c, volumes: []string{"redis_data"}, private: private}
}

// redisQuote writes a string the way redis.conf reads it.
func redisQuote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`).Replace(s) + `"`
}

// redisURL is the address of Redis inside the project's network, or "" when there is none.
func redisURL(cfg *env.Config) string {
	if !cfg.Redis.Enabled {
		return ""
	}
	u := url.URL{Scheme: "redis", Host: net.JoinHostPort(redisName, strconv.Itoa(redisPort)), Path: "/0"}
	if password := cfg.Redis.Password.Reveal(); password != "" {
		u.User = url.UserPassword("", password)
	}
	return u.String()
}
