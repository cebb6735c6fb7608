package auth

import (
	"crypto/sha512"
	"crypto/subtle"
	"log/slog"
)

// secretHash is the digest of an admin secret. Digests have one length, so that comparing them tells nothing about the
// length of the secret, and a dump of the structure does not give the secret away.
type secretHash [sha512.Size]byte

// LogValue keeps even the digest out of logs.
func (secretHash) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// String keeps even the digest out of messages.
func (secretHash) String() string { return "[redacted]" }

// matches tells whether secret is one of those hashed. Its time depends on neither which one fits nor how many bytes
// do.
func matches(hashes []secretHash, secret string) bool {
	shown := sha512.Sum512([]byte(secret))
	found := 0
	for i := range hashes {
		found |= subtle.ConstantTimeCompare(hashes[i][:], shown[:])
	}
	return found == 1
}

// shownSecret finds the secret that a request shows. An empty header is a secret, and a wrong one.
func shownSecret(vars map[string]string) (string, bool) {
	if secret, ok := vars[adminSecretVariable]; ok {
		return secret, true
	}
	secret, ok := vars[accessKeyVariable]
	return secret, ok
}
