package action

import (
	"maps"
	"slices"
)

// Call is what a handler is asked.
type Call struct {
	// Action is the name of the action.
	Action string
	// Input is the JSON object of arguments.
	Input []byte
	// RequestQuery is the text of the client's GraphQL document as a JSON string, or null.
	RequestQuery []byte
	// Session is the JSON object of session variables.
	Session []byte
}

// AppendPayload appends the body of the webhook call. Keys are in Hasura's order.
func (c *Call) AppendPayload(dst []byte) []byte {
	dst = append(dst, `{"action":{"name":`...)
	dst = AppendString(dst, c.Action)
	dst = append(dst, `},"input":`...)
	dst = append(dst, c.Input...)
	dst = append(dst, `,"request_query":`...)
	dst = append(dst, c.RequestQuery...)
	dst = append(dst, `,"session_variables":`...)
	dst = append(dst, c.Session...)
	return append(dst, '}')
}

// AppendVariables appends session variables as a JSON object with sorted keys.
func AppendVariables(dst []byte, vars map[string]string) []byte {
	dst = append(dst, '{')
	var space [8]string // enough for the usual session without an allocation
	names := slices.AppendSeq(space[:0], maps.Keys(vars))
	slices.Sort(names)
	for i, name := range names {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendString(dst, name)
		dst = append(dst, ':')
		dst = AppendString(dst, vars[name])
	}
	return append(dst, '}')
}
