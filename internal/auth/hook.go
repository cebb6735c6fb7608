package auth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// hookTimeout bounds a call of the webhook, as the HTTP client of Hasura does.
	hookTimeout = 30 * time.Second
	// maxHookBytes bounds the webhook's answer, a few session variables.
	maxHookBytes = 1 << 20
)

// hookVerifier asks a webhook who a request is from.
type hookVerifier struct {
	hook   Hook
	client *http.Client
	log    *slog.Logger
	now    func() time.Time
}

// isCommonHeader tells whether a header says nothing of the caller; such headers are not forwarded with a GET.
func isCommonHeader(name string) bool {
	switch strings.ToLower(name) {
	case "content-length", "content-md5", "user-agent", "host", "origin", "referer", "accept", "accept-encoding",
		"accept-language", "accept-datetime", "cache-control", "connection", "dnt", "content-type",
		// Hop by hop: these are about the client's connection, not about the one to the webhook.
		"keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "proxy-connection":
		return true
	}
	return false
}

func (v *hookVerifier) verify(ctx context.Context, r Request, _ map[string]string) (Session, *Error) {
	ctx, cancel := context.WithTimeout(ctx, hookTimeout)
	defer cancel()
	request, err := v.request(ctx, r)
	if err != nil {
		return v.unreachable(ctx, err)
	}
	response, err := v.client.Do(request)
	if err != nil {
		return v.unreachable(ctx, err)
	}
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(response.Body, maxHookBytes+1))
	if err != nil {
		return v.unreachable(ctx, err)
	}
	switch response.StatusCode {
	case http.StatusOK:
		return v.session(data, response.Header)
	case http.StatusUnauthorized:
		return Session{}, refuse(http.StatusUnauthorized, codeAccessDenied, "Authentication hook unauthorized this request")
	}
	v.log.ErrorContext(ctx, "authentication webhook answered unexpectedly", slog.Int("status", response.StatusCode))
	return Session{}, refuse(http.StatusInternalServerError, codeUnexpected, "Invalid response from authorization hook")
}

func (v *hookVerifier) unreachable(ctx context.Context, err error) (Session, *Error) {
	if call, ok := errors.AsType[*url.Error](err); ok {
		err = call.Err // the URL may hold a secret
	}
	v.log.ErrorContext(ctx, "authentication webhook not reached", slog.Any("error", err))
	return Session{}, refuse(http.StatusInternalServerError, codeUnexpected, "webhook authentication request failed")
}

// request makes the call of the webhook.
func (v *hookVerifier) request(ctx context.Context, r Request) (*http.Request, error) {
	if !v.hook.Post {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, v.hook.URL, nil)
		if err != nil {
			return nil, err
		}
		for name, value := range r.Headers {
			if !isCommonHeader(name) {
				// Copied: the transport may still read them after the call was given up.
				request.Header.Add(strings.Clone(name), strings.Clone(value))
			}
		}
		return request, nil
	}
	headers := maps.Collect(r.Headers)
	if r.Host != "" {
		headers["Host"] = r.Host
	}
	payload := map[string]any{"headers": headers}
	if !v.hook.OmitRequest {
		payload["request"] = nil
		if json.Valid(r.Body) {
			payload["request"] = r.Body
		}
	}
	body, err := json.Marshal(payload)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, v.hook.URL, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	return request, nil
}

// session reads the session that the webhook answers with.
func (v *hookVerifier) session(data []byte, h http.Header) (Session, *Error) {
	var answer map[string]string
	if err := json.Unmarshal(data, &answer); err != nil || answer == nil || len(data) > maxHookBytes {
		return Session{}, refuse(http.StatusInternalServerError, codeUnexpected,
			"Invalid response from authorization hook: expected a JSON object of strings")
	}
	vars := make(map[string]string, len(answer))
	for name, value := range answer {
		if isVariable(name) {
			vars[strings.ToLower(name)] = value
		}
	}
	role := vars[roleVariable]
	if role == "" {
		return Session{}, refuse(http.StatusBadRequest, codeInvalidParams, `"x-hasura-role" not found in session variables`)
	}
	s := newSession(role, vars)
	s.SetCookies = h.Values("Set-Cookie")
	if age, ok := maxAge(answer["Cache-Control"]); ok {
		s.Expires = v.now().Add(age)
	} else if at, err := http.ParseTime(answer["Expires"]); err == nil {
		s.Expires = at
	}
	return s, nil
}
