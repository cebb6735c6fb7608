package users

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nself-org/nself/templates/golang/internal/store"
)

// InvitationTTL is how long an invitation can be accepted.
const InvitationTTL = 7 * 24 * time.Hour

// ErrInvited says that the invitation was sent before, or that there is nobody to invite.
var ErrInvited = errors.New("there is nobody to invite")

// Invite notes that users are to be invited, in a transaction of the caller's.
func (s *Store) Invite(ctx context.Context, tx pgx.Tx, userIDs []string) error {
	if _, err := tx.Exec(ctx, `INSERT INTO public.invitations (user_id, expires_at)
		SELECT id, now() + $2::interval FROM unnest($1::uuid[]) AS u (id) ON CONFLICT DO NOTHING`,
		userIDs, InvitationTTL); err != nil {
		return fmt.Errorf("invite users: %w", err)
	}
	return nil
}

// SendInvitation calls send with the user and a new token, and marks the invitation as sent when that succeeds. It
// returns [ErrInvited] when that has happened before.
//
// The row is locked meanwhile, so that two workers never send at once. A process that is killed after the mail has gone
// out and before the mark is committed sends it once more: two mails are better than none.
func (s *Store) SendInvitation(ctx context.Context, userID string, send func(User, Token) error) error {
	return store.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		token := NewToken()
		tag, err := tx.Exec(ctx, `UPDATE public.invitations SET sent_at = now(), token_hash = $2, expires_at = now() + $3::interval
			WHERE user_id = $1 AND sent_at IS NULL AND accepted_at IS NULL`, userID, token.hash(), InvitationTTL)
		if err != nil {
			return fmt.Errorf("mark the invitation as sent: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return ErrInvited
		}
		rows, err := tx.Query(ctx, "SELECT "+userColumns+" FROM public.users WHERE id = $1", userID)
		if err != nil {
			return fmt.Errorf("find the user to invite: %w", err)
		}
		user, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[User])
		if err != nil {
			return fmt.Errorf("find the user to invite: %w", err)
		}
		return send(user, token)
	})
}

// CheckInvitation returns nil when the token can be accepted, or [ErrTokenUnknown], [ErrTokenUsed] or [ErrTokenExpired].
func (s *Store) CheckInvitation(ctx context.Context, token Token) error {
	var accepted, expired bool
	err := s.pool.QueryRow(ctx, `SELECT accepted_at IS NOT NULL, expires_at <= now() FROM public.invitations
		WHERE token_hash = $1`, token.hash()).Scan(&accepted, &expired)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return ErrTokenUnknown
	case err != nil:
		return fmt.Errorf("look for the invitation: %w", err)
	case accepted:
		return ErrTokenUsed
	case expired:
		return ErrTokenExpired
	}
	return nil
}

// AcceptInvitation uses up the token and gives its user a password; that the user has read the mail also proves the
// address. The other outcomes are those of [Store.CheckInvitation].
func (s *Store) AcceptInvitation(ctx context.Context, token Token, passwordHash string) (User, error) {
	rows, err := s.pool.Query(ctx, `WITH accepted AS (
			UPDATE public.invitations SET accepted_at = now()
			WHERE token_hash = $1 AND accepted_at IS NULL AND expires_at > now()
			RETURNING user_id
		)
		UPDATE public.users SET password_hash = $2, email_verified = true, updated_at = now()
		WHERE id = (SELECT user_id FROM accepted)
		RETURNING `+userColumns, token.hash(), passwordHash)
	if err != nil {
		return User{}, fmt.Errorf("accept the invitation: %w", err)
	}
	u, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[User])
	if errors.Is(err, pgx.ErrNoRows) {
		if err := s.CheckInvitation(ctx, token); err != nil {
			return User{}, err
		}
		return User{}, ErrTokenUsed // another request was quicker
	}
	if err != nil {
		return User{}, fmt.Errorf("accept the invitation: %w", err)
	}
	s.cache.Delete(ctx, cacheKey(u.ID))
	return u, nil
}
