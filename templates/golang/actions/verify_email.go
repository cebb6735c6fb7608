package actions

import (
	_ "embed"
	"errors"
	"html/template"
	"log/slog"
	"net/http"

	"github.com/nself-org/nself/templates/golang/internal/users"
)

const verifyEmailPath = "/verify-email"

//go:embed verify_email.html
var verifyEmailHTML string

var verifyEmailTemplate = template.Must(template.New("page").Parse(verifyEmailHTML))

// verifyEmailPage answers the link in the verification mail. It is for browsers, so it asks for no secret: the token is
// the secret.
type verifyEmailPage struct {
	users *users.Store
	log   *slog.Logger
}

type page struct{ Title, Text string }

func (p *verifyEmailPage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	header.Set("Referrer-Policy", "no-referrer") // the address of this page holds the token
	header.Set("X-Content-Type-Options", "nosniff")
	if r.Method == http.MethodHead {
		return // mail scanners look at links with HEAD; that must not use the token up
	}
	status, content := p.verify(r)
	w.WriteHeader(status)
	if err := verifyEmailTemplate.Execute(w, content); err != nil {
		p.log.DebugContext(r.Context(), "page not sent", slog.Any("error", err))
	}
}

func (p *verifyEmailPage) verify(r *http.Request) (int, page) {
	user, err := p.users.Verify(r.Context(), users.Token(r.URL.Query().Get("token")))
	switch {
	case err == nil:
		p.log.InfoContext(r.Context(), "email verified", slog.String("verified_user_id", user.ID))
		return http.StatusOK, page{"Email address verified", "Thank you, " + user.Name + ". You can close this page."}
	case errors.Is(err, users.ErrTokenUsed):
		return http.StatusGone, page{"Link already used", "This link has been used before. Your email address is verified."}
	case errors.Is(err, users.ErrTokenExpired):
		return http.StatusGone, page{"Link expired", "This link is no longer valid. Please ask for a new one."}
	case errors.Is(err, users.ErrTokenUnknown):
		return http.StatusNotFound, page{"Link not valid", "This link is not valid. Please check that you opened all of it."}
	default:
		p.log.ErrorContext(r.Context(), "email not verified", slog.Any("error", err))
		return http.StatusInternalServerError, page{"Something went wrong", "Please try the link again in a few minutes."}
	}
}
