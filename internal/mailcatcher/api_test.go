package mailcatcher

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSearch(t *testing.T) {
	t.Parallel()
	c := startCatcher(t, Options{})
	c.send(t, []string{"ada@example.com"}, simpleMail("Ada <ada@example.com>", "Welcome aboard", "your code is 123456"))
	c.send(t, []string{"grace@example.com"}, simpleMail("grace@example.com", "Reset password", "click the LINK"))
	c.send(t, []string{"grace@example.com", "secret@example.com"},
		"From: billing@example.net\r\nTo: grace@example.com\r\nSubject: Invoice\r\nMIME-Version: 1.0\r\n"+
			"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<style>no</style><b>Total</b> due\r\n"+
			"--b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=invoice-7.pdf\r\n\r\nx\r\n--b--\r\n")
	tests := []struct {
		query string
		want  []string
	}{
		{"to:ada@example.com", []string{"Welcome aboard"}},
		{"TO:GRACE", []string{"Invoice", "Reset password"}},
		{"from:billing", []string{"Invoice"}},
		{"subject:reset", []string{"Reset password"}},
		{`subject:"reset pass"`, []string{"Reset password"}},
		{`"code is"`, []string{"Welcome aboard"}},
		{"link", []string{"Reset password"}},
		{"to:grace -subject:invoice", []string{"Reset password"}},
		{"!to:grace", []string{"Welcome aboard"}},
		{"bcc:secret", []string{"Invoice"}},
		{"addressed:example.net", []string{"Invoice"}},
		{"has:attachment", []string{"Invoice"}},
		{"invoice-7.pdf", []string{"Invoice"}},
		{"total", []string{"Invoice"}},
		{"is:unread", []string{"Invoice", "Reset password", "Welcome aboard"}},
		{"is:read", []string{}},
		{"nobody", []string{}},
		{"to:", []string{"Invoice", "Reset password", "Welcome aboard"}},
		{"unknown:x", []string{}},
	}
	for _, tt := range tests {
		got := get[messagesSummary](t, c, "/api/v1/search?query="+strings.NewReplacer(" ", "+", `"`, "%22").Replace(tt.query))
		if diff := cmp.Diff(tt.want, subjects(got)); diff != "" {
			t.Errorf("%s: %s", tt.query, diff)
		}
		if got.MessagesCount != len(tt.want) || got.Total != 3 {
			t.Errorf("%s: messages_count %d, total %d", tt.query, got.MessagesCount, got.Total)
		}
	}
	if got := get[messageDetail](t, c, "/api/v1/message/latest?query=to:ada"); got.Subject != "Welcome aboard" {
		t.Errorf("latest of a search: %q", got.Subject)
	}
	if got := get[messagesSummary](t, c, "/api/v1/search?query=is:read"); got.Unread != 2 || len(got.Messages) != 1 {
		t.Errorf("a mail that was shown is read: %+v", got)
	}
	if res, _ := c.request(t, http.MethodGet, "/api/v1/search?query=+", ""); res.StatusCode != http.StatusBadRequest {
		t.Errorf("empty search: %s", res.Status)
	}
}

