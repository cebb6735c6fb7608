package metadataapi_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nself-org/nself/internal/auth"
	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/gateway"
	"github.com/nself-org/nself/internal/metadata"
	"github.com/nself-org/nself/internal/metadataapi"
	"github.com/nself-org/nself/internal/pgtest"
)

const secret = "metadata-api-secret"

// fixture is an API in front of an engine.
type fixture struct {
	api    *metadataapi.API
	engine *gateway.Engine
}

// newFixture makes an API; what o leaves out is an empty memory store, an admin secret and a silent log.
func newFixture(t *testing.T, o metadataapi.Options) *fixture {
	t.Helper()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	authenticator, err := auth.New(t.Context(), auth.Config{AdminSecrets: []env.Secret{secret}}, nil, o.Log)
	if err != nil {
		t.Fatal(err)
	}
	o.Auth = authenticator
	o.Engine, err = gateway.New(gateway.Options{
		Auth: authenticator, Log: o.Log,
		Lookup: func(name string) (string, bool) { return "http://handler.test", name == "HANDLER" },
	})
	if err != nil {
		t.Fatal(err)
	}
	if o.Store == nil {
		o.Store = memoryStore(t)
	}
	api, err := metadataapi.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	o.Engine.MountAPI(api)
	return &fixture{api: api, engine: o.Engine}
}

func emptyDocument() *metadata.Metadata {
	return &metadata.Metadata{
		Version: 3, Rest: map[string]json.RawMessage{"sources": metadataapi.DefaultSources("DATABASE_URL")},
	}
}

func memoryStore(t *testing.T) *metadataapi.MemoryStore {
	t.Helper()
	store, err := metadataapi.NewMemoryStore(emptyDocument())
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func newPool(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// withDatabase is a fixture whose default source is a database of its own.
func withDatabase(t *testing.T) (*fixture, *pgxpool.Pool) {
	t.Helper()
	pool := newPool(t, pgtest.Start(t))
	return newFixture(t, metadataapi.Options{Sources: map[string]*pgxpool.Pool{"default": pool}}), pool
}

// send posts a body as an administrator.
func (f *fixture) send(t *testing.T, path, body string) (status int, answer string) {
	t.Helper()
	return f.sendAs(t, path, body, map[string]string{"X-Hasura-Admin-Secret": secret})
}

func (f *fixture) sendAs(t *testing.T, path, body string, headers map[string]string) (status int, answer string) {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body))
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	f.engine.Handler().ServeHTTP(w, req)
	return w.Code, w.Body.String()
}

// must posts a command that has to succeed.
func (f *fixture) must(t *testing.T, path, body string) string {
	t.Helper()
	status, answer := f.send(t, path, body)
	if status != http.StatusOK {
		t.Fatalf("%s: status %d: %s", body, status, answer)
	}
	return answer
}

// version is the resource version that an export shows.
func (f *fixture) version(t *testing.T) int64 {
	t.Helper()
	var exported struct {
		Version int64 `json:"resource_version"`
	}
	answer := f.must(t, "/v1/metadata", `{"type":"export_metadata","version":2,"args":{}}`)
	if err := json.Unmarshal([]byte(answer), &exported); err != nil {
		t.Fatal(err)
	}
	return exported.Version
}

// actionLog records which actions' entries were dropped.
type actionLog struct {
	mu      sync.Mutex
	dropped []string
	err     error
}

func (l *actionLog) Drop(_ context.Context, action string) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dropped = append(l.dropped, action)
	return 1, l.err
}

// createPing creates an action without types.
const createPing = `{"type":"create_action","args":{"name":"ping","definition":` +
	`{"handler":"{{HANDLER}}/ping","output_type":"String!"}}}`
