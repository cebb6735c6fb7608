package actions

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/nself-org/nself/templates/golang/internal/action"
	"github.com/nself-org/nself/templates/golang/internal/mail"
	"github.com/nself-org/nself/templates/golang/internal/password"
	"github.com/nself-org/nself/templates/golang/internal/users"
)

// RegisterUserHandler implements the action registerUser: it makes an account and sends a mail with a link that proves
// that the address is its owner's.
type RegisterUserHandler struct {
	users     *users.Store
	passwords *password.Hasher
	mail      *mail.Mailer
	publicURL string
	log       *slog.Logger
}

// NewRegisterUser makes the handler.
func NewRegisterUser(d Deps) *RegisterUserHandler {
	return &RegisterUserHandler{
		users:     users.NewStore(d.DB, d.Cache),
		passwords: password.New(),
		mail:      d.Mail,
		publicURL: d.Config.PublicURL,
		log:       d.Log,
	}
}

// Routes adds the page that the mail links to.
func (h *RegisterUserHandler) Routes(mux *http.ServeMux) {
	mux.Handle("GET "+verifyEmailPath, &verifyEmailPage{users: h.users, log: h.log})
}

// Handle registers a user. Input that breaks a rule and an address that is taken are answers with success false, not
// errors.
func (h *RegisterUserHandler) Handle(
	ctx context.Context, req *action.Request[RegisterUserArgs],
) (*RegisterUserOutput, error) {
	in := normaliseRegistration(req.Args.Input)
	if faults := validateRegistration(in); len(faults) > 0 {
		return &RegisterUserOutput{
			Message: "Validation failed", Errors: faults, ErrorCode: new(action.CodeValidation),
		}, nil
	}
	// Looking first spares the hash when the answer is no; Create decides.
	taken, err := h.users.EmailTaken(ctx, in.Email)
	if err != nil {
		return nil, err
	}
	if taken {
		return emailTaken(), nil
	}
	hash, err := h.passwords.Hash(ctx, in.Password)
	if err != nil {
		return nil, err
	}
	token := users.NewToken()
	user, err := h.users.Create(ctx, users.New{
		Email: in.Email, PasswordHash: hash, Name: in.Name, Company: in.Company,
	}, token)
	if errors.Is(err, users.ErrEmailTaken) {
		return emailTaken(), nil
	}
	if err != nil {
		return nil, err
	}
	h.log.InfoContext(ctx, "user registered", slog.String("registered_user_id", user.ID))

	message := "User registered successfully. Please check your email for verification."
	if err := h.sendVerification(ctx, user, token); err != nil {
		h.log.ErrorContext(ctx, "verification mail not sent",
			slog.String("registered_user_id", user.ID), slog.Any("error", err))
		message = "User registered successfully, but the verification email could not be sent."
	}
	return &RegisterUserOutput{
		Success: true,
		User:    &UserInfo{ID: user.ID, Email: user.Email, Name: user.Name, EmailVerified: user.EmailVerified},
		Message: message,
	}, nil
}

func emailTaken() *RegisterUserOutput {
	return &RegisterUserOutput{
		Message:   "Email already registered",
		Errors:    []ValidationError{{Field: "email", Message: "Email is already in use", Code: new(codeEmailTaken)}},
		ErrorCode: new(codeEmailTaken),
	}
}

// sendVerification goes on when the caller has gone: the account exists, and its owner should be able to use it.
func (h *RegisterUserHandler) sendVerification(ctx context.Context, user users.User, token users.Token) error {
	link := h.publicURL + verifyEmailPath + "?" + url.Values{"token": {string(token)}}.Encode()
	msg, err := verificationMail(user, link)
	if err != nil {
		return fmt.Errorf("write the verification mail: %w", err)
	}
	return h.mail.Send(context.WithoutCancel(ctx), msg)
}
