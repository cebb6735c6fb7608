package doctor

import (
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"

	"github.com/nself-org/nself/internal/env"
)

// TestHandlerHops: each way in which curl fails names its hop.
func TestHandlerHops(t *testing.T) {
	t.Parallel()
	own := env.Runtime{Name: "golang", Port: 3003}
	elsewhere := env.Runtime{Name: "golang", Port: 3003, URL: "http://host.docker.internal:3003"}
	for name, c := range map[string]struct {
		rt     env.Runtime
		answer string
		code   int
		level  Level
		text   string
		fix    string
	}{
		"well":             {own, "200 in 0.001 s", 0, OK, "hasura reaches http://golang:3003: 200", ""},
		"ill":              {own, "503 in 0.001 s", 0, Fail, "whose health check answers 503", "nself logs golang"},
		"no name":          {own, "000", 6, Fail, "knows no name golang:3003", "nself restart golang hasura"},
		"not listening":    {own, "000", 7, Fail, "nothing in it listens on port 3003", "nself logs golang"},
		"nobody elsewhere": {elsewhere, "000", 7, Fail, "finds host.docker.internal:3003", "listening on 0.0.0.0"},
		"hangs":            {own, "000", 28, Fail, "does not answer within 2 s", "nself logs golang"},
		"no curl":          {own, "", 127, Warn, "has no curl", "nself action check --call"},
		"something else":   {own, "000", 56, Fail, "exit code 56", "nself logs golang"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base := "http://golang:3003"
			if c.rt.URL != "" {
				base = c.rt.URL
			}
			f := handlerFinding(c.rt, base, c.answer, c.code)
			if f.Level != c.level || !strings.Contains(f.Detail, c.text) || !strings.Contains(f.Fix, c.fix) || (c.fix == "") != (f.Fix == "") {
				t.Errorf("got %+v, want %s, %q, fix %q", f, c.level, c.text, c.fix)
			}
		})
	}
}

func TestPublishedPort(t *testing.T) {
	t.Parallel()
	in := project(t, nil)
	held := container.Summary{
		ID: "abc", Names: []string{"/blog-redis-1"}, State: container.StateRunning,
		Labels: map[string]string{projectLabel: "blog", serviceLabel: "redis", folderLabel: in.Dir},
		Ports:  []container.Port{{PrivatePort: 6379, PublicPort: 6379}},
	}
	x := &examiner{Input: in, engine: func() *engineFacts { return &engineFacts{containers: []container.Summary{held}} }}
	f := x.conflict(t.Context(), usedPort{"redis", "REDIS_PORT", 6379}, nil, map[int]bool{})
	if f.Level != Fail || !strings.Contains(f.Detail, "the container blog-redis-1 of the project blog") ||
		f.Fix != "nself --project "+quote(in.Dir)+" down" {
		t.Errorf("got %+v, want the container, its project, and how to stop it", f)
	}
	if c := x.container("redis"); c != nil {
		t.Errorf("a container of another project counts as this one's: %+v", c)
	}
	other := held
	other.NetworkSettings = &container.NetworkSettingsSummary{Networks: map[string]*network.EndpointSettings{"a": {}}}
	held.NetworkSettings = &container.NetworkSettingsSummary{Networks: map[string]*network.EndpointSettings{"b": {}}}
	if sharesNetwork(&held, &other) || networks(&other) != "a" {
		t.Error("networks a and b count as one")
	}
}
