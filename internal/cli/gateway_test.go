package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/gateway"
	"github.com/nself-org/nself/internal/pgtest"
	"github.com/nself-org/nself/internal/ui"
)

// testPatience bounds waits on real time; a loaded machine needs it.
const testPatience = time.Minute

// TestGatewayFlags holds that a flag wins over its variable, and both over the default.
func TestGatewayFlags(t *testing.T) {
	t.Parallel()
	environ := []string{"HASURA_GRAPHQL_SERVER_PORT=1", "HASURA_GRAPHQL_LOG_LEVEL=warn", "HASURA_GRAPHQL_DEV_MODE=true", "OTHER=x"}
	var got map[string]string
	cmd := newGatewayCmd(&Factory{IO: &ui.Streams{}, Environ: environ}, func(_ context.Context, o *gatewayOptions) error {
		got = o.Vars
		return nil
	})
	cmd.SetArgs([]string{
		"--server-port", "2", "--dev-mode=false", "--enable-console", "--disable-close-websockets-on-metadata-change",
		"--admin-internal-errors", "false",
	})
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"HASURA_GRAPHQL_SERVER_PORT": "2", "HASURA_GRAPHQL_LOG_LEVEL": "warn", "HASURA_GRAPHQL_DEV_MODE": "false", "OTHER": "x",
		"HASURA_GRAPHQL_ENABLE_CONSOLE": "true", "HASURA_GRAPHQL_CLOSE_WEBSOCKETS_ON_METADATA_CHANGE": "false",
		"HASURA_GRAPHQL_ADMIN_INTERNAL_ERRORS": "false",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("variables (-want +got):\n%s", diff)
	}
}

