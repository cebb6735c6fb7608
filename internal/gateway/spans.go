package gateway

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/nself-org/nself/internal/action"
	"github.com/nself-org/nself/internal/webhook"
)

// span is a part of a trace. The zero value is none, and costs nothing.
type span struct{ trace.Span }

// startRequest begins the span of a GraphQL request, below the client's.
func (x *exchange) startRequest() span {
	tracer := x.engine.opt.Tracer
	if tracer == nil {
		return span{}
	}
	ctx, started := tracer.Start(withRemote(x.ctx, x.header), "graphql", trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(attribute.String("request_id", x.requestID)))
	x.ctx = ctx
	return span{started}
}

// startCall begins the span of a handler's call.
func (x *exchange) startCall(a *boundAction) span {
	tracer := x.engine.opt.Tracer
	if tracer == nil {
		return span{}
	}
	ctx := x.ctx
	if !trace.SpanContextFromContext(ctx).IsValid() {
		ctx = withRemote(ctx, x.header) // on a WebSocket, or asynchronous
	}
	_, started := tracer.Start(ctx, "action "+a.Name, trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attribute.String("action", a.Name), attribute.String("request_id", x.requestID)))
	return span{started}
}

// context identifies the span to those further down.
func (s span) context() trace.SpanContext {
	if s.Span == nil {
		return trace.SpanContext{}
	}
	return s.SpanContext()
}

// end ends the span of a request.
func (s span) end(failed *action.Error) {
	if s.Span == nil {
		return
	}
	if failed != nil {
		s.SetAttributes(attribute.String("error.type", failed.Code))
		s.SetStatus(codes.Error, "")
	}
	s.End()
}

// endCall ends the span of a handler's call.
func (s span) endCall(resp *webhook.Response, err error) {
	if s.Span == nil {
		return
	}
	if err != nil {
		s.SetStatus(codes.Error, "no answer")
	} else {
		s.SetAttributes(attribute.Int("http.response.status_code", resp.Status))
		if resp.Status >= http.StatusBadRequest {
			s.SetStatus(codes.Error, "")
		}
	}
	s.End()
}

// withRemote adds the client's span, of W3C or B3 headers, to ctx.
func withRemote(ctx context.Context, client http.Header) context.Context {
	t, ok := parseTraceparent(first(client, headerTraceparent))
	if !ok {
		t = traceparent{trace: first(client, headerB3Trace), span: first(client, headerB3Span), flags: "01"}
		if first(client, headerB3Sampled) == "0" {
			t.flags = "00"
		}
		if len(t.trace) == 16 {
			t.trace = "0000000000000000" + t.trace
		}
	}
	var config trace.SpanContextConfig
	var err error
	if config.TraceID, err = trace.TraceIDFromHex(t.trace); err != nil {
		return ctx
	}
	if config.SpanID, err = trace.SpanIDFromHex(t.span); err != nil {
		return ctx
	}
	if t.sampled() == "1" {
		config.TraceFlags = trace.FlagsSampled
	}
	if state, err := trace.ParseTraceState(first(client, headerTracestate)); err == nil && ok {
		config.TraceState = state
	}
	config.Remote = true
	return trace.ContextWithRemoteSpanContext(ctx, trace.NewSpanContext(config))
}
