package mailcatcher

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/net/html"
)

func TestOddMails(t *testing.T) {
	t.Parallel()
	var nested strings.Builder
	nested.WriteString("Subject: deep\r\n")
	for i := range 5000 {
		fmt.Fprintf(&nested, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	tests := []struct {
		name, raw     string
		subject, text string
		problem       bool
	}{
		{"no type in a part", "Subject: curl\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nHello\r\n--b--\r\n", "curl", "Hello", false},
		{"no blank line", "Subject: only a header\r\n", "only a header", "", false},
		{"bad charset", "Subject: =?x-none?q?a?=\r\nContent-Type: text/plain; charset=x-none\r\n\r\nabc\r\n", "=?x-none?q?a?=", "abc", false},
		{"bad address", "Subject: s\r\nTo: not an address, at all <\r\n\r\nabc\r\n", "s", "abc", false},
		{"unfinished multipart", "Subject: s\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nabc", "s", "abc", false},
		{"bad base64", "Subject: s\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!\r\n", "s", "", false},
		{"too deep", nested.String(), "deep", "Subject: deep", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := parseMessage([]byte(tt.raw))
			if m.Subject != tt.subject || !strings.HasPrefix(m.Text, tt.text) || (m.Problem != "") != tt.problem {
				t.Errorf("subject %q, text %.40q, problem %q", m.Subject, m.Text, m.Problem)
			}
		})
	}
}

func TestTrace(t *testing.T) {
	t.Parallel()
	tests := []struct {
		head string
		want bool
	}{
		{"Subject: x\r\n", true},
		{"\r\nbody", true},
		{"\nbody", true},
		{"", true},
		{"just text\r\n", false},
		{": no name", false},
		{"Grüße: x", false},
		{"word\r\nSubject: x", false},
		{"word", false},
	}
	for _, tt := range tests {
		if got := startsWithField([]byte(tt.head)); got != tt.want {
			t.Errorf("%q: %v", tt.head, got)
		}
	}
	hidden := hiddenRecipients([]byte("To: A <a@x.test>\r\nCc: B@x.test\r\n\r\n"),
		[]string{"a@x.test", "b@X.test", "aa@x.test", "c@x.test", "C@x.test"})
	if got := strings.Join(hidden, " "); got != "aa@x.test c@x.test" {
		t.Errorf("hidden recipients %q", got)
	}
	if got := oneLine("a\r\nBcc: evil\x00"); got != "aBcc: evil" {
		t.Errorf("one line: %q", got)
	}
}

func FuzzMessage(f *testing.F) {
	for _, seed := range []string{
		"Subject: s\r\n\r\ntext",
		"From: a@x.test\r\nTo: =?utf-8?b?w5Zkw7Zu?= <b@x.test>\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n" +
			"--b\r\nContent-Type: text/html; charset=latin1\r\n\r\n<a href=\"javascript:x\">\xe4</a><img src=cid:l>\r\n--b--",
		"Content-Type: multipart/related; boundary=\"\"\r\n\r\n----\r\n",
		"Content-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<p=\r\n>=3Cscript=3Ealert",
		": \r\n \r\n", "\x00\xff", "Date: x\r\nDate: y\r\n\tz\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m := parseMessage(raw)
		d := m.digest()
		for name, text := range map[string]string{"subject": m.Subject, "snippet": d.snippet, "search": d.searchText} {
			if !utf8.ValidString(text) {
				t.Errorf("%s is not UTF-8: %q", name, text)
			}
		}
		if strings.ContainsAny(m.Subject, "\r\n") || utf8.RuneCountInString(d.snippet) > 2*maxSnippetRunes {
			t.Errorf("subject %q, snippet %q", m.Subject, d.snippet)
		}
		for _, list := range [][]attachment{attachmentsOf(m.Inline), attachmentsOf(m.Attached)} {
			for _, a := range list {
				if a.FileName == "" || strings.ContainsAny(a.FileName, "/\\\r\n") {
					t.Errorf("file name %q", a.FileName)
				}
			}
		}
		parseQuery(string(raw)).matches(d, false)
		hiddenRecipients(raw, []string{m.From.Address})
		rewriteHTML(m.HTML, func(string) string { return "" })
	})
}

func FuzzRewriteHTML(f *testing.F) {
	for _, seed := range []string{
		`<a href=x onclick=y>`, `<SCRIPT>x</sCript>`, `<style>a{b:url(cid:x)}</style>`, `<svg><script>1</script></svg>`,
		`<!--[if mso]><script>1</script><![endif]-->`, `<iframe><script>`, `<textarea><script>`, `<a href=" javascript:1">`,
		`<img src="CID:a%20b">`, `<plaintext><script>`, `<math><mi//xlink:href="data:x,<script>">`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, doc string) {
		out := rewriteHTML(doc, func(id string) string { return "/part/" + strconv.Itoa(len(id)) })
		z := html.NewTokenizer(bytes.NewReader([]byte(out)))
		for {
			kind := z.Next()
			if kind == html.ErrorToken {
				return
			}
			if kind != html.StartTagToken && kind != html.SelfClosingTagToken {
				continue
			}
			tok := z.Token()
			if isDropped(tok.Data) {
				t.Fatalf("<%s> came through: %q from %q", tok.Data, out, doc)
			}
			for _, a := range tok.Attr {
				if strings.HasPrefix(a.Key, "on") || a.Key == "href" && !isSafeLink(a.Val) {
					t.Fatalf("%s=%q came through: %q from %q", a.Key, a.Val, out, doc)
				}
			}
		}
	})
}
