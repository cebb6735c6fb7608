// Package calllog keeps the last calls of a project's actions on disk, without their secrets, for a person to look at and
// to send again. It holds a bounded number of calls of a bounded size.
package calllog

import (
	"encoding/json"
	"time"
)

// The bounds. There are two files, of which the older one is dropped when the newer one is full.
const (
	// maxFileBytes and maxFileCalls are when a file is full.
	maxFileBytes = 2 << 20
	maxFileCalls = 500
	// maxPartBytes bounds an input and a response; a larger one is not kept.
	maxPartBytes = 64 << 10
	// maxQueued bounds the calls that wait to be written; further ones are counted and dropped.
	maxQueued = 256
)

// Redacted stands where a secret was.
const Redacted = "[redacted]"

// Entry is one call.
type Entry struct {
	ID     string    `json:"id"`
	Time   time.Time `json:"time"` // of its end
	Action string    `json:"action"`
	Role   string    `json:"role"`
	// Session and Headers are those of the caller. What may be a secret is [Redacted].
	Session map[string]string `json:"session,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Input   json.RawMessage   `json:"input,omitempty"`
	// Status is the handler's; 0: it did not answer, or, with FromEngine, is not known.
	Status   int             `json:"status"`
	Response json.RawMessage `json:"response,omitempty"` // JSON, or a JSON string of what is none
	Took     float64         `json:"took_ms"`
	// Failed tells that the client got an error, or that the response has success: false. Error says which.
	Failed    bool   `json:"failed,omitempty"`
	Error     string `json:"error,omitempty"`
	RequestID string `json:"request_id,omitempty"`
	ActionID  string `json:"action_id,omitempty"` // of an asynchronous action
	// FromEngine tells that the call was kept by its sender: Response and Took are the engine's, not the handler's.
	FromEngine bool `json:"from_engine,omitempty"`
	// Hidden are the places in Input where a secret was, such as "input.password".
	Hidden []string `json:"redacted,omitempty"`
	// Cut are the parts that were too large to be kept: "input", "response".
	Cut []string `json:"cut,omitempty"`
	// Missed counts the calls just before this one that were not kept, because too many came at once.
	Missed int64 `json:"missed,omitempty"`
}

const (
	currentFile = "calls.jsonl"
	olderFile   = "calls.1.jsonl"
)
