package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// maxAnswer bounds what a probe shows of a reply, in bytes.
const maxAnswer = 512

// ProbeHTTP asks a port of this machine for each path in turn; all must answer below 400. The text is the last answer, for a
// person.
func ProbeHTTP(ctx context.Context, port int, paths ...string) (string, error) {
	answer := ""
	transport := &http.Transport{DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	for _, path := range paths {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d%s", port, path), nil)
		if err != nil {
			return "", fmt.Errorf("GET %s: %w", path, err)
		}
		resp, err := (&http.Client{Transport: transport}).Do(req)
		if err != nil {
			return "", fmt.Errorf("GET %s: %w", path, withoutURL(err))
		}
		body, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
		_ = resp.Body.Close()
		answer = strings.TrimSpace(fmt.Sprintf("GET %s: %s", path, resp.Status))
		if resp.StatusCode >= http.StatusBadRequest {
			return "", errors.New(answer + " " + strings.Join(strings.Fields(string(body)), " "))
		}
	}
	return answer, nil
}

// withoutURL drops the URL, which the caller names.
func withoutURL(err error) error {
	if unwrapped := errors.Unwrap(err); unwrapped != nil {
		return unwrapped
	}
	return err
}
