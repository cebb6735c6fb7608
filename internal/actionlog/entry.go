package actionlog

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"
)

// IDHeader is the request header in which a handler gets the id of an asynchronous action. It is the same in each call
// for one entry, so a handler can tell a call that is repeated after a crash. A client cannot set it: request headers
// that begin with X-Hasura- are never passed on.
const IDHeader = "X-Hasura-Action-Id"

// Status is the state of an entry, in Hasura's words.
type Status string

// The states. An entry begins as created and ends as completed or error.
const (
	StatusCreated    Status = "created"
	StatusProcessing Status = "processing"
	StatusCompleted  Status = "completed"
	StatusError      Status = "error"
)

// Final tells whether the entry will not change any more.
func (s Status) Final() bool { return s == StatusCompleted || s == StatusError }

// Errors of a [Store]. Others mean that the store could not be reached; what was asked for may have happened.
var (
	// ErrNotFound is an id without an entry.
	ErrNotFound = errors.New("no such action log entry")
	// ErrLost is a claimant whose lease has ended, or that never joined. Its claims are, or soon will be, others'.
	ErrLost = errors.New("the claimant's lease has ended")
	// ErrFenced is an outcome that changed nothing: its claim does not stand any more.
	ErrFenced = errors.New("the claim does not stand any more")
	// ErrUnstorable is a JSON text that cannot be stored: it is malformed, or holds the character U+0000, which
	// Postgres refuses. Trying again does not help.
	ErrUnstorable = errors.New("the JSON text cannot be stored")
)

// NewEntry is what [Store].Create stores.
type NewEntry struct {
	Action string
	// Input is the JSON object of arguments.
	Input json.RawMessage
	// Header is the client's request header; what [Forwardable] drops is not stored. Leave it empty for an action that
	// forwards no client headers.
	Header http.Header
	// Host is the client's Host, which net/http keeps apart. Empty: none.
	Host string
	// Session holds the session variables, names in lower case.
	Session map[string]string
}

// Entry is one asynchronous action.
type Entry struct {
	// ID is a UUID in its canonical form.
	ID      string
	Action  string
	Input   json.RawMessage
	Header  http.Header // canonical names, one value each
	Host    string
	Session map[string]string
	// Response is the handler's answer, JSON. Nil unless completed.
	Response json.RawMessage
	// Errors is the error object {"error","path","code"}. Nil unless the state is error.
	Errors    json.RawMessage
	CreatedAt time.Time
	Status    Status
}

// Claim is the right to run an entry and to record its outcome. It stands until the outcome is recorded, the entry is
// requeued, or the claimant's lease ends and somebody rescues the entry.
type Claim struct {
	Entry

	// Claimant is who claims.
	Claimant string
	// Attempt counts the claims of this entry, from 1. Above 1 a handler may have been called before.
	Attempt int
}

// Outcome is how running an entry ended. Make it with [Complete] or [Fail].
type Outcome struct {
	Status  Status
	Payload json.RawMessage
}

// Complete is the outcome of a handler that answered; response is JSON.
func Complete(response json.RawMessage) Outcome {
	return Outcome{Status: StatusCompleted, Payload: response}
}

// Fail is the outcome of an action that failed; errors is the JSON object {"error","path","code"}, which
// [github.com/nself-org/nself/internal/action.Error.AppendFlat] makes.
func Fail(errors json.RawMessage) Outcome { return Outcome{Status: StatusError, Payload: errors} }

// Result is an outcome with the claim that entitles to it. Of the claim only ID, Claimant and Attempt count.
type Result struct {
	Claim   Claim
	Outcome Outcome
}

// Depth is how many entries of an action are in a state.
type Depth struct {
	Action string
	Status Status
	Rows   int64
}