func TestChanges(t *testing.T) {
	t.Parallel()
	c := startCatcher(t, Options{})
	for _, subject := range []string{"one", "two", "three", "four"} {
		c.send(t, []string{"a@example.com"}, simpleMail("a@example.com", subject, ""))
	}
	list := get[messagesSummary](t, c, "/api/v1/messages")
	id := list.Messages[0].ID
	steps := []struct {
		method, path, body string
		status             int
		left               []string
		unread             int
	}{
		{http.MethodPut, "/api/v1/messages", `{"IDs":["` + id + `"],"Read":true}`, 200, []string{"four", "three", "two", "one"}, 3},
		{http.MethodPut, "/api/v1/messages", `{"Search":"subject:one","Read":true}`, 200, []string{"four", "three", "two", "one"}, 2},
		{http.MethodPut, "/api/v1/messages", `{"Read":true}`, 200, []string{"four", "three", "two", "one"}, 0},
		{http.MethodPut, "/api/v1/messages", `{"Read":false}`, 200, []string{"four", "three", "two", "one"}, 4},
		{http.MethodPut, "/api/v1/messages", `{"Search":"subject:nothing","Read":true}`, 200, []string{"four", "three", "two", "one"}, 4},
		{http.MethodPut, "/api/v1/messages", `{"Search":"x","IDs":["y"]}`, 400, []string{"four", "three", "two", "one"}, 4},
		{http.MethodDelete, "/api/v1/messages", `{"IDs":["` + id + `","unknown"]}`, 200, []string{"three", "two", "one"}, 3},
		{http.MethodDelete, "/api/v1/messages", `{"IDs":`, 400, []string{"three", "two", "one"}, 3},
		{http.MethodDelete, "/api/v1/search?query=subject:two", "", 200, []string{"three", "one"}, 2},
		{http.MethodDelete, "/api/v1/search", "", 400, []string{"three", "one"}, 2},
		{http.MethodDelete, "/api/v1/messages", "", 200, []string{}, 0},
	}
	for _, step := range steps {
		res, body := c.request(t, step.method, step.path, step.body)
		if res.StatusCode != step.status {
			t.Errorf("%s %s %s: %s: %s", step.method, step.path, step.body, res.Status, body)
		}
		got := get[messagesSummary](t, c, "/api/v1/messages")
		if diff := cmp.Diff(step.left, subjects(got)); diff != "" || got.Unread != step.unread {
			t.Errorf("%s %s %s: unread %d, %s", step.method, step.path, step.body, got.Unread, diff)
		}
	}
	for _, path := range []string{
		"/api/v1/message/latest", "/api/v1/message/" + id, "/api/v1/message/" + id + "/raw", "/view/latest.html",
		"/api/v1/message/..%2f..%2fetc%2fpasswd/raw", "/nothing",
	} {
		if res, _ := c.request(t, http.MethodGet, path, ""); res.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", path, res.Status)
		}
	}
}

// The names that Mailpit's clients read.
func TestFieldNames(t *testing.T) {
	t.Parallel()
	c := startCatcher(t, Options{})
	c.send(t, []string{"a@example.com"}, simpleMail("a@example.com", "s", "text"))
	tests := []struct {
		path string
		want []string
	}{
		{"/api/v1/messages", []string{
			"total", "unread", "count", "messages_count", "messages_unread", "start", "tags", "messages",
		}},
		{"/api/v1/info", []string{
			"Version", "LatestVersion", "Database", "DatabaseSize", "Messages", "Unread", "Tags", "RuntimeStats",
		}},
		{"/api/v1/message/latest", []string{
			"ID", "MessageID", "From", "To", "Cc", "Bcc", "ReplyTo", "ReturnPath", "Subject", "ListUnsubscribe", "Date",
			"Tags", "Username", "Text", "HTML", "Size", "Inline", "Attachments",
		}},
	}
	for _, tt := range tests {
		got := get[map[string]any](t, c, tt.path)
		for _, name := range tt.want {
			if v, ok := got[name]; !ok || v == nil {
				t.Errorf("%s: %s is missing or null", tt.path, name)
			}
		}
		if len(got) != len(tt.want) {
			t.Errorf("%s: %d fields, want %d", tt.path, len(got), len(tt.want))
		}
	}
	line := get[struct{ Messages []map[string]any }](t, c, "/api/v1/messages").Messages[0]
	for _, name := range []string{
		"ID", "MessageID", "Read", "From", "To", "Cc", "Bcc", "ReplyTo", "Subject", "Created", "Username", "Tags", "Size",
		"Attachments", "Snippet",
	} {
		if v, ok := line[name]; !ok || v == nil {
			t.Errorf("summary: %s is missing or null", name)
		}
	}
	headers := get[map[string][]string](t, c, "/api/v1/message/latest/headers")
	if diff := cmp.Diff([]string{"s"}, headers["Subject"]); diff != "" {
		t.Error(diff)
	}
	for _, path := range []string{"/livez", "/readyz"} {
		if res, body := c.request(t, http.MethodGet, path, ""); res.StatusCode != http.StatusOK || body != "ok" {
			t.Errorf("%s: %s %q", path, res.Status, body)
		}
	}
}

