package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// maxTokenBytes bounds a token: servers bound headers to about as much, cookies are far smaller.
const maxTokenBytes = 16 << 10

// jwtVerifier lets in who shows a token signed with one of the secrets.
type jwtVerifier struct {
	secrets      []*jwtSecret
	unauthorized unauthorized // for requests without a token
	now          func() time.Time
}

func (v *jwtVerifier) verify(ctx context.Context, r Request, vars map[string]string) (Session, *Error) {
	found, refusal := v.match(r)
	if refusal != nil {
		return Session{}, refusal
	}
	if found.secret == nil {
		if v.unauthorized.role == "" {
			return Session{}, refuse(http.StatusBadRequest, codeInvalidHeaders,
				"Missing 'Authorization' or 'Cookie' header in JWT authentication mode")
		}
		return v.unauthorized.verify(ctx, r, vars)
	}
	claims, expires, fault := found.secret.check(ctx, found.token, v.now())
	if fault != "" {
		return Session{}, refuse(http.StatusBadRequest, codeInvalidJWT, "Could not verify JWT: "+fault)
	}
	variables, refusal := found.secret.claims.variables(claims)
	if refusal != nil {
		return Session{}, refusal
	}
	return session(variables, vars[roleVariable], expires)
}

// shownToken is a token and the secret that it is to be checked with.
type shownToken struct {
	secret *jwtSecret
	token  string
}

// match finds the one token and secret that belong together by place and issuer. Neither is an empty result, several
// are an error, and so are tokens of which no secret knows the issuer.
func (v *jwtVerifier) match(r Request) (shownToken, *Error) {
	var (
		found   shownToken
		count   int
		foreign bool
	)
	for name, value := range r.Headers {
		for _, secret := range v.secrets {
			for _, token := range secret.location.tokens(name, value) {
				token, ok := secret.location.bare(token)
				switch {
				case !ok:
					return shownToken{}, refuse(http.StatusBadRequest, codeInvalidHeaders, "Malformed Authorization header")
				case secret.isForeign(token):
					foreign = true
				default:
					found = shownToken{secret, token}
					count++
				}
			}
		}
	}
	switch {
	case count > 1:
		return shownToken{}, refuse(http.StatusBadRequest, codeInvalidHeaders, "Could not verify JWT: Multiple JWTs found")
	case count == 0 && foreign:
		return shownToken{}, refuse(http.StatusBadRequest, codeInvalidJWT, "Could not verify JWT: JWTNotInIssuer")
	}
	return found, nil
}

// tokens returns what a header holds at the location: for cookies there may be several of one name.
func (l tokenLocation) tokens(name, value string) []string {
	switch l.kind {
	case "authorization":
		if strings.EqualFold(name, "Authorization") {
			return []string{value}
		}
	case "customheader":
		if strings.EqualFold(name, l.name) {
			return []string{value}
		}
	case "cookie":
		if !strings.EqualFold(name, "Cookie") {
			return nil
		}
		var tokens []string
		for part := range strings.SplitSeq(value, ";") {
			if key, token, ok := strings.Cut(strings.TrimSpace(part), "="); ok && key == l.name {
				tokens = append(tokens, strings.Trim(token, `"`))
			}
		}
		return tokens
	}
	return nil
}

// bare takes the scheme off a token in an Authorization header.
func (l tokenLocation) bare(token string) (string, bool) {
	if l.kind != "authorization" {
		return token, true
	}
	words := strings.Fields(token)
	if len(words) != 2 || words[0] != "Bearer" {
		return "", false
	}
	return words[1], true
}

// isForeign tells whether a token says that another issuer made it.
func (s *jwtSecret) isForeign(token string) bool {
	if s.issuer == nil {
		return false
	}
	issuer, ok := unverifiedIssuer(token)
	return ok && issuer != *s.issuer
}

// unverifiedIssuer reads the issuer that a token claims, only to choose the secret for it.
func unverifiedIssuer(token string) (string, bool) {
	if len(token) > maxTokenBytes {
		return "", false
	}
	parts := strings.SplitN(token, ".", 3)
	if len(parts) < 3 {
		return "", false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", false
	}
	claims, err := decodeObject(payload)
	if err != nil {
		return "", false
	}
	issuer, ok := claims["iss"].(string)
	return issuer, ok
}

