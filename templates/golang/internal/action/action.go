// Package action turns Hasura Action calls into typed Go calls: it decodes the body, finds the session, calls a
// [Handler] and knows the error contract.
package action

import (
	"context"
	"net/http"
	"reflect"
	"strings"
	"time"
)

// Handler implements one action. Args holds the action's GraphQL arguments, Out its answer. Handle must be safe for
// concurrent use. An [*Error] reaches the caller as it is; any other error is logged and answered with status 500 and no
// detail.
//
// A handler may also have these methods:
//
//	Routes(mux *http.ServeMux)  // further HTTP routes, such as a page that a mail links to
//	MaxBodyBytes() int64        // another limit for the request body than the server's
//	Timeout() time.Duration     // another limit for one call than the server's
//	Frequent() bool             // true: cheap to answer and asked for often, so the rate limit is the wider one
type Handler[Args, Out any] interface {
	Handle(ctx context.Context, req *Request[Args]) (Out, error)
}

// Request is one call of an action.
type Request[Args any] struct {
	// Action is the GraphQL name, such as "registerUser".
	Action string
	// Args are the GraphQL arguments.
	Args Args
	// Session tells who calls.
	Session Session
	// Query is the text of the whole GraphQL request; empty for asynchronous actions and direct calls.
	Query string
	// Header holds the HTTP headers of the call, with what the action's definition adds or forwards.
	Header http.Header
}

// Action is a handler with its types erased, ready to be served.
type Action struct {
	// Name is the GraphQL name, such as "registerUser".
	Name string
	// Path is the last element of the URL, such as "register-user".
	Path string
	// MaxBodyBytes bounds the request body; zero: the server's limit.
	MaxBodyBytes int64
	// Timeout bounds one call; zero: the server's limit.
	Timeout time.Duration
	// Frequent says that a user may call it more often than others.
	Frequent bool

	routes    func(*http.ServeMux)
	readUsual func(data []byte, header http.Header) *Call
	invoke    func(ctx context.Context, call *Call) (any, error)
}

// New makes an Action of a handler.
func New[Args, Out any](name, path string, h Handler[Args, Out]) Action {
	a := Action{Name: name, Path: path}
	if r, ok := h.(interface{ Routes(mux *http.ServeMux) }); ok {
		a.routes = r.Routes
	}
	if l, ok := h.(interface{ MaxBodyBytes() int64 }); ok {
		a.MaxBodyBytes = l.MaxBodyBytes()
	}
	if l, ok := h.(interface{ Timeout() time.Duration }); ok {
		a.Timeout = l.Timeout()
	}
	if f, ok := h.(interface{ Frequent() bool }); ok {
		a.Frequent = f.Frequent()
	}
	bare := takesBareInput(reflect.TypeFor[Args]())
	beginning := `{"action":{"name":"` + name + `"},"input":{`
	if bare {
		beginning += `"input":`
	}
	a.readUsual = func(data []byte, header http.Header) *Call { return readUsual[Args](data, beginning, header) }
	a.invoke = func(ctx context.Context, call *Call) (any, error) {
		args, err := decode[Args](call, bare)
		if err != nil {
			return nil, err
		}
		req := &Request[Args]{Action: name, Args: args, Session: call.Session, Query: call.query, Header: call.header}
		out, err := h.Handle(ctx, req)
		if err != nil {
			return nil, err
		}
		return answer(out), nil
	}
	return a
}

// Routes adds the handler's further routes to mux.
func (a Action) Routes(mux *http.ServeMux) {
	if a.routes != nil {
		a.routes(mux)
	}
}

// Invoke decodes the call's arguments and runs the handler. The answer is ready for encoding/json.
func (a Action) Invoke(ctx context.Context, call *Call) (any, error) { return a.invoke(ctx, call) }

// takesBareInput says whether args has the one argument "input". The engine then sends {"input": {"input": {...}}},
// while people who call the handler by hand write {"input": {...}}; both are accepted.
func takesBareInput(args reflect.Type) bool {
	if args.Kind() != reflect.Struct || args.NumField() != 1 {
		return false
	}
	name, _, _ := strings.Cut(args.Field(0).Tag.Get("json"), ",")
	return name == "input"
}

// answer makes a nil list an empty one: the engine refuses null where the type says [T]!.
func answer(out any) any {
	if v := reflect.ValueOf(out); v.Kind() == reflect.Slice && v.IsNil() && v.Type().Elem().Kind() != reflect.Uint8 {
		return []any{}
	}
	return out
}
