// Package auth finds out who is asking: it turns the headers of a request into a role and session variables, in the
// modes that Hasura v2 has (no authentication, admin secret, unauthorized role, JWT, webhook), and refuses with
// Hasura's own messages, codes and statuses.
package auth

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"time"
)

// AdminRole is the role that may do everything.
const AdminRole = "admin"

// The names of session variables and headers with a meaning of their own, in lower case.
const (
	roleVariable        = "x-hasura-role"
	adminSecretVariable = "x-hasura-admin-secret" //nolint:gosec // a header's name
	accessKeyVariable   = "x-hasura-access-key"   // the admin secret's name before Hasura 1.0, still accepted
	backendOnlyVariable = "x-hasura-use-backend-only-permissions"
	variablePrefix      = "x-hasura-"
)

// Session is the outcome of authentication: who asks, and what is known of them.
type Session struct {
	// Role is the role in effect. It is never empty.
	Role string
	// Vars holds the session variables by lower-case name. It always has "x-hasura-role" and never the admin secret. A
	// session may be shared between requests: do not change the map.
	Vars map[string]string
	// Admin tells that Role is [AdminRole].
	Admin bool
	// BackendOnly tells that a trusted caller asked for backend-only permissions.
	BackendOnly bool
	// Expires is when the credentials lapse and a WebSocket that uses them is to be closed. Zero: never.
	Expires time.Time
	// SetCookies are values of Set-Cookie headers from the authentication webhook, for the client.
	SetCookies []string
}

// Error is a refusal, or a failure to decide.
type Error struct {
	// Status is the HTTP status outside GraphQL: 400, 401 or 500.
	Status int
	// Code is Hasura's error code, such as "access-denied".
	Code string
	// Message is what the client is told. It holds no secret.
	Message string
	// Path is Hasura's path to the fault; "$" here.
	Path string
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// refuse returns an Error at path "$".
func refuse(status int, code, message string) *Error {
	return &Error{Status: status, Code: code, Message: message, Path: "$"}
}

// Codes of refusals.
const (
	codeAccessDenied   = "access-denied"
	codeBadRequest     = "bad-request"
	codeInvalidHeaders = "invalid-headers"
	codeInvalidJWT     = "invalid-jwt"
	codeInvalidParams  = "invalid-params"
	codeInvalidClaims  = "jwt-invalid-claims"
	codeMissingRoles   = "jwt-missing-role-claims"
	codeUnexpected     = "unexpected"
)

// Request is what authentication looks at.
type Request struct {
	// Headers yields every header of the request, a repeated one once per value, names in any case. It may be walked
	// more than once. The strings need to be valid during [Authenticator.Authenticate] only: what a session keeps is
	// copied.
	Headers iter.Seq2[string, string]
	// Host is the header of that name, which net/http keeps apart. Only the webhook in POST mode is told; it may be empty.
	Host string
	// Body is the GraphQL request as the client sent it, JSON. Only the webhook in POST mode reads it; it may be nil.
	Body json.RawMessage
}

// HTTPHeaders adapts an [http.Header] to [Request.Headers].
func HTTPHeaders(h http.Header) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for name, values := range h {
			for _, value := range values {
				if !yield(name, value) {
					return
				}
			}
		}
	}
}

// verifier finds a session for a request that shows no admin secret.
type verifier interface {
	verify(ctx context.Context, r Request, vars map[string]string) (Session, *Error)
}

// Authenticator decides who is asking. It is safe for concurrent use.
type Authenticator struct {
	secrets []secretHash // none: everybody may be anybody
	next    verifier     // asked when no admin secret is shown
}

// Authenticate finds the session of a request, or says why there is none. A request that shows an admin secret is
// judged by it alone. The returned error is a *Error rather than an error so that no caller forgets its status and
// code; it is nil when the session is valid.
func (a *Authenticator) Authenticate(ctx context.Context, r Request) (Session, *Error) {
	if r.Headers == nil {
		r.Headers = HTTPHeaders(nil)
	}
	vars := headerVariables(r.Headers)
	if len(a.secrets) == 0 {
		return trustedSession(vars)
	}
	if secret, ok := shownSecret(vars); ok {
		if !matches(a.secrets, secret) {
			return Session{}, refuse(http.StatusUnauthorized, codeAccessDenied,
				`invalid "x-hasura-admin-secret"/"x-hasura-access-key"`)
		}
		return trustedSession(vars)
	}
	return a.next.verify(ctx, r, vars)
}

// unauthorized lets everybody in as one fixed role, or nobody when the role is empty.
type unauthorized struct{ role string }

func (u unauthorized) verify(_ context.Context, _ Request, vars map[string]string) (Session, *Error) {
	if u.role == "" {
		return Session{}, refuse(http.StatusUnauthorized, codeAccessDenied,
			`"x-hasura-admin-secret"/"x-hasura-access-key" required, but not found`)
	}
	return newSession(u.role, vars), nil
}
