package metadataapi

import (
	"net/http"

	"github.com/nself-org/nself/internal/action"
)

// maxBulkDepth bounds bulks in bulks. Nobody needs more than one level.
const maxBulkDepth = 10

// bulk runs commands in order; the first failure undoes all of them.
func bulk(r *run, c command) ([]byte, *action.Error) {
	return r.each(c, func(err *action.Error) ([]byte, *action.Error) { return nil, err })
}

// bulkKeepGoing runs commands in order; a failure undoes the one command and becomes its answer.
func bulkKeepGoing(r *run, c command) ([]byte, *action.Error) {
	return r.each(c, func(err *action.Error) ([]byte, *action.Error) {
		return err.Under("args").AppendFlat(nil, !r.api.opt.HideInternals), nil
	})
}

// bulkAtomic refuses: in Hasura it is for relationships, native queries and models only.
func bulkAtomic(_ *run, c command) ([]byte, *action.Error) {
	if _, err := elements(c.args); err != nil {
		return nil, err
	}
	return nil, &action.Error{
		Status: http.StatusInternalServerError, Code: action.CodeUnexpected,
		Message: "Bulk atomic does not support this command",
	}
}

// each runs the commands of a bulk and lists their answers; failed decides about a failure.
func (r *run) each(c command, failed func(*action.Error) ([]byte, *action.Error)) ([]byte, *action.Error) {
	list, err := elements(c.args)
	if err != nil {
		return nil, err
	}
	if r.depth++; r.depth > maxBulkDepth {
		return nil, refuse(action.CodeNotSupported, "bulks are nested too deeply")
	}
	defer func() { r.depth-- }()
	out := []byte{'['}
	for i, raw := range list {
		answer, err := r.one(raw)
		if err != nil {
			answer, err = failed(err.UnderIndex(i))
		}
		if err != nil {
			return nil, err
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, answer...)
	}
	return append(out, ']'), nil
}

// one runs one command of a bulk; a failure leaves the run as it was before.
func (r *run) one(raw rawJSON) ([]byte, *action.Error) {
	c, err := readCommand(raw)
	if err != nil {
		return nil, err
	}
	md, staged, dropped := r.md, r.staged, len(r.dropped)
	answer, err := r.dispatch(c)
	if err != nil {
		r.md, r.staged, r.dropped = md, staged, r.dropped[:dropped]
		return nil, err
	}
	return answer, nil
}
