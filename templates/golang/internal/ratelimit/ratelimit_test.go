package ratelimit

import (
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/nself-org/nself/templates/golang/internal/action"
	"github.com/nself-org/nself/templates/golang/internal/config"
	"github.com/nself-org/nself/templates/golang/internal/redis"
	"github.com/nself-org/nself/templates/golang/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

var limits = config.RateLimit{Points: 2, RolePoints: 4, Duration: time.Minute}

func open(t *testing.T, url string) *Limiter {
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
	return New(client, prefix, limits, "public", slog.New(slog.DiscardHandler))
}

// allowed counts the calls out of ten that get through.
func allowed(t *testing.T, l *Limiter, name string, s action.Session) int {
	t.Helper()
	n := 0
	for range 10 {
		ok, wait := l.Allow(t.Context(), action.Action{Name: name, Path: name}, s)
		if ok {
			n++
		} else if wait <= 0 || wait > limits.Duration {
			t.Errorf("refused with a wait of %s", wait)
		}
	}
	return n
}

func TestAllow(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		session action.Session
		want    int
	}{
		{"user", action.Session{Role: "user", UserID: "7"}, 2},
		{"admin for a user", action.Session{Role: "admin", UserID: "7"}, 2},
		{"admin", action.Session{Role: "admin"}, 10},
		{"direct call", action.Session{}, 10},
		{"role without users", action.Session{Role: "worker"}, 4},
		{"visitor", action.Session{Role: "public"}, 4},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := allowed(t, open(t, ""), "a", tt.session); got != tt.want {
				t.Errorf("%d of 10 calls were allowed, want %d", got, tt.want)
			}
		})
	}
}

func TestBucketsAreApart(t *testing.T) {
	t.Parallel()
	l := open(t, "")
	for _, tt := range []struct{ action, user string }{{"a", "1"}, {"a", "2"}, {"b", "1"}} {
		if got := allowed(t, l, tt.action, action.Session{Role: "user", UserID: tt.user}); got != 2 {
			t.Errorf("user %s was allowed %d calls of %s", tt.user, got, tt.action)
		}
	}
}

// Visitors can put any user id in their session; it must neither free them nor use up what is another's.
func TestVisitorsCannotClaimUsers(t *testing.T) {
	t.Parallel()
	l := open(t, "")
	n := 0
	for _, id := range []string{"1", "2", "3", "4", "5", "6"} {
		if ok, _ := l.Allow(t.Context(), action.Action{Path: "a"}, action.Session{Role: "public", UserID: id}); ok {
			n++
		}
	}
	if n != limits.RolePoints {
		t.Errorf("%d visitors with ids of their own were allowed, want %d", n, limits.RolePoints)
	}
	if got := allowed(t, l, "a", action.Session{Role: "user", UserID: "1"}); got != limits.Points {
		t.Errorf("the user has %d calls left, want %d", got, limits.Points)
	}
}

func TestRedisDown(t *testing.T) {
	t.Parallel()
	url, _ := testenv.Redis(t)
	proxy := testenv.ProxyRedis(t, url)
	l := open(t, proxy.URL)
	user := action.Session{Role: "user", UserID: "7"}
	if got := allowed(t, l, "a", user); got != 2 {
		t.Fatalf("%d calls were allowed", got)
	}
	proxy.Down()
	if got := allowed(t, l, "a", user); got != 10 {
		t.Errorf("%d of 10 calls were allowed while Redis was down", got)
	}
	if got := allowed(t, New(nil, "", limits, "public", l.log), "a", user); got != 10 {
		t.Errorf("%d of 10 calls were allowed without Redis", got)
	}
}

// What is asked for often, such as the state of a job, has the wider limit, for each user apart.
func TestAllowFrequent(t *testing.T) {
	t.Parallel()
	l := open(t, "")
	for _, id := range []string{"7", "8"} {
		n := 0
		for range 10 {
			if ok, _ := l.Allow(t.Context(), action.Action{Path: "state", Frequent: true}, action.Session{Role: "user", UserID: id}); ok {
				n++
			}
		}
		if n != limits.RolePoints {
			t.Errorf("user %s got %d calls through, want %d", id, n, limits.RolePoints)
		}
	}
}
