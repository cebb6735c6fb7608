package native

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/nself-org/nself/internal/stack"
)

// maxRequestBytes bounds a request on the control socket; an environment is its largest part.
const maxRequestBytes = 8 << 20

func (s *supervisor) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/ping", func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		closing := s.closing
		s.mu.Unlock()
		s.reply(w, pong{Protocol: protocol, Dir: s.lay.dir, PID: os.Getpid(), Closing: closing})
	})
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, r *http.Request) { s.reply(w, s.status(r.Context())) })
	mux.HandleFunc("GET /v1/changed", s.serveChanged)
	mux.HandleFunc("POST /v1/up", s.serveUp)
	mux.HandleFunc("POST /v1/down", s.serveDown)
	mux.HandleFunc("POST /v1/cancel", s.serveCancel)
	mux.HandleFunc("POST /v1/ready", s.serveReady)
	return mux
}

func (s *supervisor) reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		s.Log.Debug("answer a request", slog.String("error", err.Error()))
	}
}

// stream writes an answer's lines as they come. It is safe for concurrent use.
type stream struct {
	mu  sync.Mutex
	w   http.ResponseWriter
	enc *json.Encoder
}

func newStream(w http.ResponseWriter) *stream {
	w.Header().Set("Content-Type", "application/x-ndjson")
	return &stream{w: w, enc: json.NewEncoder(w)}
}

func (st *stream) send(m message) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.enc.Encode(m) == nil { // a caller who went away is noticed by the request's context
		_ = http.NewResponseController(st.w).Flush()
	}
}

func (st *stream) event(e stack.Event) {
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	st.send(message{Event: &e})
}

func (st *stream) done(err error) { st.send(message{Done: true, Error: encodeError(err)}) }

// admit registers a request, so that others can cancel it. It refuses when the supervisor is ending.
func (s *supervisor) admit(w http.ResponseWriter, id string, cancel context.CancelCauseFunc) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		http.Error(w, "the supervisor is ending", http.StatusServiceUnavailable)
		return false
	}
	s.current[id] = cancel
	return true
}

// release forgets a request and ends the supervisor when nothing is left for it to do.
func (s *supervisor) release(id string) {
	s.mu.Lock()
	delete(s.current, id)
	s.mu.Unlock()
	select {
	case s.touched <- struct{}{}:
	default:
	}
	s.endIfIdle()
}

func decode[T any](w http.ResponseWriter, r *http.Request) (v T, ok bool) {
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequestBytes)).Decode(&v); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return v, false
	}
	return v, true
}

func (s *supervisor) serveUp(w http.ResponseWriter, r *http.Request) {
	req, ok := decode[upRequest](w, r)
	if !ok {
		return
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	if !s.admit(w, req.ID, cancel) {
		return
	}
	defer s.release(req.ID)
	st := newStream(w)
	err := s.upOrRestart(ctx, req, st.event)
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	st.done(err)
}

func (s *supervisor) upOrRestart(ctx context.Context, req upRequest, report func(stack.Event)) error {
	waiting := time.AfterFunc(waitingInterval, func() {
		report(stack.Event{Kind: stack.EventNote, Detail: "waiting for another nself command of this project"})
	})
	end, err := s.begin(ctx)
	waiting.Stop()
	if err != nil {
		return err
	}
	defer end()
	s.mu.Lock()
	s.environ = req.Environ
	s.mu.Unlock()
	if req.Restart {
		return s.restart(ctx, req, report)
	}
	return s.ascend(ctx, req, report)
}

func (s *supervisor) serveDown(w http.ResponseWriter, r *http.Request) {
	req, ok := decode[downRequest](w, r)
	if !ok {
		return
	}
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		http.Error(w, "the supervisor is ending", http.StatusServiceUnavailable)
		return
	}
	s.mu.Unlock()
	s.cancelAll()
	// What has begun to stop is stopped to the end, even if the caller goes away.
	ctx := context.WithoutCancel(r.Context())
	end, err := s.begin(ctx)
	if err != nil {
		return
	}
	defer end()
	st := newStream(w)
	s.stopAll(ctx, st.event)
	if req.Volumes {
		err = errors.Join(err, removeData(s.lay))
	}
	s.mu.Lock()
	s.close()
	s.mu.Unlock()
	st.done(err)
}

func (s *supervisor) serveCancel(w http.ResponseWriter, r *http.Request) {
	req, ok := decode[cancelRequest](w, r)
	if !ok {
		return
	}
	s.mu.Lock()
	cancel := s.current[req.ID]
	s.mu.Unlock()
	if cancel != nil {
		cancel(context.Canceled)
	}
	s.reply(w, struct{}{})
}

func (s *supervisor) serveChanged(w http.ResponseWriter, _ *http.Request) {
	names, err := s.changed()
	s.reply(w, changedAnswer{Services: names, Error: encodeError(err)})
}

// serveReady holds processes in waiting as long as the caller is there.
func (s *supervisor) serveReady(w http.ResponseWriter, r *http.Request) {
	_ = http.NewResponseController(w).Flush() // a caller who is gone is noticed by the request's context
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	go func() {
		select {
		case <-s.quit:
			cancel()
		case <-ctx.Done():
		}
	}()
	s.ready.hold(ctx)
}
