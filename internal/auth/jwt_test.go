package auth_test

import (
	"crypto/elliptic"
	"encoding/base64"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/auth"
	"github.com/nself-org/nself/internal/env"
)

// userSession is the session that hasuraClaims give.
func userSession() auth.Session {
	return auth.Session{Role: "user", Vars: map[string]string{"x-hasura-role": "user", "x-hasura-user-id": "42"}}
}

func TestJWTAlgorithms(t *testing.T) {
	t.Parallel()
	rsa, p256, p384, p521, ed := rsaKey(t), ecKey(t, elliptic.P256()), ecKey(t, elliptic.P384()), ecKey(t, elliptic.P521()), edKey(t)
	tests := []struct {
		name, keyType, key string
		algorithm          jose.SignatureAlgorithm
		private            any
	}{
		{"HS256", "HS256", hmacKey, jose.HS256, []byte(hmacKey)},
		{"HS384", "HS384", hmacKey, jose.HS384, []byte(hmacKey)},
		{"HS512", "HS512", hmacKey, jose.HS512, []byte(hmacKey)},
		{"RS256", "RS256", publicPEM(t, rsa.Public()), jose.RS256, rsa},
		{"RS384", "RS384", publicPEM(t, rsa.Public()), jose.RS384, rsa},
		{"RS512 by certificate", "RS512", certificatePEM(t, rsa), jose.RS512, rsa},
		{"ES256", "ES256", publicPEM(t, p256.Public()), jose.ES256, p256},
		{"ES384 by certificate", "ES384", certificatePEM(t, p384), jose.ES384, p384},
		{"ES512", "ES512", publicPEM(t, p521.Public()), jose.ES512, p521},
		{"Ed25519", "Ed25519", publicPEM(t, ed.Public()), jose.EdDSA, ed},
	}
	invalid := refusal(400, "invalid-jwt", "Could not verify JWT: JWSError JWSInvalidSignature")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newAt(t, jwtConfig(t, object{"type": tt.keyType, "key": tt.key}), epoch)
			token := sign(t, tt.algorithm, tt.private, "", hasuraClaims())
			got, err := a.Authenticate(t.Context(), bearer(token))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(userSession(), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			// Every other key must be refused, an HMAC over the public key's text above all.
			forged := map[string]string{
				"the public key as HMAC secret": sign(t, jose.HS256, []byte(tt.key), "", hasuraClaims()),
				"another RSA key":               sign(t, jose.RS256, rsaKey(t), "", hasuraClaims()),
				"another P-256 key":             sign(t, jose.ES256, ecKey(t, elliptic.P256()), "", hasuraClaims()),
				"another Ed25519 key":           sign(t, jose.EdDSA, edKey(t), "", hasuraClaims()),
				"another HMAC key":              sign(t, jose.HS256, []byte(strings.Repeat("x", 64)), "", hasuraClaims()),
				"a changed signature":           token[:len(token)-6] + "AAAAAA",
				"a changed payload":             swapPayload(t, token, hasuraClaims(object{"sub": "1"})),
			}
			for name, token := range forged {
				if strings.HasPrefix(tt.keyType, "HS") && name == "the public key as HMAC secret" {
					continue // there it is the key itself
				}
				if _, err := a.Authenticate(t.Context(), bearer(token)); cmp.Diff(invalid, err) != "" {
					t.Errorf("%s: %+v", name, err)
				}
			}
		})
	}
}

func swapPayload(t *testing.T, token string, payload object) string {
	t.Helper()
	parts := strings.Split(token, ".")
	parts[1] = base64.RawURLEncoding.EncodeToString([]byte(marshal(t, payload)))
	return strings.Join(parts, ".")
}

