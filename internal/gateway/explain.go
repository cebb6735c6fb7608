package gateway

import (
	"bytes"
	"net/http"

	"github.com/nself-org/nself/internal/action"
)

// serveExplain answers the request for a query's plan as Hasura does when there is nothing to explain: actions have no
// plan, and introspection has an empty one.
func (e *Engine) serveExplain(w http.ResponseWriter, r *http.Request) {
	if !e.adminOnly(w, r) {
		return
	}
	wk := &work{}
	x := exchange{engine: e, ctx: r.Context(), header: r.Header, host: r.Host, work: wk}
	err := x.read(w, r)
	if err == nil {
		x.out, err = x.explain()
	}
	if err != nil {
		e.fail(w, err)
		return
	}
	writeJSON(w, http.StatusOK, x.out)
}

// explain reads {"query": request, "user": session variables} and explains the request for that user.
func (x *exchange) explain() ([]byte, *action.Error) {
	if !action.ValidJSON(x.body) {
		return nil, &action.Error{Code: action.CodeInvalidJSON, Message: "Error in $: not a valid json value"}
	}
	text := action.Trim(action.Text(x.body))
	if text[0] != '{' {
		return nil, parseFailed("expected Object, but encountered another kind of value")
	}
	request, ok := action.Member(text, "query")
	if !ok {
		return nil, parseFailed(`key "query" not found`)
	}
	req, err := readRequest(request)
	if err != nil {
		return nil, err.Under("query")
	}
	role := adminRole
	if user, _ := action.Member(text, "user"); user != "" && user[0] == '{' {
		if asked, _ := action.Member(user, roleVariable); len(asked) > 2 && asked[0] == '"' {
			role = action.Unquote(asked)
		}
	}
	x.schema = x.engine.current.Load().role(role)
	op, p, err := x.prepare(&req)
	switch {
	case err != nil:
		return nil, err
	case op.root == mutationRoot:
		return nil, &action.Error{Code: action.CodeInvalidParams, Message: "only queries can be explained"}
	}
	out := []byte{'['}
	for i := range p.fields {
		f := &p.fields[i]
		if f.action != nil {
			return nil, &action.Error{Code: action.CodeInvalidParams, Message: "query actions cannot be explained"}
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(out, `{"field":`...), bytes.TrimSuffix(f.key, []byte(":"))...)
		out = append(out, `,"sql":null,"plan":null}`...)
	}
	return append(out, ']'), nil
}
