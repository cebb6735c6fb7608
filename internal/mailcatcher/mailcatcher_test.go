package mailcatcher

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/smtp"
	"net/textproto"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	gomail "github.com/wneessen/go-mail"

	"github.com/nself-org/nself/internal/testneeds"
)

// catcher is a running server.
type catcher struct {
	smtp, web string // addresses
	stop      func() error
}

func startCatcher(t *testing.T, opts Options) *catcher {
	t.Helper()
	if opts.Dir == "" {
		opts.Dir = t.TempDir()
	}
	opts.Log = testLog(t)
	s, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return runServer(t, s)
}

func runServer(t *testing.T, s *Server) *catcher {
	t.Helper()
	mailListener, webListener := listen(t), listen(t)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, mailListener, webListener) }()
	stop := sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	t.Cleanup(func() { _ = stop() })
	return &catcher{smtp: mailListener.Addr().String(), web: webListener.Addr().String(), stop: stop}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func testLog(t *testing.T) *slog.Logger {
	t.Helper()
	return slog.New(slog.NewTextHandler(t.Output(), nil))
}

func (c *catcher) send(t *testing.T, to []string, body string) {
	t.Helper()
	if err := smtp.SendMail(c.smtp, nil, "sender@example.com", to, []byte(body)); err != nil {
		t.Fatal(err)
	}
}

// reply is the head of an answer; its body is a string of its own.
type reply struct {
	Status     string
	StatusCode int
	Header     http.Header
}

func (c *catcher) request(t *testing.T, method, path, body string, header ...string) (reply, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+c.web+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
		req.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{res.Status, res.StatusCode, res.Header}, string(text)
}

func get[T any](t *testing.T, c *catcher, path string) T {
	t.Helper()
	res, body := c.request(t, http.MethodGet, path, "")
	if res.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s: %s", path, res.Status, body)
	}
	var v T
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatalf("GET %s: %v in %s", path, err, body)
	}
	return v
}

func subjects(list messagesSummary) []string {
	names := []string{}
	for _, m := range list.Messages {
		names = append(names, m.Subject)
	}
	return names
}

func simpleMail(to, subject, text string) string {
	return "From: Shop <shop@example.com>\r\nTo: " + to + "\r\nSubject: " + subject + "\r\n\r\n" + text + "\r\n"
}