// check verifies the signature and the registered claims of a token. fault is the name that Hasura's library has for
// what is wrong, empty when nothing is.
func (s *jwtSecret) check(
	ctx context.Context, token string, now time.Time,
) (claims map[string]any, expires time.Time, fault string) {
	payload, fault := s.verified(ctx, token, now)
	if fault != "" {
		return nil, time.Time{}, fault
	}
	claims, err := decodeObject(payload)
	if err != nil {
		return nil, time.Time{}, `JWTClaimsSetDecodeError "the payload is not a JSON object"`
	}
	expires, fault = s.checkClaims(claims, now)
	return claims, expires, fault
}

// verified returns the payload of a token whose signature is right.
func (s *jwtSecret) verified(ctx context.Context, token string, now time.Time) ([]byte, string) {
	if len(token) > maxTokenBytes {
		return nil, `JWSError (JSONDecodeError "the token is too long")`
	}
	if n := strings.Count(token, ".") + 1; n != 3 {
		return nil, "JWSError (CompactDecodeError Invalid number of parts: Expected 3 parts; got " + strconv.Itoa(n) + ")"
	}
	jws, err := jose.ParseSignedCompact(token, algorithms())
	if err != nil {
		if _, unexpected := errors.AsType[*jose.ErrUnexpectedSignatureAlgorithm](err); unexpected {
			return nil, "JWSError JWSNoSignatures" // none of an acceptable algorithm: "none" ends here
		}
		return nil, `JWSError (JSONDecodeError "the token is malformed")`
	}
	if payload, ok := tryKeys(jws, s.set.keys(ctx, now)); ok {
		return payload, ""
	}
	if newer, ok := s.set.renew(ctx, now); ok {
		if payload, ok := tryKeys(jws, newer); ok {
			return payload, ""
		}
	}
	return nil, "JWSError JWSInvalidSignature"
}

// tryKeys verifies the signature with the keys that the token names or, when it names none that is there, with all.
func tryKeys(jws *jose.JSONWebSignature, keys []key) ([]byte, bool) {
	header := jws.Signatures[0].Header
	named := slices.ContainsFunc(keys, func(k key) bool { return k.id != "" && k.id == header.KeyID })
	for _, k := range keys {
		if named && k.id != header.KeyID || !k.fits(header.Algorithm) {
			continue
		}
		if payload, err := jws.Verify(k.public); err == nil {
			return payload, true
		}
	}
	return nil, false
}

// checkClaims checks times, issuer and audience, in the order of Hasura's library.
func (s *jwtSecret) checkClaims(claims map[string]any, now time.Time) (time.Time, string) {
	expires, okExpires := numericDate(claims, "exp")
	issued, okIssued := numericDate(claims, "iat")
	notBefore, okNotBefore := numericDate(claims, "nbf")
	if !okExpires || !okIssued || !okNotBefore {
		return time.Time{}, `JWTClaimsSetDecodeError "expected a number of seconds"`
	}
	switch {
	case !expires.IsZero() && !now.Before(expires.Add(s.skew)):
		return time.Time{}, "JWTExpired"
	case !issued.IsZero() && now.Before(issued.Add(-s.skew)):
		return time.Time{}, "JWTIssuedAtFuture"
	case !notBefore.IsZero() && now.Before(notBefore.Add(-s.skew)):
		return time.Time{}, "JWTNotYetValid"
	case s.issuer != nil && claims["iss"] != *s.issuer:
		return time.Time{}, "JWTNotInIssuer"
	case s.audience != nil && !s.addressed(claims["aud"]):
		return time.Time{}, "JWTNotInAudience"
	}
	return expires, ""
}

// addressed tells whether the audience of a token has one of the configured ones.
func (s *jwtSecret) addressed(audience any) bool {
	list, ok := audience.([]any)
	if !ok {
		list = []any{audience}
	}
	return slices.ContainsFunc(list, func(one any) bool {
		text, ok := one.(string)
		return ok && slices.Contains(s.audience, text)
	})
}
