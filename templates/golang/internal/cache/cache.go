// Package cache keeps values in Redis for a while. It is a help, not a source of truth: when Redis is down, reads miss,
// writes are dropped, and the service goes on.
package cache

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/nself-org/nself/templates/golang/internal/config"
)

// opTimeout bounds each use of Redis: waiting longer for it than for the database would defeat its purpose.
const opTimeout = 500 * time.Millisecond

// Open returns a Redis client that connects when it is first used. An empty url gives nil: the cache and the rate limit
// are then off.
func Open(url config.Secret) (*redis.Client, error) {
	if url == "" {
		return nil, nil // no Redis is a configuration like any other
	}
	opts, err := redis.ParseURL(url.Reveal())
	if err != nil {
		return nil, errors.New("REDIS_URL is not a valid Redis connection string") // the cause may quote the password
	}
	opts.DialTimeout = opTimeout
	opts.ReadTimeout = opTimeout
	opts.WriteTimeout = opTimeout
	opts.ContextTimeoutEnabled = true
	opts.DialerRetries = 1
	opts.MaxRetries = 1
	opts.DisableIdentity = true
	opts.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewClient(opts), nil
}

// LogTo sends what the Redis client itself has to say, such as lost connections, to log instead of standard error. It
// holds for the whole process, because the client has one logger.
func LogTo(log *slog.Logger) { redis.SetLogger(clientLog{log}) }

type clientLog struct{ log *slog.Logger }

func (c clientLog) Printf(ctx context.Context, format string, args ...any) {
	c.log.WarnContext(ctx, "redis client", slog.String("detail", fmt.Sprintf(format, args...)))
}

// Cache stores values as JSON under a common prefix. It is safe for concurrent use.
type Cache struct {
	client *redis.Client
	prefix string
	log    *slog.Logger
}

// New makes a Cache whose keys begin with prefix. A nil client gives a Cache that never holds anything.
func New(client *redis.Client, prefix string, log *slog.Logger) *Cache {
	return &Cache{client: client, prefix: prefix, log: log}
}

// Get reads the value at key into v and says whether it was there.
func (c *Cache) Get(ctx context.Context, key string, v any) bool {
	if c.client == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	data, err := c.client.Get(ctx, c.prefix+key).Bytes()
	if err == nil {
		err = json.Unmarshal(data, v)
	}
	if err != nil && !errors.Is(err, redis.Nil) {
		c.failed(ctx, "get", key, err)
	}
	return err == nil
}

// Set stores v at key for ttl.
func (c *Cache) Set(ctx context.Context, key string, v any, ttl time.Duration) {
	if c.client == nil {
		return
	}
	data, err := json.Marshal(v)
	if err != nil {
		c.failed(ctx, "set", key, fmt.Errorf("encode: %w", err))
		return
	}
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	if err := c.client.Set(ctx, c.prefix+key, data, ttl).Err(); err != nil {
		c.failed(ctx, "set", key, err)
	}
}

// Delete removes keys, for values that have changed.
func (c *Cache) Delete(ctx context.Context, keys ...string) {
	if c.client == nil || len(keys) == 0 {
		return
	}
	full := make([]string, len(keys))
	for i, key := range keys {
		full[i] = c.prefix + key
	}
	// The change has happened even if its caller has gone: an old value must not outlive it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), opTimeout)
	defer cancel()
	if err := c.client.Del(ctx, full...).Err(); err != nil {
		c.failed(ctx, "delete", keys[0], err)
	}
}

func (c *Cache) failed(ctx context.Context, op, key string, err error) {
	c.log.WarnContext(ctx, "cache failed", slog.String("op", op), slog.String("key", key), slog.Any("error", err))
}

// Fetch returns the value at key, or what load returns, which is then stored for ttl.
func Fetch[T any](ctx context.Context, c *Cache, key string, ttl time.Duration,
	load func(context.Context) (T, error),
) (T, error) {
	var v T
	if c.Get(ctx, key, &v) {
		return v, nil
	}
	v, err := load(ctx)
	if err != nil {
		var none T
		return none, err
	}
	c.Set(ctx, key, v, ttl)
	return v, nil
}
