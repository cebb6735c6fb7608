package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// defaultNamespace is the claim that holds Hasura's claims.
const defaultNamespace = "https://hasura.io/jwt/claims"

// The claims that say which roles a user may take.
const (
	allowedRolesClaim = "x-hasura-allowed-roles"
	defaultRoleClaim  = "x-hasura-default-role"
)

// jwtSecret is one JWT secret, ready for use.
type jwtSecret struct {
	set      keySet
	audience []string // nil: any
	issuer   *string  // nil: any
	claims   claimsSource
	skew     time.Duration
	location tokenLocation
}

// tokenLocation is where the client sends the token: kind "authorization", "cookie" or "customheader", and the name of
// the latter two.
type tokenLocation struct{ kind, name string }

// claimsSource is where the session variables are in a token: under a key, at a path, or by a map.
type claimsSource struct {
	namespace   string
	path        jsonPath
	hasPath     bool
	stringified bool
	claimsMap   map[string]claimMapping // nil: namespace or path
}

// claimMapping is an entry of claims_map: a constant, or a path with an optional default.
type claimMapping struct {
	constant any
	path     jsonPath
	hasPath  bool
	fallback any // nil: none
}

// jwtSecretJSON is HASURA_GRAPHQL_JWT_SECRET.
type jwtSecretJSON struct {
	Type          *string                    `json:"type"`
	Key           *string                    `json:"key"`
	JWKURL        *string                    `json:"jwk_url"`
	Namespace     *string                    `json:"claims_namespace"`
	NamespacePath *string                    `json:"claims_namespace_path"`
	Format        *string                    `json:"claims_format"`
	Map           map[string]json.RawMessage `json:"claims_map"`
	Audience      json.RawMessage            `json:"audience"`
	Issuer        *string                    `json:"issuer"`
	Skew          *float64                   `json:"allowed_skew"`
	Header        *struct {
		Type string  `json:"type"`
		Name *string `json:"name"`
	} `json:"header"`
}

// parseJWTSecret reads a JWT secret. The result's key set is nil when the keys are at the returned URL.
func parseJWTSecret(text string) (*jwtSecret, string, error) {
	var in jwtSecretJSON
	if err := json.Unmarshal([]byte(text), &in); err != nil {
		return nil, "", errors.New("expected a JSON object: " + jsonFault(err))
	}
	s := &jwtSecret{issuer: in.Issuer, location: tokenLocation{kind: "authorization"}}
	var err error
	if s.claims, err = in.claimsSource(); err != nil {
		return nil, "", err
	}
	if s.audience, err = parseAudience(in.Audience); err != nil {
		return nil, "", err
	}
	if in.Skew != nil {
		if *in.Skew < 0 || *in.Skew > 1e9 {
			return nil, "", fmt.Errorf("allowed_skew: expected seconds, got %g", *in.Skew)
		}
		s.skew = time.Duration(*in.Skew * float64(time.Second))
	}
	if in.Header != nil {
		s.location.kind = strings.ToLower(in.Header.Type)
		switch s.location.kind {
		case "authorization":
		case "cookie", "customheader":
			if in.Header.Name == nil || *in.Header.Name == "" {
				return nil, "", errors.New(`header: key "name" not found`)
			}
			s.location.name = *in.Header.Name
		default:
			return nil, "", errors.New("expected 'type' is 'Authorization' or 'Cookie' or 'CustomHeader'")
		}
	}
	jwksURL, err := in.keys(s)
	return s, jwksURL, err
}

// jsonFault describes an error of encoding/json without the text that caused it: a secret must not get into a message.
func jsonFault(err error) string {
	if fault, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Sprintf("key %q cannot be a %s", fault.Field, strings.Fields(fault.Value)[0])
	}
	return "not valid JSON"
}

// keys reads the key, or returns the URL of keys.
func (in *jwtSecretJSON) keys(s *jwtSecret) (string, error) {
	switch {
	case in.Key == nil && in.JWKURL == nil:
		return "", errors.New("key and jwk_url both cannot be empty")
	case in.Key != nil && in.JWKURL != nil:
		return "", errors.New("key, jwk_url both cannot be present")
	case in.JWKURL != nil:
		u, err := url.Parse(*in.JWKURL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return "", fmt.Errorf("jwk_url: expected an http or https URL, got %q", *in.JWKURL)
		}
		return *in.JWKURL, nil
	case in.Type == nil:
		return "", errors.New(`key "type" not found`)
	}
	k, err := parseKey(*in.Type, *in.Key)
	s.set = fixedKeys{k}
	return "", err
}

