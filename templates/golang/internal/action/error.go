package action

import (
	"encoding/json"
	"net/http"
	"slices"
)

// Codes that the service itself answers with, in error_code.
const (
	CodeValidation     = "VALIDATION_ERROR"
	CodeBadRequest     = "BAD_REQUEST"
	CodeUnauthorized   = "UNAUTHORIZED"
	CodeSignIn         = "UNAUTHENTICATED"
	CodeForbidden      = "FORBIDDEN"
	CodeNotFound       = "NOT_FOUND"
	CodeMethod         = "METHOD_NOT_ALLOWED"
	CodeTooLarge       = "BODY_TOO_LARGE"
	CodeRateLimited    = "RATE_LIMITED"
	CodeInternal       = "INTERNAL_ERROR"
	CodeNotImplemented = "NOT_IMPLEMENTED"
)

// Codes of faults in the input, in errors.
const (
	CodeRequired = "REQUIRED_FIELD"
	CodeLength   = "INVALID_LENGTH"
	CodeFormat   = "INVALID_FORMAT"
	CodeRange    = "INVALID_RANGE"
)

// Error is a failure that the caller may see. With a status from 400 to 499 the engine answers its client with Message
// as a GraphQL error and Code in its extensions; any higher status becomes "internal error" there. A failure of business
// rules is not an Error: answer it with status 200 and success false in the action's output type.
type Error struct {
	// Status is the HTTP status; zero means 400.
	Status int
	// Code is for programs, such as "NOT_FOUND".
	Code string
	// Message is for people.
	Message string
	// Fields says which inputs are at fault.
	Fields []FieldError
	// Extensions, when set, become the GraphQL error's extensions in place of Code.
	Extensions map[string]any
	// Answer holds further members of the body, such as a status that the action's output type has.
	Answer map[string]any
	// Err is the cause, for the log only.
	Err error
}

// FieldError is one input at fault.
type FieldError struct {
	Field   string `json:"field"`
	Message string `json:"message"`
	Code    string `json:"code,omitempty"`
}

// Error returns the message and, for the log, the cause.
func (e *Error) Error() string {
	if e.Err != nil {
		return e.Message + ": " + e.Err.Error()
	}
	return e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// HTTPStatus is Status, or 400 when that is zero.
func (e *Error) HTTPStatus() int {
	if e.Status == 0 {
		return http.StatusBadRequest
	}
	return e.Status
}

// MarshalJSON writes what the caller sees; the cause is not part of it. The engine reads message, code and extensions;
// people who call the handler by hand get the same shape as from a failed business rule.
func (e *Error) MarshalJSON() ([]byte, error) {
	data, err := json.Marshal(struct {
		Success    bool           `json:"success"`
		Message    string         `json:"message"`
		Errors     []FieldError   `json:"errors,omitempty"`
		ErrorCode  string         `json:"error_code,omitempty"`
		Code       string         `json:"code,omitempty"`
		Extensions map[string]any `json:"extensions,omitempty"`
	}{false, e.Message, e.Fields, e.Code, e.Code, e.Extensions})
	if err != nil || len(e.Answer) == 0 {
		return data, err
	}
	more, err := json.Marshal(e.Answer)
	if err != nil {
		return nil, err
	}
	return slices.Concat(data[:len(data)-1], []byte(","), more[1:]), nil
}

// BadRequest is status 400: the caller sent something that cannot be used.
func BadRequest(code, message string) *Error {
	return &Error{Status: http.StatusBadRequest, Code: code, Message: message}
}

// Unauthorized is status 401: the caller must sign in first.
func Unauthorized(message string) *Error {
	return &Error{Status: http.StatusUnauthorized, Code: CodeUnauthorized, Message: message}
}

// Forbidden is status 403: the caller is known and may not do this.
func Forbidden(message string) *Error {
	return &Error{Status: http.StatusForbidden, Code: CodeForbidden, Message: message}
}

// NotImplemented answers for a handler that has not been written yet; file tells where to write it. Its status is 400,
// because the engine would hide the message of a 501.
func NotImplemented(action, file string) *Error {
	return BadRequest(CodeNotImplemented, action+" is not implemented yet: edit "+file)
}