// TestEngineSettingsFaults holds that all faults are told at once, and that secrets are not.
func TestEngineSettingsFaults(t *testing.T) {
	t.Parallel()
	_, err := readEngineSettings(map[string]string{
		"HASURA_GRAPHQL_DEV_MODE":                     "maybe",
		"HASURA_GRAPHQL_ASYNC_ACTIONS_FETCH_INTERVAL": "-1",
		"HASURA_GRAPHQL_GRACEFUL_SHUTDOWN_TIMEOUT":    "NaN",
		"HASURA_GRAPHQL_LOG_LEVEL":                    "loud",
		"HASURA_GRAPHQL_ENABLED_LOG_TYPES":            "http-log,httplog",
		"HASURA_GRAPHQL_ENABLED_APIS":                 "graphql,rest",
		"HASURA_GRAPHQL_ADMIN_SECRETS":                "topsecret",
	})
	if !errors.Is(err, errdefs.ErrInvalid) {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{
		`DEV_MODE: expected true or false, got "maybe"`, `FETCH_INTERVAL: expected`, `SHUTDOWN_TIMEOUT: expected`, `"loud"`,
		`"httplog" is none of`, `"rest" is none of`, `ADMIN_SECRETS: expected`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "topsecret") {
		t.Errorf("a secret is in\n%v", err)
	}
}

func TestEngineSettings(t *testing.T) {
	t.Parallel()
	s, err := readEngineSettings(map[string]string{})
	if err != nil {
		t.Fatal(err)
	}
	if s.FetchInterval != time.Second || s.Drain != time.Minute || !s.Startup || !s.Metrics || s.Gateway.HideAdminInternals {
		t.Errorf("defaults: %+v", s)
	}
	s, err = readEngineSettings(map[string]string{
		"HASURA_GRAPHQL_ASYNC_ACTIONS_FETCH_INTERVAL": "0", "HASURA_GRAPHQL_GRACEFUL_SHUTDOWN_TIMEOUT": "0.5",
		"HASURA_GRAPHQL_ENABLED_LOG_TYPES": "query-log, http-log", "HASURA_GRAPHQL_ENABLED_APIS": "graphql",
		"HASURA_GRAPHQL_ADMIN_INTERNAL_ERRORS": "No", "HASURA_GRAPHQL_DATABASE_URL": "postgres://d",
		"HASURA_GRAPHQL_ENABLE_CONSOLE": "true",
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.FetchInterval != 0 || s.Drain != 500*time.Millisecond || s.Startup || s.Metrics || !s.Gateway.HideAdminInternals {
		t.Errorf("got %+v", s)
	}
	if want := (gateway.LogTypes{NoWebhook: true, NoWebSocket: true, Query: true}); s.Gateway.Logs != want {
		t.Errorf("log types: got %+v, want %+v", s.Gateway.Logs, want)
	}
	if want := (gateway.DisabledAPIs{Metadata: true, Config: true}); s.Gateway.Disabled != want {
		t.Errorf("disabled: got %+v, want %+v", s.Gateway.Disabled, want)
	}
	if s.MetadataDatabase.Reveal() != "postgres://d" {
		t.Error("the metadata is not in the database")
	}
	if diff := cmp.Diff([]string{"HASURA_GRAPHQL_ENABLE_CONSOLE"}, s.Ignored); diff != "" {
		t.Error(diff)
	}
}

func TestGatewayNeedsMetadata(t *testing.T) {
	t.Parallel()
	err := runGateway(t.Context(), &gatewayOptions{IO: &ui.Streams{Out: io.Discard, Err: io.Discard}, Vars: map[string]string{}})
	if !errors.Is(err, errdefs.ErrUsage) || len(errdefs.Hints(err)) == 0 {
		t.Errorf("got %v", err)
	}
}

// lines is a log that is read while it is written.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// waitFor polls until text is there.
func waitFor(t *testing.T, what string, ready func() bool) {
	t.Helper()
	deadline := time.After(testPatience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ready() {
		select {
		case <-deadline:
			t.Fatalf("%s: not after %s", what, testPatience)
		case <-tick.C:
		}
	}
}

// gatewayProcess is nself gateway, running in this process.
type gatewayProcess struct {
	url   string
	log   *lines
	stop  func() // as SIGTERM does
	ended chan error
}

func startGateway(t *testing.T, vars map[string]string) *gatewayProcess {
	t.Helper()
	g := &gatewayProcess{log: &lines{}, ended: make(chan error, 1)}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	g.stop = cancel
	all := map[string]string{
		"HASURA_GRAPHQL_SERVER_PORT": "0", "HASURA_GRAPHQL_SERVER_HOST": "127.0.0.1",
		"HASURA_GRAPHQL_ADMIN_SECRET": "topsecret", "HASURA_GRAPHQL_SCHEMA_SYNC_POLL_INTERVAL": "20",
	}
	maps.Copy(all, vars)
	go func() {
		g.ended <- runGateway(ctx, &gatewayOptions{IO: &ui.Streams{Out: g.log, Err: g.log}, Vars: all})
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-g.ended:
			if err != nil {
				t.Errorf("run: %v", err)
			}
		case <-time.After(testPatience):
			t.Error("the gateway does not stop")
		}
	})
	address := regexp.MustCompile(`"event":"listening","address":"([^"]+)"`)
	waitFor(t, "startup line", func() bool {
		if found := address.FindStringSubmatch(g.log.String()); found != nil {
			g.url = "http://" + found[1]
		}
		return g.url != ""
	})
	return g
}

// ask sends a request, as an administrator unless header says otherwise.
func (g *gatewayProcess) ask(t *testing.T, method, path, body string, header ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, g.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Hasura-Admin-Secret", "topsecret")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
		if header[i+1] == "" {
			req.Header.Del(header[i])
		}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return resp.StatusCode, ""
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// writeMetadata declares the query greet, which answers a Greeting, at handler.
func writeMetadata(t *testing.T, folder, handler, action string) {
	t.Helper()
	for name, text := range map[string]string{
		"version.yaml": "version: 3\n",
		"actions.graphql": "type Query {\n  " + action + "(password: String!): Greeting\n}\n" +
			"type Greeting {\n  text: String!\n}\n",
		"actions.yaml": "actions:\n  - name: " + action + "\n    definition:\n      kind: \"\"\n      handler: '" + handler + "'\n" +
			"      headers:\n        - name: X-Secret\n          value_from_env: HANDLER_SECRET\n" +
			"custom_types:\n  objects:\n    - name: Greeting\n",
	} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestGatewayServesFiles runs the engine on a folder of metadata: answers, metrics, the log, a change of the files.
func TestGatewayServesFiles(t *testing.T) {
	t.Parallel()
	var headers http.Header
	handler := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		headers = r.Header.Clone()
		fmt.Fprint(w, `{"text":"hello"}`)
	}))
	defer handler.Close()
	folder := t.TempDir()
	writeMetadata(t, folder, "{{HANDLER}}/greet?key=urlsecret", "greet")
	g := startGateway(t, map[string]string{
		"HASURA_GRAPHQL_METADATA_DIR": folder, "HANDLER": handler.URL, "HANDLER_SECRET": "handlersecret",
		"HASURA_GRAPHQL_ENABLED_LOG_TYPES": "startup,http-log,webhook-log,websocket-log,query-log",
		"HASURA_GRAPHQL_JWT_SECRET":        `{"type":"HS256","key":"jwtsecretjwtsecretjwtsecretjwtsecret"}`,
	})
	query := `{"query":"query Q($p: String!) { greet(password: $p) { text } }","variables":{"p":"clientsecret"}}`
	status, body := g.ask(t, http.MethodPost, "/v1/graphql", query,
		"Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	if status != http.StatusOK || body != `{"data":{"greet":{"text":"hello"}}}` {
		t.Fatalf("got %d %s", status, body)
	}
	if trace := headers.Get("Traceparent"); !strings.HasPrefix(trace, "00-0af7651916cd43dd8448eb211c80319c-") ||
		strings.Contains(trace, "b7ad6b7169203331") || headers.Get("X-B3-Traceid") != "0af7651916cd43dd8448eb211c80319c" {
		t.Errorf("the handler got %v", headers)
	}
	if status, body := g.ask(t, http.MethodPost, "/v1/metadata", `{"type":"export_metadata","args":{}}`); status != http.StatusOK ||
		!strings.Contains(body, `"greet"`) {
		t.Errorf("export: got %d %s", status, body)
	}
	if status, _ := g.ask(t, http.MethodGet, "/metrics", "", "X-Hasura-Admin-Secret", ""); status != http.StatusBadRequest {
		t.Errorf("metrics for everybody: got %d", status)
	}
	_, metrics := g.ask(t, http.MethodGet, "/metrics", "")
	for _, want := range []string{
		`nself_requests_total{endpoint="graphql",result="ok"} 1`, `nself_action_calls_total{action="greet",status="2xx"} 1`,
		`nself_action_call_duration_seconds_count{action="greet"} 1`, `nself_request_duration_seconds_bucket{endpoint="graphql",le="+Inf"} 1`,
		`nself_metadata_actions 1`, `hasura_websocket_connections 0`,
	} {
		if !strings.Contains(metrics, want+"\n") {
			t.Errorf("no %s in\n%s", want, metrics)
		}
	}

	writeMetadata(t, folder, "{{HANDLER}}/greet", "welcome")
	waitFor(t, "changed metadata", func() bool {
		_, body := g.ask(t, http.MethodPost, "/v1/graphql", `{"query":"{ welcome(password: \"clientsecret2\") { text } }"}`)
		return strings.Contains(body, "hello")
	})
	if _, metrics := g.ask(t, http.MethodGet, "/v1/metrics", ""); strings.Contains(metrics, `"greet"`) {
		t.Error("the dropped action still has metrics")
	}
	log := g.log.String()
	for _, want := range []string{
		`"msg":"startup"`, `"authentication":"admin secret, JWT"`, `"msg":"webhook-log","action":"greet","status":200`,
		`"msg":"query-log"`, `"query":"query Q($p: String!) { greet(password: $p) { text } }"`,
		`"method":"POST","path":"/v1/graphql","status":200,"role":"admin"`, `"response_bytes":35`,
		`"method":"GET","path":"/metrics","status":400`, `"path":"/v1/metadata","status":200`,
	} {
		if !strings.Contains(log, want) {
			t.Errorf("no %s in the log", want)
		}
	}
	for _, secret := range []string{"topsecret", "handlersecret", "urlsecret", "jwtsecret", `clientsecret"`} {
		if strings.Contains(log, secret) {
			t.Errorf("%s is in the log:\n%s", secret, log)
		}
	}
}

// TestGatewayDisabledAPIs holds that what is not enabled does not exist, and that metrics have a secret of their own.
func TestGatewayDisabledAPIs(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	writeMetadata(t, folder, "http://localhost:1", "greet")
	for name, test := range map[string]struct {
		vars map[string]string
		want map[string]int
	}{
		"only metadata": {
			map[string]string{"HASURA_GRAPHQL_ENABLED_APIS": "metadata"},
			map[string]int{
				"POST /v1/graphql": 404, "POST /v1alpha1/graphql": 404, "POST /v1/graphql/explain": 404, "GET /v1/graphql": 404,
				"UPGRADE /v1/graphql": 404, "POST /v1/metadata": 200, "POST /v1/query": 200, "GET /v1alpha1/config": 404,
				"GET /metrics": 404, "GET /v1/metrics": 404, "GET /healthz": 200, "GET /v1/version": 200, "POST /v1alpha1/pg_dump": 404,
			},
		},
		"only graphql and metrics": {
			map[string]string{"HASURA_GRAPHQL_ENABLED_APIS": "graphql,metrics", "HASURA_GRAPHQL_METRICS_SECRET": "prom"},
			map[string]int{
				"POST /v1/graphql": 200, "POST /v1alpha1/graphql": 200, "UPGRADE /v1/graphql": 101, "POST /v1/metadata": 404,
				"POST /v1/query": 404, "POST /v2/query": 404, "GET /v1alpha1/config": 404, "GET /metrics": 200,
			},
		},
		"only config": {
			map[string]string{"HASURA_GRAPHQL_ENABLED_APIS": " config , pgdump "},
			map[string]int{
				"GET /v1alpha1/config": 200, "POST /v1/graphql": 404, "POST /v1/metadata": 404, "GET /metrics": 404,
				"POST /v1alpha1/pg_dump": 404, "GET /hasura/healthz": 200,
			},
		},
		"a secret for metrics": {
			map[string]string{"HASURA_GRAPHQL_METRICS_SECRET": "other"},
			map[string]int{"GET /metrics": 401, "GET /v1/metrics": 401, "GET /v1alpha1/config": 200},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.vars["HASURA_GRAPHQL_METADATA_DIR"] = folder
			test.vars["HANDLER_SECRET"] = "x"
			g := startGateway(t, test.vars)
			for request, want := range test.want {
				method, path, _ := strings.Cut(request, " ")
				body := `{"query":"{ __typename }"}`
				if path == "/v1/metadata" || path == "/v1/query" || path == "/v2/query" {
					body = `{"type":"export_metadata","args":{}}`
				}
				header := []string{}
				if strings.HasSuffix(path, "metrics") {
					header = []string{"Authorization", "Bearer prom"}
				}
				if method == "UPGRADE" {
					method, body = http.MethodGet, ""
					header = []string{
						"Upgrade", "websocket", "Connection", "Upgrade", "Sec-Websocket-Version", "13",
						"Sec-Websocket-Key", "dGhlIHNhbXBsZSBub25jZQ==",
					}
				}
				got, text := g.ask(t, method, path, body, header...)
				if got != want {
					t.Errorf("%s: got %d %s, want %d", request, got, text, want)
				}
				if want == http.StatusNotFound && text != `{"error":"resource does not exist","path":"$","code":"not-found"}` {
					t.Errorf("%s: got %s", request, text)
				}
			}
		})
	}
}

