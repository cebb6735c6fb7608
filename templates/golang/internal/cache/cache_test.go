package cache

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/nself-org/nself/templates/golang/internal/config"
	"github.com/nself-org/nself/templates/golang/internal/redis"
	"github.com/nself-org/nself/templates/golang/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

type user struct{ Name string }

func open(t *testing.T, url string, log *slog.Logger) *Cache {
	t.Helper()
	redisURL, prefix := testenv.Redis(t)
	if url == "" {
		url = redisURL
	}
	client, err := redis.Open(config.Secret(url))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return New(client, prefix, log)
}

func TestCache(t *testing.T) {
	t.Parallel()
	c := open(t, "", slog.New(slog.DiscardHandler))
	ctx := t.Context()
	var got user
	if c.Get(ctx, "a", &got) {
		t.Error("a key that was never set was found")
	}
	c.Set(ctx, "a", user{"Ann"}, time.Minute)
	if !c.Get(ctx, "a", &got) || got.Name != "Ann" {
		t.Errorf("got %+v", got)
	}
	if ttl := timeToLive(t, c.prefix+"a"); ttl <= 0 || ttl > time.Minute {
		t.Errorf("the key lives for %s", ttl)
	}
	c.Delete(ctx, "a", "b")
	if c.Get(ctx, "a", &got) {
		t.Error("a deleted key was found")
	}
}

// timeToLive asks Redis itself how long a key has left.
func timeToLive(t *testing.T, key string) time.Duration {
	t.Helper()
	url, _ := testenv.Redis(t)
	opts, err := goredis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	conn := goredis.NewClient(opts)
	t.Cleanup(func() { _ = conn.Close() })
	return conn.TTL(t.Context(), key).Val()
}

func TestFetchLoadsOnce(t *testing.T) {
	t.Parallel()
	c := open(t, "", slog.New(slog.DiscardHandler))
	loads := 0
	load := func(context.Context) (user, error) {
		loads++
		return user{"Ann"}, nil
	}
	for range 2 {
		if got, err := Fetch(t.Context(), c, "a", time.Minute, load); err != nil || got.Name != "Ann" {
			t.Errorf("got %+v, %v", got, err)
		}
	}
	if loads != 1 {
		t.Errorf("loaded %d times", loads)
	}
	broken := errors.New("broken")
	if _, err := Fetch(t.Context(), c, "b", time.Minute, func(context.Context) (user, error) { return user{}, broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if c.Get(t.Context(), "b", &user{}) {
		t.Error("a failure was cached")
	}
}

func TestRedisDown(t *testing.T) {
	t.Parallel()
	url, _ := testenv.Redis(t)
	proxy := testenv.ProxyRedis(t, url)
	var log strings.Builder
	c := open(t, proxy.URL, slog.New(slog.NewTextHandler(&log, nil)))
	ctx := t.Context()
	c.Set(ctx, "a", user{"Ann"}, time.Minute)
	proxy.Down()
	got, err := Fetch(ctx, c, "a", time.Minute, func(context.Context) (user, error) { return user{"Bob"}, nil })
	if err != nil || got.Name != "Bob" {
		t.Errorf("down: got %+v, %v", got, err)
	}
	if !strings.Contains(log.String(), "cache failed") {
		t.Errorf("nothing was logged: %s", &log)
	}
	proxy.Up()
	if !c.Get(ctx, "a", &got) || got.Name != "Ann" {
		t.Errorf("up again: got %+v", got)
	}
}

func TestWithoutRedis(t *testing.T) {
	t.Parallel()
	client, err := redis.Open("")
	if client != nil || err != nil {
		t.Fatalf("got %v, %v", client, err)
	}
	c := New(nil, "", slog.New(slog.DiscardHandler))
	c.Set(t.Context(), "a", user{"Ann"}, time.Minute)
	c.Delete(t.Context(), "a")
	if c.Get(t.Context(), "a", &user{}) {
		t.Error("a cache without Redis held a value")
	}
}

func TestOpenHidesThePassword(t *testing.T) {
	t.Parallel()
	if _, err := redis.Open("redis://:hidden@host:port:port"); err == nil || strings.Contains(err.Error(), "hidden") {
		t.Errorf("got %v", err)
	}
}
