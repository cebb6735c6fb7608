package auth_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/auth"
	"github.com/nself-org/nself/internal/env"
)

func hookConfig(url string) auth.Config {
	return auth.Config{AdminSecrets: []env.Secret{"s3cret"}, Hook: auth.Hook{URL: url}}
}

// seen is what a webhook was sent.
type seen struct {
	Method string
	Header http.Header
	Body   string
}

// serveHook starts a webhook that answers the same to everybody and reports what it was sent.
func serveHook(t *testing.T, status int, header http.Header, body string) (string, <-chan seen) {
	t.Helper()
	calls := make(chan seen, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read: %v", err)
		}
		calls <- seen{r.Method, r.Header, string(data)}
		maps.Copy(w.Header(), header)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(server.Close)
	return server.URL, calls
}

func TestHookAnswers(t *testing.T) {
	t.Parallel()
	const ok = `{"X-Hasura-Role":"user","X-Hasura-User-Id":"42","other":"x"}`
	badRole := refusal(400, "invalid-params", `"x-hasura-role" not found in session variables`)
	bad := refusal(500, "unexpected", "Invalid response from authorization hook")
	badJSON := refusal(500, "unexpected", "Invalid response from authorization hook: expected a JSON object of strings")
	withExpiry := userSession()
	withExpiry.Expires = epoch().Add(time.Minute)
	withCookies := userSession()
	withCookies.SetCookies = []string{"a=1", "b=2"}
	tests := []struct {
		name    string
		status  int
		header  http.Header
		body    string
		want    auth.Session
		wantErr *auth.Error
	}{
		{"session", 200, nil, ok, userSession(), nil},
		{"max-age", 200, nil, strings.Replace(ok, "{", `{"Cache-Control":"max-age=60","Expires":"x",`, 1), withExpiry, nil},
		{"Expires", 200, nil, strings.Replace(ok, "{", `{"Expires":"`+epoch().Add(time.Minute).Format(http.TimeFormat)+`",`, 1), withExpiry, nil},
		{"cookies", 200, http.Header{"Set-Cookie": {"a=1", "b=2"}}, ok, withCookies, nil},
		{
			"admin", 200, nil, `{"x-hasura-role":"admin","x-hasura-admin-secret":"x"}`,
			auth.Session{Role: "admin", Admin: true, Vars: map[string]string{"x-hasura-role": "admin"}},
			nil,
		},
		{"no role", 200, nil, `{"X-Hasura-User-Id":"42"}`, auth.Session{}, badRole},
		{"empty role", 200, nil, `{"X-Hasura-Role":""}`, auth.Session{}, badRole},
		{"not JSON", 200, nil, `OK`, auth.Session{}, badJSON},
		{"null", 200, nil, `null`, auth.Session{}, badJSON},
		{"a number", 200, nil, `{"X-Hasura-Role":"user","X-Hasura-User-Id":42}`, auth.Session{}, badJSON},
		{"too much", 200, nil, `{"X-Hasura-Role":"user"}` + strings.Repeat(" ", 1<<20), auth.Session{}, badJSON},
		{"unauthorized", 401, nil, ok, auth.Session{}, refusal(401, "access-denied", "Authentication hook unauthorized this request")},
		{"forbidden", 403, nil, ok, auth.Session{}, bad},
		{"created", 201, nil, ok, auth.Session{}, bad},
		{"redirect", 302, http.Header{"Location": {"/"}}, ok, auth.Session{}, bad},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			url, _ := serveHook(t, tt.status, tt.header, tt.body)
			got, err := newAt(t, hookConfig(url), epoch).Authenticate(t.Context(), headers("x-hasura-role", "admin"))
			if diff := cmp.Diff(tt.wantErr, err); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("session (-want +got):\n%s", diff)
			}
		})
	}
}

