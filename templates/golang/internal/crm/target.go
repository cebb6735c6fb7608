package crm

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/nself-org/nself/templates/golang/internal/config"
)

// Why an endpoint is refused.
var (
	ErrURL       = errors.New("the endpoint is not an https URL")
	ErrForbidden = errors.New("the endpoint is at a private address")
)

const (
	maxEndpoint   = 2000
	lookupTimeout = 3 * time.Second
	dialTimeout   = 5 * time.Second
)

// Targets says where requests may go: users name the endpoint, and must not reach what only this machine can reach.
type Targets struct {
	allowed []string // hosts, with or without port, that may be anywhere and need no TLS
}

// NewTargets reads CRM_ALLOWED_HOSTS, a list with commas.
func NewTargets(env *config.Reader) *Targets {
	t := &Targets{}
	for host := range strings.SplitSeq(env.Text("CRM_ALLOWED_HOSTS", ""), ",") {
		if host = strings.ToLower(strings.TrimSpace(host)); host != "" {
			t.allowed = append(t.allowed, host)
		}
	}
	return t
}

// lifted says whether a host was allowed by the operator.
func (t *Targets) lifted(u *url.URL) bool {
	return slices.Contains(t.allowed, strings.ToLower(u.Hostname())) || slices.Contains(t.allowed, strings.ToLower(u.Host))
}

// Check returns [ErrURL] or [ErrForbidden] for an endpoint that requests could not be sent to. A name that cannot be
// resolved now passes: every connection is checked again.
func (t *Targets) Check(ctx context.Context, endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil || len(endpoint) > maxEndpoint || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery ||
		strings.Contains(endpoint, "#") {
		return ErrURL
	}
	lifted := t.lifted(u)
	if u.Scheme != "https" && (u.Scheme != "http" || !lifted) {
		return ErrURL
	}
	if lifted {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err == nil && slices.ContainsFunc(addrs, forbidden) {
		return ErrForbidden
	}
	return nil
}

// client returns an HTTP client for an endpoint. The address is checked when it is dialled, after the name was resolved,
// so that a name cannot change its mind in between. Redirects are not followed, and no proxy is used: it would dial
// instead of us.
func (t *Targets) client(endpoint *url.URL) *http.Client {
	dialer := &net.Dialer{Timeout: dialTimeout}
	if !t.lifted(endpoint) {
		dialer.Control = func(_, address string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(address)
			if err != nil || forbidden(at.Addr()) {
				return ErrForbidden
			}
			return nil
		}
	}
	return &http.Client{
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSHandshakeTimeout: dialTimeout, ForceAttemptHTTP2: true, MaxIdleConns: 2,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// reserved are networks that no public service is in, beyond those that net/netip knows.
var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),       // this network
	netip.MustParsePrefix("100.64.0.0/10"),   // carriers' NAT
	netip.MustParsePrefix("192.0.0.0/24"),    // protocol assignments
	netip.MustParsePrefix("192.0.2.0/24"),    // documentation
	netip.MustParsePrefix("198.18.0.0/15"),   // benchmarks
	netip.MustParsePrefix("198.51.100.0/24"), // documentation
	netip.MustParsePrefix("203.0.113.0/24"),  // documentation
	netip.MustParsePrefix("240.0.0.0/4"),     // reserved, and broadcast
	netip.MustParsePrefix("64:ff9b:1::/48"),  // NAT64 of a network of one's own
	netip.MustParsePrefix("100::/64"),        // discard
	netip.MustParsePrefix("2001::/23"),       // protocol assignments, Teredo among them
	netip.MustParsePrefix("2001:db8::/32"),   // documentation
	netip.MustParsePrefix("fec0::/10"),       // site-local, of old
}

// Addresses that hold an IPv4 address: at these bytes.
var (
	nat64   = netip.MustParsePrefix("64:ff9b::/96")
	sixTo4  = netip.MustParsePrefix("2002::/16")
	mapped4 = netip.MustParsePrefix("::/96")
)

// forbidden says whether an address is one that only machines nearby can reach, in whatever guise.
func forbidden(a netip.Addr) bool {
	a = a.WithZone("").Unmap()
	if a.Is6() {
		b := a.As16()
		switch {
		case nat64.Contains(a), mapped4.Contains(a):
			return forbidden(netip.AddrFrom4([4]byte(b[12:16])))
		case sixTo4.Contains(a):
			return forbidden(netip.AddrFrom4([4]byte(b[2:6])))
		}
	}
	return !a.IsValid() || a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.IsMulticast() ||
		a.IsUnspecified() || slices.ContainsFunc(reserved, func(p netip.Prefix) bool { return p.Contains(a) })
}
