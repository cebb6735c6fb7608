package gateway

import (
	"crypto/tls"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nself-org/nself/internal/metadata"
)

// TestTLSAllowlist holds which hosts may have a certificate that nobody has issued, also where a transform leads there.
func TestTLSAllowlist(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("1")) }))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	s.StartTLS()
	t.Cleanup(s.Close)
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	name := "https://localhost:" + port // the certificate is for another name
	for list, trusted := range map[string]bool{
		`{"tls_allowlist":[{"host":"localhost"}]}`:                                                       true,
		`{"tls_allowlist":["localhost"]}`:                                                                true,
		`{"tls_allowlist":[{"host":"other"},{"host":"LOCALHOST","suffix":"` + port + `"}]}`:              true,
		`{"tls_allowlist":[{"host":"localhost","suffix":"` + port + `","permissions":["self-signed"]}]}`: true,
		`{"tls_allowlist":[{"host":"localhost","suffix":"1"}]}`:                                          false,
		`{"tls_allowlist":[{"host":"localhost","permissions":[]}]}`:                                      false,
		`{"tls_allowlist":[{"host":"127.0.0.1"}]}`:                                                       false,
		`{"tls_allowlist":3}`: false,
		``:                    false,
	} {
		direct := one(name, nil)
		led := one("http://localhost:1", func(d *metadata.ActionDefinition) {
			d.RequestTransform = json.RawMessage(`{"version":2,"url":"` + name + `/x"}`)
		})
		for _, md := range []*metadata.Metadata{direct, led} {
			if list != "" {
				md.Rest = map[string]json.RawMessage{"network": json.RawMessage(list)}
			}
			got := query(t, newEngine(t, Options{}, md), "", "{ a }", "")
			if trusted && got != `{"data":{"a":1}}` || !trusted && !strings.Contains(got, "failed to verify certificate") {
				t.Errorf("%s: got %s", list, got)
			}
		}
	}
}
