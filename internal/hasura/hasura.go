// Package hasura is the client of a GraphQL engine's metadata API, Hasura's or that of nself's gateway: it exports and
// replaces the whole document, reloads it, asks what the engine cannot use, and runs SQL in a source.
package hasura

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/metadata"
)

// maxReply bounds what is read of an answer; an export of thousands of tables takes a few MiB.
const maxReply = 64 << 20

// Client talks to one engine. It is safe for concurrent use.
type Client struct {
	// Base is the engine's URL without a path: "http://localhost:8080".
	Base string
	// Secret is the admin secret; empty where the engine has none. It stands in no error.
	Secret string
	// Transport sends the requests; nil is http.DefaultTransport.
	Transport http.RoundTripper
}

// Error is a refusal by the engine, in its words.
type Error struct {
	Command string // what was asked for: "replace_metadata"
	Base    string // the engine's URL
	Status  int    // of HTTP
	Code    string // Hasura's: "access-denied", "not-supported"
	Path    string // in the request
	Text    string
	Detail  string // what it adds, such as the database's own error
}

// Error returns command, engine, path and reason.
func (e *Error) Error() string {
	text := e.Command + " at " + e.Base + ": "
	if e.Path != "" && e.Path != "$" {
		text += e.Path + ": "
	}
	text += e.Text
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	return text
}

// Temporary tells whether the same request may succeed later: the engine is starting.
func (e *Error) Temporary() bool { return e.Status >= http.StatusInternalServerError }

// notEngine is the advice for an answer that no engine gives.
const notEngine = "check that a GraphQL engine answers at that URL"

// Export returns the engine's metadata and its resource version; the version is 0 where the engine tells none.
func (c *Client) Export(ctx context.Context) (*metadata.Metadata, int64, error) {
	reply, err := c.send(
		ctx,
		"v1/metadata",
		map[string]any{"type": "export_metadata", "version": 2, "args": map[string]any{}},
	)
	if err != nil {
		return nil, 0, err
	}
	var doc struct {
		Version  int64           `json:"resource_version"`
		Metadata json.RawMessage `json:"metadata"`
	}
	if err := json.Unmarshal(reply, &doc); err != nil {
		return nil, 0, errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(fmt.Errorf("read the metadata of %s: %w", c.Base, err), notEngine))
	}
	md, err := metadata.ParseDocument(doc.Metadata, "$")
	if err != nil {
		return nil, 0, errdefs.As(errdefs.ErrInvalid, fmt.Errorf("read the metadata of %s: %w", c.Base, err))
	}
	return md, doc.Version, nil
}

// Replace makes md the engine's metadata and returns what of it the engine cannot use; the rest serves. A version other than
// 0 is the one that the caller has seen: when the engine's is another by now, nothing is replaced and [IsConflict] holds.
func (c *Client) Replace(ctx context.Context, md *metadata.Metadata, version int64) ([]metadata.Inconsistency, error) {
	request := map[string]any{
		"type": "replace_metadata", "version": 2,
		"args": map[string]any{"allow_inconsistent_metadata": true, "metadata": md},
	}
	if version != 0 {
		request["resource_version"] = version
	}
	reply, err := c.send(ctx, "v1/metadata", request)
	if err != nil {
		return nil, err
	}
	return c.inconsistent(reply)
}

// Reload makes the engine read its sources and, where it serves a project's files, the files again.
func (c *Client) Reload(ctx context.Context) error {
	_, err := c.send(ctx, "v1/metadata", map[string]any{"type": "reload_metadata", "args": map[string]any{}})
	return err
}

// Inconsistencies returns what the engine keeps out of its schema.
func (c *Client) Inconsistencies(ctx context.Context) ([]metadata.Inconsistency, error) {
	reply, err := c.send(ctx, "v1/metadata", map[string]any{"type": "get_inconsistent_metadata", "args": map[string]any{}})
	if err != nil {
		return nil, err
	}
	return c.inconsistent(reply)
}

// RunSQL runs statements in the default source and returns the rows of the last one, texts all, without their header.
func (c *Client) RunSQL(ctx context.Context, sql string, readOnly bool) ([][]string, error) {
	reply, err := c.send(ctx, "v2/query", map[string]any{
		"type": "run_sql", "args": map[string]any{"source": "default", "sql": sql, "read_only": readOnly},
	})
	if err != nil {
		return nil, err
	}
	var answer struct {
		Result [][]string `json:"result"`
	}
	if err := json.Unmarshal(reply, &answer); err != nil {
		return nil, errdefs.WithHint(fmt.Errorf("read the answer of %s to run_sql: %w", c.Base, err), notEngine)
	}
	if len(answer.Result) == 0 {
		return nil, nil
	}
	return answer.Result[1:], nil
}

