package auth

import (
	"iter"
	"net/http"
	"strings"
)

// headerVariables collects the headers that are session variables, by lower-case name; of a repeated header the last
// value counts. Names and values are copied.
func headerVariables(headers iter.Seq2[string, string]) map[string]string {
	vars := make(map[string]string, 4) // role, user id, the secret, one more: no growth for the usual request
	for name, value := range headers {
		if isVariable(name) {
			vars[variableName(name)] = strings.Clone(value)
		}
	}
	return vars
}

// isVariable tells whether a name is that of a session variable, in any case.
func isVariable(name string) bool {
	return len(name) >= len(variablePrefix) && strings.EqualFold(name[:len(variablePrefix)], variablePrefix)
}

// variableName lower-cases a name without an allocation for the names that nearly every request carries.
func variableName(name string) string {
	switch {
	case strings.EqualFold(name, roleVariable):
		return roleVariable
	case strings.EqualFold(name, adminSecretVariable):
		return adminSecretVariable
	case strings.EqualFold(name, "x-hasura-user-id"):
		return "x-hasura-user-id"
	}
	return strings.Clone(strings.ToLower(name))
}

// newSession makes a session of vars, which it takes over, under role.
func newSession(role string, vars map[string]string) Session {
	delete(vars, adminSecretVariable)
	delete(vars, accessKeyVariable)
	vars[roleVariable] = role
	return Session{Role: role, Vars: vars, Admin: role == AdminRole}
}

// trustedSession is the session of a caller whose headers are believed: the role they ask for, admin by default. An
// empty role header counts as absent.
func trustedSession(vars map[string]string) (Session, *Error) {
	role := vars[roleVariable]
	if role == "" {
		role = AdminRole
	}
	backendOnly := false
	if text, ok := vars[backendOnlyVariable]; ok {
		switch strings.ToLower(text) {
		case "true", "t", "yes", "y":
			backendOnly = true
		case "false", "f", "no", "n":
		default:
			return Session{}, refuse(http.StatusBadRequest, codeBadRequest, backendOnlyVariable+
				`:  Not a valid boolean text. True values are ["true","t","yes","y"] and  `+
				`False values are ["false","f","no","n"]. All values are case insensitive`)
		}
	}
	session := newSession(role, vars)
	session.BackendOnly = backendOnly
	return session, nil
}
