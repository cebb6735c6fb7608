package action

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// Codes that Hasura puts into extensions.code.
const (
	CodeAccessDenied      = "access-denied"
	CodeInvalidJSON       = "invalid-json"
	CodeInvalidParams     = "invalid-params"
	CodeNotFound          = "not-found"
	CodeNotSupported      = "not-supported"
	CodeParseFailed       = "parse-failed"
	CodeStartFailed       = "start-failed"
	CodeUnexpected        = "unexpected"
	CodeUnexpectedPayload = "unexpected-payload"
	CodeValidationFailed  = "validation-failed"
)

// Error is an error as Hasura tells it to a client. Hasura answers with exactly one.
type Error struct {
	// Status is the HTTP status outside /v1/graphql. Zero means 400.
	Status int
	// Message is for people.
	Message string
	// Code is one of Hasura's codes, or a handler's own.
	Code string
	// Path is where the fault is, without the leading "$": "" prints "$", ".query" prints "$.query".
	Path string
	// Extensions, when set, replaces path and code: the handler described the error itself. JSON.
	Extensions json.RawMessage
	// Internal is detail for developers, JSON; who may see it is the caller's decision.
	Internal json.RawMessage
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// HTTPStatus is Status with its default.
func (e *Error) HTTPStatus() int {
	if e.Status == 0 {
		return http.StatusBadRequest
	}
	return e.Status
}

// Invalid is a request that does not fit the schema: code validation-failed at "$".
func Invalid(message string) *Error { return &Error{Message: message, Code: CodeValidationFailed} }

// unexpected is an answer that does not fit the output type: code unexpected and, although the client is not to blame,
// status 400, as in Hasura.
func unexpected(message string) *Error {
	return &Error{Message: message, Code: CodeUnexpected}
}

// Under moves the error one key down: its path gets key in front. It returns e.
func (e *Error) Under(key string) *Error {
	e.Path = pathKey(key) + e.Path
	return e
}

// UnderIndex is Under for an element of a list.
func (e *Error) UnderIndex(i int) *Error {
	e.Path = "[" + strconv.Itoa(i) + "]" + e.Path
	return e
}

// pathKey writes a segment of a path, quoted when it is not a plain name.
func pathKey(key string) string {
	plain := key != ""
	for i := range len(key) {
		c := key[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '-') {
			plain = false
		}
	}
	if plain {
		return "." + key
	}
	return "[" + string(AppendString(nil, key)) + "]"
}

// AppendGraphQL appends the body of an answer on a GraphQL endpoint: an object with the one error, without data.
func (e *Error) AppendGraphQL(dst []byte, internal bool) []byte {
	dst = append(dst, `{"errors":[`...)
	dst = e.AppendObject(dst, internal)
	return append(dst, "]}"...)
}

// AppendObject appends the error alone, an element of the errors list.
func (e *Error) AppendObject(dst []byte, internal bool) []byte {
	dst = append(dst, `{"message":`...)
	dst = AppendString(dst, e.Message)
	dst = append(dst, `,"extensions":`...)
	if e.Extensions != nil {
		dst = append(dst, e.Extensions...)
		return append(dst, '}')
	}
	dst = append(dst, '{')
	dst = e.appendPlace(dst, internal)
	return append(dst, "}}"...)
}

// AppendFlat appends the body of an answer outside GraphQL.
func (e *Error) AppendFlat(dst []byte, internal bool) []byte {
	dst = append(dst, `{"error":`...)
	dst = AppendString(dst, e.Message)
	dst = append(dst, ',')
	dst = e.appendPlace(dst, internal)
	return append(dst, '}')
}

// appendPlace appends the members path, code and internal.
func (e *Error) appendPlace(dst []byte, internal bool) []byte {
	dst = append(dst, `"path":`...)
	dst = AppendString(dst, "$"+e.Path)
	dst = append(dst, `,"code":`...)
	dst = AppendString(dst, e.Code)
	if internal && e.Internal != nil {
		dst = append(dst, `,"internal":`...)
		dst = append(dst, e.Internal...)
	}
	return dst
}
