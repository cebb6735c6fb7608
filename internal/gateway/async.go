package gateway

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/nself-org/nself/internal/action"
	"github.com/nself-org/nself/internal/actionlog"
)

// idDescription is Hasura's text for the id of an asynchronous action, as a field and as an argument.
const idDescription = "the unique id of an action"

// The fields of a result type, by index.
const (
	resultIDField = iota
	resultCreatedAt
	resultErrors
	resultOutput
)

// resultArguments are the arguments of the fields that show a result.
func resultArguments() []*action.Field {
	return []*action.Field{{Name: "id", Description: idDescription, Type: scalarRef("uuid", true)}}
}

func scalarRef(name string, nonNull bool) *action.TypeRef {
	return &action.TypeRef{Named: &action.Type{Kind: action.PostgresScalar, Name: name}, NonNull: nonNull}
}

// resultType is the type of the fields that show the result of an asynchronous action. With an output that is no object
// Hasura shows the bare scalar there, and an empty object as its value.
func resultType(a *action.Action) *action.Type {
	if base := a.Output.Base(); base.Kind != action.Object {
		return base
	}
	return &action.Type{
		Kind: action.Object, Name: a.Name, Description: `fields of action: "` + a.Name + `"`,
		Fields: []*action.Field{
			{Name: "id", Description: idDescription, Type: scalarRef("uuid", true)},
			{
				Name: "created_at", Description: "the time at which this action was created",
				Type: scalarRef("timestamptz", true),
			},
			{Name: "errors", Description: "errors related to the invocation", Type: scalarRef("json", false)},
			{Name: "output", Description: "the output fields of this action", Type: a.Output},
		},
	}
}

// resultID reads the id out of the arguments of a field that shows a result.
func resultID(input []byte) (string, *action.Error) {
	quoted, _ := action.Member(action.Text(input), "id")
	if quoted != "" && quoted[0] == '"' {
		if id, err := uuid.Parse(action.Unquote(quoted)); err == nil {
			return id.String(), nil
		}
	}
	err := &action.Error{Code: action.CodeParseFailed, Message: "Invalid UUID"}
	return "", err.Under("id")
}

// enqueue creates the entries of the plan's asynchronous actions, before any handler is called.
func (x *exchange) enqueue(p *plan) *action.Error {
	if !p.enqueues {
		return nil
	}
	x.ids = x.ids[:0]
	from := 0
	for i := range p.fields {
		f := &p.fields[i]
		input := x.inputs[from:x.ends[i]]
		from = x.ends[i]
		id := ""
		if f.does == createEntry {
			entry := actionlog.NewEntry{Action: f.action.Name, Input: input, Session: x.session.Vars}
			if f.action.headers.Forward {
				entry.Header, entry.Host = x.header, x.host
			}
			var err error
			if id, err = x.createEntry(x.ctx, entry); err != nil {
				return x.logFailed(err)
			}
		}
		x.ids = append(x.ids, id)
	}
	return nil
}

// actionLogTimeout bounds one question to the action log. A database that is gone says so at once; one that hangs, or is
// behind a network that swallows everything, would hold clients up for as long as they have patience.
const actionLogTimeout = 10 * time.Second

func (x *exchange) createEntry(ctx context.Context, entry actionlog.NewEntry) (id string, err error) {
	ctx, cancel := context.WithTimeout(ctx, actionLogTimeout)
	defer cancel()
	return x.engine.opt.ActionLog.Create(ctx, entry)
}

func (x *exchange) readEntry(ctx context.Context, id string) (actionlog.Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, actionLogTimeout)
	defer cancel()
	return x.engine.opt.ActionLog.Get(ctx, id)
}

// logFailed words a failure of the action log; the reason goes to our own log.
func (x *exchange) logFailed(err error) *action.Error {
	if errors.Is(err, actionlog.ErrUnstorable) {
		return invalid("the input of an asynchronous action must not have the character U+0000 in it")
	}
	if !errors.Is(err, actionlog.ErrNotFound) && x.ctx.Err() == nil {
		x.engine.log.ErrorContext(x.ctx, "action log failed", slog.String("error", err.Error()),
			slog.String("request_id", x.requestID))
	}
	return &action.Error{
		Status: http.StatusInternalServerError, Code: action.CodeUnexpected, Message: "database query error",
	}
}

// result appends what was selected of an entry.
func (x *exchange) result(f *plannedField, input []byte) *action.Error {
	id, err := resultID(input)
	if err != nil {
		return err
	}
	x.out, _, err = x.appendEntry(x.out, f, id)
	return err
}

// appendEntry appends what was selected of the entry id. final tells that it will not change any more, or is not there.
func (x *exchange) appendEntry(dst []byte, f *plannedField, id string) (out []byte, final bool, err *action.Error) {
	entry, failure := x.readEntry(x.ctx, id)
	if failure == nil && entry.Action != f.action.Name {
		failure = actionlog.ErrNotFound // a permission on one action shows nothing of another
	}
	switch {
	case failure != nil:
		return dst, errors.Is(failure, actionlog.ErrNotFound), x.logFailed(failure)
	case f.selection == nil:
		return append(dst, "{}"...), true, nil
	case !x.session.Admin && !maps.Equal(entry.Session, x.session.Vars):
		return append(dst, "null"...), true, nil // somebody else's
	}
	dst = append(dst, '{')
	for i, selected := range f.selection.Fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(action.AppendString(dst, selected.Key), ':')
		switch selected.Index {
		case resultIDField:
			dst = action.AppendString(dst, entry.ID)
		case resultCreatedAt:
			dst = action.AppendString(dst, entry.CreatedAt.UTC().Format(time.RFC3339Nano))
		case resultErrors:
			dst = appendErrors(dst, entry.Errors, x.internals())
		case resultOutput:
			if entry.Status != actionlog.StatusCompleted || !action.ValidJSON(entry.Response) {
				dst = append(dst, "null"...)
				continue
			}
			dst = action.Project(dst, selected.Sub, action.Trim(action.Text(entry.Response)))
		default:
			dst = action.AppendString(dst, f.selection.Object.Name)
		}
	}
	return append(dst, '}'), entry.Status.Final(), nil
}

// appendErrors appends a stored error, without internal details unless the reader may see them.
func appendErrors(dst, stored []byte, internals bool) []byte {
	if !action.ValidJSON(stored) {
		return append(dst, "null"...)
	}
	text := action.Trim(action.Text(stored))
	if internals || text[0] != '{' {
		return append(dst, text...)
	}
	dst = append(dst, '{')
	first := true
	members := action.NewMembers(text)
	for {
		key, value, ok := members.Next()
		if !ok {
			return append(dst, '}')
		}
		if key == "internal" {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(action.AppendString(dst, key), ':')
		dst = append(dst, value...)
	}
}
