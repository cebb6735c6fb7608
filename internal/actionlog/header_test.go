package actionlog_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/actionlog"
)

// FuzzHeader checks that nothing of Hasura's own is stored or read back, however a name is written, and that what is
// stored comes back.
func FuzzHeader(f *testing.F) {
	f.Add("X-Hasura-Admin-Secret", "s", "h")
	f.Add("x-HASURA-role", "", "")
	f.Add("x-hasura-\x00", "s", "h")
	f.Add("authorization", "Bearer \"x\"", "h:80")
	f.Add("host", "forged", "")
	f.Fuzz(func(t *testing.T, name, value, host string) {
		client := http.Header{name: {value}}
		stored, err := actionlog.EncodeHeader(client, host)
		if err != nil {
			t.Fatal(err)
		}
		var object map[string]string
		if err := json.Unmarshal(stored, &object); err != nil {
			t.Fatal(err)
		}
		header, readHost := actionlog.DecodeHeader(stored)
		for name := range object {
			if strings.HasPrefix(strings.ToLower(name), "x-hasura-") {
				t.Errorf("%q is stored", name)
			}
		}
		if readHost != strings.ToValidUTF8(host, "\ufffd") && host == strings.ToValidUTF8(host, "") {
			t.Errorf("host %q came back as %q", host, readHost)
		}
		if kept := actionlog.Forwardable(client); name == strings.ToValidUTF8(name, "") &&
			value == strings.ToValidUTF8(value, "") {
			if diff := cmp.Diff(kept, header); diff != "" {
				t.Errorf("header (-want +got):\n%s", diff)
			}
		}
		foreign, err := json.Marshal(map[string]string{name: value})
		if err != nil {
			t.Fatal(err)
		}
		header, _ = actionlog.DecodeHeader(foreign)
		for name := range header {
			if strings.HasPrefix(strings.ToLower(name), "x-hasura-") {
				t.Errorf("%q was read", name)
			}
		}
	})
}

// TestForeignJSON reads what nobody should have stored.
func TestForeignJSON(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "null", "[]", "1", "{", `{"a":{}}`} {
		if header, host := actionlog.DecodeHeader([]byte(text)); len(header) > 1 || host != "" {
			t.Errorf("%q: got %v, %q", text, header, host)
		}
	}
	got := actionlog.DecodeSession([]byte(`{"x-hasura-user-id":42,"x-hasura-role":"user"}`))
	if diff := cmp.Diff(map[string]string{"x-hasura-user-id": "42", "x-hasura-role": "user"}, got); diff != "" {
		t.Errorf("session (-want +got):\n%s", diff)
	}
}
