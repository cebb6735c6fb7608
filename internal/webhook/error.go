package webhook

import (
	"errors"
	"strconv"
)

// Error is a call that got no answer.
type Error struct {
	// Timeout tells that the handler took too long.
	Timeout bool
	// What happened, in the words of Hasura's HTTP client.
	What string
	// Err is the cause. Nil: What says it all. It holds nothing of what the handler has sent.
	Err error
}

// What happened, where it can happen in several places.
const (
	connectionFailure = "Connection failure"
	connectionTimeout = "Connection timeout"
	responseTimeout   = "Response timeout"
	// givenUp is ours: nobody interrupts Hasura's calls.
	givenUp = "Call given up"
)

// Error says what happened, in the words of Hasura's HTTP client.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.What
	}
	return e.What + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

func tooLarge(limit int) *Error {
	return &Error{What: "Response body too large. limit: " + strconv.Itoa(limit)}
}

// errAborted is the cause of failures after [Client.Abort].
var errAborted = errors.New("the gateway is shutting down")

func aborted() *Error { return &Error{What: givenUp, Err: errAborted} }

func timedOut(what string) *Error { return &Error{Timeout: true, What: what} }

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	return ok && timeout.Timeout()
}
