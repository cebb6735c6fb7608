package compose

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/nself-org/nself/internal/testneeds"
	"github.com/nself-org/nself/internal/testports"
)

func TestRedis(t *testing.T) {
	t.Parallel()
	p := load(t, config(t, full))
	if got := variable(t, p, "redis", "REDISCLI_AUTH"); got != "redis-secret-value" {
		t.Errorf("REDISCLI_AUTH = %q", got)
	}
	if got := strings.Join(p.Services["redis"].Command, " "); strings.Contains(got, "secret") {
		t.Errorf("the password is an argument: %s", got)
	}
	if p.Services["redis"].User != "redis" {
		t.Errorf("user = %q", p.Services["redis"].User)
	}
	if _, ok := load(t, config(t, minimal)).Services["redis"]; ok {
		t.Error("Redis runs without a function service")
	}
}

// TestRedisCommand runs the container's command with a real server: it must take any password, and demand it.
func TestRedisCommand(t *testing.T) {
	t.Parallel()
	testneeds.Program(t, "redis-server")
	for name, password := range map[string]string{"none": "", "hostile": `a\b "c" $HOME 'd' #e`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			port := freePort(t)
			dir := t.TempDir()
			command := strings.Replace(redisCommand, "--dir /data", "--dir "+dir+" --port "+strconv.Itoa(port), 1)
			cmd := exec.CommandContext(t.Context(), "sh", "-c", command)
			cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "NSELF_REDIS_CONFIG="}
			if password != "" {
				cmd.Env = append(cmd.Env, "NSELF_REDIS_CONFIG=requirepass "+redisQuote(password))
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = cmd.Wait() })
			client := connect(t, port, password)
			deadline := time.Now().Add(20 * time.Second)
			for {
				err := client.Ping(t.Context()).Err()
				if err == nil {
					break
				}
				var refused *net.OpError
				if !errors.As(err, &refused) || time.Now().After(deadline) {
					t.Fatal(err)
				}
			}
			err := connect(t, port, "").Ping(t.Context()).Err()
			if denied := err != nil && strings.Contains(err.Error(), "NOAUTH"); denied != (password != "") {
				t.Errorf("without a password: %v", err)
			}
		})
	}
}

func connect(t *testing.T, port int, password string) *goredis.Client {
	t.Helper()
	c := goredis.NewClient(&goredis.Options{Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), Password: password})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func freePort(t *testing.T) int {
	t.Helper()
	return testports.Port(t)
}
