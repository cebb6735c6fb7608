package webhook

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func lookup(name string) (string, bool) {
	value, ok := map[string]string{"A": "1", "B": "", " C ": "blank"}[name] //nolint:gocritic // blanks are part of a name
	return value, ok
}

func TestExpand(t *testing.T) {
	t.Parallel()
	cases := []struct {
		text, want string
		missing    []string
	}{
		{"plain", "plain", nil},
		{"{{A}}", "1", nil},
		{"x{{A}}y{{B}}z{{A}}", "x1yz1", nil},
		{"{{ C }}", "blank", nil},
		{"{{ A }}/{{GONE}}", "/", []string{" A ", "GONE"}},
		{"{{A", "{{A", nil},
		{"{{A}}}}", "1}}", nil},
		{"{", "{", nil},
	}
	for _, c := range cases {
		got, missing := Expand(c.text, lookup)
		if got != c.want || !slices.Equal(missing, c.missing) {
			t.Errorf("%q: got %q, %q, want %q, %q", c.text, got, missing, c.want, c.missing)
		}
	}
}

func TestTarget(t *testing.T) {
	t.Parallel()
	c := NewClient(Options{})
	for url, want := range map[string]string{
		"http://h/a?b=c": "h:80 /a b=c false", "https://h/": "h:443 /  true", "http://h:81": "h:81 /  false",
		"http://[::1]:82/x": "[::1]:82 /x  false", "http://h?a=/": "h:80 / a=/ false", "http://h/a%20b?x#y": "h:80 /a%20b x false",
	} {
		target, err := c.Target(url)
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		secure := "false"
		if target.Secure() {
			secure = "true"
		}
		if got := strings.Join([]string{target.Address(), target.Path(), target.Query(), secure}, " "); got != want {
			t.Errorf("%s: got %q, want %q", url, got, want)
		}
	}
	for _, url := range []string{"", "h/a", "/a", "ftp://h", "http://", "http:///a", "//h/a", "http://h:port/", "http://h/a b", "http://h/\r\nX: y"} {
		if _, err := c.Target(url); err == nil {
			t.Errorf("%q was accepted", url)
		}
	}
}

// FuzzForward checks that no header of Hasura's own, no ignored one and none that frames the message gets through,
// however it is written, and that no name comes twice.
func FuzzForward(f *testing.F) {
	f.Add("X-Hasura-Admin-Secret", "Cookie", "cookie")
	f.Add("x-HASURA-role", "Authorization", "")
	f.Add("Content-Length", "Transfer-Encoding", "X-A")
	f.Add("user-agent", "Origin", "Host")
	f.Fuzz(func(t *testing.T, a, b, ignored string) {
		client := http.Header{}
		for _, name := range []string{a, b} {
			client[name] = []string{"client"}
		}
		rules := HeaderRules{Forward: true, Ignored: append(DefaultIgnored(), ignored), UserAgent: "ua", Lookup: lookup}
		fields, err := rules.Append(nil, client, "host")
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, field := range fields {
			name := strings.ToLower(field.Name)
			if slices.Contains(names, name) {
				t.Errorf("%s comes twice", name)
			}
			names = append(names, name)
			bad := strings.HasPrefix(name, "x-hasura-") || strings.EqualFold(name, ignored) ||
				slices.Contains([]string{"content-length", "transfer-encoding", "connection", "host"}, name)
			if bad && field.Value == "client" {
				t.Errorf("%s was forwarded", field.Name)
			}
		}
	})
}

func TestDefaultTransportIsClean(t *testing.T) {
	t.Parallel()
	fields, err := (&HeaderRules{UserAgent: "ua", Lookup: lookup}).Append(nil, http.Header{"X-A": {"b"}}, "h")
	if err != nil {
		t.Fatal(err)
	}
	want := []Field{{"Content-Type", "application/json"}, {"User-Agent", "ua"}}
	if diff := cmp.Diff(want, fields); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
