// Package cache keeps values in Redis for a while. It is a help, not a source of truth: when Redis is down, reads miss,
// writes are dropped, and the service goes on.
package cache

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/nself-org/nself/templates/golang/internal/redis"
)

// Cache stores values as JSON under a common prefix. It is safe for concurrent use.
type Cache struct {
	client redis.Client
	prefix string
	log    *slog.Logger
}

// New makes a Cache whose keys begin with prefix. A nil client gives a Cache that never holds anything.
func New(client redis.Client, prefix string, log *slog.Logger) *Cache {
	return &Cache{client: client, prefix: prefix, log: log}
}

// Get reads the value at key into v and says whether it was there.
func (c *Cache) Get(ctx context.Context, key string, v any) bool {
	if c.client == nil {
		return false
	}
	data, found, err := c.client.Get(ctx, c.prefix+key)
	if found {
		err = json.Unmarshal(data, v)
	}
	if err != nil {
		c.failed(ctx, "get", key, err)
	}
	return found && err == nil
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
	if err := c.client.Set(ctx, c.prefix+key, data, ttl); err != nil {
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
	if err := c.client.Delete(ctx, full...); err != nil {
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
