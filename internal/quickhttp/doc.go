// Package quickhttp serves the requests that a program has most of at about half of net/http's cost, and leaves
// everything else to net/http. It stands between a listener and an [http.Server]: it answers plain HTTP/1.1 POST requests
// with a Content-Length on a few paths itself, with the same [http.Handler]; as soon as a connection brings anything else
// (another method or path, an upgrade, a body in chunks, a header that is long, repeated or odd), the connection goes to
// the http.Server with all that was read, which decides what becomes of it.
//
// What it saves is a goroutine that watches for the client's going away while a handler runs, deadlines for each request,
// and headers that are parsed anew though a client sends the same ones on its connection again and again. So, unlike with
// net/http, a request's context does not end with its connection.
package quickhttp
