package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/auth"
	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/metadata"
)

// guarded is an authenticator with the admin secret "s".
func guarded(t *testing.T, unauthorized string) Authenticator {
	t.Helper()
	a, err := auth.New(t.Context(), auth.Config{
		AdminSecrets: []env.Secret{"s"}, UnauthorizedRole: unauthorized,
	}, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAccess(t *testing.T) {
	t.Parallel()
	const (
		required = `"x-hasura-admin-secret"/"x-hasura-access-key" required, but not found`
		invalid  = `invalid "x-hasura-admin-secret"/"x-hasura-access-key"`
	)
	url := handlerServer(t, answer(200, "1"))
	secret := map[string]string{"X-Hasura-Admin-Secret": "s"}
	cases := []struct {
		name, unauthorized, path string
		preserve                 bool
		header                   map[string]string
		status                   int
		message                  string
	}{
		{"none", "", "/v1/graphql", false, nil, 200, required},
		{"none, real status", "", "/v1alpha1/graphql", false, nil, 401, required},
		{"none, 401 kept", "", "/v1/graphql", true, nil, 401, required},
		{"wrong", "", "/v1/graphql", false, map[string]string{"X-Hasura-Admin-Secret": "x"}, 200, invalid},
		{"right", "", "/v1/graphql", false, secret, 200, ""},
		{"old name", "", "/v1/graphql", false, map[string]string{"X-Hasura-Access-Key": "s"}, 200, ""},
		{
			"right, other role", "", "/v1/graphql", false,
			map[string]string{"X-Hasura-Admin-Secret": "s", "X-Hasura-Role": "user"},
			200, "",
		},
		{
			"right, unknown role", "", "/v1/graphql", false,
			map[string]string{"X-Hasura-Admin-Secret": "s", "X-Hasura-Role": "ghost"},
			200,
			"field 'a' not found in type: 'query_root'",
		},
		{"unauthorized role", "user", "/v1/graphql", false, nil, 200, ""},
		{
			"unauthorized role cannot be changed", "ghost", "/v1/graphql", false,
			map[string]string{"X-Hasura-Role": "user"},
			200, "field 'a' not found in type: 'query_root'",
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, Options{Auth: guarded(t, c.unauthorized), Preserve401: c.preserve}, one(url, nil))
			w := send(t, e, request{path: c.path, header: c.header, body: `{"query":"{ a }"}`})
			if w.Code != c.status {
				t.Errorf("got status %d, want %d", w.Code, c.status)
			}
			if c.message == "" {
				if w.Body.String() != `{"data":{"a":1}}` {
					t.Errorf("got %s", w.Body)
				}
				return
			}
			if message, _, path := firstError(t, w.Body.String()); message != c.message ||
				!strings.HasPrefix(path, "$") {
				t.Errorf("got %s", w.Body)
			}
		})
	}
}

func TestInheritedRole(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Options{}, shop(handlerServer(t, answer(200, "1"))))
	if got := query(t, e, "chief", "{ quote }", ""); got != `{"data":{"quote":1}}` {
		t.Errorf("got %s", got)
	}
	if message, _, _ := firstError(t, query(t, e, "chief", "mutation { placeOrder { id } }", "")); message != "no mutations exist" {
		t.Errorf("got %s", message)
	}
}

// TestInheritanceOfManyRoles holds that roles which inherit from each other by a vast number of ways are served.
func TestInheritanceOfManyRoles(t *testing.T) {
	t.Parallel()
	md := shop(handlerServer(t, answer(200, "1")))
	parents := []string{"clerk", "nobody"}
	for layer := range 40 {
		next := []string{fmt.Sprintf("a%d", layer), fmt.Sprintf("b%d", layer)}
		for _, role := range next {
			md.InheritedRoles = append(md.InheritedRoles, metadata.InheritedRole{RoleName: role, RoleSet: append(parents, role)})
		}
		parents = next
	}
	e := newEngine(t, Options{}, md)
	if got := query(t, e, "b39", "{ quote }", ""); got != `{"data":{"quote":1}}` {
		t.Errorf("got %s", got)
	}
}

