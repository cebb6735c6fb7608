package docker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/metadata"
	"github.com/nself-org/nself/internal/stack"
)

// How long Hasura may refuse its metadata: it answers /healthz before its catalogue is in place.
const (
	metadataPatience = 30 * time.Second
	metadataRetry    = 500 * time.Millisecond
	maxReply         = 8 << 20
)

// applyMetadata replaces Hasura's metadata by the project's. What it cannot use is reported, object by object, and the
// rest serves.
func (a *ascent) applyMetadata(ctx context.Context) error {
	md, err := a.Metadata(a.cfg.Dir)
	if err != nil {
		return errdefs.As(errdefs.ErrInvalid, fmt.Errorf("read the metadata: %w", err))
	}
	reply, err := replaceMetadata(ctx, a.cfg, md)
	if err != nil {
		return err
	}
	for _, i := range reply.Inconsistent {
		a.report(stack.Event{
			Service: stack.Hasura, Kind: stack.EventWarning, Detail: fmt.Sprintf("metadata: %s %s: %s", i.Type, i.Name, i.Reason),
		})
	}
	if len(reply.Inconsistent) == 0 {
		a.report(stack.Event{
			Service: stack.Hasura, Kind: stack.EventNote, Detail: fmt.Sprintf("metadata applied: %d actions", len(md.Actions)),
		})
	}
	return nil
}

type replaceReply struct {
	IsConsistent bool `json:"is_consistent"`
	Inconsistent []struct {
		Name   string `json:"name"`
		Type   string `json:"type"`
		Reason string `json:"reason"`
	} `json:"inconsistent_objects"`
}

// replaceMetadata sends the whole document, and again while Hasura is not ready for it.
func replaceMetadata(ctx context.Context, cfg *env.Config, md *metadata.Metadata) (*replaceReply, error) {
	body, err := json.Marshal(map[string]any{
		"type": "replace_metadata", "version": 2,
		"args": map[string]any{"allow_inconsistent_metadata": true, "metadata": md},
	})
	if err != nil {
		return nil, fmt.Errorf("write the metadata: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, metadataPatience)
	defer cancel()
	for {
		reply, again, err := postMetadata(ctx, cfg, body)
		if err == nil {
			return reply, nil
		}
		if !again {
			return nil, err
		}
		timer := time.NewTimer(metadataRetry)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, errdefs.As(errdefs.ErrUnhealthy, err)
		case <-timer.C:
		}
	}
}

// postMetadata sends one request. again tells that the same request may succeed later.
func postMetadata(ctx context.Context, cfg *env.Config, body []byte) (reply *replaceReply, again bool, err error) {
	url := fmt.Sprintf("http://127.0.0.1:%d/v1/metadata", cfg.Hasura.Port)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, false, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Hasura-Admin-Secret", cfg.Hasura.AdminSecret.Reveal())
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, true, fmt.Errorf("send the metadata: %w", shortConnectError(err))
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if err != nil {
		return nil, true, fmt.Errorf("send the metadata: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		var fault struct {
			Code  string `json:"code"`
			Error string `json:"error"`
			Path  string `json:"path"`
		}
		if json.Unmarshal(text, &fault) != nil || fault.Error == "" {
			fault.Error = resp.Status
		}
		err := fmt.Errorf("replace_metadata: %s", fault.Error)
		if fault.Path != "" {
			err = fmt.Errorf("replace_metadata: %s: %s", fault.Path, fault.Error)
		}
		if resp.StatusCode >= http.StatusInternalServerError {
			return nil, true, err
		}
		if fault.Code == "access-denied" {
			return nil, false, errdefs.WithHint(errors.Join(errdefs.ErrInvalid, err),
				"HASURA_GRAPHQL_ADMIN_SECRET is not the one that Hasura was started with: run nself restart hasura")
		}
		return nil, false, errdefs.As(errdefs.ErrInvalid, err)
	}
	reply = &replaceReply{}
	if err := json.Unmarshal(text, reply); err != nil {
		return nil, false, fmt.Errorf("read Hasura's reply: %w", err)
	}
	return reply, false, nil
}
