package gateway

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/nself-org/nself/internal/action"
	"github.com/nself-org/nself/internal/actionlog"
	"github.com/nself-org/nself/internal/auth"
	"github.com/nself-org/nself/internal/webhook"
)

// work is memory that one request after another uses.
type work struct {
	body    []byte
	scope   action.Scope
	inputs  []byte // the coerced arguments of all root fields, one after another
	ends    []int  // where each of them ends
	session []byte
	payload []byte
	headers []webhook.Field
	ids     []string // of new entries of the action log, by root field; empty where there are none
	out     []byte
}

// maxKeptBuffer bounds what an unusual request leaves behind in the pool.
const maxKeptBuffer = 256 << 10

// reset makes w ready for another request; views of old buffers must not keep memory alive.
func (w *work) reset() {
	clear(w.scope)
	clear(w.headers)
	for _, buf := range []*[]byte{&w.body, &w.inputs, &w.session, &w.payload, &w.out} {
		if cap(*buf) > maxKeptBuffer {
			*buf = nil
		}
		*buf = (*buf)[:0]
	}
	w.scope, w.ends, w.headers, w.ids = w.scope[:0], w.ends[:0], w.headers[:0], w.ids[:0]
}

// exchange is one HTTP request on a GraphQL endpoint, one operation on a WebSocket, or one call of an asynchronous
// action.
type exchange struct {
	engine *Engine
	ctx    context.Context //nolint:containedctx // an exchange lives as long as the request that it stands for
	// calling ends calls of handlers before their timeout. A client that goes away does not, as in Hasura: the handler may
	// be in the middle of it. A worker does that has to give an asynchronous action up.
	calling   context.Context //nolint:containedctx // as ctx
	header    http.Header     // of the client
	host      string          // of the client
	session   auth.Session
	schema    *roleSchema
	requestID string
	actionID  string   // the entry of the action log that is being run, if any
	onSocket  bool     // internal details are for nobody there
	noCookies bool     // the client cannot be given any
	cookies   []string // Set-Cookie values for the client
	*work
}

// internals tells whether the caller may see internal details.
func (x *exchange) internals() bool {
	if x.onSocket {
		return false
	}
	return x.engine.opt.DevMode || x.session.Admin && !x.engine.opt.HideAdminInternals
}

// answer executes one GraphQL request and appends the body of its answer to x.out. On an error x.out is as before.
func (x *exchange) answer(req *graphqlRequest) *action.Error {
	op, p, err := x.prepare(req)
	if err != nil {
		return err
	}
	if op.root == subscriptionRoot {
		return &action.Error{
			Code:    action.CodeUnexpectedPayload,
			Message: "subscriptions are not supported over HTTP, use websockets instead",
		}
	}
	if err := x.enqueue(p); err != nil {
		return err
	}
	return x.execute(op, p)
}

// prepare checks one GraphQL request and its arguments. Nothing has happened when it returns.
func (x *exchange) prepare(req *graphqlRequest) (*operation, *plan, *action.Error) {
	if x.engine.opt.Logs.Query {
		x.logQuery(req)
	}
	op, err := x.schema.operation(req)
	if err != nil {
		return nil, nil, err
	}
	clear(x.scope)
	x.scope, err = op.bind(x.scope[:0], req.variables)
	if err != nil {
		return nil, nil, err
	}
	if x.engine.opt.OmitUnboundVariables {
		for i := range x.scope {
			x.scope[i].Omit = true
		}
	}
	p, fresh, err := op.plan(x.schema, x.scope)
	if err != nil {
		return nil, nil, err
	}
	if fresh && len(p.warnings) > 0 {
		x.engine.log.WarnContext(x.ctx, "aliases hide nested objects of the handler's answer",
			slog.String("request_id", x.requestID), slog.Any("aliases", p.warnings))
	}
	return op, p, x.coerce(p)
}

// execute appends the result of a checked operation to x.out: an object with data. On an error x.out is as before.
func (x *exchange) execute(op *operation, p *plan) *action.Error {
	start := len(x.out)
	x.out = append(x.out, `{"data":{`...)
	from := 0
	for i := range p.fields {
		f := &p.fields[i]
		if i > 0 {
			x.out = append(x.out, ',')
		}
		x.out = append(x.out, f.key...)
		to := x.ends[i]
		err := x.field(op, f, i, x.inputs[from:to])
		if err == nil && len(x.out) > x.maxAnswer() {
			err = answerTooLarge()
		}
		if err != nil {
			x.out = x.out[:start]
			return err
		}
		from = to
	}
	x.out = append(x.out, "}}"...)
	return nil
}

// coerce checks the arguments of every field before the first handler is called.
func (x *exchange) coerce(p *plan) *action.Error {
	x.inputs, x.ends = x.inputs[:0], x.ends[:0]
	for i := range p.fields {
		f := &p.fields[i]
		start := len(x.inputs)
		if f.arguments != nil {
			var err *action.Error
			x.inputs, err = action.CoerceFields(x.inputs, f.args, argument(f.arguments), x.scope)
			if err != nil {
				return err.Under("args").Under(f.action.Name).Under("selectionSet")
			}
		} else {
			x.inputs = append(x.inputs, f.input...)
		}
		if f.does == readResult {
			if _, err := resultID(x.inputs[start:]); err != nil {
				return err.Under("args").Under(f.action.Name).Under("selectionSet")
			}
		}
		x.ends = append(x.ends, len(x.inputs))
	}
	return nil
}

