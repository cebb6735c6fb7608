package actions

import (
	_ "embed"
	htmltemplate "html/template"
	"strings"
	texttemplate "text/template"

	"github.com/nself-org/nself/templates/golang/internal/mail"
	"github.com/nself-org/nself/templates/golang/internal/users"
)

//go:embed register_user_mail.txt
var verificationText string

//go:embed register_user_mail.html
var verificationHTML string

var (
	verificationTextTemplate = texttemplate.Must(texttemplate.New("text").Parse(verificationText))
	verificationHTMLTemplate = htmltemplate.Must(htmltemplate.New("html").Parse(verificationHTML))
)

// verificationMail writes the mail with the link that verifies the user's address.
func verificationMail(user users.User, link string) (mail.Message, error) {
	data := struct {
		Name, Link string
		Hours      int
	}{user.Name, link, int(users.TokenTTL.Hours())}
	var text, html strings.Builder
	if err := verificationTextTemplate.Execute(&text, data); err != nil {
		return mail.Message{}, err
	}
	if err := verificationHTMLTemplate.Execute(&html, data); err != nil {
		return mail.Message{}, err
	}
	return mail.Message{
		To: user.Email, Subject: "Please verify your email address", Text: text.String(), HTML: html.String(),
	}, nil
}
