package action

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
)

// Session tells on whose behalf the engine calls. It is to be believed because the caller has proved that it knows the
// admin secret.
type Session struct {
	// Role is "admin", or the role that the action's permissions let in. Empty: a direct call without a session.
	Role string
	// UserID is x-hasura-user-id, or empty.
	UserID string
	// Variables holds all session variables, keys in lower case.
	Variables map[string]string
}

// Trusted says whether the caller is the admin, or a direct call with the admin secret and no session at all.
func (s Session) Trusted() bool { return s.Role == "" || s.Role == "admin" }

var uuidPattern = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// UUID returns text in lower case when it is a UUID in its usual form, and "" otherwise.
func UUID(text string) string {
	if text = strings.ToLower(text); uuidPattern.MatchString(text) {
		return text
	}
	return ""
}

// SignedIn returns the id of the user who calls. Without one it returns an [*Error] with status 401, unless the caller is
// [Session.Trusted]: then the id is empty. Visitors with unauthorizedRole can claim any id, so theirs does not count; ids
// that are not UUIDs do not either.
func (s Session) SignedIn(unauthorizedRole string) (userID string, err error) {
	if userID = UUID(s.UserID); s.Trusted() || userID != "" && s.Role != unauthorizedRole {
		return userID, nil
	}
	return "", SignIn()
}

// SignIn is status 401: only a user can do this.
func SignIn() *Error {
	return &Error{Status: http.StatusUnauthorized, Code: CodeSignIn, Message: "Sign in first"}
}

// newSession takes the variables of the body where it has some, and the X-Hasura-* headers otherwise. An empty header
// counts as absent.
func newSession(body map[string]string, header http.Header) Session {
	vars := body
	if len(body) == 0 {
		vars = fromHeaders(header)
	}
	for name, value := range vars {
		if lower := strings.ToLower(name); lower != name {
			delete(vars, name)
			vars[lower] = value
		}
	}
	return Session{Role: vars["x-hasura-role"], UserID: vars["x-hasura-user-id"], Variables: vars}
}

func fromHeaders(header http.Header) map[string]string {
	given := map[string]any{}
	// Text that is not JSON is as good as none: the two headers below may still be there.
	_ = json.Unmarshal([]byte(header.Get("X-Hasura-Session-Variables")), &given)
	vars := texts(given)
	for _, name := range []string{"X-Hasura-Role", "X-Hasura-User-Id"} {
		if v := header.Get(name); v != "" {
			vars[strings.ToLower(name)] = v
		}
	}
	return vars
}

// texts writes numbers and the like as text; null is an empty one, as it is to a map[string]string.
func texts(given map[string]any) map[string]string {
	vars := make(map[string]string, len(given))
	for name, value := range given {
		switch v := value.(type) {
		case nil:
			vars[name] = ""
		case string:
			vars[name] = v
		default:
			vars[name] = fmt.Sprint(v)
		}
	}
	return vars
}
