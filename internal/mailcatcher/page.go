package mailcatcher

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html"
	"net"
	"net/http"
	"strconv"
)

//go:embed page.html
var pageHTML []byte

// newPage serves the page. Its policy admits its own script and style by their hashes, and nothing else.
func newPage(smtpAddr net.Addr) http.Handler {
	policy := "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; connect-src 'self'; " +
		"img-src 'self' data:; frame-src 'self'; script-src " + hashOf("script") + "; style-src " + hashOf("style")
	body := bytes.ReplaceAll(pageHTML, []byte("{{smtp}}"), []byte(html.EscapeString(mailAddress(smtpAddr))))
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cross-Origin-Opener-Policy", "same-origin")
		_, _ = w.Write(body)
	})
}

// hashOf returns the policy source for the page's one element of the given name.
func hashOf(element string) string {
	_, rest, _ := bytes.Cut(pageHTML, []byte("<"+element+">"))
	content, _, _ := bytes.Cut(rest, []byte("</"+element+">"))
	sum := sha256.Sum256(content)
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// mailAddress is what a person puts into a mail client: localhost for a listener on loopback or on every address.
func mailAddress(addr net.Addr) string {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return addr.String()
	}
	if tcp.IP.IsLoopback() || tcp.IP.IsUnspecified() {
		return net.JoinHostPort("localhost", strconv.Itoa(tcp.Port))
	}
	return addr.String()
}
