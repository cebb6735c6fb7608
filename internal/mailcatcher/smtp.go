package mailcatcher

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/mail"
	"strings"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

const (
	smtpIdleTimeout  = 5 * time.Minute // RFC 5321, section 4.5.3.2.7
	smtpWriteTimeout = time.Minute
	maxRecipients    = 1000
	// maxHeaderBytes is how much of a mail is looked at for its header fields while it is received.
	maxHeaderBytes = 256 << 10
)

// Header fields that the catcher puts in front of a mail: what the envelope says and the mail itself does not.
const (
	headerReturnPath = "Return-Path"
	headerUsername   = "X-Smtp-Username"
)

// newSMTPServer builds the SMTP side. STARTTLS is not offered: clients that use it when they see it, such as
// nodemailer, would then refuse a certificate that no authority has signed.
func (s *Server) newSMTPServer() *smtp.Server {
	srv := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &session{server: s, conn: c}, nil
	}))
	srv.Domain = "localhost"
	srv.MaxMessageBytes = maxMailBytes
	srv.MaxLineLength = maxMailBytes // a line of HTML may be the whole mail
	srv.MaxRecipients = maxRecipients
	srv.ReadTimeout = smtpIdleTimeout
	srv.WriteTimeout = smtpWriteTimeout
	srv.AllowInsecureAuth = true
	srv.EnableSMTPUTF8 = true
	srv.EnableBINARYMIME = true
	srv.EnableDSN = true
	srv.ErrorLog = smtpLog{s.log}
	return srv
}

// session is one connection's state after its greeting.
type session struct {
	server   *Server
	conn     *smtp.Conn
	username string
	from     string
	to       []string
}

var _ smtp.AuthSession = (*session)(nil)

// AuthMechanisms lists what clients in use choose from.
func (s *session) AuthMechanisms() []string { return []string{"PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2"} }

// Auth accepts any name with any password.
func (s *session) Auth(mech string) (sasl.Server, error) {
	accept := func(username string) { s.username = username }
	switch mech {
	case "PLAIN":
		return &anyAuth{prompts: []string{""}, accept: accept, username: plainUsername}, nil
	case "LOGIN":
		return &anyAuth{prompts: []string{"Username:", "Password:"}, accept: accept, username: identity}, nil
	case "CRAM-MD5":
		challenge := fmt.Sprintf("<%d@localhost>", time.Now().UnixNano())
		return &anyAuth{prompts: []string{challenge}, accept: accept, username: firstWord}, nil
	case "XOAUTH2":
		return &anyAuth{prompts: []string{""}, accept: accept, username: oauthUsername}, nil
	}
	return nil, smtp.ErrAuthUnknownMechanism
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.from = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = append(s.to, to)
	return nil
}

// Data stores the mail. It returns, and the client reads 250, when the mail is on the disk.
func (s *session) Data(r io.Reader) error {
	if c, ok := s.conn.Conn().(*trackedConn); ok {
		c.receive()
		defer c.received()
	}
	head, err := io.ReadAll(io.LimitReader(r, maxHeaderBytes))
	if err != nil {
		return s.refuse(err)
	}
	id, size, err := s.server.store.add(io.MultiReader(bytes.NewReader(s.trace(head)), bytes.NewReader(head), r))
	if err != nil {
		return s.refuse(err)
	}
	s.server.log.Info("mail caught", slog.String("id", id), slog.String("from", s.from),
		slog.Int("recipients", len(s.to)), slog.Int64("size_bytes", size))
	return nil
}

// refuse turns an error into what the client is told.
func (s *session) refuse(err error) error {
	s.server.store.rejected.Add(1)
	if known, ok := errors.AsType[*smtp.SMTPError](err); ok {
		s.server.log.Warn("mail refused", slog.String("from", s.from), slog.Any("error", err))
		return known
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, smtp.ErrDataReset) {
		return err // the client went away in the middle
	}
	s.server.log.Error("mail not stored", slog.String("from", s.from), slog.Any("error", err))
	return &smtp.SMTPError{Code: 452, EnhancedCode: smtp.EnhancedCode{4, 3, 1}, Message: "The mail cannot be stored"}
}

