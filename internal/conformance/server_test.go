package conformance_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nself-org/nself/internal/actionlog/postgres"
	"github.com/nself-org/nself/internal/auth"
	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/gateway"
	"github.com/nself-org/nself/internal/metadata"
	"github.com/nself-org/nself/internal/metadataapi"
	"github.com/nself-org/nself/internal/pgtest"
	"github.com/nself-org/nself/internal/worker"
)

const adminSecret = "conformance-admin-secret"

// stack is a gateway with its database and its handlers.
type stack struct {
	url    string
	secret string // empty: everybody may be anybody
	pool   *pgxpool.Pool
}

// startStack starts a gateway on an empty database.
func startStack(t *testing.T, secret string) *stack {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	databaseURL := pgtest.Start(t)
	pool, err := pgxpool.New(t.Context(), databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	vars := map[string]string{"ACTION_WEBHOOK_HANDLER": newWebhooks(t, pool), "HASURA_ADMIN_SECRET": adminSecret}
	config := auth.Config{}
	if secret != "" {
		config.AdminSecrets = []env.Secret{env.Secret(secret)}
	}
	authenticator, err := auth.New(t.Context(), config, nil, log)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := postgres.Open(postgres.Options{URL: databaseURL, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(entries.Close)
	engine, err := gateway.New(gateway.Options{
		Auth: authenticator, Log: log, Version: "v2.48.10", ActionLog: entries,
		Lookup: func(name string) (string, bool) { value, ok := vars[name]; return value, ok },
	})
	if err != nil {
		t.Fatal(err)
	}
	initial := &metadata.Metadata{
		Version: 3, Rest: map[string]json.RawMessage{"sources": metadataapi.DefaultSources("HASURA_GRAPHQL_DATABASE_URL")},
	}
	store, err := metadataapi.NewPostgresStore(t.Context(), pool, initial)
	if err != nil {
		t.Fatal(err)
	}
	api, err := metadataapi.New(t.Context(), metadataapi.Options{
		Engine: engine, Auth: authenticator, Store: store, Log: log, ActionLog: entries,
		Sources: map[string]*pgxpool.Pool{"default": pool},
	})
	if err != nil {
		t.Fatal(err)
	}
	engine.MountAPI(api)
	runActions(t, engine, entries, log)
	server := httptest.NewServer(engine.Handler())
	t.Cleanup(server.Close)
	return &stack{url: server.URL, secret: secret, pool: pool}
}

// runActions runs asynchronous actions until the test ends, once there are any.
func runActions(t *testing.T, engine *gateway.Engine, entries *postgres.Store, log *slog.Logger) {
	t.Helper()
	w, err := worker.New(worker.Options{
		Queue: entries, Call: engine.RunAsync, Log: log, Interval: time.Second, Grace: -1,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() {
		select {
		case <-engine.Async():
			ended <- w.Run(ctx)
		case <-ctx.Done():
			ended <- nil
		}
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("worker: %v", err)
		}
	})
}

// post sends a request as it is.
func (s *stack) post(ctx context.Context, t *testing.T, path string, headers map[string]string, body []byte) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, got}
}

// trusted adds the admin secret to headers.
func (s *stack) trusted(headers map[string]string) map[string]string {
	out := map[string]string{}
	maps.Copy(out, headers)
	if s.secret != "" {
		out["X-Hasura-Admin-Secret"] = s.secret
	}
	return out
}

// prepare posts a setup or teardown file.
func (s *stack) prepare(ctx context.Context, t *testing.T, path, file string) {
	t.Helper()
	body, err := readBody(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.post(ctx, t, path, s.trusted(nil), body); got.status != http.StatusOK {
		t.Fatalf("%s: status %d: %s", file, got.status, got.body)
	}
}

// sql runs a statement in the database.
func (s *stack) sql(ctx context.Context, t *testing.T, statement string) {
	t.Helper()
	if _, err := s.pool.Exec(ctx, statement); err != nil {
		t.Fatal(err)
	}
}

// runOptions say how the steps of a case are sent.
type runOptions struct {
	// exact sends the headers of the file and the secret alone. Otherwise refusals are checked first, and every other
	// request of an administrator names the role, which must make no difference.
	exact bool
	// anyPath leaves the path of flat errors out.
	anyPath bool
}

// run runs the steps of a case.
func (s *stack) run(t *testing.T, steps []step, o runOptions) {
	t.Helper()
	for i, step := range steps {
		body, err := toJSON(&step.Query)
		if err != nil {
			t.Fatal(err)
		}
		headers := map[string]string{}
		maps.Copy(headers, step.Headers)
		if !o.exact {
			s.checkRefusals(t, step.URL, headers, body)
			if len(headers) == 0 && i%2 == 0 {
				headers["X-Hasura-Role"] = "admin"
			}
		}
		got := s.post(t.Context(), t, step.URL, s.trusted(headers), body)
		if got.status != step.Status {
			t.Errorf("step %d (%s): status %d, want %d: %s", i+1, step.Description, got.status, step.Status, got.body)
		}
		if step.Response.Kind == 0 {
			continue
		}
		want, err := toJSON(&step.Response)
		if err != nil {
			t.Fatal(err)
		}
		if diff := compare(want, got.body, o.anyPath); diff != "" {
			t.Errorf("step %d (%s): response (-want +got):\n%s", i+1, step.Description, diff)
		}
	}
}

// checkRefusals sends a request without the admin secret and with a wrong one.
func (s *stack) checkRefusals(t *testing.T, url string, headers map[string]string, body []byte) {
	t.Helper()
	if s.secret == "" {
		return
	}
	for name, secret := range map[string]string{"no secret": "", "wrong secret": s.secret + "x"} {
		sent := map[string]string{}
		maps.Copy(sent, headers)
		if secret != "" {
			sent["X-Hasura-Admin-Secret"] = secret
		}
		got := s.post(t.Context(), t, url, sent, body)
		status, code := http.StatusUnauthorized, field(got.body, "code")
		if url == "/v1/graphql" {
			status, code = http.StatusOK, field(got.body, "errors", "0", "extensions", "code")
		}
		if got.status != status || code != "access-denied" {
			t.Errorf("%s with %s: status %d, code %q, want %d access-denied: %s", url, name, got.status, code, status, got.body)
		}
	}
}

// field reads a text from JSON; "" when it is not there.
func field(raw []byte, path ...string) string {
	v := decoded(raw)
	for _, key := range path {
		switch node := v.(type) {
		case map[string]any:
			v = node[key]
		case []any:
			if key != "0" || len(node) == 0 {
				return ""
			}
			v = node[0]
		}
	}
	text, _ := v.(string)
	return text
}