func TestEndpoints(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Options{Version: `v"1`, Auth: guarded(t, "")}, one("http://localhost:1", nil))
	const missing = `{"error":"resource does not exist","path":"$","code":"not-found"}`
	cases := []struct {
		method, path string
		header       map[string]string
		status       int
		body, typ    string
	}{
		{"GET", "/healthz", nil, 200, `OK`, "text/plain; charset=utf-8"},
		{"GET", "/hasura/healthz", nil, 200, `OK`, "text/plain; charset=utf-8"},
		{"GET", "/v1/version", nil, 200, `{"version":"v\"1","server_type":"ce"}`, ""},
		{"GET", "/nope", nil, 404, missing, ""},
		{"POST", "/", nil, 404, missing, ""},
		{"PUT", "/v1/graphql", nil, 404, missing, ""},
		{"POST", "/v1beta1/relay", nil, 404, missing, ""},
		{"GET", "/console", nil, 404, missing, ""},
		{"POST", "/v1alpha1/pg_dump", nil, 404, missing, ""},
		{
			"GET", "/v1/graphql", nil, 200,
			`{"errors":[{"message":"PersistedQueryNotSupported","extensions":{"path":"$","code":"not-supported"}}]}`,
			"",
		},
		{
			"GET", "/v1alpha1/config", nil, 401,
			`{"error":"\"x-hasura-admin-secret\"/\"x-hasura-access-key\" required, but not found","path":"$","code":"access-denied"}`, "",
		},
		{
			"GET", "/v1alpha1/config",
			map[string]string{"X-Hasura-Admin-Secret": "s", "X-Hasura-Role": "user"},
			400,
			`{"error":"You have to be an admin to access this endpoint","path":"$","code":"access-denied"}`, "",
		},
	}
	for _, c := range cases {
		t.Run(c.method+c.path, func(t *testing.T) {
			t.Parallel()
			w := send(t, e, request{method: c.method, path: c.path, header: c.header})
			if c.typ == "" {
				c.typ = "application/json; charset=utf-8"
			}
			got := []string{strconv.Itoa(w.Code), w.Body.String(), w.Header().Get("Content-Type")}
			if diff := cmp.Diff([]string{strconv.Itoa(c.status), c.body, c.typ}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	w := send(
		t,
		e,
		request{method: "GET", path: "/v1alpha1/config", header: map[string]string{"X-Hasura-Admin-Secret": "s"}},
	)
	if w.Code != 200 || !strings.Contains(w.Body.String(), `"is_allow_list_enabled":false`) {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if w := send(t, e, request{method: "GET", path: "/"}); w.Code != 200 ||
		!strings.Contains(w.Body.String(), "serving 1 actions") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

// TestHealth holds that a store of metadata that does not answer is a reason not to be healthy, and the first one.
func TestHealth(t *testing.T) {
	t.Parallel()
	md := one("http://localhost:1", nil)
	md.Actions = append(md.Actions, one("ftp://x", nil).Actions[0])
	md.Actions[1].Name = "b"
	var logged bytes.Buffer
	e, _ := loadEngine(t, Options{Log: slog.New(slog.NewTextHandler(&logged, nil))}, md)
	var away error
	e.CheckHealth(func(ctx context.Context) error {
		if _, limited := ctx.Deadline(); !limited {
			t.Error("the question has no deadline")
		}
		return away
	})
	ask := func() string {
		w := send(t, e, request{method: "GET", path: "/healthz"})
		return strconv.Itoa(w.Code) + " " + w.Body.String()
	}
	if got := ask(); got != "200 WARN: inconsistent objects in schema" {
		t.Errorf("got %s", got)
	}
	away = errors.New("connection refused")
	if got := ask(); got != "500 ERROR" || !strings.Contains(logged.String(), "connection refused") {
		t.Errorf("got %s, logged %s", got, &logged)
	}
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	var forwarded []string
	url := handlerServer(t, func(w http.ResponseWriter, r *http.Request, payload string) {
		forwarded = append(forwarded, r.Header.Get("X-Request-Id"))
		answer(200, "1")(w, r, payload)
	})
	md := one(url, nil)
	md.Actions[0].Definition.ForwardClientHeaders = true
	e := newEngine(t, Options{}, md)
	w := send(t, e, request{body: `{"query":"{ a }"}`, header: map[string]string{"X-Request-Id": "mine"}})
	if got := w.Header().Get("X-Request-Id"); got != "mine" || forwarded[0] != "mine" {
		t.Errorf("got %q and forwarded %q", got, forwarded)
	}
	w = send(t, e, request{body: `{"query":"{ a }"}`})
	got := w.Header().Get("X-Request-Id")
	if !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(got) ||
		forwarded[1] != got {
		t.Errorf("got %q and forwarded %q", got, forwarded)
	}
}

func TestRequestLimits(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Options{MaxRequestBytes: 2000, MaxDepth: 5}, shop(handlerServer(t, answer(200, `{"id":1}`))))
	large := request{path: "/v1alpha1/graphql", body: `{"query":"` + strings.Repeat(" ", 2000) + `"}`}
	if w := send(t, e, large); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	req := httptest.NewRequestWithContext(t.Context(), "POST", "/v1alpha1/graphql", strings.NewReader(large.body))
	req.ContentLength = -1 // chunked: the length is not known before
	w := httptest.NewRecorder()
	if e.Handler().ServeHTTP(w, req); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	deep := "mutation { placeOrder(items: []) { first { parent { parent { parent { parent { sku } } } } } } }"
	if message, _, _ := firstError(t, query(t, e, "", deep, "")); message != "the query is nested too deeply" {
		t.Errorf("got %s", message)
	}
	// Fragments that spread each other twice double at every step.
	var b strings.Builder
	b.WriteString("{ ...F0 }")
	for i := range 40 {
		fmt.Fprintf(&b, " fragment F%d on query_root { ...F%d ...F%d }", i, i+1, i+1)
	}
	b.WriteString(" fragment F40 on query_root { quote }")
	e = newEngine(t, Options{}, shop("http://localhost:1"))
	if message, _, _ := firstError(t, query(t, e, "", b.String(), "")); message != "the query selects too many fields" {
		t.Errorf("got %s", message)
	}
}

func TestCORS(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name    string
		options Options
		origin  string
		allowed bool
	}{
		{"all", Options{}, "http://anywhere", true},
		{"listed", Options{CORSDomains: "http://a:3000, https://*.b.com"}, "http://a:3000", true},
		{"other port", Options{CORSDomains: "http://a:3000"}, "http://a", false},
		{"subdomain", Options{CORSDomains: "http://a:3000, https://*.b.com"}, "https://x.b.com", true},
		{"bare domain", Options{CORSDomains: "https://*.b.com"}, "https://b.com", false},
		{"look-alike", Options{CORSDomains: "https://*.b.com"}, "https://evilb.com", false},
		{"disabled", Options{DisableCORS: true}, "http://anywhere", false},
		{"no origin", Options{}, "", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, c.options, one("http://localhost:1", nil))
			header := map[string]string{
				"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type",
			}
			if c.origin != "" {
				header["Origin"] = c.origin
			}
			w := send(t, e, request{method: "OPTIONS", header: header})
			want, status := "", http.StatusNotFound
			if c.allowed {
				want, status = c.origin, http.StatusNoContent
			}
			if got := w.Header().Get("Access-Control-Allow-Origin"); got != want || w.Code != status {
				t.Errorf("got %d and origin %q, want %d and %q", w.Code, got, status, want)
			}
		})
	}
	log := slog.New(slog.DiscardHandler)
	if _, err := New(Options{CORSDomains: "nonsense", Auth: guarded(t, ""), Log: log}); err == nil {
		t.Error("a domain without a scheme was accepted")
	}
}

// TestShutdown holds that requests under way are finished and new ones refused.
func TestShutdown(t *testing.T) {
	t.Parallel()
	called, release := make(chan struct{}), make(chan struct{})
	e := newEngine(t, Options{}, one(handlerServer(t, func(w http.ResponseWriter, r *http.Request, payload string) {
		close(called)
		<-release
		answer(200, "1")(w, r, payload)
	}), nil))
	first := make(chan string)
	go func() { first <- send(t, e, request{body: `{"query":"{ a }"}`}).Body.String() }()
	<-called
	ended := make(chan error)
	go func() { ended <- e.Shutdown(t.Context()) }()
	for !e.draining.Load() {
		runtime.Gosched()
	}
	if w := send(t, e, request{body: `{"query":"{ a }"}`}); w.Code != http.StatusServiceUnavailable {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	close(release)
	if got := <-first; got != `{"data":{"a":1}}` {
		t.Errorf("got %s", got)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestShutdownDeadline holds that a call that outlasts the time for a shutdown is cut off, and that its client is told.
func TestShutdownDeadline(t *testing.T) {
	t.Parallel()
	called, cut := make(chan struct{}), make(chan struct{})
	e := newEngine(t, Options{}, one(handlerServer(t, func(_ http.ResponseWriter, r *http.Request, _ string) {
		close(called)
		<-r.Context().Done()
		close(cut)
	}), nil))
	first := make(chan string)
	go func() { first <- send(t, e, request{body: `{"query":"{ a }"}`}).Body.String() }()
	<-called
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := e.Shutdown(gone); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want to hear that a request was cut off", err)
	}
	message, detail := internalError(t, <-first)
	if message != "http exception when calling webhook" ||
		!strings.Contains(string(detail), `"message":"Call given up: the gateway is shutting down"`) {
		t.Errorf("got %s, %s", message, detail)
	}
	<-cut
}

// TestReload holds that a request sees one version of the metadata, and the next one the new version.
func TestReload(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Options{}, one(handlerServer(t, answer(200, "1")), nil))
	if _, err := e.Load(one(handlerServer(t, answer(200, "2")), nil)); err != nil {
		t.Fatal(err)
	}
	if got := query(t, e, "", "{ a }", ""); got != `{"data":{"a":2}}` {
		t.Errorf("got %s", got)
	}
}

// TestLog holds what is logged, and that no secret and no content is.
func TestLog(t *testing.T) {
	t.Parallel()
	var buf bytes.Buffer
	e := newEngine(t, Options{
		Auth: guarded(t, ""), Log: slog.New(slog.NewJSONHandler(&buf, nil)),
		Lookup: environment(map[string]string{"URL_SECRET": "hunter2"}),
	}, one(handlerServer(t, answer(200, `"private"`))+"/{{URL_SECRET}}", nil))
	send(t, e, request{
		body:   `{"query":"{ a }"}`,
		header: map[string]string{"X-Hasura-Admin-Secret": "s", "Authorization": "Bearer abc", "X-Request-Id": "r1"},
	})
	log := buf.String()
	for _, want := range []string{
		`"msg":"webhook-log"`, `"action":"a"`, `"msg":"http-log"`, `"request_id":"r1"`, `"role":"admin"`, `"error_code":"unexpected"`,
	} {
		if !strings.Contains(log, want) {
			t.Errorf("no %s in %s", want, log)
		}
	}
	for _, secret := range []string{"hunter2", "abc", "private"} {
		if strings.Contains(log, secret) {
			t.Errorf("%q is logged: %s", secret, log)
		}
	}
}

// panicking is an authenticator with a bug.
type panicking struct{}

func (panicking) Authenticate(context.Context, auth.Request) (auth.Session, *auth.Error) {
	panic("bug")
}

func TestPanic(t *testing.T) {
	t.Parallel()
	e := newEngine(t, Options{Auth: panicking{}}, one("http://localhost:1", nil))
	w := send(t, e, request{body: `{"query":"{ a }"}`})
	if want := `{"error":"internal error","path":"$","code":"unexpected"}`; w.Code != 500 || w.Body.String() != want {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}
