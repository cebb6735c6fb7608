package gateway

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/trace"

	"github.com/nself-org/nself/internal/webhook"
)

// TestAppendTrace holds which headers of a trace a handler gets. NEW stands for a span that was made.
func TestAppendTrace(t *testing.T) {
	t.Parallel()
	const (
		id     = "0af7651916cd43dd8448eb211c80319c"
		parent = "b7ad6b7169203331"
	)
	traceID, _ := trace.TraceIDFromHex(id)
	spanID, _ := trace.SpanIDFromHex("1111111111111111")
	own := trace.NewSpanContext(trace.SpanContextConfig{TraceID: traceID, SpanID: spanID, TraceFlags: trace.FlagsSampled})
	for name, test := range map[string]struct {
		client  http.Header
		forward bool
		own     trace.SpanContext
		want    []string
	}{
		"nothing": {want: []string{"X-B3-TraceId: ", "X-B3-SpanId: NEW"}},
		"B3 goes on": {
			client: http.Header{"X-B3-Traceid": {"abc"}, "X-B3-Spanid": {"def"}, "X-B3-Sampled": {"1"}}, forward: true,
			want: []string{"X-B3-TraceId: abc", "X-B3-SpanId: NEW", "X-B3-ParentSpanId: def", "X-B3-Sampled: 1"},
		},
		"W3C goes on": {
			client:  http.Header{"Traceparent": {"00-" + id + "-" + parent + "-01"}, "Tracestate": {"a=b"}},
			forward: true,
			want: []string{
				"X-B3-TraceId: " + id, "X-B3-SpanId: NEW", "X-B3-ParentSpanId: " + parent, "X-B3-Sampled: 1",
				"traceparent: 00-" + id + "-NEW-01", "tracestate: a=b",
			},
		},
		"a malformed W3C header is dropped": {
			client: http.Header{"Traceparent": {"00-" + id + "-" + parent}}, forward: true,
			want: []string{"X-B3-TraceId: ", "X-B3-SpanId: NEW"},
		},
		"a span of our own": {
			own: own,
			want: []string{
				"X-B3-TraceId: " + id, "X-B3-SpanId: 1111111111111111", "X-B3-Sampled: 1",
				"traceparent: 00-" + id + "-1111111111111111-01",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var fields []webhook.Field
			if test.forward {
				for key, values := range test.client {
					fields = append(fields, webhook.Field{Name: key, Value: values[0]})
				}
			}
			fields = append(fields, webhook.Field{Name: "Content-Type", Value: "application/json"})
			span := ""
			var got []string
			for _, f := range appendTrace(fields, test.client, test.own)[1:] {
				if f.Name == "X-B3-SpanId" {
					span = f.Value
				}
				got = append(got, f.Name+": "+f.Value)
			}
			if len(span) != 16 {
				t.Errorf("span %q", span)
			}
			fresh := regexp.MustCompile(`^X-B3-TraceId: [0-9a-f]{32}$`)
			for i := range got {
				if !test.own.IsValid() {
					got[i] = strings.ReplaceAll(got[i], span, "NEW")
				}
				if test.want[0] == "X-B3-TraceId: " && fresh.MatchString(got[i]) {
					got[i] = "X-B3-TraceId: "
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseTraceparent(t *testing.T) {
	t.Parallel()
	const trace, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	for text, want := range map[string]string{
		"00-" + trace + "-" + span + "-01":                    "1",
		"00-" + trace + "-" + span + "-00":                    "0",
		"00-" + trace + "-" + span + "-0b":                    "1",
		"00-" + trace + "-" + span + "-0a":                    "0",
		"cc-" + trace + "-" + span + "-01-more":               "1",
		"00-" + trace + "-" + span + "-01-more":               "",
		"ff-" + trace + "-" + span + "-01":                    "",
		"00-" + strings.ToUpper(trace) + "-" + span + "-01":   "",
		"00-" + strings.Repeat("0", 32) + "-" + span + "-01":  "",
		"00-" + trace + "-" + strings.Repeat("0", 16) + "-01": "",
		"":      "",
		"00-01": "",
	} {
		got := ""
		if parsed, ok := parseTraceparent(text); ok {
			got = parsed.sampled()
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
