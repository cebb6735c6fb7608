package native

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// errNoSupervisor says that nobody answers on the control socket, or that who does is about to end.
var errNoSupervisor = errors.New("no supervisor answers")

// pingTimeout bounds the question whether a supervisor is there. Where none is, the system says so at once; one that is there
// answers as soon as the machine lets it, and must not be taken for dead before.
const pingTimeout = 30 * time.Second

// client speaks to a project's supervisor.
type client struct {
	lay  layout
	http *http.Client
}

func newClient(lay layout) *client {
	return &client{lay: lay, http: &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", lay.currentSocket())
		},
	}}}
}

func (c *client) do(ctx context.Context, method, path string, body any) (*http.Response, error) {
	b, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("ask the supervisor: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://nself"+path, bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("ask the supervisor: %w", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("%w: %w", errNoSupervisor, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer func() { _ = resp.Body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 1024))
	err = fmt.Errorf("ask the supervisor: %s: %s", resp.Status, bytes.TrimSpace(text))
	if resp.StatusCode == http.StatusServiceUnavailable {
		err = fmt.Errorf("%w: %w", errNoSupervisor, err)
	}
	return nil, err
}

func (c *client) get(ctx context.Context, path string, answer any) error {
	resp, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if err := json.NewDecoder(resp.Body).Decode(answer); err != nil {
		return fmt.Errorf("%w: %w", errNoSupervisor, err)
	}
	return nil
}

func (c *client) ping(ctx context.Context) (pong, error) {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	var p pong
	err := c.get(ctx, "/v1/ping", &p)
	return p, err
}

// errLost says that the supervisor went away in the middle of its answer.
var errLost = errors.New("the supervisor ended before it was done")

// call posts a request and hands on the answer's messages until the last.
func (c *client) call(ctx context.Context, path string, body any, each func(message)) error {
	resp, err := c.do(ctx, http.MethodPost, path, body)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	r := bufio.NewReader(resp.Body)
	for {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return errLost
		}
		var m message
		if err := json.Unmarshal(line, &m); err != nil {
			return fmt.Errorf("read the supervisor's answer: %w", err)
		}
		if m.Done {
			return m.Error.decode()
		}
		each(m)
	}
}
