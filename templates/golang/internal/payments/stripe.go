package payments

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/stripe/stripe-go/v85"

	"github.com/nself-org/nself/templates/golang/internal/config"
)

const (
	// callTimeout bounds one request to Stripe. A payment takes two at most, and the engine waits 30 s.
	callTimeout = 11 * time.Second
	// retries are safe: every request carries an idempotency key.
	retries = 1
	// keyLife is how long Stripe remembers idempotency keys at least, with room to spare. Later a payment that was left
	// pending is looked for before it is made.
	keyLife = 23 * time.Hour
)

// DeclinedError says that the card's bank, or Stripe, has refused.
type DeclinedError struct {
	Message  string // for the customer
	IntentID string
}

// Error returns the message.
func (e *DeclinedError) Error() string { return "the card was declined: " + e.Message }

// Intent is a payment as Stripe knows it.
type Intent struct {
	ID           string
	Status       string // Stripe's word, such as "succeeded"
	ClientSecret string // for the browser, which confirms the payment with it; it is not kept
	ReceiptURL   string
}

// Gateway talks to Stripe. It is safe for concurrent use.
type Gateway struct {
	client    *stripe.Client // nil: there is no key
	returnURL string
}

// NewGateway reads STRIPE_SECRET_KEY, STRIPE_API_BASE and PAYMENT_RETURN_URL (a page of this service). It does not
// connect.
func NewGateway(env *config.Reader, publicURL string) *Gateway {
	g := &Gateway{returnURL: env.URL("PAYMENT_RETURN_URL", publicURL+"/payment-complete", "http", "https")}
	base := env.URL("STRIPE_API_BASE", "", "http", "https")
	key := config.Secret(env.Text("STRIPE_SECRET_KEY", ""))
	if key == "" {
		return g
	}
	cfg := &stripe.BackendConfig{
		EnableTelemetry:   new(false),
		HTTPClient:        &http.Client{Timeout: callTimeout},
		LeveledLogger:     &stripe.LeveledLogger{Level: stripe.LevelNull}, // errors come back, and are logged once
		MaxNetworkRetries: stripe.Int64(retries),
	}
	if base != "" {
		cfg.URL = &base
	}
	g.client = stripe.NewClient(key.Reveal(), stripe.WithBackends(stripe.NewBackendsWithConfig(cfg)))
	return g
}

// Configured says whether there is a key.
func (g *Gateway) Configured() bool { return g.client != nil }

// NewCustomer makes a customer for a user and returns Stripe's name for it. Asking twice makes one.
func (g *Gateway) NewCustomer(ctx context.Context, userID, email, name string) (string, error) {
	params := &stripe.CustomerCreateParams{
		Email: &email, Name: &name, Metadata: map[string]string{"user_id": userID},
	}
	params.SetIdempotencyKey("customer-" + userID)
	customer, err := g.client.V1Customers.Create(ctx, params)
	if err != nil {
		return "", fmt.Errorf("make a customer at Stripe: %w", err)
	}
	return customer.ID, nil
}

// Pay charges, or returns what became of it when that was done before. It returns a [*DeclinedError] when the card is
// refused.
func (g *Gateway) Pay(ctx context.Context, p Payment, customer string, r Request) (Intent, error) {
	if time.Since(p.CreatedAt) > keyLife {
		intent, found, err := g.search(ctx, p.ID)
		if found || err != nil {
			return intent, err
		}
	}
	params := &stripe.PaymentIntentCreateParams{
		Amount: new(int64(r.Amount)), Currency: &r.Currency, PaymentMethod: &r.PaymentMethod, Customer: &customer,
		Confirm: new(true), OffSession: new(false), ReturnURL: &g.returnURL,
		Metadata: map[string]string{"payment_id": p.ID},
	}
	if r.Description != "" { // an empty one would mean "remove it"
		params.Description = &r.Description
	}
	params.AddExpand("latest_charge")
	params.SetIdempotencyKey(p.ID)
	intent, err := g.client.V1PaymentIntents.Create(ctx, params)
	if refused, ok := errors.AsType[*stripe.Error](err); ok && refused.Type == stripe.ErrorTypeCard {
		declined := &DeclinedError{Message: refused.Msg}
		if refused.PaymentIntent != nil {
			declined.IntentID = refused.PaymentIntent.ID
		}
		return Intent{}, declined
	}
	if err != nil {
		return Intent{}, fmt.Errorf("pay through Stripe: %w", err)
	}
	return describe(intent), nil
}

// search finds a payment by our id for it.
func (g *Gateway) search(ctx context.Context, paymentID string) (Intent, bool, error) {
	params := &stripe.PaymentIntentSearchParams{}
	params.Query = "metadata['payment_id']:'" + paymentID + "'"
	params.AddExpand("data.latest_charge")
	for intent, err := range g.client.V1PaymentIntents.Search(ctx, params).All(ctx) {
		if err != nil {
			return Intent{}, false, fmt.Errorf("look for the payment at Stripe: %w", err)
		}
		return describe(intent), true, nil
	}
	return Intent{}, false, nil
}

// Find returns a payment that was made before.
func (g *Gateway) Find(ctx context.Context, intentID string) (Intent, error) {
	intent, err := g.client.V1PaymentIntents.Retrieve(ctx, intentID, &stripe.PaymentIntentRetrieveParams{})
	if err != nil {
		return Intent{}, fmt.Errorf("find the payment at Stripe: %w", err)
	}
	return describe(intent), nil
}

func describe(intent *stripe.PaymentIntent) Intent {
	out := Intent{ID: intent.ID, Status: string(intent.Status), ClientSecret: intent.ClientSecret}
	if intent.LatestCharge != nil {
		out.ReceiptURL = intent.LatestCharge.ReceiptURL
	}
	return out
}
