package crm

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/nself-org/nself/templates/golang/internal/config"
)

func TestCipher(t *testing.T) {
	t.Parallel()
	raw := []byte("0123456789abcdef0123456789abcd\xff\xfe")
	var ciphers []*Cipher
	for _, enc := range []*base64.Encoding{
		base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding,
	} {
		c, err := NewCipher(config.Secret(enc.EncodeToString(raw)))
		if err != nil {
			t.Fatal(err)
		}
		ciphers = append(ciphers, c)
	}
	sealed := ciphers[0].Seal("owner", "secret key")
	for _, c := range ciphers {
		if text, err := c.Open("owner", sealed); text != "secret key" || err != nil {
			t.Errorf("got %q, %v", text, err)
		}
	}
	if again := ciphers[0].Seal("owner", "secret key"); string(again) == string(sealed) {
		t.Error("the same text was encrypted alike twice")
	}
	if _, err := ciphers[0].Open("other", sealed); !errors.Is(err, ErrUnreadable) {
		t.Errorf("another owner: %v", err)
	}
	sealed[len(sealed)-1] ^= 1
	for _, data := range [][]byte{sealed, nil, sealed[:11], sealed[:12]} {
		if _, err := ciphers[0].Open("owner", data); !errors.Is(err, ErrUnreadable) {
			t.Errorf("%d changed bytes: %v", len(data), err)
		}
	}
	for _, bad := range []config.Secret{"short", "!!!", config.Secret(strings.Repeat("A", 44))} {
		if _, err := NewCipher(bad); err == nil || strings.Contains(err.Error(), string(bad)) {
			t.Errorf("%q: %v", string(bad), err)
		}
	}
}

// What one runtime has encrypted, the others read: the layout must not change.
func TestCipherLayout(t *testing.T) {
	t.Parallel()
	c, err := NewCipher(config.Secret(base64.StdEncoding.EncodeToString(make([]byte, 32))))
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := hex.DecodeString("000102030405060708090a0be3ae4afb8d4295101fa74a8bd3d6ee8a190a42")
	if err != nil {
		t.Fatal(err)
	}
	if text, err := c.Open("a11ce000-0000-4000-8000-000000000001", sealed); text != "key" || err != nil {
		t.Errorf("got %q, %v", text, err)
	}
}

func TestForbidden(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"8.8.8.8": false, "1.1.1.1": false, "2606:4700::1111": false, "172.32.0.1": false, "100.128.0.1": false,
		"10.1.2.3": true, "172.16.0.1": true, "192.168.1.1": true, "127.0.0.1": true, "127.255.255.254": true,
		"169.254.169.254": true, "100.64.0.1": true, "0.0.0.0": true, "0.1.2.3": true, "224.0.0.1": true, "255.255.255.255": true,
		"240.0.0.1": true, "198.18.0.1": true, "192.0.0.8": true, "::": true, "::1": true, "fe80::1": true, "fe80::1%eth0": true,
		"fc00::1": true, "fd12::1": true, "ff02::1": true, "fec0::1": true, "2001:db8::1": true,
		"::ffff:127.0.0.1": true, "::ffff:8.8.8.8": false, "::127.0.0.1": true,
		"64:ff9b::7f00:1": true, "64:ff9b::a00:1": true, "64:ff9b::808:808": false, "64:ff9b:1::808:808": true,
		"2002:7f00:1::": true, "2002:a9fe:a9fe::1": true, "2002:808:808::1": false, "2001:0:4136:e378::1": true,
	} {
		if got := forbidden(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s is forbidden: %t, want %t", address, got, want)
		}
	}
	if !forbidden(netip.Addr{}) {
		t.Error("no address at all is let through")
	}
}

func targets(allowed string) *Targets {
	return NewTargets(config.NewReader(func(string) string { return allowed }))
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		endpoint, allowed string
		want              error
	}{
		{"https://8.8.8.8/api", "", nil},
		{"https://[2606:4700::1111]:8443", "", nil},
		{"https://no-such-host.invalid/v1/", "", nil},
		{"", "", ErrURL},
		{"crm.example.com", "", ErrURL},
		{"/contacts", "", ErrURL},
		{"http://8.8.8.8", "", ErrURL},
		{"ftp://8.8.8.8", "8.8.8.8", ErrURL},
		{"https://", "", ErrURL},
		{"https://user:pass@8.8.8.8", "", ErrURL},
		{"https://8.8.8.8/?a=b", "", ErrURL},
		{"https://8.8.8.8/?", "", ErrURL},
		{"https://8.8.8.8/#", "", ErrURL},
		{"https://8.8.8.8/" + strings.Repeat("x", 2000), "", ErrURL},
		{"https://127.0.0.1", "", ErrForbidden},
		{"https://localhost:8443", "", ErrForbidden},
		{"https://[::ffff:10.0.0.1]/", "", ErrForbidden},
		{"http://localhost:9999", "crm.local, LOCALHOST", nil},
		{"http://127.0.0.1:9999", "127.0.0.1:9999", nil},
		{"http://127.0.0.1:9998", "127.0.0.1:9999", ErrURL},
		{"https://127.0.0.1:9998", "127.0.0.1:9999", ErrForbidden},
	} {
		if err := targets(tt.allowed).Check(t.Context(), tt.endpoint); !errors.Is(err, tt.want) || tt.want == nil && err != nil {
			t.Errorf("%s with %q allowed: got %v, want %v", tt.endpoint, tt.allowed, err, tt.want)
		}
	}
}
