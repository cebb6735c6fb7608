package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/metadata"
	"github.com/nself-org/nself/internal/webhook"
)

// Engine answers requests from the metadata that was loaded last. It is safe for concurrent use.
type Engine struct {
	opt     Options
	log     *slog.Logger
	cors    cors
	client  *webhook.Client
	current atomic.Pointer[snapshot]
	work    sync.Pool
	gzip    compressors
	async   chan struct{} // closed by the first snapshot with an asynchronous action
	wanted  sync.Once
	api     atomic.Pointer[http.Handler]                // nil until MountAPI
	healthy atomic.Pointer[func(context.Context) error] // nil until CheckHealth

	sockets  sockets
	draining atomic.Bool
	inFlight atomic.Int64
	idle     chan struct{} // closed when draining and nothing is in flight
	idleOnce sync.Once
}

// New makes an Engine with empty metadata.
func New(o Options) (*Engine, error) {
	if o.Auth == nil || o.Log == nil {
		return nil, errors.New("gateway: Options.Auth and Options.Log are required")
	}
	o = o.withDefaults()
	origins, err := parseCORS(o)
	if err != nil {
		return nil, errdefs.As(errdefs.ErrInvalid, err)
	}
	e := &Engine{
		opt:  o,
		log:  o.Log,
		cors: origins,
		client: webhook.NewClient(webhook.Options{
			MaxResponseBytes: o.MaxResponseBytes,
			TLS:              o.TLS,
		}),
		idle:  make(chan struct{}),
		async: make(chan struct{}),
	}
	e.work.New = func() any { return new(work) }
	if _, err := e.Load(&metadata.Metadata{Version: 3}); err != nil {
		return nil, err
	}
	return e, nil
}

// Load replaces the metadata. Requests under way end with the metadata they began with. What cannot be served is left
// out and reported; everything else is served. The metadata must not be changed afterwards.
func (e *Engine) Load(md *metadata.Metadata) ([]metadata.Inconsistency, error) {
	staged, err := e.Stage(md, metadata.Facts{})
	if err != nil {
		return nil, err
	}
	e.Swap(staged)
	return staged.Inconsistencies(), nil
}

// enter counts a request in, unless the engine is draining.
func (e *Engine) enter() bool {
	e.inFlight.Add(1)
	if e.draining.Load() {
		e.leave()
		return false
	}
	return true
}

func (e *Engine) leave() {
	if e.inFlight.Add(-1) == 0 && e.draining.Load() {
		e.idleOnce.Do(func() { close(e.idle) })
	}
}

// abortWait is how long requests may take to end after their calls were cut off. They have nothing left to wait for.
const abortWait = time.Second

// Shutdown refuses new requests with status 503, closes WebSockets as they have no query or mutation under way, and waits
// for what is under way, until ctx ends; then it cuts off the calls of handlers and the WebSockets. It is the owner's task
// to shut the HTTP server down.
func (e *Engine) Shutdown(ctx context.Context) error {
	e.draining.Store(true)
	e.sockets.shutdown(socketClose{websocket.StatusServiceRestart, "the server is shutting down"})
	e.inFlight.Add(1)
	e.leave() // closes idle if nothing is under way
	select {
	case <-e.idle:
	case <-ctx.Done():
		e.client.Abort()
		timer := time.NewTimer(abortWait)
		defer timer.Stop()
		select {
		case <-e.idle:
		case <-timer.C:
		}
	}
	if err := e.sockets.wait(ctx); err != nil {
		return err
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	e.client.Close()
	return nil
}
