package actions

import (
	"context"
	_ "embed"
	"errors"
	htmltemplate "html/template"
	"log/slog"
	"net/url"
	"strings"
	texttemplate "text/template"

	"github.com/riverqueue/river"

	"github.com/nself-org/nself/templates/golang/internal/mail"
	"github.com/nself-org/nself/templates/golang/internal/users"
)

//go:embed bulk_create_users_mail.txt
var invitationText string

//go:embed bulk_create_users_mail.html
var invitationHTML string

var (
	invitationTextTemplate = texttemplate.Must(texttemplate.New("text").Parse(invitationText))
	invitationHTMLTemplate = htmltemplate.Must(htmltemplate.New("html").Parse(invitationHTML))
)

// invitation is what the queue carries: who is to be invited.
type invitation struct {
	UserID string `json:"user_id"`
}

// Kind implements [river.JobArgs].
func (invitation) Kind() string { return "invitation" }

// inviter sends invitations.
type inviter struct {
	river.WorkerDefaults[invitation]
	users     *users.Store
	mail      *mail.Mailer
	publicURL string
	log       *slog.Logger
}

// Work sends one mail. A mail that was sent before is not sent again.
func (w *inviter) Work(ctx context.Context, job *river.Job[invitation]) error {
	err := w.users.SendInvitation(ctx, job.Args.UserID, func(user users.User, token users.Token) error {
		msg, err := invitationMail(user, w.publicURL+acceptInvitationPath+"?"+url.Values{"token": {string(token)}}.Encode())
		if err != nil {
			return err
		}
		return w.mail.Send(ctx, msg)
	})
	switch {
	case errors.Is(err, users.ErrInvited):
		return nil
	case err != nil:
		w.log.ErrorContext(ctx, "invitation not sent", slog.String("invited_user_id", job.Args.UserID),
			slog.Int("attempt", job.Attempt), slog.Any("error", err))
	}
	return err
}

func invitationMail(user users.User, link string) (mail.Message, error) {
	data := struct {
		Name, Link string
		Days       int
	}{user.Name, link, int(users.InvitationTTL.Hours() / 24)}
	var text, html strings.Builder
	if err := invitationTextTemplate.Execute(&text, data); err != nil {
		return mail.Message{}, err
	}
	if err := invitationHTMLTemplate.Execute(&html, data); err != nil {
		return mail.Message{}, err
	}
	return mail.Message{To: user.Email, Subject: "You are invited", Text: text.String(), HTML: html.String()}, nil
}
