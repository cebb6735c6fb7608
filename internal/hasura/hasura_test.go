package hasura_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nself-org/nself/internal/auth"
	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/gateway"
	"github.com/nself-org/nself/internal/hasura"
	"github.com/nself-org/nself/internal/metadata"
	"github.com/nself-org/nself/internal/metadataapi"
)

const secret = "metadata-api-secret"

// engine serves the metadata API on a port, from a store in memory or from a folder of files.
func engine(t *testing.T, store metadataapi.Store) *hasura.Client {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	if store == nil {
		memory, err := metadataapi.NewMemoryStore(&metadata.Metadata{
			Version: 3, Rest: map[string]json.RawMessage{"sources": metadataapi.DefaultSources("DATABASE_URL")},
		})
		if err != nil {
			t.Fatal(err)
		}
		store = memory
	}
	authenticator, err := auth.New(t.Context(), auth.Config{AdminSecrets: []env.Secret{secret}}, nil, log)
	if err != nil {
		t.Fatal(err)
	}
	core, err := gateway.New(gateway.Options{Auth: authenticator, Log: log, Lookup: func(name string) (string, bool) {
		return "http://handler.test", name == "HANDLER"
	}})
	if err != nil {
		t.Fatal(err)
	}
	api, err := metadataapi.New(t.Context(), metadataapi.Options{Engine: core, Auth: authenticator, Store: store, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	core.MountAPI(api)
	srv := httptest.NewServer(core.Handler())
	t.Cleanup(srv.Close)
	return &hasura.Client{Base: srv.URL, Secret: secret}
}

// document is a project's metadata with one action.
func document(t *testing.T, handler string, timeout int) *metadata.Metadata {
	t.Helper()
	md := &metadata.Metadata{
		Version: 3, Rest: map[string]json.RawMessage{"sources": metadataapi.DefaultSources("DATABASE_URL")},
		Actions: []metadata.Action{
			{
				Name:       "login",
				Definition: metadata.ActionDefinition{Handler: handler, OutputType: "Session", Timeout: timeout},
			},
		},
		CustomTypes: metadata.CustomTypes{
			Objects: []metadata.Object{{Name: "Session", Fields: []metadata.Field{{Name: "ok", Type: "Boolean!"}}}},
		},
	}
	return md
}

func apply(t *testing.T, c *hasura.Client, dir string, md *metadata.Metadata, overwrite bool) *hasura.Outcome {
	t.Helper()
	out, err := c.Apply(t.Context(), dir, md, overwrite)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestApplyKeepsWhatWasEditedOnTheEngine(t *testing.T) {
	t.Parallel()
	c, dir := engine(t, nil), t.TempDir()
	if out := apply(t, c, dir, document(t, "{{HANDLER}}/login", 5), false); len(out.Changed) != 2 || out.Kept {
		t.Errorf("first apply: %+v, want action and type added", out)
	}
	info, err := os.Stat(filepath.Join(dir, ".nself", "run", "metadata-applied.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("what was applied is not remembered for its owner alone: %v %v", info, err)
	}
	if out := apply(t, c, dir, document(t, "{{HANDLER}}/login", 5), false); len(out.Changed) > 0 {
		t.Errorf("nothing has changed, yet %+v", out.Changed)
	}
	if out := apply(t, c, dir, document(t, "{{HANDLER}}/login", 6), false); len(out.Changed) != 1 || out.Kept {
		t.Errorf("a change of the files: %+v, want it applied", out)
	}

	console := document(t, "{{HANDLER}}/login", 99)
	if _, err := c.Replace(t.Context(), console, 0); err != nil {
		t.Fatal(err)
	}
	out := apply(t, c, dir, document(t, "{{HANDLER}}/login", 6), false)
	if !out.Kept || len(out.Edited) != 1 || out.Edited[0].Object != "action login" {
		t.Errorf("after an edit on the engine: %+v, want it kept", out)
	}
	if server, _, err := c.Export(t.Context()); err != nil || server.Actions[0].Definition.Timeout != 99 {
		t.Errorf("the engine's edit is gone: %v", err)
	}
	if out := apply(t, c, dir, document(t, "{{HANDLER}}/login", 6), true); out.Kept || out.Replaced == nil ||
		out.Replaced.Actions[0].Definition.Timeout != 99 {
		t.Errorf("overwritten: %+v, want the engine's document", out)
	}
}

func TestApplyToAnEngineThatServesFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files, err := metadata.Render(document(t, "{{HANDLER}}/login", 5))
	if err != nil {
		t.Fatal(err)
	}
	if err := metadata.WriteFiles(dir, files); err != nil {
		t.Fatal(err)
	}
	c := engine(t, metadataapi.NewDirStore(dir))
	if files, err = metadata.Render(document(t, "{{NOWHERE}}/login", 5)); err != nil {
		t.Fatal(err)
	}
	if err := metadata.WriteFiles(dir, files); err != nil {
		t.Fatal(err)
	}
	md, err := metadata.LoadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := apply(t, c, dir, md, true)
	if len(out.Inconsistent) != 1 || !strings.Contains(out.Inconsistent[0].Reason, "NOWHERE") ||
		!strings.Contains(hasura.Fix(out.Inconsistent[0]), "nself config set") {
		t.Errorf("inconsistent: %+v, want the handler's variable and its fix", out.Inconsistent)
	}
	if server, _, err := c.Export(t.Context()); err != nil || server.Actions[0].Definition.Handler != "{{NOWHERE}}/login" {
		t.Errorf("the files were not read again: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	c := engine(t, nil)
	stranger := &hasura.Client{Base: c.Base, Secret: "wrong"}
	if _, _, err := stranger.Export(t.Context()); !errors.Is(err, errdefs.ErrInvalid) ||
		strings.Contains(err.Error(), "wrong") || !strings.HasPrefix(err.Error(), "export_metadata at "+c.Base+": ") ||
		!strings.Contains(strings.Join(errdefs.Hints(err), " "), "HASURA_GRAPHQL_ADMIN_SECRET") {
		t.Errorf("a wrong secret: %v %v", err, errdefs.Hints(err))
	}
	_, version, err := c.Export(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Replace(t.Context(), document(t, "http://h", 1), version); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Replace(t.Context(), document(t, "http://h", 2), version); !hasura.IsConflict(err) ||
		!errors.Is(err, errdefs.ErrDrift) {
		t.Errorf("a version of before: %v, want a conflict", err)
	}
	nobody := &hasura.Client{Base: "http://127.0.0.1:1"}
	if _, err := nobody.Inconsistencies(t.Context()); !errors.Is(err, errdefs.ErrUnavailable) {
		t.Errorf("nobody there: %v, want class unavailable", err)
	}
	if err := (&hasura.Client{Base: "localhost:8080"}).Reload(t.Context()); !errors.Is(err, errdefs.ErrUsage) {
		t.Errorf("no URL: %v, want class usage", err)
	}
}

func TestRetry(t *testing.T) {
	t.Parallel()
	calls := 0
	err := hasura.Retry(t.Context(), time.Minute, time.Millisecond, func(context.Context) error {
		if calls++; calls < 3 {
			return &hasura.Error{Command: "export_metadata", Status: 503, Text: "starting"}
		}
		return nil
	})
	if err != nil || calls != 3 {
		t.Errorf("%v after %d calls, want success after 3", err, calls)
	}
	calls = 0
	err = hasura.Retry(t.Context(), time.Minute, time.Millisecond, func(context.Context) error {
		calls++
		return &hasura.Error{Command: "export_metadata", Status: 400, Text: "no"}
	})
	if err == nil || calls != 1 {
		t.Errorf("%v after %d calls, want one refusal", err, calls)
	}
	err = hasura.Retry(t.Context(), 5*time.Millisecond, time.Millisecond, func(context.Context) error {
		return &hasura.Error{Command: "export_metadata", Status: 500, Text: "starting"}
	})
	if e, ok := errors.AsType[*hasura.Error](err); !ok || e.Text != "starting" {
		t.Errorf("out of patience: %v, want the last refusal", err)
	}
}