func TestJWTClaims(t *testing.T) {
	t.Parallel()
	now := epoch().Unix()
	base := object{"type": "HS256", "key": hmacKey}
	with := func(more object) object {
		merged := object{}
		for _, m := range []object{base, more} {
			maps.Copy(merged, m)
		}
		return merged
	}
	const namespace = "https://hasura.io/jwt/claims"
	roles := object{"x-hasura-allowed-roles": []string{"user"}, "x-hasura-default-role": "user", "x-hasura-user-id": "42"}
	verify := func(fault string) *auth.Error { return refusal(400, "invalid-jwt", "Could not verify JWT: "+fault) }
	claim := func(message string) *auth.Error { return refusal(400, "jwt-invalid-claims", message) }
	withRole := func(role string) auth.Session {
		s := userSession()
		s.Role = role
		s.Vars["x-hasura-role"] = role
		return s
	}
	expiring := userSession()
	expiring.Expires = time.Unix(now+60, 0)
	mapped := object{
		"x-hasura-allowed-roles": object{"path": "$.roles"}, "x-hasura-default-role": object{"path": "$.user.roles[0]"},
		"X-Hasura-User-Id": object{"path": "$['user'].id"},
	}
	tests := []struct {
		name    string
		secret  object
		claims  any
		headers []string
		want    auth.Session
		wantErr *auth.Error
	}{
		{"requested role", base, hasuraClaims(), []string{"X-Hasura-Role", "editor"}, withRole("editor"), nil},
		{"empty requested role", base, hasuraClaims(), []string{"X-Hasura-Role", ""}, userSession(), nil},
		{"role not allowed", base, hasuraClaims(), []string{"x-hasura-role", "admin"}, auth.Session{}, refusal(400, "access-denied", "Your requested role is not in allowed roles")},
		{
			"default role not allowed", base,
			object{namespace: object{"x-hasura-allowed-roles": []string{"a"}, "x-hasura-default-role": "b"}},
			nil,
			auth.Session{},
			refusal(400, "access-denied", "Your requested role is not in allowed roles"),
		},
		{"the client's variables do not count", base, hasuraClaims(), []string{"x-hasura-user-id", "1", "x-hasura-org", "2"}, userSession(), nil},
		{
			"admin by token", base,
			object{namespace: object{"x-hasura-allowed-roles": []string{"admin"}, "x-hasura-default-role": "admin"}},
			nil,
			auth.Session{Role: "admin", Admin: true, Vars: map[string]string{"x-hasura-role": "admin"}},
			nil,
		},
		// Times
		{"not expired", base, hasuraClaims(object{"exp": now + 60, "iat": now, "nbf": now}), nil, expiring, nil},
		{"expired", base, hasuraClaims(object{"exp": now}), nil, auth.Session{}, verify("JWTExpired")},
		{
			"expired within the skew", with(object{"allowed_skew": 61}), hasuraClaims(object{"exp": now - 60}), nil,
			auth.Session{Role: "user", Vars: userSession().Vars, Expires: time.Unix(now-60, 0)},
			nil,
		},
		{"expired beyond the skew", with(object{"allowed_skew": 60}), hasuraClaims(object{"exp": now - 60}), nil, auth.Session{}, verify("JWTExpired")},
		{"not yet valid", base, hasuraClaims(object{"nbf": now + 1}), nil, auth.Session{}, verify("JWTNotYetValid")},
		{"not yet valid within the skew", with(object{"allowed_skew": 1}), hasuraClaims(object{"nbf": now + 1}), nil, userSession(), nil},
		{"issued in future", base, hasuraClaims(object{"iat": now + 5}), nil, auth.Session{}, verify("JWTIssuedAtFuture")},
		{"exp is text", base, hasuraClaims(object{"exp": "tomorrow"}), nil, auth.Session{}, verify(`JWTClaimsSetDecodeError "expected a number of seconds"`)},
		{
			"exp is absurd", base, strings.Replace(marshal(t, hasuraClaims()), "{", `{"exp":1e999,`, 1), nil,
			auth.Session{},
			verify(`JWTClaimsSetDecodeError "expected a number of seconds"`),
		},
		// Issuer and audience
		{"issuer", with(object{"issuer": "me"}), hasuraClaims(object{"iss": "me"}), nil, userSession(), nil},
		{"other issuer", with(object{"issuer": "me"}), hasuraClaims(object{"iss": "you"}), nil, auth.Session{}, verify("JWTNotInIssuer")},
		{"no issuer", with(object{"issuer": "me"}), hasuraClaims(), nil, auth.Session{}, verify("JWTNotInIssuer")},
		{"audience", with(object{"audience": "a"}), hasuraClaims(object{"aud": "a"}), nil, userSession(), nil},
		{"audiences", with(object{"audience": []string{"a", "b"}}), hasuraClaims(object{"aud": []string{"c", "b"}}), nil, userSession(), nil},
		{"other audience", with(object{"audience": "a"}), hasuraClaims(object{"aud": "b"}), nil, auth.Session{}, verify("JWTNotInAudience")},
		{"no audience", with(object{"audience": "a"}), hasuraClaims(), nil, auth.Session{}, verify("JWTNotInAudience")},
		{"no audience configured", base, hasuraClaims(object{"aud": "a", "iss": "x"}), nil, userSession(), nil},
		// Claims
		{"no claims", base, object{"sub": "1"}, nil, auth.Session{}, claim("claims key: 'https://hasura.io/jwt/claims' not found")},
		{"namespace", with(object{"claims_namespace": "h"}), object{"h": roles}, nil, userSession(), nil},
		{"registered claim as namespace", with(object{"claims_namespace": "sub"}), object{"sub": roles}, nil, auth.Session{}, claim("claims key: 'sub' not found")},
		{"path", with(object{"claims_namespace_path": "$.a['b c'][0]"}), object{"a": object{"b c": []any{roles}}}, nil, userSession(), nil},
		{"path of everything", with(object{"claims_namespace_path": "$"}), roles, nil, userSession(), nil},
		{
			"path not found", with(object{"claims_namespace_path": `$.a["b c"][1]`}),
			object{"a": object{"b c": []any{roles}}},
			nil,
			auth.Session{},
			claim(`claims not found at claims_namespace_path: '$.a["b c"][1]'`),
		},
		{"string in place of object", base, object{namespace: "{}"}, nil, auth.Session{}, claim("expecting a json object when claims_format is json")},
		{"stringified", with(object{"claims_format": "stringified_json"}), object{namespace: marshal(t, roles)}, nil, userSession(), nil},
		{
			"object in place of string", with(object{"claims_format": "stringified_json"}),
			object{namespace: roles},
			nil,
			auth.Session{},
			claim("expecting a string when claims_format is stringified_json"),
		},
		{
			"stringified nonsense", with(object{"claims_format": "stringified_json"}),
			object{namespace: "x"},
			nil,
			auth.Session{},
			claim("expecting stringified json at: 'claims_namespace https://hasura.io/jwt/claims', but found: x"),
		},
		{
			"no allowed roles", base,
			object{namespace: object{"x-hasura-default-role": "user"}},
			nil,
			auth.Session{},
			refusal(400, "jwt-missing-role-claims", `JWT claim does not contain "x-hasura-allowed-roles"`),
		},
		{
			"no default role", base,
			object{namespace: object{"x-hasura-allowed-roles": []string{"user"}}},
			nil,
			auth.Session{},
			refusal(400, "jwt-missing-role-claims", `JWT claim does not contain "x-hasura-default-role"`),
		},
		{
			"allowed roles are text", base,
			object{namespace: object{"x-hasura-allowed-roles": "user", "x-hasura-default-role": "user"}},
			nil,
			auth.Session{},
			claim(`invalid "x-hasura-allowed-roles"; should be a list of roles: parsing [] failed, expected Array, but encountered String`),
		},
		{
			"a role is a number", base,
			object{namespace: object{"x-hasura-allowed-roles": []any{1}, "x-hasura-default-role": "user"}},
			nil,
			auth.Session{},
			claim(`invalid "x-hasura-allowed-roles"; should be a list of roles: parsing Text failed, expected String, but encountered Number`),
		},
		{
			"default role is a list", base,
			object{namespace: object{"x-hasura-allowed-roles": []string{"user"}, "x-hasura-default-role": []string{"user"}}},
			nil,
			auth.Session{},
			claim(`invalid "x-hasura-default-role"; should be a single role name: parsing Text failed, expected String, but encountered Array`),
		},
		{
			"a variable is a number", base,
			object{namespace: object{"x-hasura-allowed-roles": []string{"user"}, "x-hasura-default-role": "user", "x-hasura-n": 1}},
			nil,
			auth.Session{},
			claim("x-hasura-* claims: parsing Text failed, expected String, but encountered Number"),
		},
		// claims_map
		{"map", with(object{"claims_map": mapped}), object{"roles": []string{"user"}, "user": object{"id": "42", "roles": []string{"user"}}}, nil, userSession(), nil},
		{
			"map without a variable", with(object{"claims_map": mapped}),
			object{"roles": []string{"user"}, "user": object{"roles": []string{"user"}}},
			nil,
			auth.Session{},
			claim(`JWT claim from claims_map, "x-hasura-user-id" not found`),
		},
		{
			"map without roles", with(object{"claims_map": mapped}),
			object{"user": object{"id": "42", "roles": []string{"user"}}},
			nil,
			auth.Session{},
			refusal(400, "jwt-missing-role-claims", `JWT claim does not contain "x-hasura-allowed-roles"`),
		},
		{
			"map without anything", with(object{"claims_map": mapped}),
			object{},
			nil,
			auth.Session{},
			refusal(400, "jwt-missing-role-claims", `JWT claim does not contain "x-hasura-allowed-roles"`),
		},
		{
			"map of a claim that is null", with(object{"claims_map": mapped}),
			object{"roles": []string{"user"}, "user": object{"id": nil, "roles": []string{"user"}}},
			nil,
			auth.Session{},
			claim("x-hasura-* claims: parsing Text failed, expected String, but encountered Null"),
		},
		{
			"map with constants, defaults and registered claims",
			with(object{"claims_map": object{
				"x-hasura-allowed-roles": []string{"user"}, "x-hasura-default-role": object{"path": "$.role", "default": "user"},
				"x-hasura-user-id": object{"path": "$.sub"},
			}}),
			object{"sub": "42"},
			nil, userSession(), nil,
		},
		{"payload is no object", base, `[]`, nil, auth.Session{}, verify(`JWTClaimsSetDecodeError "the payload is not a JSON object"`)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := newAt(t, jwtConfig(t, tt.secret), epoch)
			token := sign(t, jose.HS256, []byte(hmacKey), "", tt.claims)
			got, err := a.Authenticate(t.Context(), bearer(token, tt.headers...))
			if diff := cmp.Diff(tt.wantErr, err); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("session (-want +got):\n%s", diff)
			}
		})
	}
}

