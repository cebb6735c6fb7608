package server

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/nself-org/nself/templates/golang/internal/action"
	"github.com/nself-org/nself/templates/golang/internal/logging"
)

// serveAction answers POST /actions/<path>.
func (s *Server) serveAction(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/actions/")
	a, ok := s.actions[path]
	if !ok {
		s.fail(w, r, &action.Error{
			Status: http.StatusNotFound, Code: action.CodeNotFound,
			Message: fmt.Sprintf("Action %q is not served here", path),
		})
		return
	}
	logging.Note(r.Context(), slog.String("action", a.Name))
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		s.fail(w, r, &action.Error{
			Status: http.StatusMethodNotAllowed, Code: action.CodeMethod,
			Message: "Actions are called with POST, not " + r.Method,
		})
		return
	}

	limit := s.opts.MaxBodyBytes
	if a.MaxBodyBytes > 0 {
		limit = a.MaxBodyBytes
	}
	r.Body = http.MaxBytesReader(w, r.Body, limit)
	call, err := a.ReadCall(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	logging.Note(r.Context(), slog.String("role", call.Session.Role), slog.String("user_id", call.Session.UserID))
	if err := s.limit(r.Context(), w, a, call.Session); err != nil {
		s.fail(w, r, err)
		return
	}

	ctx := &deadline{Context: r.Context(), at: time.Now().Add(cmp.Or(a.Timeout, s.opts.ActionTimeout))}
	defer ctx.end()
	out, err := a.Invoke(ctx, call) //nolint:contextcheck // it is the request's
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.write(w, r, http.StatusOK, out)
}

// limit answers with status 429 rather than with a failed business rule: an answer with status 200 must have the shape of
// the action's output type, which is the user's own, while the engine passes the message of any 4xx on to its client.
func (s *Server) limit(ctx context.Context, w http.ResponseWriter, a action.Action, session action.Session) error {
	if s.opts.Limiter == nil {
		return nil
	}
	ok, wait := s.opts.Limiter.Allow(ctx, a, session)
	if ok {
		return nil
	}
	seconds := max(1, int(math.Ceil(wait.Seconds())))
	w.Header().Set("Retry-After", strconv.Itoa(seconds))
	return &action.Error{
		Status:     http.StatusTooManyRequests,
		Code:       action.CodeRateLimited,
		Message:    fmt.Sprintf("Too many requests. Please try again in %s.", time.Duration(seconds)*time.Second),
		Extensions: map[string]any{"code": action.CodeRateLimited, "retry_after": seconds},
	}
}

// fail answers with err when it is an [*action.Error]. Any other error is ours alone: it is logged, and the caller learns
// the request id at most.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	public, ok := errors.AsType[*action.Error](err)
	switch {
	case !ok:
		s.opts.Log.ErrorContext(r.Context(), "action failed", slog.Any("error", err))
		public = internalError()
	// As text: as JSON an [*action.Error] is what the caller sees, without the cause.
	case public.Err != nil && public.HTTPStatus() >= http.StatusInternalServerError:
		s.opts.Log.ErrorContext(r.Context(), "action failed", slog.String("error", err.Error()))
	case public.Err != nil:
		s.opts.Log.WarnContext(r.Context(), "action refused", slog.String("error", err.Error()))
	}
	logging.Note(r.Context(), slog.String("error_code", public.Code))
	s.write(w, r, public.HTTPStatus(), public)
}

func internalError() *action.Error {
	return &action.Error{
		Status: http.StatusInternalServerError, Code: action.CodeInternal, Message: "Internal server error",
	}
}

// write encodes body before it sends anything, so that a value that cannot be encoded still gets a proper answer.
func (s *Server) write(w http.ResponseWriter, r *http.Request, status int, body any) {
	data, err := json.Marshal(body)
	if err != nil {
		s.fail(w, r, fmt.Errorf("encode the answer: %w", err))
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	// The caller has gone when this fails, and the log line of the request is written either way.
	_, _ = w.Write(data)
	_, _ = w.Write([]byte{'\n'})
}

func notFound(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(http.StatusNotFound)
	_, _ = w.Write([]byte(`{"success":false,"message":"Not found","error_code":"NOT_FOUND","code":"NOT_FOUND"}` + "\n"))
}
