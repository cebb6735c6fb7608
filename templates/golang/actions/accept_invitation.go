package actions

import (
	_ "embed"
	"errors"
	"html/template"
	"log/slog"
	"net/http"

	"github.com/nself-org/nself/templates/golang/internal/password"
	"github.com/nself-org/nself/templates/golang/internal/users"
)

const (
	acceptInvitationPath = "/accept-invitation"
	// maxForm bounds what the page's form sends: a token and a password.
	maxForm = 16 << 10
)

//go:embed accept_invitation.html
var acceptInvitationHTML string

var acceptInvitationTemplate = template.Must(template.New("page").Parse(acceptInvitationHTML))

// acceptInvitationPage answers the link in an invitation, and takes the password that is chosen there. It is for
// browsers, so it asks for no secret: the token is the secret. Only the form uses it up, not the link, which scanners of
// mail follow.
type acceptInvitationPage struct {
	users     *users.Store
	passwords *password.Hasher
	log       *slog.Logger
}

// invitationPage has a form when there is a token.
type invitationPage struct{ Title, Text, Token string }

func (p *acceptInvitationPage) form(w http.ResponseWriter, r *http.Request) {
	token := r.URL.Query().Get("token")
	if err := p.users.CheckInvitation(r.Context(), users.Token(token)); err != nil {
		p.refuse(w, r, err)
		return
	}
	p.show(w, r, http.StatusOK, invitationPage{"Choose a password", "It needs at least 8 characters.", token})
}

func (p *acceptInvitationPage) accept(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		p.show(w, r, http.StatusBadRequest, invitationPage{Title: "Form not valid", Text: "Please open the link in your mail again."})
		return
	}
	token, chosen := r.PostForm.Get("token"), r.PostForm.Get("password")
	if err := p.users.CheckInvitation(r.Context(), users.Token(token)); err != nil { // spares the hash
		p.refuse(w, r, err)
		return
	}
	if f := users.CheckPassword(chosen); f.Message != "" {
		p.show(w, r, http.StatusBadRequest, invitationPage{"Choose a password", f.Message + ".", token})
		return
	}
	hash, err := p.passwords.Hash(r.Context(), chosen)
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	user, err := p.users.AcceptInvitation(r.Context(), users.Token(token), hash)
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	p.log.InfoContext(r.Context(), "invitation accepted", slog.String("invited_user_id", user.ID))
	p.show(w, r, http.StatusOK, invitationPage{
		Title: "Password saved", Text: "Thank you, " + user.Name + ". You can sign in now.",
	})
}

func (p *acceptInvitationPage) refuse(w http.ResponseWriter, r *http.Request, err error) {
	status, content := http.StatusInternalServerError, invitationPage{
		Title: "Something went wrong", Text: "Please try the link again in a few minutes.",
	}
	switch {
	case errors.Is(err, users.ErrTokenUsed):
		status, content = http.StatusGone, invitationPage{
			Title: "Link already used", Text: "This link has been used before. You can sign in with your password.",
		}
	case errors.Is(err, users.ErrTokenExpired):
		status, content = http.StatusGone, invitationPage{
			Title: "Link expired", Text: "This link is no longer valid. Please ask for a new one.",
		}
	case errors.Is(err, users.ErrTokenUnknown):
		status, content = http.StatusNotFound, invitationPage{
			Title: "Link not valid", Text: "This link is not valid. Please check that you opened all of it.",
		}
	default:
		p.log.ErrorContext(r.Context(), "invitation not accepted", slog.Any("error", err))
	}
	p.show(w, r, status, content)
}

func (p *acceptInvitationPage) show(w http.ResponseWriter, r *http.Request, status int, content invitationPage) {
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Security-Policy",
		"default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'")
	header.Set("Referrer-Policy", "no-referrer") // the address of this page holds the token
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	if err := acceptInvitationTemplate.Execute(w, content); err != nil {
		p.log.DebugContext(r.Context(), "page not sent", slog.Any("error", err))
	}
}
