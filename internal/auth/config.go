package auth

import (
	"context"
	"crypto/sha512"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
)

// Config says how callers prove who they are. The zero value is no authentication: everybody may be anybody.
type Config struct {
	// AdminSecrets are the accepted admin secrets. Empty: no authentication.
	AdminSecrets []env.Secret
	// UnauthorizedRole is the role of callers that show no credentials. Empty: they are refused.
	UnauthorizedRole string
	// JWTSecrets are JSON objects as in HASURA_GRAPHQL_JWT_SECRET. Empty: no JWT.
	JWTSecrets []env.Secret
	// Hook asks a webhook. An empty URL: no webhook.
	Hook Hook
}

// Hook is the authentication webhook.
type Hook struct {
	// URL is asked about each request that shows no admin secret.
	URL string
	// Post sends the headers and the GraphQL request as a JSON body; otherwise the headers are forwarded with a GET.
	Post bool
	// OmitRequest leaves the GraphQL request out of the body of a POST.
	OmitRequest bool
}

// ConfigFromEnv reads Hasura's environment variables with lookup, which gives "" for one that is not set:
// HASURA_GRAPHQL_ADMIN_SECRET (or _ACCESS_KEY), _ADMIN_SECRETS, _UNAUTHORIZED_ROLE, _JWT_SECRET, _JWT_SECRETS,
// _AUTH_HOOK, _AUTH_HOOK_MODE and _AUTH_HOOK_SEND_REQUEST_BODY. All faults are reported at once, each of class
// [errdefs.ErrInvalid].
func ConfigFromEnv(lookup func(string) string) (Config, error) {
	var (
		c    Config
		errs []error
	)
	for _, key := range []string{"HASURA_GRAPHQL_ADMIN_SECRET", "HASURA_GRAPHQL_ACCESS_KEY"} {
		if secret := lookup(key); secret != "" {
			c.AdminSecrets = append(c.AdminSecrets, env.Secret(secret))
			break // the old name counts only where the new one is not set
		}
	}
	if text := lookup("HASURA_GRAPHQL_ADMIN_SECRETS"); text != "" {
		var list []string
		if err := json.Unmarshal([]byte(text), &list); err != nil {
			errs = append(errs, errors.New("HASURA_GRAPHQL_ADMIN_SECRETS: expected a JSON list of strings"))
		}
		for _, secret := range list {
			c.AdminSecrets = append(c.AdminSecrets, env.Secret(secret))
		}
	}
	c.UnauthorizedRole = lookup("HASURA_GRAPHQL_UNAUTHORIZED_ROLE")
	if text := lookup("HASURA_GRAPHQL_JWT_SECRET"); text != "" {
		c.JWTSecrets = append(c.JWTSecrets, env.Secret(text))
	}
	if text := lookup("HASURA_GRAPHQL_JWT_SECRETS"); text != "" {
		var list []json.RawMessage
		if err := json.Unmarshal([]byte(text), &list); err != nil {
			errs = append(errs, errors.New("HASURA_GRAPHQL_JWT_SECRETS: expected a JSON list of objects"))
		}
		for _, secret := range list {
			c.JWTSecrets = append(c.JWTSecrets, env.Secret(secret))
		}
	}
	hook, err := hookFromEnv(lookup)
	c.Hook = hook
	if err := errors.Join(append(errs, err)...); err != nil {
		return Config{}, errdefs.As(errdefs.ErrInvalid, err)
	}
	return c, nil
}

// hookFromEnv reads the variables of the webhook.
func hookFromEnv(lookup func(string) string) (Hook, error) {
	hook := Hook{URL: lookup("HASURA_GRAPHQL_AUTH_HOOK")}
	var errs []error
	switch mode := lookup("HASURA_GRAPHQL_AUTH_HOOK_MODE"); mode {
	case "", "GET":
	case "POST":
		hook.Post = true
	default:
		errs = append(errs, fmt.Errorf("HASURA_GRAPHQL_AUTH_HOOK_MODE: expected GET or POST, got %q", mode))
	}
	switch send := lookup("HASURA_GRAPHQL_AUTH_HOOK_SEND_REQUEST_BODY"); send {
	case "", "true", "t", "yes", "y", "TRUE", "True":
	case "false", "f", "no", "n", "FALSE", "False":
		hook.OmitRequest = true
	default:
		errs = append(errs, fmt.Errorf("HASURA_GRAPHQL_AUTH_HOOK_SEND_REQUEST_BODY: expected true or false, got %q", send))
	}
	return hook, errors.Join(errs...)
}

