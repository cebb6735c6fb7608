package actioncall

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/metadata"
)

const (
	// firstPoll and lastPoll bound the pause between two questions for a result; it grows in between.
	firstPoll = 50 * time.Millisecond
	lastPoll  = time.Second
)

// Awaits tells whether a call through GraphQL is answered with an id whose result can be asked for. Of an asynchronous
// action with a scalar output Hasura never shows the result.
func Awaits(md *metadata.Metadata, a *metadata.Action) bool {
	return a.Definition.Type != metadata.Query && a.Definition.Kind == metadata.Asynchronous &&
		objectsByName(md)[namedType(a.Definition.OutputType)] != nil
}

// ID reads the id that an asynchronous action was answered with.
func (r *Response) ID(action string) (string, error) {
	var answer struct {
		Data map[string]string `json:"data"`
	}
	if err := json.Unmarshal(r.Body, &answer); err != nil || answer.Data[action] == "" {
		return "", fmt.Errorf("%s answered no id: %.200q", r.URL, r.Body)
	}
	return answer.Data[action], nil
}

// Await asks a GraphQL endpoint for the result of an asynchronous action, as the caller who started it, until there is
// one. Failed is set when the result is an error. When ctx ends first the error is of class [errdefs.ErrUnavailable].
func (c Call) Await(ctx context.Context, md *metadata.Metadata, endpoint, id string) (*Response, error) {
	quoted, err := json.Marshal(id)
	if err != nil {
		return nil, fmt.Errorf("encode the request: %w", err)
	}
	operation := ResultOperation(md, c.Action)
	began := time.Now()
	for pause := firstPoll; ; pause = min(pause*3/2, lastPoll) {
		resp, err := c.post(ctx, endpoint, operation, map[string]json.RawMessage{"id": quoted})
		if err == nil {
			done := resp.Failed || resp.settle(c.Action.Name)
			if done {
				resp.Duration = time.Since(began)
				return resp, nil
			}
			timer := time.NewTimer(pause)
			select {
			case <-timer.C:
				continue
			case <-ctx.Done():
				timer.Stop()
				err = ctx.Err()
			}
		}
		if errors.Is(err, context.DeadlineExceeded) {
			err = errdefs.As(errdefs.ErrUnavailable, errdefs.WithHint(
				fmt.Errorf("action %q (id %s) has no result after %s", c.Action.Name, id, time.Since(began).Round(time.Millisecond)),
				"it goes on; look at the service's log with nself logs, or wait longer with --timeout"))
		}
		return nil, err
	}
}

// settle tells whether the answer holds a final result, and marks a failed one. A result that is hidden or gone is final
// too: waiting does not bring it back.
func (r *Response) settle(action string) bool {
	var answer struct {
		Data map[string]*struct {
			Errors json.RawMessage `json:"errors"`
			Output json.RawMessage `json:"output"`
		} `json:"data"`
	}
	if err := json.Unmarshal(r.Body, &answer); err != nil || answer.Data[action] == nil {
		r.Failed = true
		return true
	}
	result := answer.Data[action]
	r.Failed = !isNull(result.Errors)
	return r.Failed || !isNull(result.Output)
}

func isNull(text json.RawMessage) bool { return len(text) == 0 || string(text) == "null" }

// ResultOperation writes the GraphQL document that asks for the result of an asynchronous action, with the variable id.
func ResultOperation(md *metadata.Metadata, a *metadata.Action) string {
	var doc strings.Builder
	fmt.Fprintf(&doc, "query %s($id: uuid!) {\n  %s(id: $id) {\n    id\n    created_at\n    errors\n    output",
		upperFirst(a.Name), a.Name)
	writeSelection(&doc, objectsByName(md), namedType(a.Definition.OutputType), "    ", map[string]bool{}, 1)
	doc.WriteString("\n  }\n}\n")
	return doc.String()
}
