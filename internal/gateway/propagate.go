package gateway

import (
	"net/http"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/trace"

	"github.com/nself-org/nself/internal/webhook"
)

// The headers that carry a trace, as net/http writes their names.
const (
	headerTraceparent = "Traceparent"
	headerTracestate  = "Tracestate"
	headerB3Trace     = "X-B3-Traceid"
	headerB3Span      = "X-B3-Spanid"
	headerB3Parent    = "X-B3-Parentspanid"
	headerB3Sampled   = "X-B3-Sampled"
)

// first returns the first value of a header whose name is in canonical form.
func first(h http.Header, name string) string {
	if values := h[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// appendTrace appends the headers of a trace, which take the place of forwarded ones. The client's trace goes on in the
// form it came in, B3 or W3C, or a new one begins. B3 is always there, as in Hasura; W3C where the client sent it or
// own, the span of the call, is being traced.
func appendTrace(dst []webhook.Field, client http.Header, own trace.SpanContext) []webhook.Field {
	b3Trace, parent := first(client, headerB3Trace), first(client, headerB3Span)
	sampled := first(client, headerB3Sampled)
	w3c, hasW3C := parseTraceparent(first(client, headerTraceparent))
	if b3Trace != "" || first(client, headerTraceparent) != "" {
		dst = slices.DeleteFunc(dst, isTraceHeader)
	}
	state := ""
	if hasW3C {
		state = first(client, headerTracestate)
	}
	if hasW3C && b3Trace == "" {
		b3Trace, parent, sampled = w3c.trace, w3c.span, w3c.sampled()
	}
	span := ""
	if own.IsValid() {
		b3Trace, span, sampled = own.TraceID().String(), own.SpanID().String(), "0"
		w3c = traceparent{trace: b3Trace, flags: own.TraceFlags().String()}
		if own.IsSampled() {
			sampled = "1"
		}
		hasW3C = true
		state = own.TraceState().String()
	} else {
		span = hexID(16)
		if b3Trace == "" {
			b3Trace = hexID(32)
		}
	}
	dst = append(dst, webhook.Field{Name: "X-B3-TraceId", Value: b3Trace}, webhook.Field{Name: "X-B3-SpanId", Value: span})
	if parent != "" {
		dst = append(dst, webhook.Field{Name: "X-B3-ParentSpanId", Value: parent})
	}
	if sampled != "" {
		dst = append(dst, webhook.Field{Name: "X-B3-Sampled", Value: sampled})
	}
	if hasW3C {
		dst = append(dst, webhook.Field{Name: "traceparent", Value: "00-" + w3c.trace + "-" + span + "-" + w3c.flags})
		if state != "" {
			dst = append(dst, webhook.Field{Name: "tracestate", Value: state})
		}
	}
	return dst
}

func isTraceHeader(f webhook.Field) bool {
	for _, name := range [...]string{
		headerTraceparent, headerTracestate, headerB3Trace, headerB3Span, headerB3Parent, headerB3Sampled,
	} {
		if strings.EqualFold(f.Name, name) {
			return true
		}
	}
	return false
}

// traceparent is the header of W3C Trace Context: lower-case hexadecimal digits.
type traceparent struct{ trace, span, flags string }

func (t traceparent) sampled() string {
	if n := t.flags[1]; n <= '9' && n&1 == 1 || n > '9' && n&1 == 0 { // b, d and f are odd, with even codes
		return "1"
	}
	return "0"
}

// parseTraceparent reads version 00, and what later versions have in common with it.
func parseTraceparent(text string) (traceparent, bool) {
	const length = 55
	if len(text) < length || len(text) > length && (text[:2] == "00" || text[length] != '-') || text[:2] == "ff" ||
		text[2] != '-' || text[35] != '-' || text[52] != '-' {
		return traceparent{}, false
	}
	t := traceparent{trace: text[3:35], span: text[36:52], flags: text[53:55]}
	for _, part := range [...]string{text[:2], t.trace, t.span, t.flags} {
		if strings.Trim(part, "0123456789abcdef") != "" {
			return traceparent{}, false
		}
	}
	return t, strings.Trim(t.trace, "0") != "" && strings.Trim(t.span, "0") != ""
}
