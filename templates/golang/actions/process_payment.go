package actions

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/nself-org/nself/templates/golang/internal/action"
	"github.com/nself-org/nself/templates/golang/internal/payments"
	"github.com/nself-org/nself/templates/golang/internal/users"
)

const codeCard = "CARD_ERROR"

// ProcessPaymentHandler implements the action processPayment: it charges a payment method through Stripe. Requests with
// the same Idempotency-Key charge once, also when the first one was cut short.
type ProcessPaymentHandler struct {
	payments         *payments.Store
	users            *users.Store
	stripe           *payments.Gateway
	unauthorizedRole string
	log              *slog.Logger
}

// NewProcessPayment makes the handler.
func NewProcessPayment(d Deps) *ProcessPaymentHandler {
	return &ProcessPaymentHandler{
		payments:         payments.NewStore(d.DB),
		users:            users.NewStore(d.DB, d.Cache),
		stripe:           payments.NewGateway(d.Env, d.Config.PublicURL),
		unauthorizedRole: d.Config.UnauthorizedRole,
		log:              d.Log,
	}
}

// Handle processes a payment.
func (h *ProcessPaymentHandler) Handle(
	ctx context.Context, req *action.Request[ProcessPaymentArgs],
) (*PaymentOutput, error) {
	userID, err := req.Session.SignedIn(h.unauthorizedRole)
	if err != nil {
		return nil, err
	}
	in := normalisePayment(req.Args.Input)
	if faults := validatePayment(in); len(faults) > 0 {
		return invalidPayment(faults), nil
	}
	if !req.Session.Trusted() && in.CustomerID != userID {
		return nil, action.Forbidden("You can only pay for yourself")
	}
	user, err := h.users.Find(ctx, in.CustomerID)
	if errors.Is(err, users.ErrNotFound) {
		return invalidPayment([]ValidationError{noCustomer()}), nil
	}
	if err != nil {
		return nil, paymentFailed(err)
	}
	if !h.stripe.Configured() {
		h.log.ErrorContext(ctx, "payments are not configured: STRIPE_SECRET_KEY is not set")
		return refusedPayment("Payments are not configured", "PAYMENTS_NOT_CONFIGURED"), nil
	}
	key := strings.TrimSpace(req.Header.Get("Idempotency-Key"))
	if key == "" {
		key = rand.Text()
	}
	out, err := h.pay(ctx, user, payments.Request{
		CustomerID: in.CustomerID, UserID: userID, Amount: in.Amount, Currency: in.Currency,
		PaymentMethod: in.PaymentMethodID, Description: *in.Description,
	}, key)
	if err != nil {
		if _, ok := errors.AsType[*action.Error](err); ok {
			return nil, err
		}
		return nil, paymentFailed(err)
	}
	return out, nil
}

// pay notes the payment before it asks Stripe for it: a request that is repeated finds the note.
func (h *ProcessPaymentHandler) pay(
	ctx context.Context, user users.User, in payments.Request, key string,
) (*PaymentOutput, error) {
	payment, err := h.payments.Begin(ctx, in, key)
	switch {
	case errors.Is(err, payments.ErrKeyReused):
		return refusedPayment("This idempotency key was used for another payment", "IDEMPOTENCY_KEY_REUSED"), nil
	case err != nil:
		return nil, err
	case payment.Status != payments.Pending:
		return h.again(ctx, payment)
	}
	customer, err := h.payments.Customer(ctx, user.ID, func(ctx context.Context) (string, error) {
		return h.stripe.NewCustomer(ctx, user.ID, user.Email, user.Name)
	})
	if err != nil {
		return nil, err
	}
	intent, err := h.stripe.Pay(ctx, payment, customer, in)
	if declined, ok := errors.AsType[*payments.DeclinedError](err); ok {
		payment.Status, payment.Message, payment.ErrorCode = payments.Failed, "Card error: "+declined.Message, codeCard
		payment.IntentID = declined.IntentID
		if err := h.payments.Finish(ctx, payment); err != nil {
			return nil, err
		}
		h.log.InfoContext(ctx, "card declined", slog.String("payment_id", payment.ID))
		return nil, declinedCard(payment.Message)
	}
	if err != nil {
		return nil, err
	}
	payment.Status, payment.Message = outcome(intent.Status)
	payment.IntentID, payment.ReceiptURL = intent.ID, intent.ReceiptURL
	if err := h.payments.Finish(ctx, payment); err != nil {
		return nil, err
	}
	if payment.Status == payments.Succeeded {
		h.log.InfoContext(ctx, "payment succeeded", slog.String("payment_id", payment.ID),
			slog.String("payment_intent_id", payment.IntentID), slog.Int("amount", in.Amount))
	}
	return describePayment(payment, intent.ClientSecret), nil
}

// again answers a repeated request as the first one was. The client's secret is not kept, so Stripe is asked for it.
func (h *ProcessPaymentHandler) again(ctx context.Context, p payments.Payment) (*PaymentOutput, error) {
	if p.ErrorCode == codeCard {
		return nil, declinedCard(p.Message)
	}
	secret := ""
	if p.Status == payments.RequiresAction {
		intent, err := h.stripe.Find(ctx, p.IntentID)
		if err != nil {
			return nil, err
		}
		secret = intent.ClientSecret
	}
	return describePayment(p, secret), nil
}

// outcome translates Stripe's status.
func outcome(status string) (payments.Status, string) {
	switch status {
	case "succeeded":
		return payments.Succeeded, "Payment processed successfully"
	case "requires_action":
		return payments.RequiresAction, "Additional authentication required"
	case "processing":
		return payments.Processing, "Payment is being processed"
	}
	return payments.Failed, "Payment failed: " + status
}

func describePayment(p payments.Payment, clientSecret string) *PaymentOutput {
	out := &PaymentOutput{
		Success: p.Status == payments.Succeeded || p.Status == payments.Processing,
		Status:  PaymentStatus(p.Status), Message: p.Message,
	}
	for field, text := range map[**string]string{
		&out.PaymentIntentID: p.IntentID, &out.ReceiptURL: p.ReceiptURL, &out.ErrorCode: p.ErrorCode,
	} {
		if text != "" {
			*field = &text
		}
	}
	if p.Status == payments.RequiresAction && clientSecret != "" {
		out.ClientSecret = &clientSecret
	}
	return out
}

func refusedPayment(message, code string) *PaymentOutput {
	return &PaymentOutput{Status: PaymentStatusFailed, Message: message, ErrorCode: &code}
}

func invalidPayment(faults []ValidationError) *PaymentOutput {
	out := refusedPayment("Validation failed", action.CodeValidation)
	out.Errors = faults
	return out
}

// declinedCard has status 400: so the guide has it, and the engine passes the message on.
func declinedCard(message string) *action.Error {
	return &action.Error{
		Status: http.StatusBadRequest, Code: codeCard, Message: message,
		Answer: map[string]any{"status": PaymentStatusFailed},
	}
}

func paymentFailed(err error) *action.Error {
	return &action.Error{
		Status: http.StatusInternalServerError, Code: action.CodeInternal, Message: "Payment processing failed",
		Answer: map[string]any{"status": PaymentStatusFailed}, Err: err,
	}
}
