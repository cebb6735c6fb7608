package auth_test

import (
	"context"
	"crypto/elliptic"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/auth"
	"github.com/nself-org/nself/internal/errdefs"
)

// issuer serves a JWKS that tests change.
type issuer struct {
	*httptest.Server
	hits atomic.Int64

	mu     sync.Mutex
	status int
	header http.Header
	body   string
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{status: http.StatusOK}
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		i.hits.Add(1)
		i.mu.Lock()
		defer i.mu.Unlock()
		maps.Copy(w.Header(), i.header)
		w.WriteHeader(i.status)
		_, _ = w.Write([]byte(i.body))
	}))
	t.Cleanup(i.Close)
	return i
}

// serve sets the answer: keys, and header name and value.
func (i *issuer) serve(t *testing.T, keys []any, header ...string) {
	t.Helper()
	i.mu.Lock()
	defer i.mu.Unlock()
	i.status, i.header, i.body = http.StatusOK, http.Header{}, marshal(t, object{"keys": keys})
	for n := 0; n < len(header); n += 2 {
		i.header.Set(header[n], header[n+1])
	}
}

func (i *issuer) fail() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.status = http.StatusInternalServerError
}

func jwk(public any, id string) jose.JSONWebKey {
	return jose.JSONWebKey{Key: public, KeyID: id, Use: "sig"}
}

func (i *issuer) authenticator(t *testing.T, now func() time.Time) *auth.Authenticator {
	t.Helper()
	return newAt(t, jwtConfig(t, object{"jwk_url": i.URL}), now)
}

// admits tells whether a token gets in, and fails the test when the refusal is not about its signature.
func admits(t *testing.T, a *auth.Authenticator, token string) bool {
	t.Helper()
	_, err := a.Authenticate(t.Context(), bearer(token))
	if err == nil {
		return true
	}
	want := refusal(400, "invalid-jwt", "Could not verify JWT: JWSError JWSInvalidSignature")
	if diff := cmp.Diff(want, err); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	return false
}

func TestJWKSKeys(t *testing.T) {
	t.Parallel()
	rsa, ec, ed, secret := rsaKey(t), ecKey(t, elliptic.P384()), edKey(t), []byte(hmacKey)
	padded := object{}
	text, err := json.Marshal(jwk(rsa.Public(), "padded"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &padded); err != nil {
		t.Fatal(err)
	}
	padded["e"] = "AQAB==" // as some issuers write it
	encryption, pinned := jwk(rsaKey(t).Public(), "enc"), jwk(rsaKey(t).Public(), "pinned")
	encryption.Use = "enc"
	i := newIssuer(t)
	i.serve(t, []any{
		padded, jwk(ec.Public(), "ec"), jwk(ed.Public(), ""),
		jose.JSONWebKey{Key: secret, KeyID: "oct"},
		encryption, pinned,
		object{"kty": "later", "kid": "x"},
		object{},
		jose.JSONWebKey{Key: ecKey(t, elliptic.P256()), KeyID: "private"},
	})
	a := i.authenticator(t, epoch)
	for name, tt := range map[string]struct {
		token string
		want  bool
	}{
		"by id":                     {sign(t, jose.ES384, ec, "ec", hasuraClaims()), true},
		"by id, padded":             {sign(t, jose.RS512, rsa, "padded", hasuraClaims()), true},
		"without id":                {sign(t, jose.RS256, rsa, "", hasuraClaims()), true},
		"key without id":            {sign(t, jose.EdDSA, ed, "", hasuraClaims()), true},
		"unknown id, known key":     {sign(t, jose.EdDSA, ed, "nobody", hasuraClaims()), true},
		"the id of another key":     {sign(t, jose.RS256, rsa, "pinned", hasuraClaims()), false},
		"the id of an EC key":       {sign(t, jose.RS256, rsa, "ec", hasuraClaims()), false},
		"a published shared secret": {sign(t, jose.HS256, secret, "oct", hasuraClaims()), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := admits(t, a, tt.token); got != tt.want {
				t.Errorf("admitted: %t, want %t", got, tt.want)
			}
		})
	}
}

