package gateway

import (
	"bytes"
	"context"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/nself-org/nself/internal/action"
)

const (
	// subscriptionRetry is the pause before the action log is asked again, when it did not answer a subscription.
	subscriptionRetry = time.Second
	// maxSubscriptionRetries is how often in a row that is done.
	maxSubscriptionRetries = 30
)

// socketOperation is one operation that a client has started.
type socketOperation struct {
	id     string          // as the client sent it: a JSON string
	ctx    context.Context //nolint:containedctx // it is the life of the operation
	cancel context.CancelFunc
}

// subscription is what a client waits for.
type subscription struct {
	field  *plannedField
	action string // the id of the entry
	client *socketClient
}

// startOperation runs what a client asks for.
func (s *socket) startOperation(m clientMessage) {
	if m.id == "" {
		s.unreadable(`Error in $: key "id" not found`)
		return
	}
	if m.payload == "" {
		s.unreadable(`Error in $: key "payload" not found`)
		return
	}
	req, err := readRequest(m.payload)
	if err != nil {
		s.unreadable("Error in $.payload" + err.Path + ": " + err.Message)
		return
	}
	client := s.who()
	if client == nil {
		s.refuseStart(m.id, "start received before the connection is initialised",
			socketClose{closeUnauthorized, "4401: Unauthorized"})
		return
	}
	if !s.enter() {
		return // the close that is under way is the answer
	}
	op, refused, why := s.register(m.id)
	if op == nil {
		s.leave()
		s.refuseStart(m.id, refused, why)
		return
	}
	s.running.Go(func() { s.operate(op, client, &req) })
}

// register notes an operation, unless there is one of its id already. refused and why say the same in two ways.
func (s *socket) register(id string) (op *socketOperation, refused string, why socketClose) {
	key := strings.Clone(action.Unquote(id))
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ops[key] != nil:
		return nil, "an operation already exists with this id: " + key,
			socketClose{closeDuplicate, "4409: Subscriber for " + key + " already exists"}
	case len(s.ops) >= maxSocketOperations:
		refused = "there are " + strconv.Itoa(maxSocketOperations) + " operations under way on this connection"
		return nil, refused, socketClose{closeBadRequest, "4400: " + refused}
	}
	op = &socketOperation{id: strings.Clone(id)}
	op.ctx, op.cancel = context.WithCancel(s.ctx)
	s.ops[key] = op
	return op, "", why
}

// refuseStart answers an operation that cannot begin.
func (s *socket) refuseStart(id, message string, why socketClose) {
	err := &action.Error{Code: action.CodeStartFailed, Message: message}
	out := s.open(nil, "error", id)
	out = append(err.AppendObject(out, false), '}')
	s.send(out)
	if !s.legacy() {
		s.close(why)
	}
}

// stopOperation ends an operation at the client's wish. It gets no further messages.
func (s *socket) stopOperation(id string) {
	s.mu.Lock()
	op := s.ops[id]
	delete(s.ops, id)
	s.mu.Unlock()
	if op != nil {
		op.cancel()
	}
}

