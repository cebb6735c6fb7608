package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"
)

// registeredClaims are not looked at for Hasura's claims.
func registeredClaims() []string { return []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti"} }

// decodeObject reads a JSON object with its numbers as text.
func decodeObject(data []byte) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var object map[string]any
	if err := dec.Decode(&object); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) || object == nil {
		return nil, errors.New("not one JSON object")
	}
	return object, nil
}

// variables finds the session variables in the claims of a verified token, by lower-case name.
func (c *claimsSource) variables(claims map[string]any) (map[string]any, *Error) {
	if c.claimsMap != nil {
		return c.mapped(claims)
	}
	for _, name := range registeredClaims() {
		delete(claims, name)
	}
	var (
		found any
		ok    bool
	)
	if c.hasPath {
		if found, ok = c.path.find(claims); !ok {
			return nil, refuse(http.StatusBadRequest, codeInvalidClaims,
				"claims not found at claims_namespace_path: '"+c.path.String()+"'")
		}
	} else if found, ok = claims[c.namespace]; !ok {
		return nil, refuse(http.StatusBadRequest, codeInvalidClaims, "claims key: '"+c.namespace+"' not found")
	}
	object, fault := c.object(found)
	if fault != "" {
		return nil, refuse(http.StatusBadRequest, codeInvalidClaims, fault)
	}
	vars := make(map[string]any, len(object))
	for name, value := range object {
		if isVariable(name) {
			vars[strings.ToLower(name)] = value
		}
	}
	return vars, nil
}

// object reads the value of the namespace in the configured format.
func (c *claimsSource) object(v any) (map[string]any, string) {
	if !c.stringified {
		if object, ok := v.(map[string]any); ok {
			return object, ""
		}
		return nil, "expecting a json object when claims_format is json"
	}
	text, ok := v.(string)
	if !ok {
		return nil, "expecting a string when claims_format is stringified_json"
	}
	object, err := decodeObject([]byte(text))
	if err != nil {
		where := "claims_namespace " + c.namespace
		if c.hasPath {
			where = "claims_namespace_path " + c.path.String()
		}
		return nil, "expecting stringified json at: '" + where + "', but found: " + text
	}
	return object, ""
}

// mapped collects the session variables by claims_map. The roles are looked for before the rest.
func (c *claimsSource) mapped(claims map[string]any) (map[string]any, *Error) {
	vars := make(map[string]any, len(c.claimsMap))
	for _, name := range []string{allowedRolesClaim, defaultRoleClaim} {
		value, ok := c.claimsMap[name].find(claims)
		if !ok {
			return nil, missingRoles(name)
		}
		vars[name] = value
	}
	for _, name := range slices.Sorted(maps.Keys(c.claimsMap)) { // sorted: of several faults always the same is told
		value, ok := c.claimsMap[name].find(claims)
		if !ok {
			return nil, refuse(http.StatusBadRequest, codeInvalidClaims, `JWT claim from claims_map, "`+name+`" not found`)
		}
		vars[name] = value
	}
	return vars, nil
}

// find returns the value that a mapping stands for. A claim that is null is there.
func (m claimMapping) find(claims map[string]any) (any, bool) {
	if !m.hasPath {
		return m.constant, true
	}
	if value, ok := m.path.find(claims); ok {
		return value, true
	}
	return m.fallback, m.fallback != nil
}

func missingRoles(name string) *Error {
	return refuse(http.StatusBadRequest, codeMissingRoles, `JWT claim does not contain "`+name+`"`)
}

// session makes a session of the variables of a token: the requested role when it is allowed, the default role
// without a request. The client's other headers have no part in it.
func session(vars map[string]any, requestedRole string, expires time.Time) (Session, *Error) {
	bad := func(message string) (Session, *Error) {
		return Session{}, refuse(http.StatusBadRequest, codeInvalidClaims, message)
	}
	for _, name := range []string{allowedRolesClaim, defaultRoleClaim} {
		if _, ok := vars[name]; !ok {
			return Session{}, missingRoles(name)
		}
	}
	allowed, fault := roleList(vars[allowedRolesClaim])
	if fault != "" {
		return bad(`invalid "` + allowedRolesClaim + `"; should be a list of roles: ` + fault)
	}
	role, ok := vars[defaultRoleClaim].(string)
	if !ok {
		return bad(`invalid "` + defaultRoleClaim + `"; should be a single role name: ` +
			mismatch("Text", "String", vars[defaultRoleClaim]))
	}
	if requestedRole != "" {
		role = requestedRole
	}
	if role == "" || !slices.Contains(allowed, role) {
		return Session{}, refuse(http.StatusBadRequest, codeAccessDenied, "Your requested role is not in allowed roles")
	}
	texts := make(map[string]string, len(vars))
	for name, value := range vars {
		if name == allowedRolesClaim || name == defaultRoleClaim {
			continue
		}
		if texts[name], ok = value.(string); !ok {
			return bad("x-hasura-* claims: " + mismatch("Text", "String", value))
		}
	}
	s := newSession(role, texts)
	s.Expires = expires
	return s, nil
}

// numericDate reads a claim that is a time: seconds since 1970, which may have a fraction. ok is false when the claim
// is there and is no time; a missing claim gives the zero time.
func numericDate(claims map[string]any, name string) (at time.Time, ok bool) {
	value, present := claims[name]
	if !present || value == nil {
		return time.Time{}, true
	}
	number, isNumber := value.(json.Number)
	if !isNumber {
		return time.Time{}, false
	}
	seconds, err := number.Float64()
	if err != nil || math.Abs(seconds) > 1e11 { // beyond the year 5000 in either direction
		return time.Time{}, false
	}
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(fraction*1e9)), true
}
