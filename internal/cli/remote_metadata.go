package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/metadata"
)

// maxMetadataBytes bounds what is read of an engine's metadata.
const maxMetadataBytes = 64 << 20

// exportMetadata asks the engine at a base URL, such as "http://localhost:8080", for its metadata. Errors are of class
// [errdefs.ErrUnavailable] where nothing answers.
func exportMetadata(ctx context.Context, base, secret string) (*metadata.Metadata, error) {
	endpoint, err := url.Parse(base)
	if err != nil || endpoint.Scheme != "http" && endpoint.Scheme != "https" || endpoint.Host == "" {
		return nil, errdefs.WithHint(fmt.Errorf("%w: %q is not the URL of an engine", errdefs.ErrUsage, base),
			"write it as http://localhost:8080")
	}
	at := endpoint.JoinPath("v1/metadata").String()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, at, strings.NewReader(`{"type":"export_metadata","version":1,"args":{}}`))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if secret != "" {
		req.Header.Set("X-Hasura-Admin-Secret", secret)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, errdefs.As(errdefs.ErrUnavailable, errdefs.WithHint(fmt.Errorf("read the metadata of %s: %w", base, withoutURL(err)),
			"start the engine, or name another one"))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxMetadataBytes+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the metadata of %s: %w", base, err)
	case len(body) > maxMetadataBytes:
		return nil, fmt.Errorf("the metadata of %s is larger than %d MiB", base, maxMetadataBytes>>20)
	case resp.StatusCode == http.StatusUnauthorized || bytes.Contains(body, []byte(`"access-denied"`)):
		return nil, errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(fmt.Errorf("%s refuses the admin secret", base),
			"give the engine's own secret with --admin-secret"))
	case resp.StatusCode != http.StatusOK:
		return nil, errdefs.WithHint(fmt.Errorf("read the metadata of %s: status %d: %.200s", base, resp.StatusCode, body),
			"check that a GraphQL engine answers at that URL, and see its log")
	}
	md, err := parseExport(body)
	if err != nil {
		return nil, errdefs.As(errdefs.ErrInvalid, fmt.Errorf("read the metadata of %s: %w", base, err))
	}
	return md, nil
}

// withoutURL is why a request has failed, without the URL, which the message has already.
func withoutURL(err error) error {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return fmt.Errorf("the name %s is not known", dns.Name)
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return errors.New("nothing answers there")
	}
	if wrong, ok := errors.AsType[*url.Error](err); ok {
		return wrong.Err
	}
	return err
}

// parseExport reads what export_metadata answers; version 2 of the command puts the document into an envelope.
func parseExport(body []byte) (*metadata.Metadata, error) {
	var wrapped struct {
		Metadata json.RawMessage `json:"metadata"`
	}
	if json.Unmarshal(body, &wrapped) == nil && len(wrapped.Metadata) > 0 {
		body = wrapped.Metadata
	}
	return metadata.ParseDocument(body, "$")
}