// TestGatewayDrains holds that a request under way is answered after the signal to stop.
func TestGatewayDrains(t *testing.T) {
	t.Parallel()
	called, answer := make(chan struct{}), make(chan struct{})
	handler := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(called)
		<-answer
		fmt.Fprint(w, `{"text":"late"}`)
	}))
	defer handler.Close()
	folder := filepath.Join(t.TempDir(), "hasura", "metadata")
	writeMetadata(t, folder, handler.URL, "greet")
	g := startGateway(t, map[string]string{
		"HASURA_GRAPHQL_METADATA_DIR": filepath.Dir(filepath.Dir(folder)), "HANDLER_SECRET": "x",
	})
	got := make(chan string, 1)
	go func() {
		_, body := g.ask(t, http.MethodPost, "/v1/graphql", `{"query":"{ greet(password: \"p\") { text } }"}`)
		got <- body
	}()
	<-called
	g.stop()
	close(answer)
	if body := <-got; !strings.Contains(body, "late") {
		t.Errorf("got %s", body)
	}
	waitFor(t, "end", func() bool { return strings.Contains(g.log.String(), `"event":"stopped"`) })
}

// TestGatewayKeepsMetadata holds that metadata and asynchronous actions outlive the engine in a database.
func TestGatewayKeepsMetadata(t *testing.T) {
	t.Parallel()
	handler := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"text":"done"}`) }))
	defer handler.Close()
	vars := map[string]string{"HASURA_GRAPHQL_DATABASE_URL": pgtest.Start(t), "HASURA_GRAPHQL_ENABLE_CONSOLE": "true"}
	g := startGateway(t, vars)
	for _, command := range []string{
		`{"type":"set_custom_types","args":{"objects":[{"name":"Report","fields":[{"name":"text","type":"String"}]}]}}`,
		`{"type":"create_action","args":{"name":"report","definition":{"kind":"asynchronous","type":"mutation",` +
			`"handler":"` + handler.URL + `","output_type":"Report"}}}`,
	} {
		if status, body := g.ask(t, http.MethodPost, "/v1/metadata", command); status != http.StatusOK {
			t.Fatalf("got %d %s", status, body)
		}
	}
	_, body := g.ask(t, http.MethodPost, "/v1/graphql", `{"query":"mutation { report }"}`)
	id := regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}`).FindString(body)
	if id == "" {
		t.Fatalf("got %s", body)
	}
	result := `{"query":"{ report(id: \"` + id + `\") { output { text } } }"}`
	waitFor(t, "result", func() bool {
		_, body := g.ask(t, http.MethodPost, "/v1/graphql", result)
		return strings.Contains(body, "done")
	})
	if _, metrics := g.ask(t, http.MethodGet, "/metrics", ""); !strings.Contains(metrics,
		`nself_action_log_entries{action="report",status="completed"} 1`) {
		t.Errorf("no depth of the action log in\n%s", metrics)
	}
	if !strings.Contains(g.log.String(), `"variable":"HASURA_GRAPHQL_ENABLE_CONSOLE"`) {
		t.Error("nothing is said about the console")
	}
	g.stop()
	waitFor(t, "end", func() bool { return strings.Contains(g.log.String(), `"event":"stopped"`) })

	again := startGateway(t, vars)
	if _, body := again.ask(t, http.MethodPost, "/v1/graphql", result); !strings.Contains(body, "done") {
		t.Errorf("after a restart: got %s", body)
	}
}

