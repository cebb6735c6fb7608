// Package payments keeps payments in Postgres and makes them through Stripe.
package payments

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nself-org/nself/templates/golang/internal/store"
)

// ErrKeyReused says that an idempotency key came with another payment before.
var ErrKeyReused = errors.New("the idempotency key belongs to another payment")

// Status is the state of a payment.
type Status string

// The states of a payment. Pending is one that Stripe has not answered about, as far as we know.
const (
	Pending        Status = "PENDING"
	Succeeded      Status = "SUCCEEDED"
	Failed         Status = "FAILED"
	RequiresAction Status = "REQUIRES_ACTION"
	Processing     Status = "PROCESSING"
)

// Request is what to charge.
type Request struct {
	CustomerID    string // the user who pays
	UserID        string // the user who asks for it; empty: the admin
	Amount        int    // in the currency's smallest unit
	Currency      string // in lower case
	PaymentMethod string
	Description   string
}

// hash is the same for the same input.
func (r Request) hash() ([]byte, error) {
	r.UserID = ""
	data, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("hash the payment: %w", err)
	}
	sum := sha256.Sum256(data)
	return sum[:], nil
}

// Payment is a row of public.payments. Texts that are not known yet are empty.
type Payment struct {
	ID         string
	Status     Status
	IntentID   string // Stripe's name for it
	ReceiptURL string
	Message    string
	ErrorCode  string
	CreatedAt  time.Time
}

const columns = `id::text, status, coalesce(stripe_payment_intent_id, ''), coalesce(receipt_url, ''),
	coalesce(message, ''), coalesce(error_code, ''), created_at`

// Store reads and writes payments. It is safe for concurrent use.
type Store struct{ pool store.DB }

// NewStore makes a Store.
func NewStore(pool store.DB) *Store { return &Store{pool: pool} }

// Begin notes a payment that is about to be made, or returns the one that the customer has begun under the same key. It
// returns [ErrKeyReused] when that one was of another input.
func (s *Store) Begin(ctx context.Context, r Request, key string) (Payment, error) {
	hash, err := r.hash()
	if err != nil {
		return Payment{}, err
	}
	fail := func(err error) (Payment, error) { return Payment{}, fmt.Errorf("begin the payment: %w", err) }
	if _, err := s.pool.Exec(ctx, `INSERT INTO public.payments
			(customer_id, user_id, amount, currency, description, idempotency_key, request_hash)
		VALUES ($1, nullif($2, ''), $3, $4, $5, $6, $7) ON CONFLICT (customer_id, idempotency_key) DO NOTHING`,
		r.CustomerID, r.UserID, r.Amount, r.Currency, r.Description, key, hash); err != nil {
		return fail(err)
	}
	rows, err := s.pool.Query(ctx, "SELECT "+columns+`, request_hash FROM public.payments
		WHERE customer_id = $1 AND idempotency_key = $2`, r.CustomerID, key)
	if err != nil {
		return fail(err)
	}
	found, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[struct {
		Payment
		Hash []byte
	}])
	if err != nil {
		return fail(err)
	}
	if subtle.ConstantTimeCompare(found.Hash, hash) != 1 {
		return Payment{}, ErrKeyReused
	}
	return found.Payment, nil
}

// Finish writes what became of a payment, also when the caller has gone: the money may have moved.
func (s *Store) Finish(ctx context.Context, p Payment) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if _, err := s.pool.Exec(ctx, `UPDATE public.payments SET status = $2, message = $3,
			stripe_payment_intent_id = coalesce(nullif($4, ''), stripe_payment_intent_id), receipt_url = nullif($5, ''),
			error_code = nullif($6, ''), updated_at = now()
		WHERE id = $1`, p.ID, p.Status, p.Message, p.IntentID, p.ReceiptURL, p.ErrorCode); err != nil {
		return fmt.Errorf("note the outcome of payment %s: %w", p.ID, err)
	}
	return nil
}

// Customer returns Stripe's name for a user, which make makes when there is none yet.
func (s *Store) Customer(
	ctx context.Context, userID string, make func(context.Context) (string, error),
) (string, error) {
	var id string
	err := s.pool.QueryRow(ctx, "SELECT stripe_customer_id FROM public.payment_customers WHERE user_id = $1", userID).Scan(&id)
	if !errors.Is(err, pgx.ErrNoRows) {
		return id, err
	}
	if id, err = make(ctx); err != nil {
		return "", err
	}
	if _, err := s.pool.Exec(ctx, `INSERT INTO public.payment_customers (user_id, stripe_customer_id) VALUES ($1, $2)
		ON CONFLICT DO NOTHING`, userID, id); err != nil {
		return "", fmt.Errorf("note the customer: %w", err)
	}
	return id, nil
}
