package actions

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// register makes a user and returns the path of the link in the mail.
func register(t *testing.T, s *testService) string {
	t.Helper()
	if _, got := s.post(t, "register-user", fmt.Sprintf(directBody, testUser)); got["success"] != true {
		t.Fatalf("registration failed: %v", got)
	}
	sent := s.mailbox.Messages()
	if len(sent) != 1 {
		t.Fatalf("%d mails were sent", len(sent))
	}
	// Quoted-printable breaks long lines with "=" and writes "=" as "=3D".
	body := strings.ReplaceAll(strings.ReplaceAll(sent[0], "=\r\n", ""), "=3D", "=")
	for _, want := range []string{"To: <test@example.com>", "text/plain", "text/html", "Hello Test User"} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is not in the mail:\n%s", want, body)
		}
	}
	link := regexp.MustCompile(`http://service\.test(/verify-email\?token=[\w-]{43})\s`).FindStringSubmatch(body)
	if link == nil {
		t.Fatalf("no link in the mail:\n%s", body)
	}
	return link[1]
}

func TestVerifyEmail(t *testing.T) {
	t.Parallel()
	s := newService(t, serviceOptions{})
	path := register(t, s)
	_, token, _ := strings.Cut(path, "=")

	expect := func(method, path string, status int, title string) {
		t.Helper()
		gotStatus, page := s.do(t, method, path, "")
		if gotStatus != status || !strings.Contains(string(page), title) {
			t.Errorf("%s %s: got %d\n%s\nwant %d with %q", method, path, gotStatus, page, status, title)
		}
	}
	verified := func(want bool) {
		t.Helper()
		var got bool
		if err := s.deps.DB.QueryRow(t.Context(), "SELECT email_verified FROM users").Scan(&got); err != nil || got != want {
			t.Errorf("email_verified is %t, %v; want %t", got, err, want)
		}
	}

	expect(http.MethodGet, "/verify-email", http.StatusNotFound, "Link not valid")
	expect(http.MethodGet, "/verify-email?token=x", http.StatusNotFound, "Link not valid")
	expect(http.MethodHead, path, http.StatusOK, "")
	verified(false)
	expect(http.MethodGet, path, http.StatusOK, "Email address verified")
	verified(true)
	expect(http.MethodGet, path, http.StatusGone, "Link already used")
	if strings.Contains(s.log.String(), token) {
		t.Error("the log holds the token")
	}
	var stored int
	if err := s.deps.DB.QueryRow(t.Context(),
		"SELECT count(*) FROM email_verifications WHERE token_hash = convert_to($1, 'UTF8')", token).Scan(&stored); err != nil ||
		stored != 0 {
		t.Errorf("the token itself is stored: %v", err)
	}
}

func TestVerifyEmailExpired(t *testing.T) {
	t.Parallel()
	s := newService(t, serviceOptions{})
	path := register(t, s)
	if _, err := s.deps.DB.Exec(t.Context(), "UPDATE email_verifications SET expires_at = now()"); err != nil {
		t.Fatal(err)
	}
	status, page := s.do(t, http.MethodGet, path, "")
	if status != http.StatusGone || !strings.Contains(string(page), "Link expired") {
		t.Errorf("got %d\n%s", status, page)
	}
}
