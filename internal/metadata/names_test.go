package metadata_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/metadata"
)

func TestNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, kebab, snake, pascal string }{
		{"registerUser", "register-user", "register_user", "RegisterUser"},
		{"processPayment", "process-payment", "process_payment", "ProcessPayment"},
		{"syncWithCrm", "sync-with-crm", "sync_with_crm", "SyncWithCrm"},
		{"syncWithCRM", "sync-with-crm", "sync_with_crm", "SyncWithCrm"},
		{"HTTPServer", "http-server", "http_server", "HttpServer"},
		{"getHTTPServerURL", "get-http-server-url", "get_http_server_url", "GetHttpServerUrl"},
		{"foo_bar", "foo-bar", "foo_bar", "FooBar"},
		{"_foo__bar_", "foo-bar", "foo_bar", "FooBar"},
		{"step2Verify", "step2-verify", "step2_verify", "Step2Verify"},
		{"oauth2", "oauth2", "oauth2", "Oauth2"},
		{"S3Upload", "s3-upload", "s3_upload", "S3Upload"},
		{"aB", "a-b", "a_b", "AB"},
		{"", "", "", ""},
	} {
		if got := metadata.Kebab(c.name); got != c.kebab {
			t.Errorf("Kebab(%q) = %q, want %q", c.name, got, c.kebab)
		}
		if got := metadata.Snake(c.name); got != c.snake {
			t.Errorf("Snake(%q) = %q, want %q", c.name, got, c.snake)
		}
		if got := metadata.Pascal(c.name); got != c.pascal {
			t.Errorf("Pascal(%q) = %q, want %q", c.name, got, c.pascal)
		}
	}
}

func TestCheckActionName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"registerUser": "", "foo_bar": "", "_a": "", "a1": "", "syncWithCrm": "", "testLogin": "",
		"":                       "is empty",
		"../x":                   "is a path",
		`a\b`:                    "is a path",
		"a/b":                    "is a path",
		"..":                     "is a path",
		"a b":                    "contains a blank",
		"1a":                     "starts with a digit",
		"größe":                  "may hold only letters",
		"a-b":                    "may hold only letters",
		"__type":                 "two underscores",
		"query_root":             "reserved in a GraphQL schema",
		"true":                   "reserved in a GraphQL schema",
		"delete":                 "a reserved word",
		"import":                 "a reserved word",
		"loginTest":              "login_test.go",
		"buildWindows":           "build_windows.go",
		"_":                      "no letter",
		"_1":                     "no letter",
		strings.Repeat("a", 101): "101 characters",
	} {
		err := metadata.CheckActionName(name)
		if want == "" {
			if err != nil {
				t.Errorf("%q: %v", name, err)
			}
			continue
		}
		if !errors.Is(err, errdefs.ErrUsage) || !strings.Contains(err.Error(), want) || len(errdefs.Hints(err)) == 0 {
			t.Errorf("%q: got %v with hints %q, want a usage error with %q", name, err, errdefs.Hints(err), want)
		}
	}
}

func TestClash(t *testing.T) {
	t.Parallel()
	existing := []string{"login", "fooBar"}
	if other, ok := metadata.Clash("foo_bar", existing); !ok || other != "fooBar" {
		t.Errorf("foo_bar clashes with %q, %v; want fooBar", other, ok)
	}
	for _, name := range []string{"fooBar", "fooBars", "logout"} {
		if other, ok := metadata.Clash(name, existing); ok {
			t.Errorf("%s clashes with %q", name, other)
		}
	}
}
