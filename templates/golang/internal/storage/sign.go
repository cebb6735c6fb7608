package storage

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/nself-org/nself/templates/golang/internal/config"
)

const filesPath = "/files/"

var (
	errSignature = errors.New("the signature is wrong")
	errExpired   = errors.New("the link has expired")
)

// Signer makes links to stored files. All function services of a project that share the admin secret know each other's.
type Signer struct {
	key  []byte
	base string
	ttl  time.Duration
}

// NewSigner makes a Signer of links that begin with base and live for ttl. Its key is derived from the secret, so that a
// link tells nothing about it.
func NewSigner(secret config.Secret, base string, ttl time.Duration) *Signer {
	mac := hmac.New(sha256.New, []byte(secret.Reveal()))
	mac.Write([]byte("nself file url v1"))
	return &Signer{key: mac.Sum(nil), base: base, ttl: ttl}
}

// URL returns a link to the file under the key.
func (s *Signer) URL(key string) string {
	expires := strconv.FormatInt(time.Now().Add(s.ttl).Unix(), 10)
	u := url.URL{Path: filesPath + key}
	return s.base + u.EscapedPath() + "?" + url.Values{
		"expires": {expires}, "signature": {s.sign(key, expires)},
	}.Encode()
}

// Check returns nil for the parameters of a link that this key made and that has not expired.
func (s *Signer) Check(key, expires, signature string) error {
	if !hmac.Equal([]byte(signature), []byte(s.sign(key, expires))) {
		return errSignature
	}
	at, err := strconv.ParseInt(expires, 10, 64)
	if err != nil {
		return errSignature
	}
	if time.Now().Unix() >= at {
		return errExpired
	}
	return nil
}

func (s *Signer) sign(key, expires string) string {
	mac := hmac.New(sha256.New, s.key)
	fmt.Fprintf(mac, "%s\n%s", filesPath+key, expires)
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
