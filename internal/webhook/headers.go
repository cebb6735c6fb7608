package webhook

import (
	"net/http"
	"slices"
	"strings"

	"github.com/nself-org/nself/internal/action"
)

// Field is a header as it goes over the wire.
type Field struct{ Name, Value string }

// Configured is a header of an action's definition. Exactly one of Value and FromEnv is set.
type Configured struct {
	Name    string
	Value   string // may hold {{ENV}} templates
	FromEnv string
}

// HeaderRules say which headers a handler gets.
type HeaderRules struct {
	// Forward passes the client's headers on.
	Forward bool
	// Ignored are names of client headers that are not passed on, in any case. Nil: Hasura's list.
	Ignored []string
	// Configured come from the action's definition.
	Configured []Configured
	// ConfiguredFirst lets configured headers win over the fixed ones and the client's
	// (HASURA_GRAPHQL_CONFIGURED_HEADER_PRECEDENCE).
	ConfiguredFirst bool
	// UserAgent is sent unless another header of that name wins.
	UserAgent string
	// Lookup resolves configured values, at each call.
	Lookup Lookup
}

// DefaultIgnored are the client headers that Hasura does not pass on when the action names none itself.
func DefaultIgnored() []string {
	return []string{
		"Content-Length", "Content-MD5", "User-Agent", "Host", "Origin", "Referer", "Accept", "Accept-Encoding",
		"Accept-Language", "Accept-Datetime", "Cache-Control", "Connection", "DNT", "Content-Type",
	}
}

// Append appends the headers of a call: of several with one name only the first one is kept. client is the client's
// request header; host is its Host, which net/http keeps apart. An error is the answer to the client.
func (r *HeaderRules) Append(dst []Field, client http.Header, host string) ([]Field, *action.Error) {
	var err *action.Error
	start := len(dst)
	if r.ConfiguredFirst {
		if dst, err = r.appendConfigured(dst); err != nil {
			return dst, err
		}
	} else if r.Forward {
		dst = r.appendForwarded(dst, client, host)
	}
	dst = append(dst, Field{"Content-Type", "application/json"}, Field{"User-Agent", r.UserAgent})
	if !r.ConfiguredFirst {
		if dst, err = r.appendConfigured(dst); err != nil {
			return dst, err
		}
	} else if r.Forward {
		dst = r.appendForwarded(dst, client, host)
	}
	return unique(dst, start), nil
}

// unique drops the later ones of fields with one name, from start on. There are a few dozen at most.
func unique(fields []Field, start int) []Field {
	kept := fields[:start]
	for _, f := range fields[start:] {
		if !slices.ContainsFunc(kept[start:], func(k Field) bool { return strings.EqualFold(k.Name, f.Name) }) {
			kept = append(kept, f)
		}
	}
	return kept
}

func (r *HeaderRules) appendConfigured(dst []Field) ([]Field, *action.Error) {
	for _, c := range r.Configured {
		value := c.Value
		if c.FromEnv != "" {
			v, ok := r.Lookup(c.FromEnv)
			if !ok {
				return dst, &action.Error{
					Code: action.CodeNotFound, Message: "environment variable '" + c.FromEnv + "' not set",
				}
			}
			value = v
		} else if strings.Contains(value, "{{") {
			v, missing := Expand(value, r.Lookup)
			if missing != nil {
				return dst, &action.Error{
					Code: action.CodeUnexpected, Message: "template cannot be resolved: " + c.Value,
				}
			}
			value = v
		}
		dst = append(dst, Field{c.Name, value})
	}
	return dst, nil
}

// appendForwarded appends what the client said of itself, and its headers. The former comes first: of several headers
// with one name the first one counts, so that a client cannot name another host.
func (r *HeaderRules) appendForwarded(dst []Field, client http.Header, host string) []Field {
	if host != "" {
		dst = append(dst, Field{"X-Forwarded-Host", host})
	}
	if agent := client.Get("User-Agent"); agent != "" {
		dst = append(dst, Field{"X-Forwarded-User-Agent", agent})
	}
	if origin := client.Get("Origin"); origin != "" {
		dst = append(dst, Field{"X-Forwarded-Origin", origin})
	}
	for name, values := range client {
		if len(values) == 0 || r.withheld(name) {
			continue
		}
		dst = append(dst, Field{name, values[0]})
	}
	return dst
}

// withheld tells whether a client header stays here: everything of Hasura's own, the ignored ones, and what belongs to
// one hop or to the call's own trace.
func (r *HeaderRules) withheld(name string) bool {
	const own = "x-hasura-"
	if len(name) >= len(own) && strings.EqualFold(name[:len(own)], own) {
		return true
	}
	switch http.CanonicalHeaderKey(name) {
	case "Connection", "Content-Length", "Host", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
		"Proxy-Connection", "Content-Encoding", "X-B3-Traceid", "X-B3-Spanid", "X-B3-Parentspanid", "X-B3-Sampled":
		return true
	}
	return slices.ContainsFunc(r.Ignored, func(ignored string) bool { return strings.EqualFold(ignored, name) })
}