func TestJWKSExpiry(t *testing.T) {
	t.Parallel()
	at := func(d time.Duration) string { return epoch().Add(d).Format(http.TimeFormat) }
	tests := []struct {
		name   string
		header []string
		wait   time.Duration
		fetch  bool
	}{
		{"no header: for ever", nil, 1000 * time.Hour, false},
		{"max-age not over", []string{"Cache-Control", "public, max-age=60"}, 59 * time.Second, false},
		{"max-age over", []string{"Cache-Control", "public, Max-Age=60"}, 60 * time.Second, true},
		{"s-maxage over", []string{"Cache-Control", "public, s-maxage=60, max-age=600"}, 60 * time.Second, true},
		{"max-age before Expires", []string{"Cache-Control", "max-age=60", "Expires", at(time.Hour)}, time.Minute, true},
		{"Expires not over", []string{"Expires", at(time.Minute)}, 59 * time.Second, false},
		{"Expires over", []string{"Expires", at(time.Minute)}, time.Minute, true},
		{"Expires where Cache-Control says nothing", []string{"Cache-Control", "public", "Expires", at(time.Minute)}, time.Minute, true},
		{"no-store", []string{"Cache-Control", "no-store"}, 10 * time.Second, true},
		{"no-store, too early", []string{"Cache-Control", "no-store"}, 9 * time.Second, false},
		{"no-cache wins over max-age", []string{"Cache-Control", "no-cache, max-age=600"}, 10 * time.Second, true},
		{"must-revalidate", []string{"Cache-Control", "must-revalidate"}, 10 * time.Second, true},
		{"must-revalidate with max-age", []string{"Cache-Control", "must-revalidate, max-age=60"}, 59 * time.Second, false},
		{"nonsense", []string{"Cache-Control", "max-age=soon", "Expires", "0"}, 1000 * time.Hour, false},
	}
	key := ecKey(t, elliptic.P256())
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			i, c := newIssuer(t), &clock{}
			i.serve(t, []any{jwk(key.Public(), "")}, tt.header...)
			a := i.authenticator(t, c.now)
			c.advance(tt.wait)
			token := sign(t, jose.ES256, key, "", hasuraClaims())
			if !admits(t, a, token) {
				t.Error("not admitted")
			}
			if got := i.hits.Load() == 2; got != tt.fetch {
				t.Errorf("fetched again: %t, want %t", got, tt.fetch)
			}
		})
	}
}

// An issuer that changes its keys before they expire must not lock anybody out, nor may bad tokens make us flood it.
func TestJWKSRotation(t *testing.T) {
	t.Parallel()
	i, c := newIssuer(t), &clock{}
	before, after := ecKey(t, elliptic.P256()), ecKey(t, elliptic.P256())
	i.serve(t, []any{jwk(before.Public(), "1")}, "Cache-Control", "max-age=3600")
	a := i.authenticator(t, c.now)
	token, newToken := sign(t, jose.ES256, before, "1", hasuraClaims()), sign(t, jose.ES256, after, "2", hasuraClaims())

	i.serve(t, []any{jwk(after.Public(), "2")}, "Cache-Control", "max-age=60")
	if admits(t, a, newToken) {
		t.Error("fetched again within the pause")
	}
	c.advance(11 * time.Second)
	if !admits(t, a, newToken) {
		t.Error("the new key is not found")
	}
	if admits(t, a, token) {
		t.Error("the key that was withdrawn still works")
	}
	hits := i.hits.Load()
	for range 20 {
		admits(t, a, token)
	}
	if i.hits.Load() != hits {
		t.Errorf("%d fetches for bad tokens", i.hits.Load()-hits)
	}
	// A fetch that fails leaves the keys in place.
	i.fail()
	c.advance(2 * time.Minute)
	if !admits(t, a, newToken) {
		t.Error("keys lost by a failed fetch")
	}
	if i.hits.Load() == hits {
		t.Error("expired keys were not fetched again")
	}
}

func TestJWKSConcurrentRefresh(t *testing.T) {
	t.Parallel()
	i, c := newIssuer(t), &clock{}
	key := ecKey(t, elliptic.P256())
	i.serve(t, []any{jwk(key.Public(), "")}, "Cache-Control", "max-age=60")
	a := i.authenticator(t, c.now)
	token := sign(t, jose.ES256, key, "", hasuraClaims())
	c.advance(time.Minute)
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			if _, err := a.Authenticate(t.Context(), bearer(token)); err != nil {
				t.Errorf("%v", err)
			}
		})
	}
	group.Wait()
	if got := i.hits.Load(); got != 2 {
		t.Errorf("%d fetches, want 2", got)
	}
}

// failing is an HTTP client that gets status 500 from everywhere and counts the calls.
type failing struct{ calls int }

func (f *failing) RoundTrip(*http.Request) (*http.Response, error) {
	f.calls++
	return &http.Response{StatusCode: http.StatusInternalServerError, Body: http.NoBody}, nil
}

func TestJWKSUnavailable(t *testing.T) {
	t.Parallel()
	c := jwtConfig(t, object{"jwk_url": "http://issuer/keys"})
	synctest.Test(t, func(t *testing.T) {
		transport, start := &failing{}, time.Now()
		_, err := auth.New(t.Context(), c, &http.Client{Transport: transport}, newLogger(t))
		if err == nil || err.Error() != "Non-2xx response on fetching JWK from: http://issuer/keys" || !errors.Is(err, errdefs.ErrUnavailable) {
			t.Errorf("got %v", err)
		}
		if transport.calls != 6 || time.Since(start) != 6200*time.Millisecond {
			t.Errorf("%d attempts in %s, want 6 in 6.2s", transport.calls, time.Since(start))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		transport := &failing{}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if _, err := auth.New(ctx, c, &http.Client{Transport: transport}, newLogger(t)); err == nil || transport.calls != 2 {
			t.Errorf("%d attempts, error %v", transport.calls, err)
		}
	})
}
