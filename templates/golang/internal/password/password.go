// Package password hashes passwords with Argon2id.
package password

import (
	"context"
	"fmt"
	"runtime"

	"github.com/alexedwards/argon2id"
)

// Hasher hashes and compares. It runs only so many computations at once as there are processors: each takes 19 MiB, and
// more in parallel would only be slower. It is safe for concurrent use.
type Hasher struct {
	params argon2id.Params
	slots  chan struct{}
}

// New returns a Hasher with the parameters that OWASP's password storage cheat sheet gives as the minimum: 19 MiB of
// memory, two passes, one lane. A hash names its own parameters, so raising them later leaves old hashes valid.
func New() *Hasher {
	return &Hasher{
		params: argon2id.Params{Memory: 19 * 1024, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32},
		slots:  make(chan struct{}, runtime.GOMAXPROCS(0)),
	}
}

// Hash returns the hash of password in PHC format. It waits its turn, and fails when ctx ends before.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	if err := h.acquire(ctx); err != nil {
		return "", err
	}
	defer h.release()
	hash, err := argon2id.CreateHash(password, &h.params)
	if err != nil {
		return "", fmt.Errorf("hash the password: %w", err)
	}
	return hash, nil
}

// Matches says whether hash was made of password. It fails on text that is not a hash, and when ctx ends before its turn.
func (h *Hasher) Matches(ctx context.Context, password, hash string) (bool, error) {
	if err := h.acquire(ctx); err != nil {
		return false, err
	}
	defer h.release()
	ok, err := argon2id.ComparePasswordAndHash(password, hash)
	if err != nil {
		return false, fmt.Errorf("compare the password: %w", err)
	}
	return ok, nil
}

func (h *Hasher) acquire(ctx context.Context) error {
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for a turn to hash: %w", ctx.Err())
	}
}

func (h *Hasher) release() { <-h.slots }