func TestJWTLocation(t *testing.T) {
	t.Parallel()
	token := sign(t, jose.HS256, []byte(hmacKey), "", hasuraClaims())
	mine := sign(t, jose.HS256, []byte(hmacKey), "", hasuraClaims(object{"iss": "me"}))
	yours := sign(t, jose.HS256, []byte(strings.Repeat("y", 32)), "", hasuraClaims(object{"iss": "you"}))
	place := func(more object) object {
		more["type"], more["key"] = "HS256", hmacKey
		return more
	}
	plain := []object{place(object{})}
	cookie := []object{place(object{"header": object{"type": "Cookie", "name": "session"}})}
	custom := []object{place(object{"header": object{"type": "CustomHeader", "name": "X-Token"}})}
	issuers := []object{place(object{"issuer": "me"}), {"type": "HS256", "key": strings.Repeat("y", 32), "issuer": "you"}}
	missing := refusal(400, "invalid-headers", "Missing 'Authorization' or 'Cookie' header in JWT authentication mode")
	malformed := refusal(400, "invalid-headers", "Malformed Authorization header")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." +
		base64.RawURLEncoding.EncodeToString([]byte(marshal(t, hasuraClaims()))) + "."
	tests := []struct {
		name    string
		secrets []object
		request auth.Request
		wantErr *auth.Error
	}{
		{"bearer", plain, bearer(token), nil},
		{"blanks around", plain, headers("authorization", "  Bearer   "+token+" "), nil},
		{"nothing", plain, headers("Cookie", "session="+token), missing},
		{"zero request", plain, auth.Request{}, missing},
		{"lower-case scheme", plain, headers("Authorization", "bearer "+token), malformed},
		{"other scheme", plain, headers("Authorization", "Basic abc"), malformed},
		{"no token", plain, headers("Authorization", "Bearer"), malformed},
		{"three words", plain, headers("Authorization", "Bearer a b"), malformed},
		{
			"two headers", plain, headers("Authorization", "Bearer "+token, "Authorization", "Bearer "+token),
			refusal(400, "invalid-headers", "Could not verify JWT: Multiple JWTs found"),
		},
		{"cookie", cookie, headers("Cookie", "a=b; session="+token+"; c=d"), nil},
		{"quoted cookie", cookie, headers("cookie", `session="`+token+`"`), nil},
		{"other cookie", cookie, headers("Cookie", "sessions="+token), missing},
		{"cookie, but Authorization sent", cookie, bearer(token), missing},
		{"custom header", custom, headers("x-token", token), nil},
		{"custom header missing", custom, bearer(token), missing},
		{"first of two issuers", issuers, bearer(mine), nil},
		{"second of two issuers", issuers, bearer(yours), nil},
		{
			"unknown issuer", issuers, bearer(sign(t, jose.HS256, []byte(hmacKey), "", hasuraClaims(object{"iss": "they"}))),
			refusal(400, "invalid-jwt", "Could not verify JWT: JWTNotInIssuer"),
		},
		{
			"issuer claimed with the other's key", issuers, bearer(sign(t, jose.HS256, []byte(hmacKey), "", hasuraClaims(object{"iss": "you"}))),
			refusal(400, "invalid-jwt", "Could not verify JWT: JWSError JWSInvalidSignature"),
		},
		{"no issuer, two secrets", issuers, bearer(token), refusal(400, "invalid-headers", "Could not verify JWT: Multiple JWTs found")},
		{"two places", append(cookie, plain...), headers("Cookie", "session="+token), nil},
		{
			"two places, both used", append(cookie, plain...), bearer(token, "Cookie", "session="+token),
			refusal(400, "invalid-headers", "Could not verify JWT: Multiple JWTs found"),
		},
		{"alg none", plain, bearer(none), refusal(400, "invalid-jwt", "Could not verify JWT: JWSError JWSNoSignatures")},
		{"one part", plain, bearer("abc"), refusal(400, "invalid-jwt",
			"Could not verify JWT: JWSError (CompactDecodeError Invalid number of parts: Expected 3 parts; got 1)")},
		{"not base64", plain, bearer("!.!.!"), refusal(400, "invalid-jwt", `Could not verify JWT: JWSError (JSONDecodeError "the token is malformed")`)},
		{"too long", plain, bearer(token + strings.Repeat("A", 1<<20)), refusal(400, "invalid-jwt",
			`Could not verify JWT: JWSError (JSONDecodeError "the token is too long")`)},
		{
			"admin secret goes first", plain, bearer(token, "x-hasura-admin-secret", "no"),
			refusal(401, "access-denied", `invalid "x-hasura-admin-secret"/"x-hasura-access-key"`),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := newAt(t, jwtConfig(t, tt.secrets...), epoch).Authenticate(t.Context(), tt.request)
			if diff := cmp.Diff(tt.wantErr, err); diff != "" {
				t.Fatalf("error (-want +got):\n%s", diff)
			}
			if err == nil && got.Role != "user" {
				t.Errorf("role %q", got.Role)
			}
		})
	}
}

