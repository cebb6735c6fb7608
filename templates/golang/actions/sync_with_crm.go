package actions

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/nself-org/nself/templates/golang/internal/action"
	"github.com/nself-org/nself/templates/golang/internal/crm"
)

const (
	maxContacts = 5_000
	// syncTimeout bounds the requests to the CRM; the engine waits 60 s.
	syncTimeout = 45 * time.Second
)

// SyncWithCrmHandler implements the action syncWithCrm: it sends contacts to the CRM that the user has connected.
type SyncWithCrmHandler struct {
	store            *crm.Store
	client           *crm.Client
	unauthorizedRole string
	log              *slog.Logger
}

// NewSyncWithCrm makes the handler.
func NewSyncWithCrm(d Deps) *SyncWithCrmHandler {
	return &SyncWithCrmHandler{
		store: crm.NewStore(d.DB, d.Env), client: crm.NewClient(crm.NewTargets(d.Env), d.Log),
		unauthorizedRole: d.Config.UnauthorizedRole, log: d.Log,
	}
}

// Timeout gives the CRM its time, and the tables theirs.
func (h *SyncWithCrmHandler) Timeout() time.Duration { return syncTimeout + 5*time.Second }

// Handle sends the contacts of the user who calls; the admin has no CRM without a user either.
func (h *SyncWithCrmHandler) Handle(
	ctx context.Context, req *action.Request[SyncWithCrmArgs],
) (*SyncWithCrmOutput, error) {
	userID, err := req.Session.SignedIn(h.unauthorizedRole)
	if err != nil {
		return nil, err
	}
	if userID == "" {
		return nil, action.SignIn()
	}
	contacts := crmContacts(req.Args.Input.Contacts)
	switch n := len(contacts); {
	case n == 0:
		return invalidSync("At least one contact is required", action.CodeRequired), nil
	case n > maxContacts:
		return invalidSync("At most 5,000 contacts can be synced at once", "TOO_MANY_CONTACTS"), nil
	}
	integration, err := h.store.Find(ctx, userID)
	switch {
	case errors.Is(err, crm.ErrNone):
		return cannotSync(contacts, "No CRM integration is set up", "CRM_NOT_CONFIGURED"), nil
	case errors.Is(err, crm.ErrNoKey):
		h.log.ErrorContext(ctx, "the integration cannot be decrypted: ENCRYPTION_KEY is not set")
		return cannotSync(contacts, "Encryption is not configured", "ENCRYPTION_NOT_CONFIGURED"), nil
	case errors.Is(err, crm.ErrUnreadable):
		h.log.ErrorContext(ctx, "the integration cannot be decrypted", slog.Any("error", err))
		return cannotSync(contacts, "The CRM API key must be saved again", "CRM_KEY_UNREADABLE"), nil
	case err != nil:
		return nil, err
	}
	return h.sync(ctx, userID, integration, contacts)
}

func (h *SyncWithCrmHandler) sync(
	ctx context.Context, userID string, to crm.Integration, contacts []crm.Contact,
) (*SyncWithCrmOutput, error) {
	if err := h.store.Note(ctx, userID, contacts, nil); err != nil {
		return nil, err
	}
	out, first := &SyncWithCrmOutput{}, ""
	sending, cancel := context.WithTimeout(ctx, syncTimeout)
	defer cancel()
	err := h.client.Push(sending, to, contacts, func(batch []crm.Contact, reasons []string) error {
		for _, reason := range reasons {
			if reason == "" {
				out.SyncedCount++
				continue
			}
			if out.FailedCount++; first == "" {
				first = reason
			}
		}
		return h.store.Note(ctx, userID, batch, reasons)
	})
	if err != nil {
		return nil, err
	}
	h.log.InfoContext(ctx, "contacts sent", slog.Int("synced", out.SyncedCount), slog.Int("failed", out.FailedCount))
	switch {
	case out.FailedCount == 0:
		out.Success, out.Message = true, "CRM sync completed successfully"
	case out.SyncedCount > 0:
		out.Message = "CRM sync completed with failures"
	default:
		out.Message, out.Error = "CRM sync failed", &first
	}
	return out, nil
}

// crmContacts drops what Postgres cannot keep.
func crmContacts(list []CrmContactInput) []crm.Contact {
	clean := func(s string) string { return strings.ReplaceAll(s, "\x00", "") }
	optional := func(s *string) *string {
		if s == nil {
			return nil
		}
		return new(clean(*s))
	}
	contacts := make([]crm.Contact, len(list))
	for i, c := range list {
		contacts[i] = crm.Contact{
			Email: clean(c.Email), Name: clean(c.Name), Phone: optional(c.Phone), Company: optional(c.Company),
		}
	}
	return contacts
}

func cannotSync(contacts []crm.Contact, reason, code string) *SyncWithCrmOutput {
	return &SyncWithCrmOutput{
		FailedCount: len(contacts), Message: "CRM sync failed", Error: &reason, ErrorCode: &code,
	}
}

func invalidSync(message, code string) *SyncWithCrmOutput {
	return &SyncWithCrmOutput{
		Message: "Validation failed", ErrorCode: new(action.CodeValidation),
		Errors: []ValidationError{{Field: "contacts", Message: message, Code: &code}},
	}
}
