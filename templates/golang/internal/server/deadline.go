package server

import (
	"context"
	"sync/atomic"
	"time"
)

// deadline is a context that ends at a time, as that of [context.WithDeadline] does. It sets its timer when somebody first
// asks for its end: most calls of actions come to theirs before anybody has.
type deadline struct {
	context.Context //nolint:containedctx // the request's: this is a context itself

	at    time.Time
	timed atomic.Pointer[timed] // nil until somebody asks
}

type timed struct {
	ctx    context.Context //nolint:containedctx // what the deadline becomes
	cancel context.CancelFunc
}

// over is what a deadline becomes whose call has ended before anybody asked.
var over = func() *timed {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return &timed{ctx, cancel}
}()

func (d *deadline) ask() context.Context {
	if d.timed.Load() == nil {
		ctx, cancel := context.WithDeadline(d.Context, d.at)
		if !d.timed.CompareAndSwap(nil, &timed{ctx, cancel}) {
			cancel()
		}
	}
	return d.timed.Load().ctx
}

// end says that the call is over: its timer goes, and whoever still waits is told.
func (d *deadline) end() {
	if !d.timed.CompareAndSwap(nil, over) {
		d.timed.Load().cancel()
	}
}

// Deadline implements [context.Context]. The request itself has none.
func (d *deadline) Deadline() (time.Time, bool) { return d.at, true }

// Done implements [context.Context].
func (d *deadline) Done() <-chan struct{} { return d.ask().Done() }

// Err implements [context.Context].
func (d *deadline) Err() error { return d.ask().Err() }

// Value implements [context.Context]. A context that is derived from this one has asked before: it finds the timer's here,
// and need not be woken by a goroutine of its own.
func (d *deadline) Value(key any) any {
	if t := d.timed.Load(); t != nil && t != over {
		return t.ctx.Value(key)
	}
	return d.Context.Value(key)
}