func TestJWTUnauthorizedRole(t *testing.T) {
	t.Parallel()
	c := jwtConfig(t, object{"type": "HS256", "key": hmacKey})
	c.UnauthorizedRole = "anon"
	a := newAt(t, c, epoch)
	got, err := a.Authenticate(t.Context(), headers("x-hasura-role", "admin", "x-hasura-user-id", "7"))
	want := auth.Session{Role: "anon", Vars: map[string]string{"x-hasura-role": "anon", "x-hasura-user-id": "7"}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if _, err := a.Authenticate(t.Context(), bearer("x.y.z")); err == nil {
		t.Error("a bad token must not count as none")
	}
	if got, err := a.Authenticate(t.Context(), headers("x-hasura-admin-secret", "s3cret")); err != nil || !got.Admin {
		t.Errorf("admin secret: %+v, %v", got, err)
	}
}

func TestJWTConfigErrors(t *testing.T) {
	t.Parallel()
	ec := ecKey(t, elliptic.P256())
	roles := object{"x-hasura-allowed-roles": []string{"a"}, "x-hasura-default-role": "a"}
	tests := []struct {
		name   string
		secret any
		want   string
	}{
		{"not JSON", "secret text", "not valid JSON"},
		{"wrong type", object{"type": "HS256", "key": 1}, `key "key" cannot be a number`},
		{"neither", object{"type": "HS256"}, "key and jwk_url both cannot be empty"},
		{"both", object{"type": "HS256", "key": hmacKey, "jwk_url": "http://h/"}, "key, jwk_url both cannot be present"},
		{"no type", object{"key": hmacKey}, `key "type" not found`},
		{"short", object{"type": "HS256", "key": "short"}, "Invalid JWK: Key size too small; should be atleast 32 characters"},
		{"short for HS384", object{"type": "HS384", "key": hmacKey[:47]}, "Invalid JWK: Key size too small; should be atleast 48 characters"},
		{"short for HS512", object{"type": "HS512", "key": hmacKey[:63]}, "Invalid JWK: Key size too small; should be atleast 64 characters"},
		{"unknown type", object{"type": "none", "key": hmacKey}, "Invalid JWK: Key type: none is not supported"},
		{"no PEM", object{"type": "RS256", "key": hmacKey}, "Invalid JWK: the key is not PEM"},
		{"wrong key type", object{"type": "RS256", "key": publicPEM(t, ec.Public())}, "Invalid JWK: the key is a *ecdsa.PublicKey, which does not fit its type"},
		{
			"private key",
			object{"type": "RS256", "key": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"},
			"Invalid JWK: the PEM block is a PRIVATE KEY, want a public key or a certificate",
		},
		{
			"two namespaces",
			object{"type": "HS256", "key": hmacKey, "claims_namespace": "a", "claims_namespace_path": "$.a"},
			"claims_namespace and claims_namespace_path both cannot be set",
		},
		{
			"bad path",
			object{"type": "HS256", "key": hmacKey, "claims_namespace_path": "$.a["},
			`invalid JSON path claims_namespace_path error: expected an index or a quoted key before ""`,
		},
		{"bad format", object{"type": "HS256", "key": hmacKey, "claims_format": "yaml"}, `claims_format: expected json or stringified_json, got "yaml"`},
		{"bad audience", object{"type": "HS256", "key": hmacKey, "audience": 1}, "audience: expected a string or a list of strings"},
		{"negative skew", object{"type": "HS256", "key": hmacKey, "allowed_skew": -1}, "allowed_skew: expected seconds, got -1"},
		{
			"bad header",
			object{"type": "HS256", "key": hmacKey, "header": object{"type": "Query"}},
			"expected 'type' is 'Authorization' or 'Cookie' or 'CustomHeader'",
		},
		{"cookie without name", object{"type": "HS256", "key": hmacKey, "header": object{"type": "cookie"}}, `header: key "name" not found`},
		{
			"map without roles",
			object{"type": "HS256", "key": hmacKey, "claims_map": object{"x-hasura-default-role": "a"}},
			"x-hasura-allowed-roles is expected but not found",
		},
		{
			"map without default role",
			object{"type": "HS256", "key": hmacKey, "claims_map": object{"x-hasura-allowed-roles": []string{"a"}}},
			"x-hasura-default-role is expected but not found",
		},
		{
			"map with a number",
			object{"type": "HS256", "key": hmacKey, "claims_map": object{
				"x-hasura-allowed-roles": roles["x-hasura-allowed-roles"], "x-hasura-default-role": 1,
			}},
			"claims_map: x-hasura-default-role: parsing Text failed, expected String, but encountered Number",
		},
		{
			"map with a bad default",
			object{"type": "HS256", "key": hmacKey, "claims_map": object{
				"x-hasura-allowed-roles": object{"path": "$.a", "default": "x"}, "x-hasura-default-role": "a",
			}},
			"claims_map: x-hasura-allowed-roles: parsing [] failed, expected Array, but encountered String",
		},
		{
			"map without path",
			object{"type": "HS256", "key": hmacKey, "claims_map": object{
				"x-hasura-allowed-roles": object{"default": []string{"a"}}, "x-hasura-default-role": "a",
			}},
			`claims_map: x-hasura-allowed-roles: key "path" not found`,
		},
		{"bad URL", object{"jwk_url": "file:///etc/passwd"}, `jwk_url: expected an http or https URL, got "file:///etc/passwd"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := jwtConfig(t, object{"type": "HS256", "key": hmacKey})
			text, ok := tt.secret.(string)
			if !ok {
				text = marshal(t, tt.secret)
			}
			c.JWTSecrets = append(c.JWTSecrets, env.Secret(text))
			_, err := auth.New(t.Context(), c, nil, newLogger(t))
			if err == nil || !strings.HasSuffix(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "HASURA_GRAPHQL_JWT_SECRET: secret 2: ") {
				t.Errorf("got %v, want %s", err, tt.want)
			}
			if err != nil && (strings.Contains(err.Error(), hmacKey) || strings.Contains(err.Error(), "secret text")) {
				t.Errorf("the key is in the message: %v", err)
			}
		})
	}
}

// FuzzToken looks for panics in what reads tokens, and for tokens that get in.
func FuzzToken(f *testing.F) {
	c := jwtConfig(f, object{"type": "HS256", "key": hmacKey, "issuer": "me", "audience": "a"})
	c.JWTSecrets = append(c.JWTSecrets, jwtConfig(f, object{
		"type": "RS256", "key": publicPEM(f, rsaKey(f).Public()),
		"header": object{"type": "Cookie", "name": "t"}, "claims_map": object{
			"x-hasura-allowed-roles": object{"path": "$.r"}, "x-hasura-default-role": "user",
		},
	}).JWTSecrets...)
	a := newAt(f, c, epoch)
	other := sign(f, jose.HS256, []byte(strings.Repeat("z", 32)), "k", hasuraClaims(object{"iss": "me", "aud": "a", "exp": 1}))
	f.Add("Bearer "+other, "t="+other)
	f.Add("Bearer eyJhbGciOiJub25lIn0.e30.", `t="a.b.c"; t=d`)
	f.Add("Bearer a.b", "t")
	f.Add("bearer", ";;=;t==")
	f.Fuzz(func(t *testing.T, authorization, cookie string) {
		session, err := a.Authenticate(t.Context(), headers("Authorization", authorization, "Cookie", cookie))
		if err == nil {
			t.Fatalf("%q and %q let in as %+v", authorization, cookie, session)
		}
		if err.Status != 400 || err.Message == "" || err.Code == "" {
			t.Fatalf("error %+v", err)
		}
	})
}

func BenchmarkAuthenticateJWT(b *testing.B) {
	rsa, ec := rsaKey(b), ecKey(b, elliptic.P256())
	for _, bb := range []struct {
		name, key string
		algorithm jose.SignatureAlgorithm
		private   any
	}{
		{"HS256", hmacKey, jose.HS256, []byte(hmacKey)},
		{"RS256", publicPEM(b, rsa.Public()), jose.RS256, rsa},
		{"ES256", publicPEM(b, ec.Public()), jose.ES256, ec},
	} {
		b.Run(bb.name, func(b *testing.B) {
			a := newAt(b, jwtConfig(b, object{"type": bb.name, "key": bb.key}), epoch)
			request := bearer(sign(b, bb.algorithm, bb.private, "", hasuraClaims(object{"exp": epoch().Unix() + 60})))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := a.Authenticate(b.Context(), request); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
