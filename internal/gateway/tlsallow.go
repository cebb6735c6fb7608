package gateway

import (
	"encoding/json"
	"net"
	"slices"
	"strings"

	"github.com/nself-org/nself/internal/metadata"
	"github.com/nself-org/nself/internal/webhook"
)

// tlsAllowed is an entry of the metadata's network.tls_allowlist: a host whose certificate need not be issued by anybody.
type tlsAllowed struct {
	Host        string    `json:"host"`
	Suffix      string    `json:"suffix"`      // the port; empty: any
	Permissions *[]string `json:"permissions"` // nil: self-signed
}

// UnmarshalJSON implements [json.Unmarshaler]. An entry may be the host alone.
func (a *tlsAllowed) UnmarshalJSON(data []byte) error {
	if json.Unmarshal(data, &a.Host) == nil {
		return nil
	}
	type plain tlsAllowed
	return json.Unmarshal(data, (*plain)(a))
}

type tlsAllowlist []tlsAllowed

// readTLSAllowlist reads the list. What cannot be read allows nothing.
func readTLSAllowlist(md *metadata.Metadata) tlsAllowlist {
	var network struct {
		Allowed tlsAllowlist `json:"tls_allowlist"`
	}
	if err := json.Unmarshal(md.Rest["network"], &network); err != nil {
		return nil
	}
	return network.Allowed
}

// target parses the URL of a handler.
func (l tlsAllowlist) target(c *webhook.Client, url string) (*webhook.Target, error) {
	t, err := c.Target(url)
	if err != nil || !t.Secure() || len(l) == 0 {
		return t, err
	}
	host, port, err := net.SplitHostPort(t.Address())
	if err != nil {
		return t, nil //nolint:nilerr // an address that is no host and port is in no list
	}
	if slices.ContainsFunc(l, func(a tlsAllowed) bool {
		return strings.EqualFold(a.Host, host) && (a.Suffix == "" || a.Suffix == port) &&
			(a.Permissions == nil || slices.Contains(*a.Permissions, "self-signed"))
	}) {
		return c.LaxTarget(url)
	}
	return t, nil
}
