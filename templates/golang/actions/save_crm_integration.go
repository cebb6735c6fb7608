package actions

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/nself-org/nself/templates/golang/internal/action"
	"github.com/nself-org/nself/templates/golang/internal/config"
	"github.com/nself-org/nself/templates/golang/internal/crm"
)

const maxAPIKey = 4096

// SaveCrmIntegrationHandler implements the action saveCrmIntegration: it keeps where a user's CRM is, and its API key,
// encrypted.
type SaveCrmIntegrationHandler struct {
	store            *crm.Store
	targets          *crm.Targets
	unauthorizedRole string
	log              *slog.Logger
}

// NewSaveCrmIntegration makes the handler.
func NewSaveCrmIntegration(d Deps) *SaveCrmIntegrationHandler {
	return &SaveCrmIntegrationHandler{
		store: crm.NewStore(d.DB, d.Env), targets: crm.NewTargets(d.Env), unauthorizedRole: d.Config.UnauthorizedRole,
		log: d.Log,
	}
}

// Handle saves the integration of the user who calls; the admin has none without a user either.
func (h *SaveCrmIntegrationHandler) Handle(
	ctx context.Context, req *action.Request[SaveCrmIntegrationArgs],
) (*SaveCrmIntegrationOutput, error) {
	userID, err := req.Session.SignedIn(h.unauthorizedRole)
	if err != nil {
		return nil, err
	}
	if userID == "" {
		return nil, action.SignIn()
	}
	endpoint, key := strings.TrimSpace(req.Args.Input.Endpoint), strings.TrimSpace(req.Args.Input.APIKey)
	if faults := h.check(ctx, endpoint, key); len(faults) > 0 {
		return &SaveCrmIntegrationOutput{
			Message: "Validation failed", Errors: faults, ErrorCode: new(action.CodeValidation),
		}, nil
	}
	err = h.store.Save(ctx, userID, crm.Integration{Endpoint: endpoint, APIKey: config.Secret(key)})
	if errors.Is(err, crm.ErrNoKey) {
		h.log.ErrorContext(ctx, "the integration cannot be encrypted: ENCRYPTION_KEY is not set")
		return &SaveCrmIntegrationOutput{
			Message: "Encryption is not configured", ErrorCode: new("ENCRYPTION_NOT_CONFIGURED"),
		}, nil
	}
	if err != nil {
		return nil, err
	}
	return &SaveCrmIntegrationOutput{Success: true, Message: "CRM integration saved"}, nil
}

// check returns every fault of the input, at most one for each field.
func (h *SaveCrmIntegrationHandler) check(ctx context.Context, endpoint, key string) []ValidationError {
	var faults []ValidationError
	fault := func(field, code, message string) {
		faults = append(faults, ValidationError{Field: field, Message: message, Code: &code})
	}
	switch err := h.targets.Check(ctx, endpoint); {
	case endpoint == "":
		fault("endpoint", action.CodeRequired, "Endpoint is required")
	case errors.Is(err, crm.ErrURL):
		fault("endpoint", "INVALID_URL", "Endpoint must be an https URL")
	case errors.Is(err, crm.ErrForbidden):
		fault("endpoint", "FORBIDDEN_TARGET", "Endpoint must not be a private address")
	}
	switch {
	case key == "":
		fault("api_key", action.CodeRequired, "API key is required")
	case len(key) > maxAPIKey, strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }):
		fault("api_key", action.CodeFormat, "API key is not valid") // it would not fit into a header
	}
	return faults
}
