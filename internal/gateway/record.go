package gateway

import (
	"net/http"
	"time"

	"github.com/nself-org/nself/internal/action"
)

// Recorder is told of every call of a handler with what was said, from many goroutines at once and while clients wait: it
// must not block.
type Recorder interface {
	// Record is told after a call has ended. What c refers to is valid until it returns; passwords and secrets are in it.
	Record(c *RecordedCall)
}

// RecordedCall is one call of a handler.
type RecordedCall struct {
	Action    string
	RequestID string
	// ActionID is the entry of the action log that was run; empty for a synchronous action.
	ActionID string
	// Role is x-hasura-role of the session.
	Role    string
	Session map[string]string
	// Header is the client's.
	Header http.Header
	// Input is the JSON object of arguments.
	Input []byte
	// Status and Response are the handler's answer; 0 and nil: there was none.
	Status   int
	Response []byte
	// Took is how long the handler took, up to now. Zero: it was not called.
	Took time.Duration
	// Err is what the client gets instead of a result; nil: a result.
	Err *action.Error
}

// record tells the recorder of a call that has ended.
func (x *exchange) record(d *callDetails, err *action.Error) {
	c := RecordedCall{
		Action: d.action.Name, RequestID: x.requestID, ActionID: x.actionID, Role: x.session.Vars["x-hasura-role"],
		Session: x.session.Vars, Header: x.header, Input: d.call.Input, Took: d.took, Err: err,
	}
	if c.Role == "" {
		c.Role = x.session.Role
	}
	if d.response != nil {
		c.Status, c.Response = d.response.Status, d.response.Body
	}
	x.engine.opt.Recorder.Record(&c)
}
