package gateway

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/nself-org/nself/internal/errdefs"
)

// cors decides which web pages may call. The zero value lets none.
type cors struct {
	all      bool
	origins  map[string]bool
	suffix   []wildcardOrigin
	disabled bool // HASURA_GRAPHQL_DISABLE_CORS
}

// wildcardOrigin is scheme://*.host:port.
type wildcardOrigin struct{ scheme, suffix string }

// parseCORS reads HASURA_GRAPHQL_CORS_DOMAIN.
func parseCORS(o Options) (cors, error) {
	var c cors
	if o.DisableCORS {
		c.disabled = true
		return c, nil
	}
	if o.CORSDomains == "" || o.CORSDomains == "*" {
		c.all = true
		return c, nil
	}
	c.origins = map[string]bool{}
	for domain := range strings.SplitSeq(o.CORSDomains, ",") {
		domain = strings.ToLower(strings.TrimSpace(domain))
		u, err := url.Parse(domain)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return c, errdefs.WithHint(fmt.Errorf("HASURA_GRAPHQL_CORS_DOMAIN: invalid domain: %q", domain),
				"write origins, separated by commas, such as https://app.example.com or https://*.example.com")
		}
		if host, ok := strings.CutPrefix(u.Host, "*"); ok {
			c.suffix = append(c.suffix, wildcardOrigin{u.Scheme + "://", host})
		} else {
			c.origins[u.Scheme+"://"+u.Host] = true
		}
	}
	return c, nil
}

// allows tells whether pages of an origin may call.
func (c *cors) allows(origin string) bool {
	if c.all {
		return true
	}
	origin = strings.ToLower(origin)
	if c.origins[origin] {
		return true
	}
	for _, w := range c.suffix {
		host, ok := strings.CutPrefix(origin, w.scheme)
		if ok && len(host) > len(w.suffix) && strings.HasSuffix(host, w.suffix) {
			return true
		}
	}
	return false
}

// answer sets the headers for an allowed origin. It reports true when the request was a preflight and is answered.
func (c *cors) answer(w http.ResponseWriter, r *http.Request) bool {
	values := r.Header["Origin"]
	if len(values) == 0 || !c.allows(values[0]) {
		return false
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", values[0])
	h.Set("Access-Control-Allow-Credentials", "true")
	h.Add("Vary", "Origin")
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	h.Set("Access-Control-Allow-Methods", "GET,POST,PUT,PATCH,DELETE,OPTIONS")
	if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
		h.Set("Access-Control-Allow-Headers", asked)
	}
	h.Set("Access-Control-Max-Age", "1728000")
	w.WriteHeader(http.StatusNoContent)
	return true
}
