package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/nself-org/nself/internal/action"
	"github.com/nself-org/nself/internal/auth"
)

// graphqlRequest is one GraphQL request: texts of JSON values, "" for what the client left out.
type graphqlRequest struct {
	query, variables, operationName string
}

// readRequest reads the members of a request; text is a JSON value.
func readRequest(text string) (graphqlRequest, *action.Error) {
	var r graphqlRequest
	if text[0] != '{' {
		return r, parseFailed("expected Object, but encountered another kind of value")
	}
	members := action.NewMembers(text)
	for {
		key, value, ok := members.Next()
		if !ok {
			break
		}
		if value == "null" {
			continue
		}
		switch key {
		case "query":
			if value[0] != '"' {
				return r, parseFailed("expected String for the query").Under("query")
			}
			r.query = value
		case "variables":
			if value[0] != '{' {
				return r, parseFailed("expected Object for the variables").Under("variables")
			}
			r.variables = value
		case "operationName":
			if value[0] != '"' {
				return r, parseFailed("expected String for the operation name").Under("operationName")
			}
			r.operationName = value
		}
	}
	if r.query == "" {
		return r, parseFailed(`key "query" not found`)
	}
	return r, nil
}

func parseFailed(message string) *action.Error {
	return &action.Error{Code: action.CodeParseFailed, Message: message}
}

// serveGraphQL answers POST on a GraphQL endpoint. keepStatus gives errors their own status; otherwise it is always
// 200.
func (e *Engine) serveGraphQL(w http.ResponseWriter, r *http.Request, requestID string, keepStatus bool) {
	began := e.opt.now()
	wk := e.work.Get().(*work) //nolint:forcetypeassert // the pool holds nothing else
	defer func() {
		wk.reset()
		e.work.Put(wk)
	}()
	x := exchange{
		engine: e, ctx: r.Context(), calling: context.WithoutCancel(r.Context()), header: r.Header, host: r.Host,
		requestID: requestID, work: wk,
	}
	span := x.startRequest()
	failed := x.run(w, r)
	status := http.StatusOK
	if failed != nil && (keepStatus || e.opt.Preserve401 && failed.HTTPStatus() == http.StatusUnauthorized) {
		status = failed.HTTPStatus()
	}
	for _, cookie := range x.cookies {
		w.Header().Add("Set-Cookie", cookie)
	}
	e.writeCompressed(w, r, status, x.out)
	took := e.opt.now().Sub(began)
	span.end(failed)
	e.opt.Observer.Request(GraphQLEndpoint, status, failed != nil, took)
	e.logHTTP(r, &httpLine{
		requestID: requestID, status: status, role: x.session.Role, failed: failed, took: took,
		requestBytes: int64(len(x.body)), responseBytes: int64(len(x.out)),
	})
}

// run authenticates and answers into x.out. The error, already written there, is for the status and the log.
func (x *exchange) run(w http.ResponseWriter, r *http.Request) (failed *action.Error) {
	e := x.engine
	if err := x.read(w, r); err != nil {
		x.out = err.AppendGraphQL(x.out, false)
		return err
	}
	session, refused := e.opt.Auth.Authenticate(x.ctx,
		auth.Request{Headers: auth.HTTPHeaders(x.header), Host: x.host, Body: x.body})
	if refused != nil {
		err := authError(refused)
		x.out = err.AppendGraphQL(x.out, false)
		return err
	}
	x.session = session
	x.cookies = slices.Clip(session.SetCookies) // a session may be shared: appending must copy
	x.schema = e.current.Load().role(session.Role)
	if !action.ValidJSON(x.body) {
		err := &action.Error{Code: action.CodeInvalidJSON, Message: "Error in $: not a valid json value"}
		x.out = err.AppendGraphQL(x.out, false)
		return err
	}
	text := action.Trim(action.Text(x.body))
	if text[0] != '[' {
		return x.one(text)
	}
	x.noCookies = true
	x.out = append(x.out, '[')
	elements := action.NewElements(text)
	for i := 0; ; i++ {
		element, ok := elements.Next()
		if !ok {
			break
		}
		if i > 0 {
			x.out = append(x.out, ',')
		}
		_ = x.one(element) // each entry has its own errors; the batch itself succeeds
	}
	x.out = append(x.out, ']')
	return nil
}

// one answers a single request of the body.
func (x *exchange) one(text string) *action.Error {
	cookies := len(x.cookies)
	req, err := readRequest(text)
	if err == nil {
		err = x.answer(&req)
	}
	if err != nil {
		x.cookies = x.cookies[:cookies] // those of the fields before go with their data
		x.out = err.AppendGraphQL(x.out, x.internals())
	}
	return err
}

// read reads the body, within the limit.
func (x *exchange) read(w http.ResponseWriter, r *http.Request) *action.Error {
	limit := x.engine.opt.MaxRequestBytes
	length := r.ContentLength
	if length > limit {
		return tooLarge(limit)
	}
	if length >= 0 {
		if int64(cap(x.body)) < length {
			x.body = make([]byte, length)
		}
		x.body = x.body[:length]
		if _, err := io.ReadFull(r.Body, x.body); err != nil {
			return &action.Error{Code: action.CodeUnexpected, Message: "the request body could not be read"}
		}
		return nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return tooLarge(limit)
		}
		return &action.Error{Code: action.CodeUnexpected, Message: "the request body could not be read"}
	}
	x.body = append(x.body[:0], body...)
	return nil
}

func tooLarge(limit int64) *action.Error {
	return &action.Error{
		Status: http.StatusRequestEntityTooLarge, Code: action.CodeUnexpectedPayload,
		Message: "the request body is larger than " + strconv.FormatInt(limit, 10) + " bytes",
	}
}

// authError words a refusal as an answer.
func authError(refused *auth.Error) *action.Error {
	return &action.Error{
		Status: refused.Status, Message: refused.Message, Code: refused.Code, Path: strings.TrimPrefix(refused.Path, "$"),
	}
}

var jsonContentType = []string{"application/json; charset=utf-8"}

// writeJSON sends a body. net/http finds the length of a short one itself.
func writeJSON(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h["Content-Type"] = jsonContentType
	if len(body) > 2048 {
		h["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client is gone when this fails; there is nobody to tell
}
