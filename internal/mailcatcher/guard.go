package mailcatcher

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// guard refuses what a web page of another origin could make a browser send: requests under a name that was rebound to
// this address, changes, and reads from a foreign page. What is not a browser (curl, tests) sends none of the headers
// that give a browser's request away and is not affected.
func guard(next http.Handler) http.Handler {
	protected := http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox")
		if !isOwnHost(r) {
			http.Error(w, "this server answers to localhost only, not to "+strconvQuote(r.Host), http.StatusForbidden)
			return
		}
		if isForeignRead(r) {
			http.Error(w, "requests from other sites are refused", http.StatusForbidden)
			return
		}
		protected.ServeHTTP(w, r)
	})
}

// isOwnHost reports whether the Host header is localhost, a loopback address, or the address that the connection came
// in on. A rebinding attack needs a name that the attacker's DNS answers for: none of these is one.
func isOwnHost(r *http.Request) bool {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	if addr.Unmap().IsLoopback() {
		return true
	}
	local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return ok && local.AddrPort().Addr().Unmap() == addr.Unmap()
}

// isForeignRead reports a read that a page of another site has started. Following a link to the page is none; nor are
// images of a mail, which the sandboxed frame asks for as a stranger, and which take an id that cannot be guessed.
func isForeignRead(r *http.Request) bool {
	if r.Header.Get("Sec-Fetch-Site") != "cross-site" {
		return false
	}
	if r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document" {
		return false
	}
	id, ok := strings.CutPrefix(r.URL.Path, "/api/v1/message/")
	return !ok || strings.HasPrefix(id, latestID+"/") || !strings.Contains(id, "/part/")
}
