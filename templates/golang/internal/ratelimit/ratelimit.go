// Package ratelimit bounds how often an action may be called, counted in Redis, so that all instances of the service
// count together.
package ratelimit

import (
	"context"
	"log/slog"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"

	"github.com/nself-org/nself/templates/golang/internal/action"
	"github.com/nself-org/nself/templates/golang/internal/config"
)

// timeout bounds the question to Redis; without an answer the call is let through.
const timeout = 500 * time.Millisecond

// Limiter counts calls for each action apart:
//
//   - a user may call it Points times per Duration;
//   - callers of one role without a user id, such as visitors who did not sign in, share RolePoints per Duration;
//   - the admin, and direct calls with the admin secret, are not limited unless they name a user.
//
// Allowance returns evenly over the Duration (GCRA). When Redis is down nothing is limited: to be reachable matters more.
type Limiter struct {
	limiter          *redis_rate.Limiter
	prefix           string
	unauthorizedRole string
	user, role       redis_rate.Limit
	log              *slog.Logger
}

// New makes a Limiter whose keys begin with prefix. A nil client gives one that allows everything. Visitors with
// unauthorizedRole are never told apart by user id, because they can claim any.
func New(client *redis.Client, prefix string, cfg config.RateLimit, unauthorizedRole string, log *slog.Logger) *Limiter {
	l := &Limiter{
		prefix:           prefix + "action_limit:",
		unauthorizedRole: unauthorizedRole,
		user:             redis_rate.Limit{Rate: cfg.Points, Burst: cfg.Points, Period: cfg.Duration},
		role:             redis_rate.Limit{Rate: cfg.RolePoints, Burst: cfg.RolePoints, Period: cfg.Duration},
		log:              log,
	}
	if client != nil {
		l.limiter = redis_rate.NewLimiter(client)
	}
	return l
}

// Allow says whether the call may proceed, and if not, how long to wait.
func (l *Limiter) Allow(ctx context.Context, name string, s action.Session) (bool, time.Duration) {
	key, limit := l.bucket(s)
	if l.limiter == nil || key == "" {
		return true, 0
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	res, err := l.limiter.Allow(ctx, l.prefix+name+":"+key, limit)
	if err != nil {
		l.log.WarnContext(ctx, "rate limit is off", slog.String("action", name), slog.Any("error", err))
		return true, 0
	}
	return res.Allowed > 0, max(res.RetryAfter, 0)
}

// bucket names who shares an allowance, and its size. An empty key means no limit.
func (l *Limiter) bucket(s action.Session) (string, redis_rate.Limit) {
	switch {
	case s.UserID != "" && s.Role != l.unauthorizedRole:
		return "user:" + s.UserID, l.user
	case s.Trusted():
		return "", redis_rate.Limit{}
	default:
		return "role:" + s.Role, l.role
	}
}
