package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nself-org/nself/internal/actionlog"
	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/gateway"
	"github.com/nself-org/nself/internal/testports"
)

func TestSocketSettings(t *testing.T) {
	t.Parallel()
	var o gateway.Options
	err := socketSettings(map[string]string{
		"HASURA_GRAPHQL_WEBSOCKET_KEEPALIVE":                    "7",
		"HASURA_GRAPHQL_WEBSOCKET_CONNECTION_INIT_TIMEOUT":      " 9 ",
		"HASURA_GRAPHQL_CLOSE_WEBSOCKETS_ON_METADATA_CHANGE":    "false",
		"HASURA_GRAPHQL_EXPERIMENTAL_FEATURES":                  "naming_convention, no_null_unbound_variable_default",
		"HASURA_GRAPHQL_ASYNC_ACTIONS_FETCH_INTERVAL":           "x", // another function's
		"HASURA_GRAPHQL_WEBSOCKET_CONNECTION_INIT_TIMEOUT_LONG": "x",
	}, &o)
	if err != nil {
		t.Fatal(err)
	}
	if o.WebSocketKeepAlive != 7*time.Second || o.WebSocketInitTimeout != 9*time.Second || !o.KeepWebSockets || !o.OmitUnboundVariables {
		t.Errorf("got %+v", o)
	}
	o = gateway.Options{}
	if err := socketSettings(nil, &o); err != nil || o.KeepWebSockets || o.OmitUnboundVariables || o.WebSocketKeepAlive != 0 {
		t.Errorf("got %+v, %v", o, err)
	}
	for _, bad := range []string{"-1", "5s", "1.5"} {
		err := socketSettings(map[string]string{"HASURA_GRAPHQL_WEBSOCKET_KEEPALIVE": bad}, &o)
		if !errors.Is(err, errdefs.ErrInvalid) || !strings.Contains(err.Error(), "HASURA_GRAPHQL_WEBSOCKET_KEEPALIVE: expected a whole number") {
			t.Errorf("%q: got %v", bad, err)
		}
	}
}

// TestActionLogWithoutDatabase holds that actions work without a database, and that the log says what that means.
func TestActionLogWithoutDatabase(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "postgres://host:port/x"} {
		var logged bytes.Buffer
		store, closeLog := openActionLog(t.Context(), map[string]string{actionLogKey: url}, slog.New(slog.NewTextHandler(&logged, nil)))
		defer closeLog()
		if _, ok := store.(*actionlog.Memory); !ok || !strings.Contains(logged.String(), "asynchronous actions are kept in memory") {
			t.Errorf("%q: got %T and %s", url, store, logged.String())
		}
	}
}

// TestEngineStartsWithoutDatabase holds that the engine serves while its database is away, tells the caller of an
// asynchronous action so, and stops in time.
func TestEngineStartsWithoutDatabase(t *testing.T) {
	t.Parallel()
	handler := httptest.NewServer(http.NotFoundHandler())
	defer handler.Close()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"version.yaml":    "version: 3\n",
		"actions.graphql": "type Mutation {\n  report: Report\n}\ntype Report {\n  url: String\n}\n",
		"actions.yaml": "actions:\n  - name: report\n    definition:\n      kind: asynchronous\n      handler: " + handler.URL +
			"\ncustom_types:\n  objects:\n    - name: Report\n",
	} {
		path := filepath.Join(dir, "hasura", "metadata", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg := &env.Config{Dir: dir}
	cfg.Postgres.Port = testports.Port(t) // nobody listens there
	engine, err := newProjectEngine(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- engine.Run(ctx, ln) }()
	resp, err := http.Post("http://"+ln.Addr().String()+"/v1/graphql", "application/json", strings.NewReader(`{"query":"mutation { report }"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || !json.Valid(body) || !strings.Contains(string(body), "database query error") {
		t.Errorf("got %s, %v", body, err)
	}
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("run: %v", err)
		}
	case <-time.After(testPatience):
		t.Error("the engine does not stop")
	}
}
