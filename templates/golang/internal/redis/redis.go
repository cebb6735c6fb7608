// Package redis is what the service uses of Redis. It alone imports the client library: a package that compiles against the
// library's hundreds of commands takes seconds to build, and none of the others has to.
package redis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/go-redis/redis_rate/v10"
	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/nself-org/nself/templates/golang/internal/config"
)

// stepTimeout bounds to connect, to send and to receive: waiting longer for Redis than for the database would defeat its
// purpose.
const stepTimeout = 500 * time.Millisecond

// Client is a connection to Redis that is made when it is first used. It is safe for concurrent use. Every step of a call is
// bounded by half a second; a call that fails is tried once more. But for Ping, calls do not end with their context: a value
// that has changed must not stay in the cache because the caller has gone, and what is over so soon is not worth a timer.
type Client interface {
	// Get returns the value at key, and whether there is one.
	Get(ctx context.Context, key string) (value []byte, found bool, err error)
	// Set stores value at key for ttl.
	Set(ctx context.Context, key string, value []byte, ttl time.Duration) error
	// Delete removes keys.
	Delete(ctx context.Context, keys ...string) error
	// Allow counts a call at key and says whether the limit lets it pass, and if not, how long to wait.
	Allow(ctx context.Context, key string, limit Limit) (ok bool, retryAfter time.Duration, err error)
	// Ping asks whether Redis answers.
	Ping(ctx context.Context) error
	// Close ends the connection.
	Close() error
}

// Limit is so many calls in each period; the allowance returns evenly (GCRA).
type Limit struct {
	Calls  int
	Period time.Duration
}

// Open returns a Client. An empty url gives nil: the service then runs without Redis. A url may have time limits of its own:
// dial_timeout, read_timeout, write_timeout and pool_timeout, such as ?read_timeout=2s.
func Open(url config.Secret) (Client, error) {
	if url == "" {
		return nil, nil // no Redis is a configuration like any other
	}
	opts, err := goredis.ParseURL(url.Reveal())
	if err != nil {
		return nil, errors.New("REDIS_URL is not a valid Redis connection string") // the cause may quote the password
	}
	opts.DialTimeout = cmp.Or(opts.DialTimeout, stepTimeout)
	opts.ReadTimeout = cmp.Or(opts.ReadTimeout, stepTimeout)
	opts.WriteTimeout = cmp.Or(opts.WriteTimeout, stepTimeout)
	opts.PoolTimeout = cmp.Or(opts.PoolTimeout, stepTimeout)
	opts.ContextTimeoutEnabled = true
	opts.DialerRetries = 1
	opts.MaxRetries = 1
	opts.DisableIdentity = true
	opts.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	conn := goredis.NewClient(opts)
	return &client{conn: conn, limiter: redis_rate.NewLimiter(conn)}, nil
}

// LogTo sends what the client library itself has to say, such as lost connections, to log instead of standard error. It
// holds for the whole process, because the library has one logger.
func LogTo(log *slog.Logger) { goredis.SetLogger(libraryLog{log}) }

type libraryLog struct{ log *slog.Logger }

func (l libraryLog) Printf(ctx context.Context, format string, args ...any) {
	l.log.WarnContext(ctx, "redis client", slog.String("detail", fmt.Sprintf(format, args...)))
}

type client struct {
	conn    *goredis.Client
	limiter *redis_rate.Limiter
}

func (c *client) Get(ctx context.Context, key string) ([]byte, bool, error) {
	value, err := c.conn.Get(context.WithoutCancel(ctx), key).Bytes()
	if errors.Is(err, goredis.Nil) {
		return nil, false, nil
	}
	return value, err == nil, err
}

func (c *client) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	return c.conn.Set(context.WithoutCancel(ctx), key, value, ttl).Err()
}

func (c *client) Delete(ctx context.Context, keys ...string) error {
	return c.conn.Del(context.WithoutCancel(ctx), keys...).Err()
}

func (c *client) Allow(ctx context.Context, key string, limit Limit) (bool, time.Duration, error) {
	rate := redis_rate.Limit{Rate: limit.Calls, Burst: limit.Calls, Period: limit.Period}
	res, err := c.limiter.Allow(context.WithoutCancel(ctx), key, rate)
	if err != nil {
		return false, 0, err
	}
	return res.Allowed > 0, max(res.RetryAfter, 0), nil
}

func (c *client) Ping(ctx context.Context) error { return c.conn.Ping(ctx).Err() }

func (c *client) Close() error { return c.conn.Close() }