func TestPollingAnUnchangedListIsCheap(t *testing.T) {
	t.Parallel()
	c := startCatcher(t, Options{})
	res, _ := c.request(t, http.MethodGet, "/api/v1/messages", "")
	tag := res.Header.Get("ETag")
	if res, body := c.request(t, http.MethodGet, "/api/v1/messages", "", "If-None-Match", tag); res.StatusCode != http.StatusNotModified || body != "" {
		t.Errorf("unchanged: %s %q", res.Status, body)
	}
	c.send(t, []string{"a@example.com"}, simpleMail("a@example.com", "new", ""))
	if res, _ := c.request(t, http.MethodGet, "/api/v1/messages", "", "If-None-Match", tag); res.StatusCode != http.StatusOK {
		t.Errorf("changed: %s", res.Status)
	}
}

func TestForeignRequestsAreRefused(t *testing.T) {
	t.Parallel()
	c := startCatcher(t, Options{})
	c.send(t, []string{"a@example.com"}, simpleMail("a@example.com", "kept", ""))
	id := get[messagesSummary](t, c, "/api/v1/messages").Messages[0].ID
	_, port, _ := strings.Cut(c.web, ":")
	tests := []struct {
		name, method, path string
		header             []string
		refused            bool
	}{
		{"rebound name", "GET", "/", []string{"Host", "evil.example:" + port}, true},
		{"rebound name, API", "GET", "/api/v1/messages", []string{"Host", "evil.example"}, true},
		{"name that begins like ours", "GET", "/", []string{"Host", "localhost.evil.example"}, true},
		{"address of somewhere else", "GET", "/", []string{"Host", "192.0.2.1"}, true},
		{"localhost", "GET", "/", []string{"Host", "localhost:" + port}, false},
		{"loopback", "GET", "/", []string{"Host", "127.0.0.1"}, false},
		{"loopback, version 6", "GET", "/", []string{"Host", "[::1]:" + port}, false},
		{"foreign form", "PUT", "/api/v1/messages", []string{"Origin", "https://evil.example"}, true},
		{"foreign delete", "DELETE", "/api/v1/messages", []string{"Sec-Fetch-Site", "cross-site"}, true},
		{"delete from a sibling", "DELETE", "/api/v1/messages", []string{"Sec-Fetch-Site", "same-site"}, true},
		{"foreign read", "GET", "/api/v1/messages", []string{"Sec-Fetch-Site", "cross-site"}, true},
		{"foreign frame", "GET", "/", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, true},
		{"foreign picture", "GET", "/api/v1/message/latest/part/1", []string{"Sec-Fetch-Site", "cross-site"}, true},
		{"picture in the sandbox", "GET", "/api/v1/message/" + id + "/part/1", []string{"Sec-Fetch-Site", "cross-site"}, false},
		{"link", "GET", "/", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, false},
	}
	for _, tt := range tests {
		res, body := c.request(t, tt.method, tt.path, "", tt.header...)
		if got := res.StatusCode == http.StatusForbidden; got != tt.refused {
			t.Errorf("%s: %s: %s", tt.name, res.Status, body)
		}
		if tt.refused && strings.Contains(body, "kept") {
			t.Errorf("%s: leaked %q", tt.name, body)
		}
	}
	if got := get[messagesSummary](t, c, "/api/v1/messages"); got.Total != 1 {
		t.Errorf("mails were deleted: %d left", got.Total)
	}
}