// forget frees the operation's id for another one. It tells whether the operation was still wanted.
func (s *socket) forget(op *socketOperation) bool {
	op.cancel()
	key := action.Unquote(op.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ops[key] != op {
		return false
	}
	delete(s.ops, key)
	return true
}

// open begins a message about an operation, up to the payload.
func (s *socket) open(dst []byte, kind, id string) []byte {
	dst = append(dst, `{"type":"`...)
	dst = append(dst, kind...)
	dst = append(dst, `","id":`...)
	dst = append(dst, id...)
	return append(dst, `,"payload":`...)
}

// complete ends an operation whose last value was sent.
func (s *socket) complete(op *socketOperation) {
	if s.forget(op) {
		s.send(append(append([]byte(`{"type":"complete","id":`), op.id...), '}'))
	}
}

// invalidOperation reports an operation that was not executed.
func (s *socket) invalidOperation(op *socketOperation, err *action.Error) {
	if op.ctx.Err() != nil {
		return
	}
	out := s.open(nil, "error", op.id)
	if s.legacy() {
		out = err.AppendGraphQL(out, false)
	} else {
		out = append(err.AppendObject(append(out, '['), false), ']')
	}
	s.send(append(out, '}'))
}

// failedOperation reports an operation that failed while it was executed.
func (s *socket) failedOperation(op *socketOperation, err *action.Error) {
	if !s.legacy() {
		s.invalidOperation(op, err)
		return
	}
	if op.ctx.Err() != nil {
		return
	}
	out := s.open(nil, s.protocol.result, op.id)
	out = append(err.AppendObject(append(out, `{"data":null,"errors":[`...), false), "]}}"...)
	s.send(out)
}

// operate runs one operation to its end.
func (s *socket) operate(op *socketOperation, client *socketClient, req *graphqlRequest) {
	defer s.recovered()
	if sub := s.execute(op, client, req); sub != nil {
		s.follow(op, sub)
		s.complete(op)
	}
}

// execute answers an operation, which counts as under way until its last message is sent, or returns what is to be waited for.
func (s *socket) execute(op *socketOperation, client *socketClient, req *graphqlRequest) *subscription {
	defer s.leave()
	sub := s.answer(op, client, req)
	if sub == nil {
		s.complete(op)
	}
	return sub
}

// answer executes an operation and sends its result, or returns what is to be waited for.
func (s *socket) answer(op *socketOperation, client *socketClient, req *graphqlRequest) *subscription {
	e := s.engine
	began := e.opt.now()
	wk := e.work.Get().(*work) //nolint:forcetypeassert // the pool holds nothing else
	defer func() {
		wk.reset()
		e.work.Put(wk)
	}()
	x := s.exchange(op, client, wk)
	x.schema = e.current.Load().role(client.session.Role)
	o, p, err := x.prepare(req)
	if err == nil && o.root == subscriptionRoot && p.fields[0].does == readResult {
		id, _ := resultID(x.inputs) // prepare has checked it
		s.logOperation(client, nil, e.opt.now().Sub(began), "subscribed")
		return &subscription{field: &p.fields[0], action: id, client: client}
	}
	if err == nil {
		err = x.enqueue(p)
	}
	if err != nil {
		s.invalidOperation(op, err)
		s.logOperation(client, err, e.opt.now().Sub(began), "executed")
		return nil
	}
	x.out = s.open(x.out, s.protocol.result, op.id)
	if err = x.execute(o, p); err != nil {
		s.failedOperation(op, err)
	} else if op.ctx.Err() == nil {
		x.out = append(x.out, '}')
		s.send(x.out)
	}
	s.logOperation(client, err, e.opt.now().Sub(began), "executed")
	return nil
}

func (s *socket) exchange(op *socketOperation, client *socketClient, wk *work) exchange {
	return exchange{
		engine: s.engine, ctx: op.ctx, calling: context.WithoutCancel(op.ctx), header: client.header, host: client.header.Get("Host"), session: client.session,
		requestID: s.requestID, onSocket: true, noCookies: true, work: wk,
	}
}

// follow sends the entry as it is now and whenever that has changed, until it is final or the client is gone.
func (s *socket) follow(op *socketOperation, sub *subscription) {
	changed, stop := s.engine.opt.ActionLog.Watch(sub.action)
	defer stop()
	var sent []byte
	for failures := 0; op.ctx.Err() == nil; {
		message, final, err := s.value(op, sub)
		switch {
		case err != nil && sent != nil && !final && failures < maxSubscriptionRetries:
			failures++
			pause := time.NewTimer(subscriptionRetry)
			select {
			case <-pause.C:
			case <-op.ctx.Done():
				pause.Stop()
			}
			continue
		case err != nil:
			s.failedOperation(op, err)
			return
		case !bytes.Equal(message, sent) && op.ctx.Err() == nil:
			s.send(message)
		}
		if final {
			return
		}
		sent, failures = message, 0
		select {
		case <-changed:
		case <-op.ctx.Done():
		}
	}
}

// value makes the message with the present value of a subscription.
func (s *socket) value(op *socketOperation, sub *subscription) (message []byte, final bool, err *action.Error) {
	x := s.exchange(op, sub.client, nil)
	out := s.open(make([]byte, 0, 256), s.protocol.result, op.id)
	out = append(append(out, `{"data":{`...), sub.field.key...)
	out, final, err = x.appendEntry(out, sub.field, sub.action)
	return append(out, "}}}"...), final, err
}

// logOperation writes one line about an operation: how it went, nothing of the content.
func (s *socket) logOperation(client *socketClient, failed *action.Error, took time.Duration, event string) {
	s.engine.opt.Observer.Request(WebSocketEndpoint, 0, failed != nil, took)
	if s.engine.opt.Logs.NoWebSocket || !s.engine.log.Enabled(s.ctx, slog.LevelInfo) {
		return
	}
	attrs := []slog.Attr{
		slog.String("event", event), slog.String("request_id", s.requestID),
		slog.String("role", client.session.Role), slog.Duration("duration", took),
	}
	if failed != nil {
		attrs = append(attrs, slog.String("error_code", failed.Code), slog.String("error", failed.Message))
	}
	s.engine.log.LogAttrs(s.ctx, slog.LevelInfo, "websocket-log", attrs...)
}
