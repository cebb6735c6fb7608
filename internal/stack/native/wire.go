package native

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/stack"
)

// protocol counts the changes of the control socket's language. A supervisor of another version is replaced.
const protocol = 2

// upRequest asks for services to be started, or stopped and started.
type upRequest struct {
	ID          string        `json:"id"`
	Services    []string      `json:"services,omitempty"`
	WaitTimeout time.Duration `json:"wait_timeout,omitempty"`
	AutoPorts   bool          `json:"auto_ports,omitempty"`
	Restart     bool          `json:"restart,omitempty"`
	Alone       bool          `json:"alone,omitempty"` // only the named services, not what they depend on
	// Environ is the caller's environment: the strongest layer of the configuration, and what services inherit.
	Environ []string `json:"environ"`
}

type downRequest struct {
	Volumes bool `json:"volumes,omitempty"`
}

type cancelRequest struct {
	ID string `json:"id"`
}

// pong identifies a supervisor.
type pong struct {
	Protocol int    `json:"protocol"`
	Dir      string `json:"dir"`
	PID      int    `json:"pid"`
	Closing  bool   `json:"closing,omitempty"` // it is about to end, and takes no more requests
}

// changedAnswer names the running services that have changed since they started.
type changedAnswer struct {
	Services []string   `json:"services,omitempty"`
	Error    *wireError `json:"error,omitempty"`
}

// message is one line of an answer: any number of events, then the result.
type message struct {
	Event *stack.Event `json:"event,omitempty"`
	Done  bool         `json:"done,omitempty"`
	Error *wireError   `json:"error,omitempty"`
}

// wireError carries an error across the socket with its classes and hints.
type wireError struct {
	Text    string   `json:"text"`
	Classes []string `json:"classes,omitempty"`
	Hints   []string `json:"hints,omitempty"`
	// Parts are the errors that errors.Join has put together, each with its own classes and hints; Text joins theirs.
	Parts []*wireError `json:"parts,omitempty"`
}

// class is a failure class with its name on the wire.
type class struct {
	name string
	err  error
}

func classes() []class {
	return []class{
		{"usage", errdefs.ErrUsage},
		{"invalid", errdefs.ErrInvalid},
		{"drift", errdefs.ErrDrift},
		{"unavailable", errdefs.ErrUnavailable},
		{"unhealthy", errdefs.ErrUnhealthy},
	}
}

func encodeError(err error) *wireError {
	if err == nil {
		return nil
	}
	w := &wireError{Text: err.Error(), Hints: errdefs.Hints(err)}
	for _, c := range classes() {
		if errors.Is(err, c.err) {
			w.Classes = append(w.Classes, c.name)
		}
	}
	for _, part := range joined(err) {
		w.Parts = append(w.Parts, encodeError(part))
	}
	return w
}

// joined returns the errors that errors.Join has put together in err, or nil.
func joined(err error) []error {
	if u, ok := err.(interface{ Unwrap() error }); ok {
		if next := u.Unwrap(); next != nil && next.Error() == err.Error() {
			return joined(next)
		}
		return nil
	}
	u, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return nil
	}
	parts := u.Unwrap()
	texts := make([]string, len(parts))
	for i, part := range parts {
		if texts[i] = part.Error(); texts[i] == err.Error() {
			return joined(part) // a class beside the error that has the text
		}
	}
	if strings.Join(texts, "\n") != err.Error() {
		return nil
	}
	return parts
}

func (w *wireError) decode() error {
	if w == nil {
		return nil
	}
	err := errors.New(w.Text)
	if len(w.Parts) > 0 {
		parts := make([]error, len(w.Parts))
		for i, part := range w.Parts {
			parts[i] = part.decode()
		}
		err = errors.Join(parts...)
	}
	inParts := errdefs.Hints(err)
	for _, c := range classes() {
		if slices.Contains(w.Classes, c.name) {
			err = errdefs.As(c.err, err)
		}
	}
	for _, h := range slices.Backward(w.Hints) {
		if !slices.Contains(inParts, h) {
			err = errdefs.WithHint(err, h)
		}
	}
	return err
}
