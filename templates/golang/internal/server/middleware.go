package server

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/nself-org/nself/templates/golang/internal/action"
	"github.com/nself-org/nself/templates/golang/internal/logging"
)

const requestIDHeader = "X-Request-Id"

// validRequestID keeps what a stranger chose from forging log lines or growing them without bound.
func validRequestID(id string) bool {
	if id == "" || len(id) > 128 {
		return false
	}
	for _, c := range []byte(id) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return true
}

// exchange is a request and its answer, as the log tells them.
type exchange struct {
	recorder
	logging.Request
}

// withLog keeps the caller's request id, so that one id leads through all services, or makes one; and it writes one line for
// each request. It logs the path without the query, which may hold a token.
func (s *Server) withLog(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		id := r.Header.Get(requestIDHeader)
		if !validRequestID(id) {
			id = rand.Text()
		}
		w.Header().Set(requestIDHeader, id)
		x := &exchange{recorder{ResponseWriter: w}, logging.Request{ID: id}}
		next.ServeHTTP(&x.recorder, r.WithContext(logging.WithRequest(r.Context(), &x.Request)))

		level := slog.LevelInfo
		if r.URL.Path == "/healthz" || r.URL.Path == "/readyz" {
			level = slog.LevelDebug // probes would drown the rest
		}
		if x.Status() >= http.StatusInternalServerError {
			level = slog.LevelError
		}
		log := s.opts.Log.Handler()
		if !log.Enabled(r.Context(), level) {
			return
		}
		// A record of its own: the logger would look up the line of code that calls it.
		end := time.Now()
		line := slog.NewRecord(end, level, "request", 0)
		attrs := make([]slog.Attr, 0, 10) // not on the heap, as long as handlers note little
		attrs = append(attrs,
			slog.String("method", r.Method),
			slog.String("path", r.URL.Path),
			slog.Int("status", x.Status()),
			slog.Float64("duration_ms", float64(end.Sub(start).Microseconds())/1000),
		)
		attrs = append(attrs, x.Notes()...)
		line.AddAttrs(append(attrs, slog.String("request_id", id))...)
		_ = log.Handle(r.Context(), line) // nobody could log what went wrong
	})
}

// withRecover answers a panic with status 500 and logs where it came from.
func (s *Server) withRecover(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { //nolint:contextcheck // it is the request's
			v := recover()
			if v == nil {
				return
			}
			if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(v)
			}
			s.opts.Log.ErrorContext(r.Context(), "panic", slog.Any("panic", v), slog.String("stack", string(debug.Stack())))
			if rec, ok := w.(*recorder); ok && rec.status != 0 {
				panic(http.ErrAbortHandler) // half an answer is out; the caller must not take it for a whole one
			}
			s.write(w, r, http.StatusInternalServerError, internalError())
		}()
		next.ServeHTTP(w, r)
	})
}

// requireSecret lets in only who knows the admin secret. Both sides are hashed first: the comparison then takes the same
// time whatever the length of what was sent.
func (s *Server) requireSecret(next http.Handler) http.Handler {
	want := sha256.Sum256([]byte(s.opts.AdminSecret.Reveal()))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got := sha256.Sum256([]byte(r.Header.Get("X-Hasura-Admin-Secret")))
		if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			s.fail(w, r, action.Unauthorized("X-Hasura-Admin-Secret is missing or wrong"))
			return
		}
		r.Header.Del("X-Hasura-Admin-Secret") // handlers see the headers and have no use for this one
		next.ServeHTTP(w, r)
	})
}

// recorder remembers the status that was sent.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController and http.MaxBytesReader reach the server's own writer.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// Status is what was sent; 200 when the handler sent nothing, as net/http does.
func (r *recorder) Status() int {
	if r.status == 0 {
		return http.StatusOK
	}
	return r.status
}
