// Package mail sends mail over SMTP.
package mail

import (
	"context"
	"errors"
	"fmt"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/nself-org/nself/templates/golang/internal/config"
)

// implicitTLSPort is where SMTP servers speak TLS from the first byte (RFC 8314).
const implicitTLSPort = 465

// sendTimeout bounds one delivery: the caller of an action is waiting for it.
const sendTimeout = 10 * time.Second

// Message is a mail to one person. Text and HTML say the same.
type Message struct {
	To, Subject, Text, HTML string
}

// Mailer sends messages through one SMTP server. It is safe for concurrent use: each message has its own connection.
type Mailer struct{ cfg config.SMTP }

// New makes a Mailer. It does not connect.
func New(cfg config.SMTP) *Mailer { return &Mailer{cfg: cfg} }

// Send delivers m to the SMTP server, or says why not.
func (m *Mailer) Send(ctx context.Context, msg Message) error {
	if m.cfg.Host == "" {
		return errors.New("send mail: SMTP_HOST is not set")
	}
	client, err := gomail.NewClient(m.cfg.Host, m.options()...)
	if err != nil {
		return fmt.Errorf("set up SMTP: %w", err)
	}
	mail := gomail.NewMsg()
	if err := mail.From(m.cfg.From); err != nil {
		return fmt.Errorf("set the sender: %w", err)
	}
	if err := mail.To(msg.To); err != nil {
		return fmt.Errorf("set the recipient: %w", err)
	}
	mail.Subject(msg.Subject)
	mail.SetBodyString(gomail.TypeTextPlain, msg.Text)
	mail.AddAlternativeString(gomail.TypeTextHTML, msg.HTML)
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	if err := client.DialAndSendWithContext(ctx, mail); err != nil {
		return fmt.Errorf("send mail through %s:%d: %w", m.cfg.Host, m.cfg.Port, err)
	}
	return nil
}

// options encrypts wherever the server can, and insists on it as soon as a password would cross the line.
func (m *Mailer) options() []gomail.Option {
	opts := []gomail.Option{gomail.WithPort(m.cfg.Port), gomail.WithTimeout(sendTimeout)}
	switch {
	case m.cfg.Port == implicitTLSPort:
		opts = append(opts, gomail.WithSSL())
	case m.cfg.User != "":
		opts = append(opts, gomail.WithTLSPolicy(gomail.TLSMandatory))
	default:
		opts = append(opts, gomail.WithTLSPolicy(gomail.TLSOpportunistic))
	}
	if m.cfg.User != "" {
		opts = append(opts,
			gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover),
			gomail.WithUsername(m.cfg.User),
			gomail.WithPassword(m.cfg.Password.Reveal()))
	}
	return opts
}
