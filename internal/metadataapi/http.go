package metadataapi

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/nself-org/nself/internal/action"
	"github.com/nself-org/nself/internal/auth"
)

// maxBodyBytes bounds a request. Real documents have a few megabytes; only administrators get as far as sending one.
const maxBodyBytes = 64 << 20

// ServeHTTP answers POST on /v1/metadata, /v1/query and /v2/query.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	name, answer, refused := a.serve(w, r)
	status := http.StatusOK
	if refused != nil {
		status = refused.HTTPStatus()
		answer = refused.AppendFlat(nil, !a.opt.HideInternals)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
	w.WriteHeader(status)
	//nolint:gosec // JSON, and declared as such: no browser takes it for a page
	_, _ = w.Write(answer) // the client is gone when this fails; there is nobody to tell
	attrs := []slog.Attr{
		slog.String("request_id", r.Header.Get("X-Request-Id")), slog.String("path", r.URL.Path),
		slog.String("command", name),
		slog.Int("status", status), slog.Duration("duration", time.Since(began)),
	}
	if refused != nil {
		attrs = append(attrs, slog.String("error_code", refused.Code), slog.String("error", refused.Message))
	}
	a.log.LogAttrs(r.Context(), slog.LevelInfo, "metadata request", attrs...)
}

// serve authenticates before it reads: nobody but an administrator may make the gateway parse a document.
func (a *API) serve(w http.ResponseWriter, r *http.Request) (name string, answer []byte, refused *action.Error) {
	ep, ok := endpointOf(r.URL.Path)
	if !ok || r.Method != http.MethodPost {
		return "", nil, &action.Error{
			Status: http.StatusNotFound, Code: action.CodeNotFound, Message: "resource does not exist",
		}
	}
	session, denied := a.opt.Auth.Authenticate(r.Context(),
		auth.Request{Headers: auth.HTTPHeaders(r.Header), Host: r.Host})
	switch {
	case denied != nil:
		return "", nil, &action.Error{
			Status: denied.Status, Message: denied.Message, Code: denied.Code, Path: strings.TrimPrefix(denied.Path, "$"),
		}
	case !session.Admin:
		return "", nil, refuse(action.CodeAccessDenied, "restricted access : admin only").Under("args")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBodyBytes))
	if err != nil {
		return "", nil, unreadable(err)
	}
	if !action.ValidJSON(body) {
		return "", nil, refuse(action.CodeInvalidJSON, "Error in $: not a valid json value")
	}
	c, refused := readCommand(body)
	if refused != nil {
		return c.name, nil, refused
	}
	if c.readsOnly() {
		answer, refused = a.read(r.Context(), ep, c)
	} else {
		answer, refused = a.execute(r.Context(), ep, c)
	}
	return c.name, answer, refused
}

// read runs a command that cannot change anything, beside whatever else is going on. It waits for a change only if that is
// in the store already: what the store had when the request came is the least that the answer says.
func (a *API) read(ctx context.Context, ep endpoint, c command) ([]byte, *action.Error) {
	if err := a.catchUp(ctx); err != nil {
		a.log.WarnContext(ctx, "metadata not reloaded", slog.String("error", err.Error()))
	}
	run := a.begin(ctx, ep)
	defer run.rollback(ctx)
	if c.version != nil && *c.version != run.base.version {
		return nil, conflict(*c.version)
	}
	return run.dispatch(c)
}

func endpointOf(path string) (endpoint, bool) {
	switch path {
	case "/v1/metadata":
		return onMetadata, true
	case "/v1/query":
		return onQuery, true
	case "/v2/query":
		return onV2Query, true
	}
	return 0, false
}

func unreadable(err error) *action.Error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &action.Error{
			Status: http.StatusRequestEntityTooLarge, Code: action.CodeUnexpectedPayload,
			Message: "the request body is larger than " + strconv.Itoa(maxBodyBytes) + " bytes",
		}
	}
	return &action.Error{Code: action.CodeUnexpected, Message: "the request body could not be read"}
}
