package users

import (
	"errors"
	"log/slog"
	"os"
	"sync"
	"testing"

	"github.com/nself-org/nself/templates/golang/internal/cache"
	"github.com/nself-org/nself/templates/golang/internal/config"
	"github.com/nself-org/nself/templates/golang/internal/redis"
	"github.com/nself-org/nself/templates/golang/internal/store"
	"github.com/nself-org/nself/templates/golang/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

func newStore(t *testing.T) *Store {
	t.Helper()
	pool, err := store.Open(t.Context(), config.Secret(testenv.Database(t)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	url, prefix := testenv.Redis(t)
	client, err := redis.Open(config.Secret(url))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return NewStore(pool, cache.New(client, prefix, slog.New(slog.DiscardHandler)))
}

func TestCreateAndFind(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	ctx := t.Context()
	created, err := s.Create(ctx, New{Email: "a@example.com", PasswordHash: "hash", Name: "A"}, NewToken())
	if err != nil {
		t.Fatal(err)
	}
	if found, err := s.Find(ctx, created.ID); err != nil || found.Email != "a@example.com" || found.EmailVerified {
		t.Errorf("got %+v, %v", found, err)
	}
	if taken, err := s.EmailTaken(ctx, "A@EXAMPLE.com"); !taken || err != nil {
		t.Errorf("taken is %t, %v", taken, err)
	}
	if _, err := s.Create(ctx, New{Email: "A@example.com", PasswordHash: "h", Name: "B"}, NewToken()); !errors.Is(err, ErrEmailTaken) {
		t.Errorf("the same address again: got %v", err)
	}
	for _, id := range []string{"", "x", "00000000-0000-0000-0000-000000000000"} {
		if _, err := s.Find(ctx, id); !errors.Is(err, ErrNotFound) {
			t.Errorf("find %q: got %v", id, err)
		}
	}
}

// The cached user must not stay unverified.
func TestVerifyReachesTheCache(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	ctx := t.Context()
	token := NewToken()
	u, err := s.Create(ctx, New{Email: "a@example.com", PasswordHash: "hash", Name: "A"}, token)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Find(ctx, u.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Verify(ctx, token); err != nil {
		t.Fatal(err)
	}
	if found, err := s.Find(ctx, u.ID); err != nil || !found.EmailVerified {
		t.Errorf("got %+v, %v", found, err)
	}
}

func TestTokenWorksOnce(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	token := NewToken()
	if _, err := s.Create(t.Context(), New{Email: "a@example.com", PasswordHash: "h", Name: "A"}, token); err != nil {
		t.Fatal(err)
	}
	const callers = 10
	results := make([]error, callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() { _, results[i] = s.Verify(t.Context(), token) })
	}
	wg.Wait()
	verified := 0
	for _, err := range results {
		switch {
		case err == nil:
			verified++
		case !errors.Is(err, ErrTokenUsed):
			t.Errorf("got %v", err)
		}
	}
	if verified != 1 {
		t.Errorf("the token worked %d times", verified)
	}
	if _, err := s.Verify(t.Context(), NewToken()); !errors.Is(err, ErrTokenUnknown) {
		t.Errorf("another token: got %v", err)
	}
}
