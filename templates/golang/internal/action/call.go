package action

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// Call is a decoded request body.
type Call struct {
	// Session tells who calls.
	Session Session

	args   any // a pointer to the decoded arguments; nil: they are in input still
	input  json.RawMessage
	query  string
	header http.Header
}

// requestBody is what the engine sends, but for the action's name, which the URL has told.
type requestBody[Input, Variable any] struct {
	Input   Input               `json:"input"`
	Session map[string]Variable `json:"session_variables"`
	Query   string              `json:"request_query"`
}

// ReadCall reads the body that the engine sends: {action, input, session_variables, request_query}. It returns an
// [*Error] with status 400 for a body that is not such an object, and 413 for one that is larger than r.Body allows.
func (a Action) ReadCall(r *http.Request) (*Call, error) {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, &Error{
				Status: http.StatusRequestEntityTooLarge, Code: CodeTooLarge,
				Message: fmt.Sprintf("Request body is larger than %d bytes", tooLarge.Limit),
			}
		}
		return nil, BadRequest(CodeBadRequest, "Request body could not be read")
	}
	if call := a.readUsual(data, r.Header); call != nil {
		return call, nil
	}
	var body requestBody[json.RawMessage, any]
	if err := json.Unmarshal(data, &body); err != nil {
		return nil, invalidJSON("Request body", err)
	}
	if isNull(data) {
		return nil, BadRequest(CodeBadRequest, "Request body must be an object")
	}
	return &Call{
		Session: newSession(texts(body.Session), r.Header), input: body.Input, query: body.Query, header: r.Header,
	}, nil
}

// readUsual reads a body that begins as those of the engine do, in one go. It returns nil for any other, and for one that has
// faults: ReadCall and decode, which read it again, know how to tell them.
func readUsual[Args any](data []byte, beginning string, header http.Header) *Call {
	var body requestBody[Args, string]
	if !bytes.HasPrefix(data, []byte(beginning)) || json.Unmarshal(data, &body) != nil {
		return nil
	}
	return &Call{Session: newSession(body.Session, header), args: &body.Input, query: body.Query, header: header}
}

// decode reads the arguments. With bare, an input without the key "input" is taken for that argument itself.
func decode[Args any](c *Call, bare bool) (Args, error) {
	if args, ok := c.args.(*Args); ok {
		return *args, nil
	}
	var args Args
	input := c.input
	if len(input) == 0 || isNull(input) {
		input = json.RawMessage("{}")
	}
	if bare {
		var keys map[string]json.RawMessage
		if err := json.Unmarshal(input, &keys); err != nil {
			return args, invalidJSON("input", err)
		}
		if _, ok := keys["input"]; !ok {
			input = slices.Concat(json.RawMessage(`{"input":`), input, json.RawMessage(`}`))
		}
	}
	if err := json.Unmarshal(input, &args); err != nil {
		return args, invalidJSON("input", err)
	}
	return args, nil
}

func isNull(data []byte) bool { return bytes.Equal(bytes.TrimSpace(data), []byte("null")) }

// invalidJSON explains a decoding error in the caller's words: names of Go types would tell them nothing.
func invalidJSON(what string, err error) *Error {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if wrong.Field != "" {
			what = strings.TrimPrefix(wrong.Field, "input.")
		}
		return BadRequest(CodeBadRequest, fmt.Sprintf("%s must not be a JSON %s", what, wrong.Value))
	}
	if _, ok := errors.AsType[*json.SyntaxError](err); ok {
		return BadRequest(CodeBadRequest, what+" is not valid JSON")
	}
	return BadRequest(CodeBadRequest, fmt.Sprintf("%s is not valid: %v", what, err))
}
