package lifecycle

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nself-org/nself/templates/golang/internal/server"
)

func TestShared(t *testing.T) {
	t.Parallel()
	type engine struct{ made int }
	g := New(slog.New(slog.DiscardHandler))
	made := 0
	build := func() *engine {
		made++
		return Shared(g, func() *engine { return &engine{made} }) // a part may itself need one
	}
	if a, b := build(), build(); a != b || a.made != 1 {
		t.Errorf("got %+v and %+v", a, b)
	}
	if got := Shared(g, func() string { return "other" }); got != "other" {
		t.Errorf("another type got %q", got)
	}
}

func TestStart(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	g := New(slog.New(slog.NewTextHandler(&log, nil)))
	running, failed := make(chan struct{}), make(chan struct{})
	ended := false
	g.Go("works", func(ctx context.Context) error {
		close(running)
		<-ctx.Done()
		ended = true
		return ctx.Err()
	})
	g.Go("fails", func(context.Context) error { defer close(failed); return errors.New("broken") })
	stop := g.Start(t.Context())
	<-running
	<-failed
	stop()
	if !ended {
		t.Error("stop returned before the work had ended")
	}
	if text := log.String(); !strings.Contains(text, "broken") || strings.Contains(text, "work=works") {
		t.Errorf("log: %s", text)
	}
}

func TestParts(t *testing.T) {
	t.Parallel()
	g := New(slog.New(slog.DiscardHandler))
	g.Check(server.Check{Name: "queue"})
	if c := g.Checks(); len(c) != 1 || c[0].Name != "queue" {
		t.Errorf("got %v", c)
	}
	g.Route("GET /page", http.NotFoundHandler())
	mux := http.NewServeMux()
	g.Routes(mux)
	if _, pattern := mux.Handler(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/page", nil)); pattern != "GET /page" {
		t.Errorf("the route is %q", pattern)
	}
}