func parseAudience(raw json.RawMessage) ([]string, error) {
	if len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
		return nil, nil
	}
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return []string{one}, nil
	}
	list := []string{}
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, errors.New("audience: expected a string or a list of strings")
	}
	return list, nil
}

func (in *jwtSecretJSON) claimsSource() (claimsSource, error) {
	c := claimsSource{namespace: defaultNamespace}
	switch {
	case in.Namespace != nil && in.NamespacePath != nil:
		return c, errors.New("claims_namespace and claims_namespace_path both cannot be set")
	case in.Namespace != nil:
		c.namespace = *in.Namespace
	case in.NamespacePath != nil:
		path, err := parseJSONPath(*in.NamespacePath)
		if err != nil {
			return c, fmt.Errorf("invalid JSON path claims_namespace_path error: %w", err)
		}
		c.path, c.hasPath = path, true
	}
	if in.Format != nil {
		switch *in.Format {
		case "json":
		case "stringified_json":
			c.stringified = true
		default:
			return c, fmt.Errorf("claims_format: expected json or stringified_json, got %q", *in.Format)
		}
	}
	if in.Map == nil {
		return c, nil
	}
	c.claimsMap = map[string]claimMapping{}
	for _, name := range []string{allowedRolesClaim, defaultRoleClaim} {
		if _, ok := in.Map[name]; !ok {
			return c, errors.New(name + " is expected but not found")
		}
	}
	for name, raw := range in.Map {
		if !isVariable(name) {
			continue
		}
		mapping, err := parseMapping(raw, strings.EqualFold(name, allowedRolesClaim))
		if err != nil {
			return c, fmt.Errorf("claims_map: %s: %w", name, err)
		}
		c.claimsMap[strings.ToLower(name)] = mapping
	}
	return c, nil
}

// parseMapping reads an entry of claims_map; list tells whether its values are lists of strings rather than strings.
func parseMapping(raw json.RawMessage, list bool) (claimMapping, error) {
	value := func(raw json.RawMessage) (any, error) {
		var v any
		if err := json.Unmarshal(raw, &v); err != nil {
			return nil, err
		}
		if list {
			if _, fault := roleList(v); fault != "" {
				return nil, errors.New(fault)
			}
		} else if _, ok := v.(string); !ok {
			return nil, errors.New(mismatch("Text", "String", v))
		}
		return v, nil
	}
	if raw[0] != '{' {
		constant, err := value(raw)
		return claimMapping{constant: constant}, err
	}
	var in struct {
		Path    *string         `json:"path"`
		Default json.RawMessage `json:"default"`
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return claimMapping{}, err
	}
	if in.Path == nil {
		return claimMapping{}, errors.New(`key "path" not found`)
	}
	path, err := parseJSONPath(*in.Path)
	if err != nil {
		return claimMapping{}, err
	}
	m := claimMapping{path: path, hasPath: true}
	if len(in.Default) > 0 && !bytes.Equal(in.Default, []byte("null")) {
		m.fallback, err = value(in.Default)
	}
	return m, err
}

// mismatch is aeson's message for a value of the wrong type.
func mismatch(parsing, expected string, v any) string {
	found := "Null"
	switch v.(type) {
	case string:
		found = "String"
	case bool:
		found = "Boolean"
	case []any:
		found = "Array"
	case map[string]any:
		found = "Object"
	case json.Number, float64:
		found = "Number"
	}
	return "parsing " + parsing + " failed, expected " + expected + ", but encountered " + found
}

// roleList reads a list of strings, or says what is wrong.
func roleList(v any) ([]string, string) {
	items, ok := v.([]any)
	if !ok {
		return nil, mismatch("[]", "Array", v)
	}
	roles := make([]string, len(items))
	for i, item := range items {
		if roles[i], ok = item.(string); !ok {
			return nil, mismatch("Text", "String", item)
		}
	}
	return roles, ""
}
