package auth_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"maps"
	"math/big"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/nself-org/nself/internal/auth"
	"github.com/nself-org/nself/internal/env"
)

func newLogger(t testing.TB) *slog.Logger {
	t.Helper()
	return slog.New(slog.NewTextHandler(t.Output(), nil))
}

// hmacKey is long enough for every HMAC algorithm.
const hmacKey = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// epoch is when the tests take place.
func epoch() time.Time { return time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC) }

// clock is a time that tests can move.
type clock struct{ seconds atomic.Int64 }

func (c *clock) now() time.Time          { return epoch().Add(time.Duration(c.seconds.Load()) * time.Second) }
func (c *clock) advance(d time.Duration) { c.seconds.Add(int64(d / time.Second)) }

// object is JSON.
type object = map[string]any

func marshal(t testing.TB, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// sign makes a token. kid may be empty.
func sign(t testing.TB, algorithm jose.SignatureAlgorithm, key any, kid string, payload any) string {
	t.Helper()
	options := (&jose.SignerOptions{}).WithType("JWT")
	if kid != "" {
		options = options.WithHeader("kid", kid)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	text, ok := payload.(string)
	if !ok {
		text = marshal(t, payload)
	}
	jws, err := signer.Sign([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	token, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// hasuraClaims are the claims of a usual user, with more added.
func hasuraClaims(more ...object) object {
	claims := object{"sub": "42", "https://hasura.io/jwt/claims": object{
		"x-hasura-allowed-roles": []string{"user", "editor"}, "x-hasura-default-role": "user", "X-Hasura-User-Id": "42", "name": "ignored",
	}}
	for _, m := range more {
		maps.Copy(claims, m)
	}
	return claims
}

// jwtConfig makes the configuration for JWT secrets.
func jwtConfig(t testing.TB, secrets ...object) auth.Config {
	t.Helper()
	c := auth.Config{AdminSecrets: []env.Secret{"s3cret"}}
	for _, secret := range secrets {
		c.JWTSecrets = append(c.JWTSecrets, env.Secret(marshal(t, secret)))
	}
	return c
}

func newAt(t testing.TB, c auth.Config, now func() time.Time) *auth.Authenticator {
	t.Helper()
	a, err := auth.NewAt(t.Context(), c, nil, newLogger(t), now)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func bearer(token string, more ...string) auth.Request {
	return headers(append([]string{"Authorization", "Bearer " + token}, more...)...)
}

func publicPEM(t testing.TB, public crypto.PublicKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func certificatePEM(t testing.TB, signer crypto.Signer) string {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: epoch()}
	der, err := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func rsaKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func ecKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func edKey(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
