package native

import (
	"context"
	"errors"
	"fmt"

	"github.com/nself-org/nself/internal/stack"
)

// program is how one service is made to run. The supervisor calls prepare before the first start, then run again after
// each end that was not asked for, and probe while run is under way.
type program interface {
	// fingerprint changes when the running service no longer is what the configuration asks for.
	fingerprint() string
	// prepare does what must be done once and may take long: compile, create a database. It may run while an older
	// version of the service is still up.
	prepare(ctx context.Context, report func(stack.Event)) error
	// beforeStart does what needs the older version gone. It is called once per start.
	beforeStart(ctx context.Context) error
	// run runs the service until it ends, or ctx does, which stops it in good order. It calls started with the process
	// id, or 0 for what runs inside the supervisor.
	run(ctx context.Context, started func(pid int)) error
	// probe asks the service whether it is well. The text is its answer, for a person.
	probe(ctx context.Context) (string, error)
	// info gives the static facts of the service's status.
	info() stack.Facts
}

// permanentError is one that trying again cannot mend.
type permanentError struct{ error }

func (e permanentError) Unwrap() error { return e.error }

func permanent(err error) error {
	if err == nil {
		return nil
	}
	return permanentError{err}
}

func isPermanent(err error) bool {
	_, ok := errors.AsType[permanentError](err)
	return ok
}

// recovered turns a panic of an in-process service into an error.
func recovered(name string, err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%s: panic: %v", name, r)
	}
}
