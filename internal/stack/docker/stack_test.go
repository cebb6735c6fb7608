package docker_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/nself-org/nself/internal/stack"
	"github.com/nself-org/nself/internal/stack/stacktest"
)

func TestStack(t *testing.T) {
	t.Parallel()
	requireEngine(t)
	stacktest.Run(t, func(t *testing.T) stacktest.Subject {
		t.Helper()
		p := newProject(t)
		return stacktest.Subject{
			Function: "golang",
			Driver:   func(t *testing.T) stack.Driver { t.Helper(); return p.driver(t) },
			Set:      func(t *testing.T, settings map[string]string) { t.Helper(); p.set(t, settings) },
			Call: func(ctx context.Context, method, path string) (string, error) {
				url := fmt.Sprintf("http://127.0.0.1:%d%s", p.ports["GOLANG_PORT"], path)
				req, err := http.NewRequestWithContext(ctx, method, url, nil)
				if err != nil {
					return "", err
				}
				client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
				resp, err := client.Do(req)
				if err != nil {
					return "", err
				}
				defer func() { _ = resp.Body.Close() }()
				b, err := io.ReadAll(resp.Body)
				return string(b), err
			},
		}
	})
}
