package gateway

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"

	"github.com/nself-org/nself/internal/action"
	"github.com/nself-org/nself/internal/actionlog"
	"github.com/nself-org/nself/internal/auth"
)

// Async returns a channel that is closed when metadata with an asynchronous action is served for the first time: until
// then no worker is needed.
func (e *Engine) Async() <-chan struct{} { return e.async }

// RunAsync calls the handler of an entry of the action log and returns how that ended; a worker is to call it. The call
// is the one of a synchronous action with what the entry holds, and the entry's id in the header [actionlog.IDHeader].
// When ctx ends the call is cut off and RunAsync returns a failure. After [Engine.Shutdown] a call that gets no answer is
// no failure of the action: RunAsync waits for the end of ctx then.
func (e *Engine) RunAsync(ctx context.Context, c actionlog.Claim) (outcome actionlog.Outcome) {
	defer func() {
		if cause := recover(); cause != nil {
			e.log.ErrorContext(ctx, "asynchronous action panicked", slog.String("action", c.Action),
				slog.String("action_id", c.ID), slog.String("cause", fmt.Sprint(cause)),
				slog.String("stack", string(debug.Stack())))
			outcome = failed(&action.Error{Code: action.CodeUnexpected, Message: "internal error"})
		}
	}()
	return e.runEntry(ctx, &c)
}

// runEntry calls the handler and judges the answer as that of a synchronous action; the whole answer is kept.
func (e *Engine) runEntry(ctx context.Context, c *actionlog.Claim) actionlog.Outcome {
	actions := e.current.Load().actions
	i := slices.IndexFunc(actions, func(a *boundAction) bool { return a.Name == c.Action && !a.Query })
	if i < 0 {
		return failed(&action.Error{
			Code: action.CodeNotFound, Message: `action "` + c.Action + `" does not exist or is inconsistent`,
		})
	}
	a := actions[i]
	wk := e.work.Get().(*work) //nolint:forcetypeassert // the pool holds nothing else
	defer func() {
		wk.reset()
		e.work.Put(wk)
	}()
	x := exchange{
		engine: e, ctx: ctx, calling: ctx, header: c.Header, host: c.Host, requestID: cmp.Or(c.Header.Get("X-Request-Id"), c.ID),
		actionID: c.ID,
		session:  auth.Session{Vars: c.Session}, noCookies: true, work: wk,
	}
	d := &callDetails{action: a, call: &action.Call{Action: a.Name, Input: c.Input, RequestQuery: []byte("null")}}
	err := x.ask(d)
	defer d.response.Release()
	if err == nil {
		f := plannedField{action: a}
		if base := a.Output.Base(); base.Kind == action.Object {
			f.selection = &action.Selection{Object: base} // validation needs the type and selects nothing
		}
		_, err = x.interpret(&f, d.response.Status, d.body, d)
	}
	if e.opt.Recorder != nil {
		x.record(d, err)
	}
	if err != nil {
		if d.unanswered && e.draining.Load() {
			<-ctx.Done() // the handler's service is being stopped too; the entry is for the next start
		}
		return failed(err)
	}
	return actionlog.Complete(slices.Clone(d.body))
}

// failed is the outcome of an error. Details of a call are not kept, faults of a transform are: those are a list.
func failed(err *action.Error) actionlog.Outcome {
	transform := len(err.Internal) > 0 && err.Internal[0] == '['
	return actionlog.Fail(err.AppendFlat(nil, transform))
}