// field appends the value of the root field at index i.
func (x *exchange) field(op *operation, f *plannedField, i int, input []byte) *action.Error {
	switch {
	case f.does == createEntry:
		x.out = action.AppendString(x.out, x.ids[i])
	case f.does == readResult:
		return x.result(f, input)
	case f.action != nil:
		return x.call(op, f, input)
	case f.meta != nil:
		var err *action.Error
		x.out, err = f.meta.append(x.out, x.schema.introspection(), x.scope, x.maxAnswer())
		return err
	default:
		x.out = append(x.out, f.constant...)
	}
	return nil
}

// call asks the handler of an action and appends what was selected of its answer.
func (x *exchange) call(op *operation, f *plannedField, input []byte) *action.Error {
	details := &callDetails{action: f.action, call: &action.Call{
		Action: f.action.Name, Input: input, RequestQuery: op.requestQuery,
	}}
	err := x.ask(details)
	defer details.response.Release()
	if err == nil {
		x.out, err = x.interpret(f, details.response.Status, details.body, details)
	}
	if x.engine.opt.Recorder != nil {
		x.record(details, err)
	}
	if err != nil {
		return err
	}
	if !f.action.Query && !x.noCookies {
		x.cookies = append(x.cookies, details.response.SetCookies()...)
	}
	return nil
}

// ask calls the handler of d.action. The answer, transformed, is in d; the response is to be released in any case.
func (x *exchange) ask(d *callDetails) *action.Error {
	a := d.action
	if len(x.work.session) == 0 {
		x.work.session = action.AppendVariables(x.work.session, x.session.Vars)
	}
	d.call.Session = x.work.session
	x.payload = d.call.AppendPayload(x.payload[:0])
	var err *action.Error
	clear(x.headers)
	if x.headers, err = a.headers.Append(x.headers[:0], x.header, x.host); err != nil {
		return err
	}
	span := x.startCall(a)
	x.headers = appendTrace(x.headers, x.header, span.context())
	if x.actionID != "" {
		x.headers = append(x.headers, webhook.Field{Name: actionlog.IDHeader, Value: x.actionID})
	}

	req := &webhook.Request{Target: a.target, Header: x.headers, Body: x.payload, Timeout: a.timeout}
	if a.transform.request != nil {
		if err := x.transformRequest(a, req, d); err != nil {
			span.end(err)
			return err
		}
	}
	began := x.engine.opt.now()
	resp, callErr := x.engine.client.Do(x.calling, req)
	took := x.engine.opt.now().Sub(began)
	d.took = took
	a.observer.Call(answerStatus(resp, callErr), took)
	span.endCall(resp, callErr)
	x.logCall(a, resp, callErr, took)
	if callErr != nil {
		d.unanswered = true
		return d.exception(callErr, req)
	}
	d.response, d.body = resp, resp.Body
	if a.transform.response != nil {
		d.body, err = x.transformResponse(a, resp, d)
	}
	return err
}

// interpret reads an answer by its status and appends the result. Whether it is JSON comes first, as in Hasura.
func (x *exchange) interpret(f *plannedField, status int, body []byte, d *callDetails) ([]byte, *action.Error) {
	d.body = body
	if !action.ValidJSON(body) {
		return x.out, d.notJSON()
	}
	text := action.Trim(action.Text(body))
	switch {
	case status >= 200 && status < 300:
		start := len(x.out)
		out, err := action.Result(x.out, f.action.Output, f.selection, text)
		if err != nil {
			return out[:start], d.with(err, `"unexpected response"`)
		}
		return out, nil
	case status >= 400 && status < 500:
		err, described := action.HandlerError(status, text)
		if !described {
			return x.out, d.with(err, `"unexpected response"`)
		}
		return x.out, err
	}
	return x.out, d.badStatus(status)
}

// answerStatus is the status of an answer; 0 if there is none.
func answerStatus(resp *webhook.Response, callErr error) int {
	if callErr != nil {
		return 0
	}
	return resp.Status
}

// logCall writes one line about a call: what was called and how it ended, nothing of what was said.
func (x *exchange) logCall(a *boundAction, resp *webhook.Response, callErr error, took time.Duration) {
	level, status := slog.LevelInfo, 0
	if callErr != nil {
		level = slog.LevelWarn
	} else {
		status = resp.Status
	}
	ctx := x.ctx
	if x.engine.opt.Logs.NoWebhook || !x.engine.log.Enabled(ctx, level) {
		return
	}
	attrs := [5]slog.Attr{
		slog.String("action", a.Name), slog.Int("status", status), slog.Duration("duration", took),
		slog.String("request_id", x.requestID),
	}
	if callErr != nil {
		attrs[4] = slog.String("error", callErr.Error())
		x.engine.line(ctx, level, "webhook-log", attrs[:])
		return
	}
	x.engine.line(ctx, level, "webhook-log", attrs[:4])
}
