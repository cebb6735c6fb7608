package gateway

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nself-org/nself/internal/auth"
	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/metadata"
)

// handlerFunc is a handler as a test sees it: the payload in, status and body out.
type handlerFunc func(w http.ResponseWriter, r *http.Request, payload string)

// answer is a handler that always gives the same answer.
func answer(status int, body string) handlerFunc {
	return func(w http.ResponseWriter, _ *http.Request, _ string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// handlerServer runs h and returns its URL.
func handlerServer(tb testing.TB, h handlerFunc) string {
	tb.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			tb.Errorf("read payload: %v", err)
		}
		h(w, r, string(body))
	}))
	tb.Cleanup(s.Close)
	return s.URL
}

// environment is a fixed environment.
func environment(vars map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, ok := vars[name]
		return value, ok
	}
}

// newEngine makes an engine with the metadata, which must be consistent. Without Options.Auth everybody may be
// anybody.
func newEngine(tb testing.TB, o Options, md *metadata.Metadata) *Engine {
	tb.Helper()
	e, inconsistencies := loadEngine(tb, o, md)
	for _, i := range inconsistencies {
		tb.Fatalf("%s: %s", i.Name, i.Reason)
	}
	return e
}

func loadEngine(tb testing.TB, o Options, md *metadata.Metadata) (*Engine, []metadata.Inconsistency) {
	tb.Helper()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Auth == nil {
		a, err := auth.New(tb.Context(), auth.Config{}, nil, o.Log)
		if err != nil {
			tb.Fatal(err)
		}
		o.Auth = a
	}
	e, err := New(o)
	if err != nil {
		tb.Fatal(err)
	}
	inconsistencies, err := e.Load(md)
	if err != nil {
		tb.Fatal(err)
	}
	return e, inconsistencies
}

// request is one HTTP request to the engine.
type request struct {
	method string // POST when empty
	path   string // /v1/graphql when empty
	header map[string]string
	body   string
}

// send serves a request and returns the recorded answer.
func send(tb testing.TB, e *Engine, r request) *httptest.ResponseRecorder {
	tb.Helper()
	if r.method == "" {
		r.method = http.MethodPost
	}
	if r.path == "" {
		r.path = "/v1/graphql"
	}
	req := httptest.NewRequestWithContext(tb.Context(), r.method, r.path, strings.NewReader(r.body))
	for name, value := range r.header {
		req.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	e.Handler().ServeHTTP(w, req)
	return w
}

// query sends a GraphQL request as role and returns the body of the answer. variables is JSON or "".
func query(tb testing.TB, e *Engine, role, text, variables string) string {
	tb.Helper()
	body := map[string]any{"query": text}
	if variables != "" {
		body["variables"] = json.RawMessage(variables)
	}
	encoded, err := json.Marshal(body)
	if err != nil {
		tb.Fatal(err)
	}
	r := request{body: string(encoded), header: map[string]string{}}
	if role != "" {
		r.header["X-Hasura-Role"] = role
	}
	return send(tb, e, r).Body.String()
}

// gqlError is the shape of an error answer.
type gqlError struct {
	Data   json.RawMessage `json:"data"`
	Errors []struct {
		Message    string `json:"message"`
		Extensions struct {
			Path     string          `json:"path"`
			Code     string          `json:"code"`
			Internal json.RawMessage `json:"internal"`
		} `json:"extensions"`
	} `json:"errors"`
}

// firstError reads an error answer.
func firstError(tb testing.TB, body string) (message, code, path string) {
	tb.Helper()
	var e gqlError
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		tb.Fatalf("%v in %s", err, body)
	}
	if len(e.Errors) != 1 || e.Data != nil {
		tb.Fatalf("got %s, want one error and no data", body)
	}
	return e.Errors[0].Message, e.Errors[0].Extensions.Code, e.Errors[0].Extensions.Path
}

// shop is metadata with a bit of everything; all handlers are below base.
func shop(base string) *metadata.Metadata {
	return &metadata.Metadata{
		Version: 3,
		CustomTypes: metadata.CustomTypes{
			Scalars: []metadata.Scalar{{Name: "Money", Description: "cents"}},
			Enums: []metadata.Enum{{Name: "Size", Values: []metadata.EnumValue{
				{Value: "SMALL"}, {Value: "LARGE", Description: "more"},
			}}},
			InputObjects: []metadata.InputObject{
				{Name: "Item", Description: "one line", Fields: []metadata.Field{
					{Name: "sku", Type: "String!"},
					{Name: "qty", Type: "Int!"},
					{Name: "size", Type: "Size"},
					{Name: "with", Type: "[Item!]"},
					{Name: "extra", Type: "Money"},
					{Name: "ref", Type: "uuid"},
				}},
			},
			Objects: []metadata.Object{
				{Name: "Receipt", Description: "what was bought", Fields: []metadata.Field{
					{Name: "id", Type: "ID!", Description: "its number"},
					{Name: "total", Type: "Money"},
					{Name: "size", Type: "Size"},
					{Name: "first", Type: "Line"},
					{Name: "lines", Type: "[Line!]"},
				}},
				{Name: "Line", Fields: []metadata.Field{
					{Name: "sku", Type: "String!"},
					{Name: "parent", Type: "Line"},
				}},
			},
		},
		Actions: []metadata.Action{
			{
				Name: "placeOrder", Comment: "Places an order",
				Definition: metadata.ActionDefinition{
					Handler: base + "/place-order", OutputType: "Receipt",
					Arguments: []metadata.Argument{
						{Name: "items", Type: "[Item!]!", Description: "what to buy"},
						{Name: "note", Type: "String"},
					},
				},
				Permissions: []metadata.Permission{{Role: "customer"}},
			},
			{
				Name: "quote",
				Definition: metadata.ActionDefinition{
					Type: metadata.Query, Handler: base + "/quote", OutputType: "Int!",
					Arguments: []metadata.Argument{
						{Name: "i", Type: "Int"},
						{Name: "f", Type: "Float"},
						{Name: "s", Type: "String"},
						{Name: "b", Type: "Boolean"},
						{Name: "id", Type: "ID"},
						{Name: "e", Type: "Size"},
						{Name: "m", Type: "Money"},
						{Name: "u", Type: "uuid"},
						{Name: "j", Type: "jsonb"},
						{Name: "o", Type: "Item"},
						{Name: "l", Type: "[Int!]"},
						{Name: "n", Type: "bigint"},
					},
				},
				Permissions: []metadata.Permission{{Role: "customer"}, {Role: "clerk"}},
			},
		},
		InheritedRoles: []metadata.InheritedRole{{RoleName: "chief", RoleSet: []string{"clerk", "nobody"}}},
	}
}

// asyncShop is the shop with an asynchronous placeOrder, which passes the client's headers on.
func asyncShop(base string) *metadata.Metadata {
	md := shop(base)
	d := &md.Actions[0].Definition
	d.Kind, d.ForwardClientHeaders = metadata.Asynchronous, true
	return md
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// secrets makes a list of secrets.
func secrets(texts ...string) []env.Secret {
	var list []env.Secret
	for _, text := range texts {
		list = append(list, env.Secret(text))
	}
	return list
}