func TestHookGet(t *testing.T) {
	t.Parallel()
	url, calls := serveHook(t, 200, nil, `{"x-hasura-role":"user"}`)
	a := newAt(t, hookConfig(url), epoch)
	request := headers("Authorization", "Bearer x", "Cookie", "c=d", "X-Custom", "1", "X-Custom", "2", "X-Hasura-Role", "admin",
		"Content-Type", "application/json", "Content-Length", "999", "Host", "evil", "User-Agent", "browser", "Origin", "o", "Connection", "close")
	request.Body = []byte(`{"query":"{ a }"}`)
	if _, err := a.Authenticate(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	got := <-calls
	want := http.Header{"Authorization": {"Bearer x"}, "Cookie": {"c=d"}, "X-Custom": {"1", "2"}, "X-Hasura-Role": {"admin"}}
	got.Header.Del("Accept-Encoding")
	got.Header.Del("User-Agent") // the HTTP client's own
	if diff := cmp.Diff(seen{"GET", want, ""}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := a.Authenticate(t.Context(), auth.Request{}); err != nil {
		t.Errorf("zero request: %v", err)
	}
}

func TestHookPost(t *testing.T) {
	t.Parallel()
	const query = `{"query":"{ a }","variables":{"n":1},"operationName":null}`
	tests := []struct {
		name string
		omit bool
		body string
		want string
	}{
		{"request", false, query, `{"headers":{"Authorization":"Bearer x","Content-Type":"text/plain","Host":"shop"},"request":` + query + `}`},
		{"batch", false, "[" + query + "]", `{"headers":{"Authorization":"Bearer x","Content-Type":"text/plain","Host":"shop"},"request":[` + query + `]}`},
		{"no request", false, "", `{"headers":{"Authorization":"Bearer x","Content-Type":"text/plain","Host":"shop"},"request":null}`},
		{"broken request", false, `{"`, `{"headers":{"Authorization":"Bearer x","Content-Type":"text/plain","Host":"shop"},"request":null}`},
		{"left out", true, query, `{"headers":{"Authorization":"Bearer x","Content-Type":"text/plain","Host":"shop"}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			url, calls := serveHook(t, 200, nil, `{"x-hasura-role":"user"}`)
			c := hookConfig(url)
			c.Hook.Post, c.Hook.OmitRequest = true, tt.omit
			request := headers("Authorization", "Bearer x", "Content-Type", "text/plain")
			request.Host, request.Body = "shop", json.RawMessage(tt.body)
			if _, err := newAt(t, c, epoch).Authenticate(t.Context(), request); err != nil {
				t.Fatal(err)
			}
			got := <-calls
			if got.Method != http.MethodPost || got.Header.Get("Content-Type") != "application/json" || got.Header.Get("Authorization") != "" {
				t.Errorf("%s %v", got.Method, got.Header)
			}
			if diff := cmp.Diff(tt.want, got.Body); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestHookUnreachable(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	var logged bytes.Buffer
	config := hookConfig(server.URL + "/?key=url-secret")
	a, failed := auth.New(t.Context(), config, nil, slog.New(slog.NewTextHandler(&logged, nil)))
	if failed != nil {
		t.Fatal(failed)
	}
	_, err := a.Authenticate(t.Context(), headers("Authorization", "x"))
	if !strings.Contains(logged.String(), "connection refused") || strings.Contains(logged.String(), "url-secret") {
		t.Errorf("logged %s", &logged)
	}
	if diff := cmp.Diff(refusal(500, "unexpected", "webhook authentication request failed"), err); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got, err := a.Authenticate(t.Context(), headers("x-hasura-admin-secret", "s3cret")); err != nil || !got.Admin {
		t.Errorf("the admin secret must work without the webhook: %+v, %v", got, err)
	}
	// A header that cannot be sent on is the client's fault, and must not take anything down.
	url, _ := serveHook(t, 200, nil, `{"x-hasura-role":"user"}`)
	if _, err := newAt(t, hookConfig(url), epoch).Authenticate(t.Context(), headers("X-A", "a\nb")); err == nil {
		t.Error("a header with a line break was forwarded")
	}
	if _, err := auth.New(t.Context(), hookConfig("not a url"), nil, newLogger(t)); err == nil {
		t.Error("a webhook without URL was accepted")
	}
}
