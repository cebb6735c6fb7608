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

// Call is a decoded request body, before the arguments have a type.
type Call struct {
	// Session tells who calls.
	Session Session

	input  json.RawMessage
	query  string
	header http.Header
}

// ReadCall reads the body that the engine sends: {action, input, session_variables, request_query}. It returns an
// [*Error] with status 400 for a body that is not such an object, and 413 for one that is larger than r.Body allows.
func ReadCall(r *http.Request) (*Call, error) {
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
	var body struct {
		Input   json.RawMessage `json:"input"`
		Session map[string]any  `json:"session_variables"`
		Query   string          `json:"request_query"`
	}
	if err := json.Unmarshal(data, &body); err != nil {
		return nil, invalidJSON("Request body", err)
	}
	if isNull(data) {
		return nil, BadRequest(CodeBadRequest, "Request body must be an object")
	}
	return &Call{
		Session: newSession(body.Session, r.Header),
		input:   body.Input,
		query:   body.Query,
		header:  r.Header,
	}, nil
}

// decode reads the arguments. With bare, an input without the key "input" is taken for that argument itself.
func (c *Call) decode(args any, bare bool) error {
	input := c.input
	if len(input) == 0 || isNull(input) {
		input = json.RawMessage("{}")
	}
	if bare && !startsWithInput(input) {
		var keys map[string]json.RawMessage
		if err := json.Unmarshal(input, &keys); err != nil {
			return invalidJSON("input", err)
		}
		if _, ok := keys["input"]; !ok {
			input = slices.Concat(json.RawMessage(`{"input":`), input, json.RawMessage(`}`))
		}
	}
	if err := json.Unmarshal(input, args); err != nil {
		return invalidJSON("input", err)
	}
	return nil
}

// startsWithInput says whether the first key of a JSON object is "input". Every call of the engine has it there, and need not
// be taken apart to see.
func startsWithInput(object []byte) bool {
	const space = " \t\r\n"
	inner, found := bytes.CutPrefix(bytes.TrimLeft(object, space), []byte("{"))
	return found && bytes.HasPrefix(bytes.TrimLeft(inner, space), []byte(`"input"`))
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