func TestNetSMTP(t *testing.T) {
	t.Parallel()
	c := startCatcher(t, Options{})
	host, _, _ := net.SplitHostPort(c.smtp)
	err := smtp.SendMail(c.smtp, smtp.PlainAuth("", "ada", "any", host), "bounce@example.com",
		[]string{"ada@example.com", "hidden@example.com"}, []byte(simpleMail("Ada <ada@example.com>", "=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "hello\r\n.dot")))
	if err != nil {
		t.Fatal(err)
	}
	got := get[messageDetail](t, c, "/api/v1/message/latest")
	want := []string{"Grüße", "shop@example.com", "Shop", "ada@example.com", "Ada", "hidden@example.com", "bounce@example.com", "ada"}
	have := []string{
		got.Subject, got.From.Address, got.From.Name, got.To[0].Address, got.To[0].Name, got.Bcc[0].Address,
		got.ReturnPath, got.Username,
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Error(diff)
	}
	if want := "hello\r\n.dot\r\n"; got.Text != want {
		t.Errorf("text %q, want %q", got.Text, want)
	}
	if len(got.To) != 1 || len(got.Bcc) != 1 {
		t.Errorf("to %v, bcc %v", got.To, got.Bcc)
	}
	if time.Since(got.Date) > time.Minute {
		t.Errorf("a mail without a date has the time of arrival, got %v", got.Date)
	}
}

func TestGoMail(t *testing.T) {
	t.Parallel()
	c := startCatcher(t, Options{})
	host, portText, _ := net.SplitHostPort(c.smtp)
	var port int
	if _, err := fmt.Sscan(portText, &port); err != nil {
		t.Fatal(err)
	}
	for _, auth := range []gomail.SMTPAuthType{
		gomail.SMTPAuthPlain, gomail.SMTPAuthLogin, gomail.SMTPAuthCramMD5, gomail.SMTPAuthAutoDiscover,
	} {
		client, err := gomail.NewClient(host, gomail.WithPort(port), gomail.WithTLSPolicy(gomail.TLSOpportunistic),
			gomail.WithSMTPAuth(auth), gomail.WithUsername("user-"+string(auth)), gomail.WithPassword("wrong"))
		if err != nil {
			t.Fatal(err)
		}
		m := gomail.NewMsg()
		if err := errors.Join(m.From("shop@example.com"), m.To("ödön@example.com"), m.Cc("cc@example.com")); err != nil {
			t.Fatal(err)
		}
		m.Subject("Willkommen, Ödön ✓")
		m.SetBodyString(gomail.TypeTextPlain, "plain text")
		m.AddAlternativeString(gomail.TypeTextHTML, `<p>Hello <img src="cid:logo.png"></p>`)
		if err := errors.Join(
			m.AttachReader("bericht ü.pdf", strings.NewReader("%PDF-attachment")),
			m.EmbedReader("logo.png", strings.NewReader("\x89PNG-embedded"), gomail.WithFileContentID("logo.png")),
		); err != nil {
			t.Fatal(err)
		}
		if err := client.DialAndSendWithContext(t.Context(), m); err != nil {
			t.Fatalf("%s: %v", auth, err)
		}
		got := get[messageDetail](t, c, "/api/v1/message/latest")
		if got.Subject != "Willkommen, Ödön ✓" || got.To[0].Address != "ödön@example.com" || got.Username != "user-"+string(auth) {
			t.Errorf("%s: subject %q, to %v, user %q", auth, got.Subject, got.To[0], got.Username)
		}
		if len(got.Attachments) != 1 || len(got.Inline) != 1 || got.Attachments[0].FileName != "bericht ü.pdf" {
			t.Fatalf("%s: attachments %+v, inline %+v", auth, got.Attachments, got.Inline)
		}
		res, body := c.request(t, http.MethodGet, "/api/v1/message/"+got.ID+"/part/"+got.Attachments[0].PartID, "")
		if body != "%PDF-attachment" || !strings.HasPrefix(res.Header.Get("Content-Disposition"), "attachment; filename*=utf-8''") {
			t.Errorf("%s: attachment %q, %v", auth, body, res.Header)
		}
		res, body = c.request(t, http.MethodGet, "/api/v1/message/"+got.ID+"/part/"+got.Inline[0].PartID, "")
		if body != "\x89PNG-embedded" || res.Header.Get("Content-Type") != "image/png" {
			t.Errorf("%s: inline %q, %v", auth, body, res.Header)
		}
		_, page := c.request(t, http.MethodGet, "/view/"+got.ID+".html", "")
		if want := `src="/api/v1/message/` + got.ID + `/part/` + got.Inline[0].PartID + `"`; !strings.Contains(page, want) {
			t.Errorf("%s: no %s in %s", auth, want, page)
		}
	}
}

func TestPythonSMTPLib(t *testing.T) {
	t.Parallel()
	python := testneeds.Program(t, "python3")
	c := startCatcher(t, Options{})
	script := `
import smtplib, sys
from email.message import EmailMessage
host, port = sys.argv[1].rsplit(":", 1)
m = EmailMessage()
m["Subject"], m["From"], m["To"] = "Žluťoučký kůň", "a@example.com", "b@example.com"
m.set_content("obsah")
m.add_attachment(b"1,2", maintype="text", subtype="csv", filename="čísla.csv")
with smtplib.SMTP(host, int(port)) as s:
    s.login("user", "pass")
    s.send_message(m)
    s.sendmail("a@example.com", ["b@example.com"], "no header at all")
`
	cmd := exec.CommandContext(t.Context(), python, "-c", script, c.smtp)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	list := get[messagesSummary](t, c, "/api/v1/messages")
	if diff := cmp.Diff([]string{"", "Žluťoučký kůň"}, subjects(list)); diff != "" {
		t.Fatal(diff)
	}
	if got := list.Messages[0].Snippet; got != "no header at all" {
		t.Errorf("snippet of a mail without header: %q", got)
	}
	got := get[messageDetail](t, c, "/api/v1/message/"+list.Messages[1].ID)
	if len(got.Attachments) != 1 || got.Attachments[0].FileName != "čísla.csv" {
		t.Errorf("attachments %+v", got.Attachments)
	}
}

func TestStartTLSIsNotOffered(t *testing.T) {
	t.Parallel()
	c := startCatcher(t, Options{})
	client, err := smtp.Dial(c.smtp)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if ok, _ := client.Extension("STARTTLS"); ok {
		t.Error("STARTTLS is offered: clients that use it when offered would refuse the certificate")
	}
	if _, mechs := client.Extension("AUTH"); mechs != "PLAIN LOGIN CRAM-MD5 XOAUTH2" {
		t.Errorf("mechanisms %q", mechs)
	}
	if err := client.Auth(tokenAuth{}); err != nil {
		t.Errorf("XOAUTH2: %v", err)
	}
}

type tokenAuth struct{}

func (tokenAuth) Start(*smtp.ServerInfo) (string, []byte, error) {
	return "XOAUTH2", []byte("user=ada\x01auth=Bearer token\x01\x01"), nil
}

func (tokenAuth) Next([]byte, bool) ([]byte, error) { return nil, nil }

func TestTooLarge(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := startCatcher(t, Options{Dir: dir})
	body := simpleMail("a@example.com", "big", strings.Repeat(strings.Repeat("x", 98)+"\r\n", 30<<20/100))
	err := smtp.SendMail(c.smtp, nil, "s@example.com", []string{"a@example.com"}, []byte(body))
	if reply, ok := errors.AsType[*textproto.Error](err); !ok || reply.Code != 552 {
		t.Fatalf("30 MB: got %v, want 552", err)
	}
	c.send(t, []string{"a@example.com"}, simpleMail("a@example.com", "small", strings.Repeat("long line ", 1<<20)))
	if got := get[messagesSummary](t, c, "/api/v1/messages"); got.Total != 1 || got.Messages[0].Subject != "small" {
		t.Errorf("after a refused mail: %v", subjects(got))
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("files left: %v", files)
	}
	if got := get[appInfo](t, c, "/api/v1/info"); got.RuntimeStats.SMTPRejected != 1 || got.RuntimeStats.SMTPAccepted != 1 {
		t.Errorf("counts %+v", got.RuntimeStats)
	}
}

func TestConcurrentMailsSurviveRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := startCatcher(t, Options{Dir: dir})
	const n = 100
	errs := make(chan error, n)
	for i := range n {
		go func() {
			errs <- smtp.SendMail(c.smtp, nil, "s@example.com", []string{"a@example.com"},
				[]byte(simpleMail("a@example.com", fmt.Sprintf("mail %03d", i), "text")))
		}()
	}
	for range n {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	before := get[messagesSummary](t, c, "/api/v1/messages?limit=200")
	names := subjects(before)
	slices.Sort(names)
	if names = slices.Compact(names); len(names) != n || before.Total != n {
		t.Fatalf("%d different mails of %d", len(names), before.Total)
	}
	// Not stopped: a second server on the same folder sees what a killed one had acknowledged.
	after := get[messagesSummary](t, startCatcher(t, Options{Dir: dir}), "/api/v1/messages?limit=200")
	if diff := cmp.Diff(subjects(before), subjects(after)); diff != "" {
		t.Error(diff)
	}
	page := get[messagesSummary](t, c, "/api/v1/messages?start=10&limit=5")
	if diff := cmp.Diff(subjects(before)[10:15], subjects(page)); diff != "" || page.Start != 10 || page.Count != 5 {
		t.Errorf("page: start %d, count %d, %s", page.Start, page.Count, diff)
	}
}

func TestStopIsGraceful(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := New(Options{Dir: dir, Log: testLog(t)})
	if err != nil {
		t.Fatal(err)
	}
	s.grace = time.Minute // the machine may be busy with other tests
	c := runServer(t, s)
	idle, err := smtp.Dial(c.smtp)
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	silent, err := net.Dial("tcp", c.smtp) // says nothing, not even a greeting
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	busy, err := smtp.Dial(c.smtp)
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	if err := errors.Join(busy.Mail("s@example.com"), busy.Rcpt("a@example.com")); err != nil {
		t.Fatal(err)
	}
	w, err := busy.Data()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, simpleMail("a@example.com", "under way", "text")); err != nil {
		t.Fatal(err)
	}

	stopped := make(chan error, 1)
	start := time.Now()
	go func() { stopped <- c.stop() }()
	if line, err := idle.Text.ReadLine(); err != nil || !strings.HasPrefix(line, "421") {
		t.Errorf("idle connection: %q, %v; want 421", line, err)
	}
	if err := w.Close(); err != nil {
		t.Errorf("the mail under way was lost: %v", err)
	}
	if err := <-stopped; err != nil {
		t.Errorf("stop: %v", err)
	}
	if took := time.Since(start); took >= s.grace { // the idle clients would be silent for ever
		t.Errorf("stop took %v", took)
	}
	if total, _, _ := s.store.counts(); total != 1 {
		t.Errorf("%d mails stored", total)
	}
}

func TestStopDoesNotWaitForSlowClients(t *testing.T) {
	t.Parallel()
	c := startCatcher(t, Options{})
	slow, err := smtp.Dial(c.smtp)
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	if err := errors.Join(slow.Mail("s@example.com"), slow.Rcpt("a@example.com")); err != nil {
		t.Fatal(err)
	}
	if _, err := slow.Data(); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if err := c.stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took > time.Minute { // the client would be silent for ever
		t.Errorf("stop took %v", took)
	}
}

func TestRunReportsBrokenListener(t *testing.T) {
	t.Parallel()
	s, err := New(Options{Dir: t.TempDir(), Log: testLog(t)})
	if err != nil {
		t.Fatal(err)
	}
	broken, web := listen(t), listen(t)
	_ = broken.Close()
	if err := s.Run(t.Context(), broken, web); err == nil || !strings.Contains(err.Error(), "serve SMTP on") {
		t.Errorf("got %v", err)
	}
	if _, err := web.Accept(); err == nil {
		t.Error("the other listener is still open")
	}
}

func TestNewRefusesIncompleteOptions(t *testing.T) {
	t.Parallel()
	if _, err := New(Options{Dir: t.TempDir()}); err == nil {
		t.Error("no log: no error")
	}
	if _, err := New(Options{Log: testLog(t)}); err == nil {
		t.Error("no folder: no error")
	}
}
