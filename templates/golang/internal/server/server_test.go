package server

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nself-org/nself/templates/golang/internal/action"
	"github.com/nself-org/nself/templates/golang/internal/logging"
)

const secret = "test-secret"

type echoArgs struct {
	Input echoInput `json:"input"`
}

type echoInput struct {
	Text  string `json:"text"`
	Count int    `json:"count"`
}

type echoOut struct {
	Text, Role, UserID, Action, RequestID string
}

// echo does what its input says, so that one handler serves all tests.
type echo struct {
	started, release chan struct{}
}

func (e *echo) Handle(ctx context.Context, req *action.Request[echoArgs]) (*echoOut, error) {
	switch req.Args.Input.Text {
	case "panic":
		panic("secret detail")
	case "fail":
		return nil, errors.New("secret detail")
	case "refuse":
		return nil, &action.Error{Status: 403, Code: "NOT_YOURS", Message: "That is not yours", Err: errors.New("secret detail")}
	case "wait":
		close(e.started)
		<-e.release
	case "timeout":
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return &echoOut{
		req.Args.Input.Text, req.Session.Role, req.Session.UserID, req.Action, logging.RequestID(ctx),
	}, nil
}

func (e *echo) awaitStart(t *testing.T) {
	t.Helper()
	select {
	case <-e.started:
	case <-time.After(time.Minute):
		t.Fatal("no request has reached the handler")
	}
}

// big has a larger limit for its body, and a page.
type big struct{}

func (big) MaxBodyBytes() int64 { return 4 << 20 }

func (big) Routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /page", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "page") })
}

func (big) Handle(_ context.Context, req *action.Request[echoArgs]) (int, error) {
	return len(req.Args.Input.Text), nil
}

type none struct{}

func (none) Handle(context.Context, *action.Request[struct{}]) ([]string, error) { return nil, nil }

type limiterFunc func(string, action.Session) (bool, time.Duration)

func (f limiterFunc) Allow(_ context.Context, a action.Action, s action.Session) (bool, time.Duration) {
	return f(a.Path, s)
}

type syncBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func newServer(t *testing.T, change func(*Options)) (*Server, *echo, *syncBuffer) {
	t.Helper()
	log := &syncBuffer{}
	opts := Options{Log: logging.New(log, slog.LevelDebug), AdminSecret: secret}
	if change != nil {
		change(&opts)
	}
	e := &echo{started: make(chan struct{}), release: make(chan struct{})}
	s, err := New(opts, []action.Action{
		action.New[echoArgs, *echoOut]("echoText", "echo-text", e),
		action.New[echoArgs, int]("big", "big", big{}),
		action.New[struct{}, []string]("none", "none", none{}),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, e, log
}

// call sends a request with the right secret, unless the headers say otherwise.
func call(t *testing.T, s *Server, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	req.Header.Set("X-Hasura-Admin-Secret", secret)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	s.ServeHTTP(rec, req)
	return rec
}

// engineBody is what the engine sends for echoText.
func engineBody(input string) string {
	return `{"action":{"name":"echoText"},"input":` + input +
		`,"request_query":null,"session_variables":{"x-hasura-role":"user","x-hasura-user-id":"7"}}`
}

func TestRequests(t *testing.T) {
	t.Parallel()
	const path = "/actions/echo-text"
	for _, tt := range []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		want                     string // is part of the answer
	}{
		{"engine", "POST", path, `{"input":{"input":{"text":"a"}}}`, nil, 200, `"Text":"a"`},
		{"direct", "POST", path, `{"input":{"text":"a"}}`, nil, 200, `"Text":"a"`},
		{"engine, all keys", "POST", path, engineBody(`{"input":{"text":"a","count":1}}`), nil, 200, `"Text":"a"`},
		{"engine, null input", "POST", path, engineBody(`{"input":null}`), nil, 200, `"Text":""`},
		{"engine, wrong type", "POST", path, engineBody(`{"input":{"text":5}}`), nil, 400, `"message":"text must not be a JSON number"`},
		{"engine, cut off", "POST", path, strings.TrimSuffix(engineBody(`{"input":{}}`), "}"), nil, 400, `"message":"Request body is not`},
		{"direct, all keys", "POST", path, engineBody(`{"text":"a"}`), nil, 200, `"Text":"a"`},
		{"direct, input beside others", "POST", path, engineBody(`{"text":"b","input":{"text":"a"}}`), nil, 200, `"Text":"a"`},
		{"no input", "POST", path, `{}`, nil, 200, `"Text":""`},
		{"null input", "POST", path, `{"input":{"input":null}}`, nil, 200, `"Text":""`},
		{"no arguments", "POST", "/actions/none", `{}`, nil, 200, `[]`},
		{"missing secret", "POST", path, `{}`, []string{"X-Hasura-Admin-Secret", ""}, 401, `"error_code":"UNAUTHORIZED"`},
		{"wrong secret", "POST", path, `{}`, []string{"X-Hasura-Admin-Secret", "other"}, 401, `"message":"X-Hasura-Admin`},
		{"unknown, wrong secret", "POST", "/actions/x", `{}`, []string{"X-Hasura-Admin-Secret", "x"}, 401, `"message"`},
		{"unknown action", "POST", "/actions/other", `{}`, nil, 404, `"message":"Action \"other\" is not served here"`},
		{"unknown path", "GET", "/other", "", nil, 404, `"message":"Not found"`},
		{"wrong method", "GET", path, "", nil, 405, `"error_code":"METHOD_NOT_ALLOWED"`},
		{"empty body", "POST", path, "", nil, 400, `"message":"Request body is not valid JSON"`},
		{"malformed", "POST", path, `{"input":`, nil, 400, `"message":"Request body is not valid JSON"`},
		{"two bodies", "POST", path, `{} {}`, nil, 400, `"message":"Request body is not valid JSON"`},
		{"null body", "POST", path, `null`, nil, 400, `"message":"Request body must be an object"`},
		{"list body", "POST", path, `[]`, nil, 400, `"message":"Request body must not be a JSON array"`},
		{"text input", "POST", path, `{"input":"x"}`, nil, 400, `"message":"input must not be a JSON string"`},
		{"wrong type", "POST", path, `{"input":{"text":5}}`, nil, 400, `"message":"text must not be a JSON number"`},
		{"too large", "POST", path, `{"input":{"text":"` + strings.Repeat("x", 1<<20) + `"}}`, nil, 413, "larger than 1048576"},
		{"own limit", "POST", "/actions/big", `{"input":{"text":"` + strings.Repeat("x", 2<<20) + `"}}`, nil, 200, "2097152"},
		{"over own limit", "POST", "/actions/big", `{"input":{"text":"` + strings.Repeat("x", 4<<20) + `"}}`, nil, 413, "4194304"},
		{"panic", "POST", path, `{"input":{"text":"panic"}}`, nil, 500, `"message":"Internal server error"`},
		{"failure", "POST", path, `{"input":{"text":"fail"}}`, nil, 500, `"message":"Internal server error"`},
		{"refusal", "POST", path, `{"input":{"text":"refuse"}}`, nil, 403, `"message":"That is not yours","error_code":"NOT_YOURS"`},
		{"timeout", "POST", path, `{"input":{"text":"timeout"}}`, nil, 500, `"message":"Internal server error"`},
		{"own page", "GET", "/page", "", []string{"X-Hasura-Admin-Secret", ""}, 200, "page"},
		{"health", "GET", "/healthz", "", []string{"X-Hasura-Admin-Secret", ""}, 200, `{"status":"ok"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, _, log := newServer(t, func(o *Options) { o.ActionTimeout = 50 * time.Millisecond })
			rec := call(t, s, tt.method, tt.path, tt.body, tt.headers...)
			if rec.Code != tt.status || !strings.Contains(rec.Body.String(), tt.want) {
				t.Errorf("got %d %s\nwant %d with %s", rec.Code, rec.Body, tt.status, tt.want)
			}
			if strings.Contains(rec.Body.String(), "secret detail") {
				t.Errorf("the answer tells internals: %s", rec.Body)
			}
			if strings.Contains(log.String(), secret) {
				t.Errorf("the log holds the secret:\n%s", log)
			}
			if rec.Code >= 400 && !json.Valid(rec.Body.Bytes()) {
				t.Errorf("the answer is not JSON: %s", rec.Body)
			}
		})
	}
}

func TestSession(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, body string
		headers    []string
		want       string // role/user
	}{
		{"body", `{"session_variables":{"x-hasura-role":"user","x-hasura-user-id":"7"}}`, nil, "user/7"},
		{"engine", engineBody(`{"input":{}}`), nil, "user/7"},
		{"engine, number", strings.ReplaceAll(engineBody(`{"input":{}}`), `"7"`, `7`), nil, "user/7"},
		{"engine, capitals", strings.ReplaceAll(engineBody(`{"input":{}}`), "x-hasura", "X-Hasura"), nil, "user/7"},
		{"body, capitals", `{"session_variables":{"X-Hasura-Role":"user","X-Hasura-User-Id":7}}`, nil, "user/7"},
		{
			"body before headers", `{"session_variables":{"x-hasura-role":"public"}}`,
			[]string{"X-Hasura-Role", "user", "X-Hasura-User-Id", "7"},
			"public/",
		},
		{"headers", `{}`, []string{"X-Hasura-Role", "user", "X-Hasura-User-Id", "7"}, "user/7"},
		{
			"header with all", `{}`,
			[]string{"X-Hasura-Session-Variables", `{"x-hasura-role":"user","x-hasura-user-id":"7"}`},
			"user/7",
		},
		{
			"null in the body", `{"session_variables":{"x-hasura-role":null}}`,
			[]string{"X-Hasura-Role", "user", "X-Hasura-User-Id", "7"},
			"/",
		},
		{"header with all, null", `{}`, []string{"X-Hasura-Session-Variables", "null", "X-Hasura-Role", "user"}, "user/"},
		{"empty headers", `{}`, []string{"X-Hasura-Role", "", "X-Hasura-User-Id", ""}, "/"},
		{"none", `{}`, nil, "/"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, _, _ := newServer(t, nil)
			rec := call(t, s, http.MethodPost, "/actions/echo-text", tt.body, tt.headers...)
			var out echoOut
			if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil {
				t.Fatal(err)
			}
			if got := out.Role + "/" + out.UserID; got != tt.want || out.Action != "echoText" {
				t.Errorf("got %q of %s, want %q", got, out.Action, tt.want)
			}
		})
	}
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	s, _, log := newServer(t, nil)
	rec := call(t, s, http.MethodPost, "/actions/echo-text", `{}`, "X-Request-Id", "abc-1")
	if got := rec.Header().Get("X-Request-Id"); got != "abc-1" || !strings.Contains(rec.Body.String(), "abc-1") {
		t.Errorf("got id %q, answer %s", got, rec.Body)
	}
	var line map[string]any
	if err := json.Unmarshal([]byte(log.String()), &line); err != nil {
		t.Fatalf("%v: %s", err, log)
	}
	for key, want := range map[string]any{
		"request_id": "abc-1", "action": "echoText", "status": 200.0, "method": "POST", "path": "/actions/echo-text",
	} {
		if line[key] != want {
			t.Errorf("%s is %v in the log, want %v", key, line[key], want)
		}
	}
	for _, bad := range []string{"", "a b", "a\"b", strings.Repeat("x", 129)} {
		rec := call(t, s, http.MethodPost, "/actions/echo-text", `{}`, "X-Request-Id", bad)
		if got := rec.Header().Get("X-Request-Id"); got == bad || got == "" {
			t.Errorf("id %q became %q", bad, got)
		}
	}
}

func TestRateLimited(t *testing.T) {
	t.Parallel()
	s, _, _ := newServer(t, func(o *Options) {
		o.Limiter = limiterFunc(func(name string, s action.Session) (bool, time.Duration) {
			return name != "echo-text" || s.UserID != "7", 11500 * time.Millisecond
		})
	})
	rec := call(t, s, http.MethodPost, "/actions/echo-text", `{}`, "X-Hasura-User-Id", "7")
	want := `{"success":false,"message":"Too many requests. Please try again in 12s.","error_code":"RATE_LIMITED",` +
		`"code":"RATE_LIMITED","extensions":{"code":"RATE_LIMITED","retry_after":12}}` + "\n"
	if rec.Code != http.StatusTooManyRequests || rec.Header().Get("Retry-After") != "12" || rec.Body.String() != want {
		t.Errorf("got %d, Retry-After %q, %s", rec.Code, rec.Header().Get("Retry-After"), rec.Body)
	}
	if rec := call(t, s, http.MethodPost, "/actions/echo-text", `{}`); rec.Code != http.StatusOK {
		t.Errorf("another user got %d", rec.Code)
	}
}

func TestReadyz(t *testing.T) {
	t.Parallel()
	up := func(context.Context) error { return nil }
	down := func(context.Context) error { return errors.New("secret detail") }
	for _, tt := range []struct {
		name            string
		postgres, redis func(context.Context) error
		status          int
		want            string
	}{
		{"ready", up, up, 200, `{"status":"ready","checks":{"postgres":"up","redis":"up"}}`},
		{"no redis", up, nil, 200, `{"status":"ready","checks":{"postgres":"up","redis":"disabled"}}`},
		{"redis down", up, down, 200, `{"status":"degraded","checks":{"postgres":"up","redis":"down"}}`},
		{"postgres down", down, up, 503, `{"status":"unready","checks":{"postgres":"down","redis":"up"}}`},
		{"both down", down, down, 503, `{"status":"unready","checks":{"postgres":"down","redis":"down"}}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, _, _ := newServer(t, func(o *Options) {
				o.Checks = []Check{
					{Name: "postgres", Required: true, Probe: tt.postgres}, {Name: "redis", Probe: tt.redis},
				}
			})
			rec := call(t, s, http.MethodGet, "/readyz", "")
			if rec.Code != tt.status || strings.TrimSpace(rec.Body.String()) != tt.want {
				t.Errorf("got %d %s", rec.Code, rec.Body)
			}
		})
	}
}

