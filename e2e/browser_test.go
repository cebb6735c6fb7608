package e2e

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/smtp"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/nself-org/nself/internal/mailcatcher"
	"github.com/nself-org/nself/internal/testneeds"
)

// TestMailPageInABrowser looks at the mail page as a person does: in Chromium. The page lists mails, newest first, shows the
// newest one's text, and a mail's markup cannot become part of the page.
func TestMailPageInABrowser(t *testing.T) {
	t.Parallel()
	testneeds.Program(t, "chromium")
	smtpListener, page := listen(t), listen(t)
	server, err := mailcatcher.New(mailcatcher.Options{Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx, smtpListener, page) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	for _, subject := range []string{"Please verify your email address", "<img src=x onerror=alert(1)> & more"} {
		mail := "From: shop@example.com\r\nTo: ann@example.com\r\nSubject: " + subject + "\r\n\r\nHello Ann, this is " + subject + ".\r\n"
		if err := smtp.SendMail(smtpListener.Addr().String(), nil, "shop@example.com", []string{"ann@example.com"}, []byte(mail)); err != nil {
			t.Fatal(err)
		}
	}
	dom := browse(t, fmt.Sprintf("http://localhost:%d/", page.Addr().(*net.TCPAddr).Port))
	for _, want := range []string{"Please verify your email address", "ann@example.com", "&lt;img src=x onerror=alert(1)&gt; &amp; more"} {
		if !strings.Contains(dom, want) {
			t.Errorf("the page does not show %q:\n%s", want, dom)
		}
	}
	if strings.Contains(dom, "<img src=\"x\"") || strings.Contains(dom, "<img src=x") {
		t.Error("a subject has become markup of the page")
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// browse opens a page in headless Chromium, lets its scripts run, and returns the document that a person would see.
func browse(t *testing.T, url string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--user-data-dir="+t.TempDir(),
		"--virtual-time-budget=5000", "--dump-dom", url)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("chromium: %v\n%s", err, errs.String())
	}
	return string(out)
}
