// Package users keeps accounts and the verification of their email addresses in Postgres.
package users

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nself-org/nself/templates/golang/internal/cache"
	"github.com/nself-org/nself/templates/golang/internal/store"
)

// Errors that callers tell apart.
var (
	ErrEmailTaken = errors.New("email is already in use")
	ErrNotFound   = errors.New("no such user")
)

// cacheTTL is how long a user is kept in the cache. A change through this package is seen at once.
const cacheTTL = time.Hour

// User is an account as others may see it: the password's hash never leaves this package.
type User struct {
	ID            string    `json:"id"`
	Email         string    `json:"email"`
	Name          string    `json:"name"`
	Company       *string   `json:"company"`
	EmailVerified bool      `json:"email_verified"`
	CreatedAt     time.Time `json:"created_at"`
}

const userColumns = "id::text, email, name, company, email_verified, created_at"

// New is an account to be made.
type New struct {
	Email        string // in lower case
	PasswordHash string
	Name         string
	Company      *string
}

// Store reads and writes accounts. It is safe for concurrent use.
type Store struct {
	pool  store.DB
	cache *cache.Cache
}

// NewStore makes a Store.
func NewStore(pool store.DB, c *cache.Cache) *Store { return &Store{pool: pool, cache: c} }

// EmailTaken says whether an account has this address. The answer may be out of date by the time of [Store.Create],
// which has the last word.
func (s *Store) EmailTaken(ctx context.Context, email string) (bool, error) {
	var taken bool
	err := s.pool.QueryRow(ctx,
		"SELECT EXISTS (SELECT FROM public.users WHERE lower(email) = lower($1))", email).Scan(&taken)
	if err != nil {
		return false, fmt.Errorf("look for the email address: %w", err)
	}
	return taken, nil
}

// Create makes an account together with the token that will verify its address; both exist, or neither. It returns
// [ErrEmailTaken] when another account has the address, also when that account is being made at the same time.
func (s *Store) Create(ctx context.Context, n New, token Token) (User, error) {
	var u User
	err := store.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `INSERT INTO public.users (email, password_hash, name, company)
			VALUES ($1, $2, $3, $4) RETURNING `+userColumns, n.Email, n.PasswordHash, n.Name, n.Company)
		if err != nil {
			return err
		}
		if u, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[User]); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO public.email_verifications (token_hash, user_id, expires_at)
			VALUES ($1, $2, now() + $3)`, token.hash(), u.ID, TokenTTL)
		return err
	})
	switch {
	case store.IsDuplicate(err, "users_email_key"):
		return User{}, ErrEmailTaken
	case err != nil:
		return User{}, fmt.Errorf("create the user: %w", err)
	}
	return u, nil
}

// Find returns the account with this id, from the cache where it is there, or [ErrNotFound].
func (s *Store) Find(ctx context.Context, id string) (User, error) {
	return cache.Fetch(ctx, s.cache, cacheKey(id), cacheTTL, func(ctx context.Context) (User, error) {
		rows, err := s.pool.Query(ctx, "SELECT "+userColumns+" FROM public.users WHERE id::text = $1", id)
		if err != nil {
			return User{}, fmt.Errorf("find user %s: %w", id, err)
		}
		u, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[User])
		if errors.Is(err, pgx.ErrNoRows) {
			return User{}, ErrNotFound
		}
		if err != nil {
			return User{}, fmt.Errorf("find user %s: %w", id, err)
		}
		return u, nil
	})
}

func cacheKey(id string) string { return "user:" + id }