func (c *Client) inconsistent(reply []byte) ([]metadata.Inconsistency, error) {
	var answer struct {
		Objects []struct {
			metadata.Inconsistency
			Message json.RawMessage `json:"message"`
		} `json:"inconsistent_objects"`
	}
	if err := json.Unmarshal(reply, &answer); err != nil {
		return nil, errdefs.WithHint(fmt.Errorf("read the answer of %s: %w", c.Base, err), notEngine)
	}
	var list []metadata.Inconsistency
	for _, o := range answer.Objects {
		i := o.Inconsistency
		var more string
		if json.Unmarshal(o.Message, &more) == nil && more != "" { // what a database or remote schema said
			i.Reason += ": " + more
		}
		list = append(list, i)
	}
	return list, nil
}

// send posts one command and returns the body of its success. What the engine refuses is an [*Error] of class invalid or,
// while it starts, unhealthy; one that does not answer is of class unavailable.
func (c *Client) send(ctx context.Context, path string, command map[string]any) ([]byte, error) {
	name, _ := command["type"].(string)
	body, err := json.Marshal(command)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", name, err)
	}
	base, err := url.Parse(c.Base)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return nil, errdefs.WithHint(fmt.Errorf("%w: %q is not the URL of an engine", errdefs.ErrUsage, c.Base),
			"write it as http://localhost:8080")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base.JoinPath(path).String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if c.Secret != "" {
		req.Header.Set("X-Hasura-Admin-Secret", c.Secret)
	}
	resp, err := (&http.Client{Transport: c.Transport}).Do(req)
	if err != nil {
		return nil, c.unreachable(ctx, name, err)
	}
	defer func() { _ = resp.Body.Close() }()
	reply, err := io.ReadAll(io.LimitReader(resp.Body, maxReply+1))
	switch {
	case err != nil:
		return nil, c.unreachable(ctx, name, err)
	case len(reply) > maxReply:
		return nil, fmt.Errorf("%s: the answer of %s is larger than %d MiB", name, c.Base, maxReply>>20)
	case resp.StatusCode == http.StatusOK:
		return reply, nil
	}
	return nil, c.refused(name, resp, reply)
}

func (c *Client) unreachable(ctx context.Context, name string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		err = errors.New("nothing answers there")
	}
	if u, ok := errors.AsType[*url.Error](err); ok { // its text repeats the URL
		err = u.Err
	}
	return errdefs.As(errdefs.ErrUnavailable, errdefs.WithHint(fmt.Errorf("%s at %s: %w", name, c.Base, err),
		"start the project with nself up, or name the engine with --endpoint"))
}

func (c *Client) refused(name string, resp *http.Response, reply []byte) error {
	var fault struct {
		Code     string          `json:"code"`
		Error    string          `json:"error"`
		Path     string          `json:"path"`
		Internal json.RawMessage `json:"internal"`
	}
	if json.Unmarshal(reply, &fault) != nil || fault.Error == "" {
		fault.Error = resp.Status
	}
	e := &Error{Command: name, Base: c.Base, Status: resp.StatusCode, Code: fault.Code, Path: fault.Path, Text: fault.Error}
	var internal struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	if json.Unmarshal(fault.Internal, &internal) == nil {
		e.Detail = internal.Error.Message
	}
	switch {
	case fault.Code == "access-denied" || resp.StatusCode == http.StatusUnauthorized:
		return errdefs.As(
			errdefs.ErrInvalid,
			errdefs.WithHint(e, "HASURA_GRAPHQL_ADMIN_SECRET is not the one that the engine was "+
				"started with: run nself restart hasura, or give the engine's own with --admin-secret"),
		)
	case IsConflict(e):
		return errdefs.As(
			errdefs.ErrDrift,
			errdefs.WithHint(e, "somebody changed the metadata at the same time: run the command again"),
		)
	case e.Temporary():
		return errdefs.As(errdefs.ErrUnhealthy, errdefs.WithHint(e, "run the command again; if it stays so, see the engine's log (nself logs hasura)"))
	}
	return errdefs.As(errdefs.ErrInvalid, e)
}

// IsConflict tells whether the engine's metadata was no longer the version that was named.
func IsConflict(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && (e.Code == "conflict" || e.Status == http.StatusConflict)
}

// IsReadOnly tells whether the engine serves files and takes no changes over its API.
func IsReadOnly(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Code == "not-supported"
}

// Retry calls try until it succeeds, fails for good, or patience is over: an engine answers its health check before its
// catalogue is in place.
func Retry(ctx context.Context, patience, pause time.Duration, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var last error
	for {
		err := try(ctx)
		if err == nil || ctx.Err() == nil && !mayPass(err) {
			return err
		}
		if ctx.Err() == nil || last == nil {
			last = err
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return last
		case <-timer.C:
		}
	}
}

func mayPass(err error) bool {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Temporary()
	}
	return errors.Is(err, errdefs.ErrUnavailable)
}
