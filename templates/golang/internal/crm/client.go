package crm

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/nself-org/nself/templates/golang/internal/config"
)

const (
	batchSize = 100
	// requestTimeout bounds one request.
	requestTimeout = 10 * time.Second
	// retries come after the first attempt at a batch.
	retries = 3
	// firstPause is before the first retry; it doubles.
	firstPause = 500 * time.Millisecond
	// maxPause bounds what a CRM may ask for with Retry-After.
	maxPause = 10 * time.Second
	// maxAnswer bounds what is read of an answer.
	maxAnswer = 1 << 20
	// maxReason bounds what a CRM may say about a contact, in characters.
	maxReason = 500
)

// What a user reads about contacts that were not synced.
const (
	reasonKey     = "CRM refused the API key"
	reasonTarget  = "CRM endpoint is not allowed"
	reasonLimit   = "CRM is limiting requests"
	reasonNetwork = "CRM could not be reached"
	reasonLate    = "CRM took too long"
	reasonContact = "CRM refused the contact"
)

// Contact is what is sent of a person.
type Contact struct {
	Email   string  `json:"email"`
	Name    string  `json:"name"`
	Phone   *string `json:"phone"`
	Company *string `json:"company"`
}

// Integration is a CRM that a user has connected.
type Integration struct {
	Endpoint string
	APIKey   config.Secret
}

// Client sends contacts to CRMs. It is safe for concurrent use.
type Client struct {
	targets *Targets
	log     *slog.Logger
	pause   time.Duration // before the first retry
}

// NewClient makes a Client.
func NewClient(targets *Targets, log *slog.Logger) *Client { return &Client{targets, log, firstPause} }

// Push sends contacts in batches. done gets each batch with why each contact was not synced, or "" where it was; an error
// of it ends the work. What is not sent before ctx ends counts as failed.
func (c *Client) Push(
	ctx context.Context, to Integration, contacts []Contact, done func(batch []Contact, reasons []string) error,
) error {
	endpoint, err := url.Parse(to.Endpoint)
	if err != nil {
		return fmt.Errorf("read the endpoint: %w", err)
	}
	client := c.targets.client(endpoint)
	defer client.CloseIdleConnections()
	p := &push{Integration: to, client: client, log: c.log, pause: c.pause, url: strings.TrimRight(to.Endpoint, "/") + "/contacts"}
	stop := "" // why nothing more is sent
	for len(contacts) > 0 {
		batch := contacts[:min(batchSize, len(contacts))]
		contacts = contacts[len(batch):]
		reasons := make([]string, len(batch))
		if stop == "" {
			var reason string
			if reason, stop, err = p.batch(ctx, batch, reasons); err != nil {
				return err
			}
			fill(reasons, reason)
		} else {
			fill(reasons, stop)
		}
		if err := done(batch, reasons); err != nil {
			return err
		}
	}
	return nil
}

// fill gives all contacts the same reason, unless it is empty.
func fill(reasons []string, reason string) {
	for i := range reasons {
		if reason != "" {
			reasons[i] = reason
		}
	}
}

// push is one call of [Client.Push].
type push struct {
	Integration
	client *http.Client
	log    *slog.Logger
	pause  time.Duration
	url    string
}

// batch sends a batch until it gets through, or it is no use. It fills in the reasons that the CRM gives for contacts;
// reason is one for all of them, and stop is one for all that would come later.
func (p *push) batch(ctx context.Context, batch []Contact, reasons []string) (reason, stop string, err error) {
	body, err := json.Marshal(map[string][]Contact{"contacts": batch})
	if err != nil {
		return "", "", fmt.Errorf("encode contacts: %w", err)
	}
	key := rand.Text() // the same for all attempts, so that the CRM can tell a repetition
	pause := p.pause
	for attempt := 0; ; attempt++ {
		status, wait, answer, err := p.send(ctx, body, key)
		switch {
		case ctx.Err() != nil:
			return reasonLate, reasonLate, nil //nolint:nilerr // the reason is the answer
		case errors.Is(err, ErrForbidden):
			p.log.WarnContext(ctx, "contacts not sent", slog.Any("error", err))
			return reasonTarget, reasonTarget, nil
		case err != nil:
			p.log.WarnContext(ctx, "contacts not sent", slog.Any("error", err), slog.Int("attempt", attempt+1))
			reason = reasonNetwork
		case status >= 200 && status < 300:
			p.read(answer, batch, reasons)
			return "", "", nil
		case status == http.StatusUnauthorized || status == http.StatusForbidden:
			return reasonKey, reasonKey, nil
		case status == http.StatusTooManyRequests:
			reason = reasonLimit
		default:
			reason = fmt.Sprintf("CRM answered with status %d", status)
			if status < 500 {
				return reason, "", nil
			}
		}
		if attempt == retries {
			return reason, "", nil
		}
		if wait == 0 {
			wait = pause
		}
		pause *= 2
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return reasonLate, reasonLate, nil
		}
	}
}

// send makes one request. wait is what a CRM that limits requests asks for.
func (p *push) send(ctx context.Context, body []byte, key string) (status int, wait time.Duration, answer []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		return 0, 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+p.APIKey.Reveal())
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Idempotency-Key", key)
	resp, err := p.client.Do(req)
	if err != nil {
		return 0, 0, nil, err
	}
	defer resp.Body.Close()
	if answer, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer)); err != nil {
		return 0, 0, nil, fmt.Errorf("read the answer: %w", err)
	}
	if resp.StatusCode == http.StatusTooManyRequests {
		wait = retryAfter(resp.Header.Get("Retry-After"))
	}
	return resp.StatusCode, wait, answer, nil
}

// retryAfter reads seconds or a date.
func retryAfter(text string) time.Duration {
	wait := time.Duration(0)
	if seconds, err := strconv.Atoi(text); err == nil {
		wait = time.Duration(min(max(seconds, 0), int(maxPause/time.Second))) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		wait = max(time.Until(at), 0)
	}
	return min(wait, maxPause)
}

// read takes what the CRM says about single contacts. An answer that says nothing means that all are synced.
func (p *push) read(answer []byte, batch []Contact, reasons []string) {
	var said struct {
		Results []struct {
			Email   string `json:"email"`
			Success *bool  `json:"success"`
			Error   string `json:"error"`
		} `json:"results"`
	}
	if json.Unmarshal(answer, &said) != nil {
		return
	}
	refused := map[string]string{}
	for _, r := range said.Results {
		if r.Success != nil && !*r.Success {
			refused[r.Email] = p.harmless(r.Error)
		}
	}
	for i, contact := range batch {
		reasons[i] = refused[contact.Email]
	}
}

// harmless bounds the CRM's text and takes the key out of it.
func (p *push) harmless(text string) string {
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\x00", ""), p.APIKey.Reveal(), "[redacted]")
	if text = strings.TrimSpace(text); text == "" {
		return reasonContact
	}
	if runes := []rune(text); len(runes) > maxReason {
		return string(runes[:maxReason])
	}
	return text
}
