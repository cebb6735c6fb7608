package users

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// TokenTTL is how long a verification link works.
const TokenTTL = 24 * time.Hour

// Why a token does not verify anything.
var (
	ErrTokenUnknown = errors.New("unknown verification token")
	ErrTokenUsed    = errors.New("verification token was used before")
	ErrTokenExpired = errors.New("verification token has expired")
)

// Token is the secret part of a verification link: 32 random bytes, as text for a URL.
type Token string

// NewToken makes a Token.
func NewToken() Token {
	var b [32]byte
	_, _ = rand.Read(b[:]) // it never fails: crypto/rand ends the program rather than return weak bytes
	return Token(base64.RawURLEncoding.EncodeToString(b[:]))
}

// hash is what the database knows of the token.
func (t Token) hash() []byte {
	sum := sha256.Sum256([]byte(t))
	return sum[:]
}

// Verify uses up the token and marks its user's address as verified. A token works once, also when two requests bring it
// at the same time. The other outcomes are [ErrTokenUnknown], [ErrTokenUsed] and [ErrTokenExpired].
func (s *Store) Verify(ctx context.Context, token Token) (User, error) {
	rows, err := s.pool.Query(ctx, `WITH token AS (
			UPDATE public.email_verifications SET used_at = now()
			WHERE token_hash = $1 AND used_at IS NULL AND expires_at > now()
			RETURNING user_id
		)
		UPDATE public.users SET email_verified = true, updated_at = now()
		WHERE id = (SELECT user_id FROM token)
		RETURNING `+userColumns, token.hash())
	if err != nil {
		return User{}, fmt.Errorf("verify the email address: %w", err)
	}
	u, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[User])
	if errors.Is(err, pgx.ErrNoRows) {
		return User{}, s.whyNot(ctx, token)
	}
	if err != nil {
		return User{}, fmt.Errorf("verify the email address: %w", err)
	}
	s.cache.Delete(ctx, cacheKey(u.ID))
	return u, nil
}

// whyNot tells why the token verified nothing.
func (s *Store) whyNot(ctx context.Context, token Token) error {
	var used bool
	err := s.pool.QueryRow(ctx,
		"SELECT used_at IS NOT NULL FROM public.email_verifications WHERE token_hash = $1", token.hash()).Scan(&used)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return ErrTokenUnknown
	case err != nil:
		return fmt.Errorf("look for the verification token: %w", err)
	case used:
		return ErrTokenUsed
	default:
		return ErrTokenExpired
	}
}
