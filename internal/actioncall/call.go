package actioncall

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sort"
	"strings"
	"time"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/metadata"
)

// maxResponseBytes bounds what is read of an answer; larger ones are cut with an error.
const maxResponseBytes = 32 << 20

// Call is one call of an action.
type Call struct {
	Action *metadata.Action
	// Input holds the arguments by name, as JSON.
	Input map[string]json.RawMessage
	// Role is x-hasura-role; empty: admin.
	Role string
	// UserID is x-hasura-user-id; empty: none.
	UserID string
	// Header holds further request headers; session variables among them (x-hasura-...).
	Header http.Header
	// Secret is the admin secret, sent as X-Hasura-Admin-Secret.
	Secret string
}

// Response is what came back.
type Response struct {
	URL      string
	Status   int
	Body     []byte
	Duration time.Duration
	// Failed tells that GraphQL answered errors, or that the handler's status was not 2xx.
	Failed bool
}

// Through sends the call to a GraphQL endpoint, such as "http://localhost:8080/v1/graphql".
func (c Call) Through(ctx context.Context, md *metadata.Metadata, endpoint string) (*Response, error) {
	given := make(map[string]bool, len(c.Input))
	for name := range c.Input {
		given[name] = true
	}
	return c.post(ctx, endpoint, Operation(md, c.Action, given), c.Input)
}

// post sends a GraphQL document as the caller.
func (c Call) post(
	ctx context.Context, endpoint, document string, variables map[string]json.RawMessage,
) (*Response, error) {
	body, err := json.Marshal(struct {
		Query     string                     `json:"query"`
		Variables map[string]json.RawMessage `json:"variables,omitempty"`
	}{document, variables})
	if err != nil {
		return nil, fmt.Errorf("encode the request: %w", err)
	}
	header := c.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	setIf(header, "X-Hasura-Admin-Secret", c.Secret)
	setIf(header, "X-Hasura-Role", c.Role)
	setIf(header, "X-Hasura-User-Id", c.UserID)
	resp, err := post(ctx, endpoint, header, body)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Errors json.RawMessage `json:"errors"`
	}
	if err := json.Unmarshal(resp.Body, &answer); err != nil {
		return nil, fmt.Errorf("%s answered status %d and no JSON: %.200q", endpoint, resp.Status, resp.Body)
	}
	resp.Failed = resp.Failed || len(answer.Errors) > 0 && string(answer.Errors) != "null"
	return resp, nil
}

// Direct sends the call to the handler itself, with the body and headers that the engine would send.
func (c Call) Direct(ctx context.Context, handler string) (*Response, error) {
	role := c.Role
	if role == "" {
		role = "admin"
	}
	session := map[string]string{"x-hasura-role": role}
	setPair(session, "x-hasura-user-id", c.UserID)
	for name, values := range c.Header {
		if key := strings.ToLower(name); strings.HasPrefix(key, "x-hasura-") && key != "x-hasura-admin-secret" {
			session[key] = values[0]
		}
	}
	input := c.Input
	if input == nil {
		input = map[string]json.RawMessage{}
	}
	body, err := json.Marshal(map[string]any{
		"action": map[string]string{"name": c.Action.Name}, "input": input,
		"request_query": "", "session_variables": session,
	})
	if err != nil {
		return nil, fmt.Errorf("encode the request: %w", err)
	}
	sessionJSON, err := json.Marshal(session)
	if err != nil {
		return nil, fmt.Errorf("encode the session: %w", err)
	}
	header := c.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	setIf(header, "X-Hasura-Admin-Secret", c.Secret)
	for name, value := range session {
		header.Set(name, value)
	}
	header.Set("X-Hasura-Session-Variables", string(sessionJSON))
	return post(ctx, handler, header, body)
}

// Arguments reads the caller's JSON as the action's arguments. An object that lacks the one argument "input" and is not
// that argument's wrapper is taken as its value, as the guide's direct calls write it.
func Arguments(a *metadata.Action, doc []byte) (map[string]json.RawMessage, error) {
	if len(bytes.TrimSpace(doc)) == 0 {
		return nil, nil
	}
	var input map[string]json.RawMessage
	if err := json.Unmarshal(doc, &input); err != nil {
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			line := 1 + bytes.Count(doc[:min(int(syntax.Offset), len(doc))], []byte("\n"))
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		return nil, errors.New(`expected a JSON object with the action's arguments`)
	}
	args := a.Definition.Arguments
	if _, wrapped := input["input"]; !wrapped && len(args) == 1 && args[0].Name == "input" && len(input) > 0 {
		return map[string]json.RawMessage{"input": doc}, nil
	}
	known := map[string]bool{}
	for _, arg := range args {
		known[arg.Name] = true
	}
	var unknown []string
	for name := range input {
		if !known[name] {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		sort.Strings(unknown)
		return nil, errdefs.WithHint(
			fmt.Errorf("action %q has no argument %q", a.Name, strings.Join(unknown, `", "`)),
			"its arguments are: "+signature(args))
	}
	return input, nil
}

func signature(args []metadata.Argument) string {
	if len(args) == 0 {
		return "none"
	}
	parts := make([]string, len(args))
	for i, arg := range args {
		parts[i] = arg.Name + ": " + arg.Type
	}
	return strings.Join(parts, ", ")
}

func post(ctx context.Context, url string, header http.Header, body []byte) (*Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("call %s: %w", url, err)
	}
	req.Header = header
	req.Header.Set("Content-Type", "application/json")
	start := time.Now()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) && op.Op == "dial" {
			return nil, errdefs.As(errdefs.ErrUnavailable, errdefs.WithHint(
				fmt.Errorf("call %s: nothing answers there", url), "start the project with nself up, or look with nself status"))
		}
		return nil, fmt.Errorf("call %s: %w", url, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxResponseBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read the answer of %s: %w", url, err)
	}
	if len(answer) > maxResponseBytes {
		return nil, fmt.Errorf("the answer of %s is larger than %d MiB", url, maxResponseBytes>>20)
	}
	return &Response{
		URL: url, Status: resp.StatusCode, Body: answer, Duration: time.Since(start),
		Failed: resp.StatusCode < 200 || resp.StatusCode > 299,
	}, nil
}

func setIf(header http.Header, name, value string) {
	if value != "" {
		header.Set(name, value)
	}
}

func setPair(m map[string]string, name, value string) {
	if value != "" {
		m[name] = value
	}
}
