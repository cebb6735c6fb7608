package gateway

import (
	"fmt"
	"html"
	"net/http"
)

// landing is the page at "/". The verbs are the version and the number of actions.
const landing = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>nself gateway</title>
<style>
body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem}
code{background:#eee}
</style>
<h1>nself gateway</h1>
<p>Version %s, serving %d actions over GraphQL, compatible with Hasura Actions.</p>
<ul>
<li><code>POST /v1/graphql</code> answers queries and mutations, introspection included</li>
<li><code>GET /healthz</code> tells whether the metadata can be read and is served</li>
</ul>
<p>Point any GraphQL client at <code>/v1/graphql</code> and send <code>x-hasura-admin-secret</code>, or call an action
with <code>nself action test NAME</code>.</p>
</html>
`

func (e *Engine) serveLanding(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = fmt.Fprintf(w, landing, html.EscapeString(e.opt.Version), len(e.current.Load().actions))
}