func TestHostileMail(t *testing.T) {
	t.Parallel()
	c := startCatcher(t, Options{})
	c.send(t, []string{"a@example.com"}, "From: \"<script>alert(1)</script>\" <e@evil.test>\r\nTo: a@example.com\r\n"+
		"Subject: <img src=x onerror=alert(1)>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"+
		"--b\r\nContent-Type: text/html\r\n\r\n"+
		`<base href="http://evil.test/"><meta http-equiv="refresh" content="0;url=http://evil.test"><script>alert(1)</script>`+
		`<p onclick="alert(1)" style="color:red">Hi</p><iframe srcdoc="<script>alert(1)</script>">in</iframe>`+
		`<a href="https://example.com/x?a=1&amp;b=2" target="_top" rel="opener">web</a><a href="javascript:alert(1)">js</a>`+
		`<a href="#here">anchor</a><form action="http://evil.test"><input name=q></form><img src="http://evil.test/pixel.gif">`+
		"\r\n--b\r\nContent-Type: text/html\r\nContent-Disposition: attachment; filename=\"..\\\\..\\\\<b>evil.html\"\r\n\r\n<script>alert(1)</script>\r\n"+
		"--b\r\nContent-Type: image/svg+xml\r\nContent-Disposition: attachment; filename=x.svg\r\n\r\n<svg onload=alert(1)/>\r\n--b--\r\n")

	res, page := c.request(t, http.MethodGet, "/view/latest.html", "")
	for _, bad := range []string{"<script", "alert", "<base", "<meta", "<iframe", "onclick", "javascript:", "_top", `rel="opener"`} {
		if strings.Contains(page, bad) {
			t.Errorf("%s is in the frame: %s", bad, page)
		}
	}
	for _, good := range []string{
		`style="color:red"`, `<a href="https://example.com/x?a=1&amp;b=2" target="_blank" rel="noopener noreferrer">`,
		`<a href="#here">`, "pixel.gif",
	} {
		if !strings.Contains(page, good) {
			t.Errorf("%s is not in the frame: %s", good, page)
		}
	}
	policy := res.Header.Get("Content-Security-Policy")
	for _, want := range []string{
		"default-src 'none'", "sandbox allow-popups", "form-action 'none'", "base-uri 'none'", "frame-ancestors 'self'",
	} {
		if !strings.Contains(policy, want) {
			t.Errorf("policy of the frame lacks %q: %s", want, policy)
		}
	}
	if strings.Contains(policy, "allow-scripts") || strings.Contains(policy, "allow-same-origin") || strings.Contains(policy, " http: ") {
		t.Errorf("policy of the frame: %s", policy)
	}
	res, _ = c.request(t, http.MethodGet, "/view/latest.html?remote=1", "")
	if policy := res.Header.Get("Content-Security-Policy"); !strings.Contains(policy, " http: https:;") {
		t.Errorf("pictures asked for are still blocked: %s", policy)
	}

	detail := get[messageDetail](t, c, "/api/v1/message/latest")
	for _, a := range detail.Attachments {
		res, _ := c.request(t, http.MethodGet, "/api/v1/message/"+detail.ID+"/part/"+a.PartID, "")
		if got := res.Header.Get("Content-Type"); got != "application/octet-stream" {
			t.Errorf("%s is served as %s", a.FileName, got)
		}
		if got := res.Header.Get("Content-Disposition"); !strings.HasPrefix(got, "attachment;") || strings.ContainsAny(a.FileName, `/\`) {
			t.Errorf("%s: %s", a.FileName, got)
		}
		if res.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: the browser may guess the type", a.FileName)
		}
	}
}

func TestPage(t *testing.T) {
	t.Parallel()
	c := startCatcher(t, Options{})
	res, page := c.request(t, http.MethodGet, "/", "")
	_, port, _ := strings.Cut(c.smtp, ":")
	if !strings.Contains(page, `data-smtp="localhost:`+port+`"`) {
		t.Error("the page does not say where to send mail")
	}
	if n := strings.Count(page, "<script>") + strings.Count(page, "<style>"); n != 2 {
		t.Errorf("%d elements with content; the policy knows the hashes of one script and one style", n)
	}
	for _, bad := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", ` style="`, "https://"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page contains %s", bad)
		}
	}
	policy := res.Header.Get("Content-Security-Policy")
	if strings.Contains(policy, "unsafe") || strings.Count(policy, "'sha256-") != 2 {
		t.Errorf("policy of the page: %s", policy)
	}
	c.send(t, []string{"a@example.com"}, simpleMail("a@example.com", "s", ""))
	res, _ = c.request(t, http.MethodGet, "/view/latest", "")
	if !strings.HasPrefix(res.Header.Get("Location"), "/#/m/") {
		t.Errorf("/view/latest leads to %q", res.Header.Get("Location"))
	}
}