// A request that runs when the service is told to stop gets its answer, and new ones find the door shut.
func TestServeDrains(t *testing.T) {
	t.Parallel()
	s, e, _ := newServer(t, nil)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, ln) }()

	url := "http://" + ln.Addr().String() + "/actions/echo-text"
	post := func(body string) (int, error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
		if err != nil {
			return 0, err
		}
		req.Header.Set("X-Hasura-Admin-Secret", secret)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0, err
		}
		return resp.StatusCode, resp.Body.Close()
	}
	type result struct {
		status int
		err    error
	}
	running := make(chan result, 1)
	go func() {
		status, err := post(`{"input":{"text":"wait"}}`)
		running <- result{status, err}
	}()
	e.awaitStart(t)
	stop()
	for !s.draining.Load() {
		select {
		case err := <-served:
			t.Fatalf("Serve ended before the request did: %v", err)
		default:
		}
	}
	if rec := call(t, s, http.MethodGet, "/readyz", ""); rec.Code != http.StatusServiceUnavailable {
		t.Errorf("readyz answers %d while stopping", rec.Code)
	}
	close(e.release)
	if got := <-running; got.err != nil || got.status != http.StatusOK {
		t.Errorf("the running request got %d, %v", got.status, got.err)
	}
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
	if _, err := post(`{}`); err == nil {
		t.Error("a request after the stop was answered")
	}
}

func TestServeCutsOffAfterGrace(t *testing.T) {
	t.Parallel()
	s, e, _ := newServer(t, func(o *Options) { o.ShutdownGrace = 20 * time.Millisecond })
	defer close(e.release)
	ctx, stop := context.WithCancel(t.Context())
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, ln) }()
	go func() {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
			"http://"+ln.Addr().String()+"/actions/echo-text", strings.NewReader(`{"input":{"text":"wait"}}`))
		if err != nil {
			return
		}
		req.Header.Set("X-Hasura-Admin-Secret", secret)
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_ = resp.Body.Close()
		}
	}()
	e.awaitStart(t)
	stop()
	if err := <-served; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want a deadline that was exceeded", err)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	a := action.New[struct{}, []string]("none", "none", none{})
	if _, err := New(Options{Log: log}, nil); err == nil {
		t.Error("a server without a secret was made")
	}
	if _, err := New(Options{Log: log, AdminSecret: "s"}, []action.Action{a, a}); err == nil {
		t.Error("two actions with one path were accepted")
	}
}
