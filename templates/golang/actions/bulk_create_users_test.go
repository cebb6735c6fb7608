package actions

import (
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nself-org/nself/templates/golang/internal/password"
)

func TestBulkCreateUsers(t *testing.T) {
	t.Parallel()
	s := newService(t, serviceOptions{})
	if _, err := s.deps.DB.Exec(t.Context(),
		"INSERT INTO users (email, password_hash, name) VALUES ('old@x.co', '!', 'Old')"); err != nil {
		t.Fatal(err)
	}
	status, got := s.post(t, "bulk-create-users", `{"input":{"users":[
		{"email":" New@X.co ","name":" New ","company":" "}, {"email":"nope","name":""}, {"email":"new@x.co","name":"Twice"},
		{"email":"OLD@x.co","name":"Old"}, {"email":"b@x.co","name":""}, {"email":"b@x.co","name":"B"}]}}`)
	results, _ := got["results"].([]any)
	var lines []string
	for _, r := range results {
		result, _ := r.(map[string]any)
		user, _ := result["user"].(map[string]any)
		lines = append(lines, fmt.Sprint(result["email"], "|", result["success"], "|", user["email"], "|", user["name"], "|", result["error"]))
	}
	want := []string{
		" New@X.co |true|new@x.co|New|<nil>",
		"nope|false|<nil>|<nil>|Email must be a valid email address",
		"new@x.co|false|<nil>|<nil>|Email is listed twice",
		"OLD@x.co|false|<nil>|<nil>|Email is already in use",
		"b@x.co|false|<nil>|<nil>|Name is required",
		"b@x.co|true|b@x.co|B|<nil>",
	}
	if !reflect.DeepEqual(lines, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
	delete(got, "results")
	rest := map[string]any{
		"success": false, "created_count": 2.0, "failed_count": 4.0, "message": "2 users created, 4 failed", "errors": nil,
		"error_code": nil,
	}
	if status != http.StatusOK || !reflect.DeepEqual(got, rest) {
		t.Errorf("got status %d, %v", status, got)
	}
	if sent := s.mailbox.Messages(); len(sent) > 0 {
		t.Errorf("%d mails were sent without being asked for", len(sent))
	}
	var usable int
	if err := s.deps.DB.QueryRow(t.Context(), "SELECT count(*) FROM users WHERE password_hash <> '!'").Scan(&usable); err != nil || usable > 0 {
		t.Errorf("%d new users have a password, %v", usable, err)
	}
	if ok, err := password.New().Matches(t.Context(), "!", "!"); ok {
		t.Errorf("a password fits \"!\": %v", err)
	}
}

func TestBulkCreateUsersMany(t *testing.T) {
	t.Parallel()
	s := newService(t, serviceOptions{})
	list := make([]string, maxBulkUsers)
	for i := range list {
		list[i] = fmt.Sprintf(`{"email":"u%d@x.co","name":"User %d","company":"%s"}`, i, i, strings.Repeat("x", 100))
	}
	_, got := s.post(t, "bulk-create-users", `{"input":{"users":[`+strings.Join(list, ",")+`]}}`)
	results, _ := got["results"].([]any)
	if got["success"] != true || got["created_count"] != 10000.0 || got["message"] != "10000 users created" || len(results) != maxBulkUsers {
		t.Fatalf("got %v, %d results", got["message"], len(results))
	}
	last, _ := results[maxBulkUsers-1].(map[string]any)
	if last["email"] != "u9999@x.co" {
		t.Errorf("the last result is %v", last)
	}
	_, got = s.post(t, "bulk-create-users", `{"input":{"users":[`+strings.Join(append(list, `{"email":"x@x.co","name":"X"}`), ",")+`]}}`)
	if fmt.Sprint(got["errors"]) != "[map[code:TOO_MANY_USERS field:users message:At most 10,000 users can be created at once]]" ||
		fmt.Sprint(got["results"]) != "[]" || got["created_count"] != 0.0 {
		t.Errorf("got %v", got)
	}
	_, got = s.post(t, "bulk-create-users", `{"input":{"users":[]}}`)
	if fmt.Sprint(got["errors"]) != "[map[code:REQUIRED_FIELD field:users message:At least one user is required]]" {
		t.Errorf("got %v", got)
	}
}

var invitationLink = regexp.MustCompile(`http://service\.test(/accept-invitation\?token=[\w-]{43})\s`)

func TestInvitations(t *testing.T) {
	t.Parallel()
	s := newService(t, serviceOptions{})
	_, got := s.post(t, "bulk-create-users", `{"input":{"send_invitations":true,"users":[
		{"email":"a@x.co","name":"A <b>"},{"email":"b@x.co","name":"B"},{"email":"nope","name":"N"}]}}`)
	if got["created_count"] != 2.0 {
		t.Fatalf("got %v", got)
	}
	links := map[string]string{}
	for deadline := time.Now().Add(time.Minute); len(links) < 2; {
		for _, m := range s.mailbox.Messages() {
			body := strings.ReplaceAll(strings.ReplaceAll(m, "=\r\n", ""), "=3D", "=")
			to := regexp.MustCompile(`To: <(.*)>`).FindStringSubmatch(body)
			link := invitationLink.FindStringSubmatch(body)
			if to == nil || link == nil || !strings.Contains(body, "Subject: You are invited") || strings.Contains(body, "A <b>,</p>") {
				t.Fatalf("the mail is\n%s", body)
			}
			links[to[1]] = link[1]
		}
		if time.Now().After(deadline) {
			t.Fatalf("invitations: %v\n%s", links, s.log)
		}
	}
	if n := len(s.mailbox.Messages()); n != 2 {
		t.Errorf("%d mails", n)
	}
	for deadline, sent := time.Now().Add(time.Minute), 0; sent < 2; { // a link is good once it is noted that the mail is out
		if err := s.deps.DB.QueryRow(t.Context(), "SELECT count(sent_at) FROM invitations").Scan(&sent); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d invitations are noted as sent\n%s", sent, s.log)
		}
	}
	path := links["a@x.co"]
	_, token, _ := strings.Cut(path, "=")
	expect := func(method, path, form string, status int, text string) {
		t.Helper()
		var header []string
		if form != "" {
			header = []string{"Content-Type", "application/x-www-form-urlencoded"}
		}
		gotStatus, page := s.do(t, method, path, form, header...)
		if gotStatus != status || !strings.Contains(string(page), text) {
			t.Errorf("%s %s: got %d\n%s\nwant %d with %q", method, path, gotStatus, page, status, text)
		}
	}
	form := func(password string) string { return url.Values{"token": {token}, "password": {password}}.Encode() }
	expect(http.MethodGet, "/accept-invitation?token=x", "", http.StatusNotFound, "Link not valid")
	expect(http.MethodGet, path, "", http.StatusOK, "Choose a password")
	expect(http.MethodGet, path, "", http.StatusOK, token) // a scanner that follows the link does no harm
	expect(http.MethodPost, "/accept-invitation", form("short"), http.StatusBadRequest, "Password must be at least 8 characters")
	expect(http.MethodPost, "/accept-invitation", form(strings.Repeat("x", 20<<10)), http.StatusBadRequest, "Form not valid")
	expect(http.MethodPost, "/accept-invitation", form("password123"), http.StatusOK, "Password saved")
	expect(http.MethodPost, "/accept-invitation", form("password456"), http.StatusGone, "Link already used")
	expect(http.MethodGet, path, "", http.StatusGone, "Link already used")
	var hash string
	var verified bool
	if err := s.deps.DB.QueryRow(t.Context(),
		"SELECT password_hash, email_verified FROM users WHERE email = 'a@x.co'").Scan(&hash, &verified); err != nil || !verified {
		t.Errorf("verified: %t, %v", verified, err)
	}
	if ok, err := password.New().Matches(t.Context(), "password123", hash); !ok || err != nil {
		t.Errorf("the password is not the one that was chosen: %v", err)
	}
	if _, err := s.deps.DB.Exec(t.Context(), "UPDATE invitations SET expires_at = now()"); err != nil {
		t.Fatal(err)
	}
	expect(http.MethodGet, links["b@x.co"], "", http.StatusGone, "Link expired")
	if strings.Contains(s.log.String(), token) {
		t.Error("the log holds the token")
	}
}