// TestGatewayDefaultSource holds that a database URL is the source default of new metadata, and that a database for the
// metadata alone is none.
func TestGatewayDefaultSource(t *testing.T) {
	t.Parallel()
	const table = `{"type":"bulk","args":[{"type":"run_sql","args":{"sql":"CREATE TABLE IF NOT EXISTS author (id int)"}},` +
		`{"type":"track_table","args":{"table":"author"}}]}`
	vars := map[string]string{"HASURA_GRAPHQL_DATABASE_URL": pgtest.Start(t)}
	g := startGateway(t, vars)
	if status, body := g.ask(t, http.MethodPost, "/v1/query", table); status != http.StatusOK {
		t.Errorf("got %d %s", status, body)
	}
	g.stop()
	waitFor(t, "end", func() bool { return strings.Contains(g.log.String(), `"event":"stopped"`) })
	again := startGateway(t, vars)
	_, body := again.ask(t, http.MethodPost, "/v1/metadata", `{"type":"export_metadata","args":{}}`)
	want := `{"version":3,"sources":[{"name":"default","kind":"postgres","tables":[{"table":{"schema":"public","name":"author"}}],` +
		`"configuration":{"connection_info":{"database_url":{"from_env":"HASURA_GRAPHQL_DATABASE_URL"},` +
		`"isolation_level":"read-committed","use_prepared_statements":false}}}]}`
	if diff := cmp.Diff(want, body); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}

	alone := startGateway(t, map[string]string{"HASURA_GRAPHQL_METADATA_DATABASE_URL": pgtest.Start(t)})
	if _, body := alone.ask(t, http.MethodPost, "/v1/metadata", `{"type":"export_metadata","args":{}}`); body != `{"version":3,"sources":[]}` {
		t.Errorf("got %s", body)
	}
	if _, body := alone.ask(t, http.MethodPost, "/v1/metadata", `{"type":"pg_track_table","args":{"table":"author"}}`); !strings.Contains(body, "default") {
		t.Errorf("got %s", body)
	}
}

func TestHealthcheck(t *testing.T) {
	t.Parallel()
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, "OK")
	}))
	defer server.Close()
	var out bytes.Buffer
	check := func() error {
		return runHealthcheck(t.Context(), &healthcheckOptions{IO: &ui.Streams{Out: &out}, URL: server.URL})
	}
	if err := check(); err != nil || out.String() != "OK\n" {
		t.Errorf("got %q, %v", out.String(), err)
	}
	status = http.StatusInternalServerError
	if err := check(); !errors.Is(err, errdefs.ErrUnhealthy) {
		t.Errorf("got %v", err)
	}
}
