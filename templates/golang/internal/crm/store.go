// Package crm keeps the CRMs that users have connected, and sends contacts there.
package crm

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/nself-org/nself/templates/golang/internal/config"
	"github.com/nself-org/nself/templates/golang/internal/store"
)

// Why there is no integration to use.
var (
	ErrNone = errors.New("no CRM is connected")
	// ErrNoKey says that ENCRYPTION_KEY is not set.
	ErrNoKey = errors.New("ENCRYPTION_KEY is not set")
)

// Store keeps integrations, with their keys encrypted, and what became of contacts. It is safe for concurrent use.
type Store struct {
	pool   store.DB
	cipher *Cipher // nil: there is no key
}

// NewStore makes a Store. It reads ENCRYPTION_KEY.
func NewStore(pool store.DB, env *config.Reader) *Store {
	c, err := NewCipher(config.Secret(env.Text("ENCRYPTION_KEY", "")))
	if err != nil {
		env.Problem("%w", err)
	}
	return &Store{pool: pool, cipher: c}
}

// Save keeps a user's integration in the place of an older one. It returns [ErrNoKey] when it cannot be encrypted.
func (s *Store) Save(ctx context.Context, userID string, in Integration) error {
	if s.cipher == nil {
		return ErrNoKey
	}
	if _, err := s.pool.Exec(ctx, `INSERT INTO public.crm_integrations (user_id, endpoint, api_key_encrypted) VALUES ($1, $2, $3)
		ON CONFLICT (user_id) DO UPDATE SET endpoint = excluded.endpoint, api_key_encrypted = excluded.api_key_encrypted,
			updated_at = now()`,
		userID, in.Endpoint, s.cipher.Seal(userID, in.APIKey.Reveal())); err != nil {
		return fmt.Errorf("save the integration: %w", err)
	}
	return nil
}

// Find returns a user's integration, or [ErrNone], [ErrNoKey] or [ErrUnreadable].
func (s *Store) Find(ctx context.Context, userID string) (Integration, error) {
	var in Integration
	var sealed []byte
	err := s.pool.QueryRow(ctx, "SELECT endpoint, api_key_encrypted FROM public.crm_integrations WHERE user_id = $1", userID).
		Scan(&in.Endpoint, &sealed)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return in, ErrNone
	case err != nil:
		return in, fmt.Errorf("find the integration: %w", err)
	case s.cipher == nil:
		return in, ErrNoKey
	}
	key, err := s.cipher.Open(userID, sealed)
	in.APIKey = config.Secret(key)
	return in, err
}

// Note writes what became of contacts: reasons holds why one failed, or "". Without reasons they are on their way. Of
// contacts with the same address the last counts.
func (s *Store) Note(ctx context.Context, userID string, contacts []Contact, reasons []string) error {
	last := make(map[string]int, len(contacts))
	for i, c := range contacts {
		last[c.Email] = i
	}
	var emails, names, status []string
	var phones, companies, failures []*string
	for i, c := range contacts {
		if last[c.Email] != i {
			continue
		}
		emails, names = append(emails, c.Email), append(names, c.Name)
		phones, companies = append(phones, c.Phone), append(companies, c.Company)
		switch {
		case reasons == nil:
			status, failures = append(status, "PENDING"), append(failures, nil)
		case reasons[i] == "":
			status, failures = append(status, "SYNCED"), append(failures, nil)
		default:
			status, failures = append(status, "FAILED"), append(failures, &reasons[i])
		}
	}
	if _, err := s.pool.Exec(ctx, `INSERT INTO public.crm_contacts (user_id, email, name, phone, company, status, error, synced_at)
		SELECT $1, email, name, phone, company, status, error, CASE status WHEN 'SYNCED' THEN now() END
		FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
			AS c (email, name, phone, company, status, error)
		ON CONFLICT (user_id, email) DO UPDATE SET name = excluded.name, phone = excluded.phone, company = excluded.company,
			status = excluded.status, error = excluded.error, updated_at = now(),
			synced_at = coalesce(excluded.synced_at, crm_contacts.synced_at)`,
		userID, emails, names, phones, companies, status, failures); err != nil {
		return fmt.Errorf("note what became of contacts: %w", err)
	}
	return nil
}
