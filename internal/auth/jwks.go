package auth

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// jwksTimeout bounds one fetch; a request may be waiting for it.
	jwksTimeout = 10 * time.Second
	// maxJWKSBytes bounds the answer; real sets have a few kilobytes.
	maxJWKSBytes = 1 << 20
	// jwksPause is the least time between two fetches, whatever the answer's headers say and however many bad tokens
	// come.
	jwksPause = 10 * time.Second
)

// keySet gives the keys that a token may be signed with.
type keySet interface {
	// keys returns the keys that are current at now.
	keys(ctx context.Context, now time.Time) []key
	// renew returns newer keys, for a token that none of the current ones verifies; false when there are none.
	renew(ctx context.Context, now time.Time) ([]key, bool)
}

// fixedKeys never change.
type fixedKeys []key

func (f fixedKeys) keys(context.Context, time.Time) []key          { return f }
func (f fixedKeys) renew(context.Context, time.Time) ([]key, bool) { return nil, false }

// jwks is a set of keys behind a URL. It is fetched again by the request that finds it expired, while other requests
// go on with the keys that are there: no goroutine has to be looked after. A failed fetch leaves the keys in place.
type jwks struct {
	url    string
	client *http.Client
	log    *slog.Logger

	fetching sync.Mutex
	current  atomic.Pointer[fetchedKeys]
}

// fetchedKeys is the outcome of a fetch.
type fetchedKeys struct {
	list    []key
	expires time.Time // zero: never
	tried   time.Time // when the last fetch, this one or a failed one after it, took place
}

// The attempts of the first fetch, and the pause after the first, which doubles: six seconds in all, as in Hasura. The
// issuer may be starting at the same time as we are.
const (
	startAttempts = 6
	startPause    = 200 * time.Millisecond
)

// start fetches the keys for the first time.
func (j *jwks) start(ctx context.Context, now func() time.Time) error {
	pause := startPause
	for attempt := 1; ; attempt++ {
		fetched, err := j.fetch(ctx, now())
		if err == nil {
			j.current.Store(fetched)
			return nil
		}
		if attempt == startAttempts {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return err
		case <-timer.C:
		}
		pause *= 2
	}
}

func (j *jwks) keys(ctx context.Context, now time.Time) []key {
	current := j.current.Load()
	if current.expires.IsZero() || now.Before(current.expires) || now.Sub(current.tried) < jwksPause {
		return current.list
	}
	if !j.fetching.TryLock() {
		return current.list
	}
	defer j.fetching.Unlock()
	return j.fetchAgain(ctx, now)
}

func (j *jwks) renew(ctx context.Context, now time.Time) ([]key, bool) {
	before := j.current.Load()
	if now.Sub(before.tried) < jwksPause {
		return nil, false
	}
	j.fetching.Lock() // wait: another request may be fetching the very key
	defer j.fetching.Unlock()
	if after := j.current.Load(); after != before {
		return after.list, true
	}
	return j.fetchAgain(ctx, now), true
}

// fetchAgain fetches the keys and keeps the old ones when that fails. The caller holds the lock.
func (j *jwks) fetchAgain(ctx context.Context, now time.Time) []key {
	// The keys are for everybody: a client that hangs up must not make the fetch fail for those after it.
	fetched, err := j.fetch(context.WithoutCancel(ctx), now)
	if err != nil {
		j.log.WarnContext(ctx, "jwks not refreshed", slog.String("url", j.url), slog.Any("error", err))
		old := j.current.Load()
		fetched = &fetchedKeys{list: old.list, expires: old.expires, tried: now}
	}
	j.current.Store(fetched)
	return fetched.list
}

// fetch gets the keys once. The messages are Hasura's.
func (j *jwks) fetch(ctx context.Context, now time.Time) (*fetchedKeys, error) {
	ctx, cancel := context.WithTimeout(ctx, jwksTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, j.url, nil)
	if err != nil {
		return nil, &worded{text: "Error fetching JWK", cause: err}
	}
	response, err := j.client.Do(request)
	if err != nil {
		return nil, &worded{text: "Error fetching JWK", cause: err}
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return nil, &worded{text: "Non-2xx response on fetching JWK from: " + j.url}
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, maxJWKSBytes))
	if err != nil {
		return nil, &worded{text: "Error fetching JWK", cause: err}
	}
	list, err := parseJWKS(data)
	if err != nil {
		return nil, &worded{text: "Error parsing JWK from url: " + j.url, cause: err}
	}
	return &fetchedKeys{list: list, expires: expiry(response.Header, now), tried: now}, nil
}

// expiry reads how long keys are good from Cache-Control or, without it, Expires. Zero: for ever.
func expiry(h http.Header, now time.Time) time.Time {
	if control := h.Get("Cache-Control"); control != "" {
		age, known := maxAge(control)
		lower := strings.ToLower(control)
		switch {
		case strings.Contains(lower, "must-revalidate"):
			return now.Add(age)
		case strings.Contains(lower, "no-cache"), strings.Contains(lower, "no-store"):
			return now
		case known:
			return now.Add(age)
		}
	}
	if at, err := http.ParseTime(h.Get("Expires")); err == nil {
		return at
	}
	return time.Time{}
}

// maxAge reads the max-age or s-maxage of a Cache-Control header, whichever comes first.
func maxAge(control string) (time.Duration, bool) {
	for directive := range strings.SplitSeq(control, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		if strings.EqualFold(name, "max-age") || strings.EqualFold(name, "s-maxage") {
			seconds, err := strconv.ParseInt(strings.Trim(value, `"`), 10, 32)
			return time.Duration(max(seconds, 0)) * time.Second, err == nil
		}
	}
	return 0, false
}
