package gateway

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/metadata"
)

// one is metadata with the query action "a: Int", changed by edit.
func one(handler string, edit func(*metadata.ActionDefinition)) *metadata.Metadata {
	d := metadata.ActionDefinition{Type: metadata.Query, Handler: handler, OutputType: "Int"}
	if edit != nil {
		edit(&d)
	}
	return &metadata.Metadata{Version: 3, Actions: []metadata.Action{{
		Name: "a", Definition: d, Permissions: []metadata.Permission{{Role: "user"}},
	}}}
}

// TestHeaders holds which headers a handler receives.
func TestHeaders(t *testing.T) {
	t.Parallel()
	configured := []metadata.Header{
		{Name: "X-Shop-Key", ValueFromEnv: "SHOP_KEY"},
		{Name: "x-zone", Value: "eu-{{REGION}}"},
		{Name: "X-Both", Value: "configured"},
		{Name: "Content-Type", Value: "text/odd"},
		{Name: "User-Agent", Value: "odd/1"},
	}
	client := map[string]string{
		"X-Hasura-Role": "user", "X-Hasura-User-Id": "7", "X-Both": "client", "Authorization": "Bearer b", "Cookie": "c=1",
		"User-Agent": "browser", "Origin": "http://page", "Accept": "x/y", "Content-Type": "application/graphql",
		"X-Request-Id": "req-1", "Dnt": "1", "X-B3-Traceid": "463ac35c9f6413ad48485a3953bb6124", "X-B3-Spanid": "a2fb4a1d1a96d312",
		"X-Forwarded-Host": "elsewhere",
	}
	fixed := map[string]string{
		"Content-Type": "application/json", "User-Agent": "hasura-graphql-engine/v9", "X-Shop-Key": "s3", "X-Zone": "eu-west",
		"X-Both": "configured", "Accept-Encoding": "gzip",
	}
	with := func(base map[string]string, more ...string) map[string]string {
		all := maps.Clone(base)
		for i := 0; i < len(more); i += 2 {
			all[more[i]] = more[i+1]
		}
		return all
	}
	forwarded := []string{
		"Authorization", "Bearer b", "Cookie", "c=1", "X-Request-Id", "req-1", "X-Forwarded-Host", "example.com",
		"X-Forwarded-User-Agent", "browser", "X-Forwarded-Origin", "http://page", "X-Both", "client",
	}
	cases := []struct {
		name    string
		forward bool
		ignored []string
		first   bool
		want    map[string]string
	}{
		{"not forwarded", false, nil, false, fixed},
		{"forwarded", true, nil, false, with(fixed, forwarded...)},
		{
			"own list of ignored headers", true,
			[]string{"authorization", "cookie", "x-request-id", "x-both", "Content-Type", "accept", "Accept-Encoding"},
			false,
			with(fixed, "X-Forwarded-Host", "example.com", "X-Forwarded-User-Agent", "browser", "X-Forwarded-Origin",
				"http://page", "User-Agent", "browser", "Origin", "http://page", "Dnt", "1"),
		},
		{
			"configured first", true, nil, true,
			with(with(fixed, forwarded...), "X-Both", "configured", "Content-Type", "text/odd", "User-Agent", "odd/1"),
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got http.Header
			url := handlerServer(t, func(w http.ResponseWriter, r *http.Request, payload string) {
				got = r.Header.Clone()
				answer(200, "1")(w, r, payload)
			})
			e := newEngine(t, Options{
				Version: "v9", ConfiguredHeadersFirst: c.first,
				Lookup: environment(map[string]string{"SHOP_KEY": "s3", "REGION": "west"}),
			}, one(url, func(d *metadata.ActionDefinition) {
				d.Headers, d.ForwardClientHeaders, d.IgnoredClientHeaders = configured, c.forward, c.ignored
			}))
			if body := send(t, e, request{body: `{"query":"{ a }"}`, header: client}).Body.String(); body != `{"data":{"a":1}}` {
				t.Fatal(body)
			}
			if trace, parent := got.Get("X-B3-TraceId"), got.Get("X-B3-ParentSpanId"); trace != client["X-B3-Traceid"] ||
				parent != client["X-B3-Spanid"] ||
				len(got.Get("X-B3-SpanId")) != 16 {
				t.Errorf("got trace %s, parent %s, span %s", trace, parent, got.Get("X-B3-SpanId"))
			}
			flat := map[string]string{}
			for name, values := range got {
				if !strings.HasPrefix(name, "X-B3-") && name != "Content-Length" {
					flat[name] = strings.Join(values, "|")
				}
			}
			if diff := cmp.Diff(c.want, flat); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestSessionVariables holds what the handler learns of the caller, and that secrets are not in it.
func TestSessionVariables(t *testing.T) {
	t.Parallel()
	var got struct {
		Session map[string]string `json:"session_variables"`
	}
	url := handlerServer(t, func(w http.ResponseWriter, r *http.Request, payload string) {
		if err := json.Unmarshal([]byte(payload), &got); err != nil {
			t.Error(err)
		}
		answer(200, "1")(w, r, payload)
	})
	e := newEngine(t, Options{}, one(url, nil))
	send(t, e, request{body: `{"query":"{ a }"}`, header: map[string]string{
		"X-Hasura-Role": "user", "X-Hasura-Org-ID": "o", "X-Hasura-Admin-Secret": "x", "X-Other": "y",
	}})
	if diff := cmp.Diff(map[string]string{"x-hasura-role": "user", "x-hasura-org-id": "o"}, got.Session); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestUnresolvedHeaders(t *testing.T) {
	t.Parallel()
	for header, want := range map[metadata.Header]string{
		{Name: "a", ValueFromEnv: "GONE"}: `{"errors":[{"message":"environment variable 'GONE' not set",` +
			`"extensions":{"path":"$","code":"not-found"}}]}`,
		{Name: "a", Value: "x{{GONE}}"}: `{"errors":[{"message":"template cannot be resolved: x{{GONE}}",` +
			`"extensions":{"path":"$","code":"unexpected"}}]}`,
	} {
		e := newEngine(t, Options{}, one("http://localhost:1", func(d *metadata.ActionDefinition) {
			d.Headers = []metadata.Header{header}
		}))
		if diff := cmp.Diff(want, query(t, e, "", "{ a }", "")); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// internalError reads internal.error of a failed call.
func internalError(t *testing.T, body string) (message string, detail json.RawMessage) {
	t.Helper()
	var got gqlError
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	var internal struct{ Error json.RawMessage }
	if err := json.Unmarshal(got.Errors[0].Extensions.Internal, &internal); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return got.Errors[0].Message, internal.Error
}

func TestCallFailures(t *testing.T) {
	t.Parallel()
	refused := httptest.NewServer(nil)
	refused.Close()
	release := make(chan struct{})
	slow := handlerServer(t, func(_ http.ResponseWriter, r *http.Request, _ string) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(func() { close(release) })
	huge := handlerServer(t, func(w http.ResponseWriter, _ *http.Request, _ string) {
		_, _ = w.Write(bytes.Repeat([]byte("1"), 2000))
	})
	bomb := handlerServer(t, func(w http.ResponseWriter, _ *http.Request, _ string) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = z.Write(bytes.Repeat([]byte("1"), 2000))
		_ = z.Close()
	})
	dropped := handlerServer(t, func(http.ResponseWriter, *http.Request, string) { panic(http.ErrAbortHandler) })
	cases := map[string]struct{ url, message string }{
		"refused": {refused.URL + "/p/q?x=1", "Connection failure: "},
		"slow":    {slow, "Response timeout"},
		"huge":    {huge, "Response body too large. limit: 1000"},
		"bomb":    {bomb, "Response body too large. limit: 1000"},
		"dropped": {dropped, "No response data received"},
		"no host": {"http://no-such-host.invalid", "Connection failure: "},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(
				t,
				Options{MaxResponseBytes: 1000},
				one(c.url, func(d *metadata.ActionDefinition) { d.Timeout = 1 }),
			)
			message, detail := internalError(t, query(t, e, "", "{ a }", ""))
			if message != "http exception when calling webhook" {
				t.Errorf("got message %q", message)
			}
			var exception struct {
				Type, Message string
				Request       struct {
					Host, Path, QueryString, Method, ResponseTimeout string
					Port                                             int
					Secure                                           bool
				}
			}
			if err := json.Unmarshal(detail, &exception); err != nil {
				t.Fatal(err)
			}
			if exception.Type != "http_exception" || !strings.HasPrefix(exception.Message, c.message) {
				t.Errorf("got %s, want the message to begin with %q", detail, c.message)
			}
			if name == "refused" {
				_, port, _ := net.SplitHostPort(refused.Listener.Addr().String())
				r := exception.Request
				if r.Host != "127.0.0.1" || strconv.Itoa(r.Port) != port || r.Path != "/p/q" || r.QueryString != "?x=1" ||
					r.Method != http.MethodPost || r.Secure ||
					r.ResponseTimeout != "ResponseTimeoutMicro 1000000" {
					t.Errorf("got %s", detail)
				}
			}
		})
	}
}

func TestCompressedResponse(t *testing.T) {
	t.Parallel()
	url := handlerServer(t, func(w http.ResponseWriter, r *http.Request, _ string) {
		if r.Header.Get("Accept-Encoding") != "gzip" || r.Header.Get("Content-Encoding") != "" {
			t.Errorf("got headers %v", r.Header)
		}
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = z.Write([]byte("42"))
		_ = z.Close()
	})
	if got := query(t, newEngine(t, Options{}, one(url, nil)), "", "{ a }", ""); got != `{"data":{"a":42}}` {
		t.Errorf("got %s", got)
	}
}

// TestRedirects holds that redirects on the same host are followed, and that none leads elsewhere.
func TestRedirects(t *testing.T) {
	t.Parallel()
	other := handlerServer(t, func(http.ResponseWriter, *http.Request, string) { t.Error("the other host was called") })
	var seen []string
	url := handlerServer(t, func(w http.ResponseWriter, r *http.Request, payload string) {
		seen = append(seen, r.Method+" "+r.URL.Path+" "+strconv.FormatBool(payload != ""))
		switch step := strings.TrimPrefix(r.URL.Path, "/"); step {
		case "end":
			answer(200, "1")(w, r, payload)
		case "away":
			http.Redirect(w, r, other, http.StatusTemporaryRedirect)
		case "loop":
			http.Redirect(w, r, "/loop", http.StatusTemporaryRedirect)
		default:
			status, _ := strconv.Atoi(step)
			w.Header().Set("Location", "end")
			w.WriteHeader(status)
		}
	})
	for path, want := range map[string][]string{
		"/301": {"POST /301 true", "POST /end true"}, "/307": {"POST /307 true", "POST /end true"},
		"/308": {"POST /308 true", "POST /end true"}, "/302": {"POST /302 true", "GET /end false"},
		"/303": {"POST /303 true", "GET /end false"},
	} {
		seen = nil
		if got := query(t, newEngine(t, Options{}, one(url+path, nil)), "", "{ a }", ""); got != `{"data":{"a":1}}` {
			t.Errorf("%s: got %s", path, got)
		}
		if !slices.Equal(seen, want) {
			t.Errorf("%s: got %v, want %v", path, seen, want)
		}
	}
	for _, path := range []string{"/away", "/loop"} {
		seen = nil
		query(t, newEngine(t, Options{}, one(url+path, nil)), "", "{ a }", "")
		if path == "/loop" && len(seen) != 11 {
			t.Errorf("got %d calls, want 11", len(seen))
		}
	}
}

// TestStaleConnection holds that a connection which the handler closed meanwhile is noticed before anything is sent.
func TestStaleConnection(t *testing.T) {
	t.Parallel()
	calls := 0
	closed := make(chan struct{}, 8)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls++
		_, _ = w.Write([]byte("1"))
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			closed <- struct{}{}
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	e := newEngine(t, Options{}, one(s.URL, nil))
	for i := range 5 {
		if got := query(t, e, "", "{ a }", ""); got != `{"data":{"a":1}}` {
			t.Fatalf("call %d: got %s", i, got)
		}
		s.CloseClientConnections()
		<-closed
	}
	if calls != 5 {
		t.Errorf("the handler was called %d times, want 5", calls)
	}
}

func TestSetCookie(t *testing.T) {
	t.Parallel()
	url := handlerServer(t, func(w http.ResponseWriter, r *http.Request, payload string) {
		w.Header().Add("Set-Cookie", "a=1; Path=/")
		w.Header().Add("Set-Cookie", "odd")
		if strings.Contains(payload, "second") {
			answer(400, `{"message":"no"}`)(w, r, payload)
			return
		}
		answer(200, "1")(w, r, payload)
	})
	for _, c := range []struct {
		name, body string
		typ        metadata.ActionType
		want       []string
	}{
		{"mutation", `{"query":"mutation { a }"}`, metadata.Mutation, []string{"a=1; Path=/", "odd"}},
		{"query", `{"query":"{ a }"}`, metadata.Query, nil},
		{"batch", `[{"query":"mutation { a }"}]`, metadata.Mutation, nil},
	} {
		e := newEngine(t, Options{}, one(url, func(d *metadata.ActionDefinition) { d.Type = c.typ }))
		w := send(t, e, request{body: c.body})
		if diff := cmp.Diff(c.want, w.Header()["Set-Cookie"]); diff != "" ||
			strings.Contains(w.Body.String(), "errors") {
			t.Errorf("%s: %s (-want +got):\n%s", c.name, w.Body, diff)
		}
	}
	md := one(url, func(d *metadata.ActionDefinition) { d.Type = metadata.Mutation })
	second := md.Actions[0]
	second.Name = "second"
	md.Actions = append(md.Actions, second)
	w := send(t, newEngine(t, Options{}, md), request{body: `{"query":"mutation { a second }"}`})
	if cookies := w.Header()["Set-Cookie"]; cookies != nil || !strings.Contains(w.Body.String(), `"no"`) {
		t.Errorf("an error has the cookies %q: %s", cookies, w.Body)
	}
}
