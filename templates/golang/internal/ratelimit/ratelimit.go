// Package ratelimit bounds how often an action may be called, counted in Redis, so that all instances of the service
// count together.
package ratelimit

import (
	"context"
	"log/slog"
	"time"

	"github.com/nself-org/nself/templates/golang/internal/action"
	"github.com/nself-org/nself/templates/golang/internal/config"
	"github.com/nself-org/nself/templates/golang/internal/redis"
)

// Limiter counts calls for each action apart:
//
//   - a user may call it Points times per Duration, or RolePoints times when the action is a frequent one;
//   - callers of one role without a user id, such as visitors who did not sign in, share RolePoints per Duration;
//   - the admin, and direct calls with the admin secret, are not limited unless they name a user.
//
// Allowance returns evenly over the Duration (GCRA). When Redis is down nothing is limited: to be reachable matters more.
type Limiter struct {
	client           redis.Client // nil: nothing is limited
	prefix           string
	unauthorizedRole string
	user, role       redis.Limit
	log              *slog.Logger
}

// New makes a Limiter whose keys begin with prefix. A nil client gives one that allows everything. Visitors with
// unauthorizedRole are never told apart by user id, because they can claim any.
func New(client redis.Client, prefix string, cfg config.RateLimit, unauthorizedRole string, log *slog.Logger) *Limiter {
	return &Limiter{
		client:           client,
		prefix:           prefix + "action_limit:",
		unauthorizedRole: unauthorizedRole,
		user:             redis.Limit{Calls: cfg.Points, Period: cfg.Duration},
		role:             redis.Limit{Calls: cfg.RolePoints, Period: cfg.Duration},
		log:              log,
	}
}

// Allow says whether the call may proceed, and if not, how long to wait.
func (l *Limiter) Allow(ctx context.Context, a action.Action, s action.Session) (bool, time.Duration) {
	key, limit := l.bucket(s)
	if a.Frequent && key != "" {
		limit = l.role
	}
	if l.client == nil || key == "" {
		return true, 0
	}
	ok, retryAfter, err := l.client.Allow(ctx, l.prefix+a.Path+":"+key, limit)
	if err != nil {
		l.log.WarnContext(ctx, "rate limit is off", slog.String("action", a.Name), slog.Any("error", err))
		return true, 0
	}
	return ok, retryAfter
}

// bucket names who shares an allowance, and its size. An empty key means no limit.
func (l *Limiter) bucket(s action.Session) (string, redis.Limit) {
	switch {
	case s.UserID != "" && s.Role != l.unauthorizedRole:
		return "user:" + s.UserID, l.user
	case s.Trusted():
		return "", redis.Limit{}
	default:
		return "role:" + s.Role, l.role
	}
}