func (s *session) Reset() { s.from, s.to = "", nil }

func (s *session) Logout() error { return nil }

// trace returns the header fields that go in front of the mail whose beginning is head: where it came from, and the
// recipients that its own header does not name, as Bcc.
func (s *session) trace(head []byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s: <%s>\r\n", headerReturnPath, oneLine(s.from))
	fmt.Fprintf(&b, "Received: from %s (%s)\r\n\tby localhost (nself) with ESMTP;\r\n\t%s\r\n",
		oneLine(s.conn.Hostname()), s.conn.Conn().RemoteAddr(), time.Now().Format(time.RFC1123Z))
	if s.username != "" {
		fmt.Fprintf(&b, "%s: %s\r\n", headerUsername, oneLine(s.username))
	}
	if hidden := hiddenRecipients(head, s.to); len(hidden) > 0 {
		for i, addr := range hidden {
			hidden[i] = "<" + oneLine(addr) + ">"
		}
		fmt.Fprintf(&b, "Bcc: %s\r\n", strings.Join(hidden, ",\r\n\t"))
	}
	if !startsWithField(head) {
		b.WriteString("\r\n") // the mail has no header: all of it is body
	}
	return b.Bytes()
}

// hiddenRecipients returns the recipients that no address field of the header names.
func hiddenRecipients(head []byte, recipients []string) []string {
	named := map[string]bool{}
	if msg, err := mail.ReadMessage(bytes.NewReader(head)); err == nil {
		for _, key := range []string{"To", "Cc", "Bcc"} {
			list, err := msg.Header.AddressList(key)
			if err != nil {
				continue
			}
			for _, a := range list {
				named[strings.ToLower(a.Address)] = true
			}
		}
	}
	var hidden []string
	for _, r := range recipients {
		if key := strings.ToLower(r); !named[key] {
			named[key] = true
			hidden = append(hidden, r)
		}
	}
	return hidden
}

// startsWithField reports whether the mail begins with a header field, or with the empty line that ends a header.
func startsWithField(head []byte) bool {
	for i, c := range head {
		switch {
		case c == ':':
			return i > 0
		case c == '\n', c == '\r':
			return i == 0
		case c <= ' ' || c > '~':
			return false
		}
	}
	return len(head) == 0
}

// oneLine keeps what a client said from becoming another header field.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, text)
}

// anyAuth walks through a mechanism's prompts and accepts whatever is answered.
type anyAuth struct {
	prompts  []string
	answers  []string
	username func(firstAnswer string) string
	accept   func(username string)
}

// Next implements [sasl.Server].
func (a *anyAuth) Next(response []byte) (challenge []byte, done bool, err error) {
	if response != nil {
		a.answers = append(a.answers, string(response))
	}
	if len(a.answers) < len(a.prompts) {
		return []byte(a.prompts[len(a.answers)]), false, nil
	}
	a.accept(a.username(a.answers[0]))
	return nil, true, nil
}

func identity(answer string) string { return answer }

func firstWord(answer string) string {
	word, _, _ := strings.Cut(answer, " ")
	return word
}

// plainUsername reads "identity NUL name NUL password".
func plainUsername(answer string) string {
	fields := strings.Split(answer, "\x00")
	if len(fields) < 2 {
		return answer
	}
	return fields[1]
}

// oauthUsername reads "user=NAME ^A auth=Bearer TOKEN ^A ^A".
func oauthUsername(answer string) string {
	user, _, _ := strings.Cut(answer, "\x01")
	return strings.TrimPrefix(user, "user=")
}

// smtpLog passes the library's complaints to our log.
type smtpLog struct{ log *slog.Logger }

func (l smtpLog) Printf(format string, args ...any) {
	l.log.Debug("smtp connection", slog.String("detail", fmt.Sprintf(format, args...)))
}

func (l smtpLog) Println(args ...any) {
	l.log.Debug("smtp connection", slog.String("detail", strings.TrimSpace(fmt.Sprintln(args...))))
}
