// Package transform applies Hasura's request and response transforms: Kriti templates in an action's definition that
// rewrite the call of the handler, and its answer.
package transform

import (
	"errors"

	"github.com/nself-org/nself/internal/kriti"
)

// Header is one header field of a request.
type Header struct{ Name, Value string }

// Outgoing is a call of a handler.
type Outgoing struct {
	Method  string
	URL     string
	Headers []Header
	Body    []byte
}

// RequestVars are what the templates of a request transform see.
type RequestVars struct {
	// Body is the payload before the transform, JSON: $body. What is not JSON is seen as null.
	Body []byte
	// BaseURL is the handler's URL, resolved: $base_url, and the source of $query_params.
	BaseURL string
	// Session holds the session variables by lower-case name: $session_variables. Nil is seen as null. It must not
	// change.
	Session map[string]string
}

// ResponseVars are what the templates of a response transform see.
type ResponseVars struct {
	// Body is the handler's answer: $body, null when it is not JSON.
	Body []byte
	// Status is the answer's HTTP status: $response.status.
	Status int
	// Session is as in [RequestVars].
	Session map[string]string
	// Request holds the variables of the request transform: $request. Nil, seen as null, when the action has none.
	Request *RequestVars
}

// Errors are the faults of a transform, for the field "internal" of Hasura's error: each is a [*kriti.Error] or a
// [*Failure] and marshals as Hasura writes it.
type Errors []error

// Error joins the faults' texts, one a line.
func (e Errors) Error() string { return errors.Join(e...).Error() }

// Unwrap returns the faults.
func (e Errors) Unwrap() []error { return e }

// Failure is a fault of what a template made, as opposed to one of the template.
type Failure struct {
	Code    string `json:"error_code"`
	Message string `json:"message"`
}

// Error returns the message.
func (f *Failure) Error() string { return f.Message }

func failure(message string) *Failure { return &Failure{Code: "TransformationError", Message: message} }

// ShapeError is a transform that is not of the documented form. Hasura reports it with the code "parse-failed".
type ShapeError struct {
	// Path leads from the transform to the fault, such as ".body.template"; it is empty for the transform itself.
	Path    string
	Message string
}

// Error returns the message with its path.
func (e *ShapeError) Error() string {
	if e.Path == "" {
		return e.Message
	}
	return e.Path + ": " + e.Message
}

// renderText evaluates a template that is written without quotes and must give a string, a number or a boolean.
func renderText(t *kriti.Template, scope *kriti.Scope) (string, error) {
	v, err := t.Eval(scope)
	if err != nil {
		return "", err
	}
	text, ok := v.Text()
	if !ok {
		return "", failure("Template must produce a String, Number, or Boolean value")
	}
	return text, nil
}