// secretRequired ends the messages about settings that need an admin secret. The two blanks are Hasura's.
const secretRequired = " requires --admin-secret (HASURA_GRAPHQL_ADMIN_SECRET) or " +
	" --access-key (HASURA_GRAPHQL_ACCESS_KEY) to be set"

// check refuses combinations that Hasura refuses to start with.
func (c Config) check() error {
	secret, hook, jwt := len(c.AdminSecrets) > 0, c.Hook.URL != "", len(c.JWTSecrets) > 0
	switch {
	case secret && !hook:
		return nil
	case c.UnauthorizedRole != "":
		return &worded{text: "Fatal Error: --unauthorized-role (HASURA_GRAPHQL_UNAUTHORIZED_ROLE)" + secretRequired +
			" and is not allowed when --auth-hook (HASURA_GRAPHQL_AUTH_HOOK) is set"}
	case hook && jwt:
		return &worded{text: "Fatal Error: Both webhook and JWT mode cannot be enabled at the same time"}
	case hook && !secret:
		return &worded{text: "Fatal Error : --auth-hook (HASURA_GRAPHQL_AUTH_HOOK)" + secretRequired}
	case jwt:
		return &worded{text: "Fatal Error : --jwt-secret (HASURA_GRAPHQL_JWT_SECRET)" + secretRequired}
	}
	return nil
}

// New makes an Authenticator. Faults of the configuration are reported at once; they are of class
// [errdefs.ErrInvalid] and carry Hasura's text. Keys behind a URL are fetched before New returns, with a few
// attempts; where that fails the error is of class [errdefs.ErrUnavailable]. client calls the webhook and the URLs of
// keys; nil means [http.DefaultClient]. Its redirects are not followed: what proves who a caller is goes to the
// configured address only.
func New(ctx context.Context, c Config, client *http.Client, log *slog.Logger) (*Authenticator, error) {
	return newAt(ctx, c, client, log, time.Now)
}

// newAt is New with a clock.
func newAt(
	ctx context.Context, c Config, client *http.Client, log *slog.Logger, now func() time.Time,
) (*Authenticator, error) {
	if err := c.check(); err != nil {
		return nil, errdefs.As(errdefs.ErrInvalid, err)
	}
	if client == nil {
		client = http.DefaultClient
	}
	direct := *client
	direct.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

	a := &Authenticator{next: unauthorized{role: c.UnauthorizedRole}}
	for _, secret := range c.AdminSecrets {
		a.secrets = append(a.secrets, sha512.Sum512([]byte(secret.Reveal())))
	}
	switch {
	case c.Hook.URL != "":
		if u, err := url.Parse(c.Hook.URL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			err = errors.New("HASURA_GRAPHQL_AUTH_HOOK: expected an http or https URL") // it may hold a password, so it is not repeated
			return nil, errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(err, "write it as https://auth.example.com/hook"))
		}
		a.next = &hookVerifier{hook: c.Hook, client: &direct, log: log, now: now}
	case len(c.JWTSecrets) > 0:
		secrets, err := newJWTSecrets(ctx, c.JWTSecrets, &direct, log, now)
		if err != nil {
			return nil, err
		}
		a.next = &jwtVerifier{secrets: secrets, unauthorized: unauthorized{role: c.UnauthorizedRole}, now: now}
	}
	return a, nil
}

// newJWTSecrets parses the secrets and fetches the keys that they refer to.
func newJWTSecrets(
	ctx context.Context, texts []env.Secret, client *http.Client, log *slog.Logger, now func() time.Time,
) ([]*jwtSecret, error) {
	var (
		secrets []*jwtSecret
		remote  []*jwks
		errs    []error
	)
	for i, text := range texts {
		secret, keysURL, err := parseJWTSecret(text.Reveal())
		if err != nil {
			errs = append(errs, errdefs.WithHint(fmt.Errorf("HASURA_GRAPHQL_JWT_SECRET: secret %d: %w", i+1, err),
				`write it as {"type": "HS256", "key": "..."} with 32 characters or more, with another type and its public key in PEM, or as {"jwk_url": "https://..."}`))
			continue
		}
		if keysURL != "" {
			set := &jwks{url: keysURL, client: client, log: log}
			secret.set = set
			remote = append(remote, set)
		}
		secrets = append(secrets, secret)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, errdefs.As(errdefs.ErrInvalid, err)
	}
	for _, set := range remote {
		if err := set.start(ctx, now); err != nil {
			return nil, errdefs.As(errdefs.ErrUnavailable, err)
		}
	}
	return secrets, nil
}
