package crm

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// server is a CRM that answers its nth request as answer says.
type server struct {
	*httptest.Server
	mu     sync.Mutex
	keys   []string // idempotency keys, in order
	bodies [][]Contact
}

func newServer(t *testing.T, answer func(w http.ResponseWriter, n int)) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct{ Contacts []Contact }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || r.URL.Path != "/v1/contacts" || r.Method != http.MethodPost ||
			r.Header.Get("Authorization") != "Bearer hidden-key" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s %v: %v", r.Method, r.URL, r.Header, err)
		}
		s.mu.Lock()
		s.keys, s.bodies = append(s.keys, r.Header.Get("Idempotency-Key")), append(s.bodies, body.Contacts)
		n := len(s.keys)
		s.mu.Unlock()
		answer(w, n)
	}))
	t.Cleanup(s.Close)
	return s
}

func people(n int) []Contact {
	list := make([]Contact, n)
	for i := range list {
		list[i] = Contact{Email: fmt.Sprintf("p%d@x.co", i), Name: fmt.Sprint("P", i)}
	}
	return list
}

// pushAll pushes contacts, closes s, and returns the reasons and what was logged.
func pushAll(ctx context.Context, t *testing.T, s *server, allowed string, contacts []Contact) ([]string, string) {
	t.Helper()
	var log bytes.Buffer
	c := NewClient(targets(allowed), slog.New(slog.NewTextHandler(&log, nil)))
	c.pause = time.Millisecond
	var all []string
	err := c.Push(ctx, Integration{Endpoint: s.URL + "/v1/", APIKey: "hidden-key"}, contacts, func(batch []Contact, reasons []string) error {
		if len(batch) != len(reasons) {
			t.Errorf("%d contacts, %d reasons", len(batch), len(reasons))
		}
		all = append(all, reasons...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Close() // no request runs any more: what the server keeps may be read
	return all, log.String()
}

const local = "127.0.0.1"

func TestPush(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(http.ResponseWriter, int) {})
	reasons, _ := pushAll(t.Context(), t, s, local, people(250))
	if strings.Join(reasons, "") != "" || len(reasons) != 250 {
		t.Errorf("got %d reasons: %v", len(reasons), reasons)
	}
	if len(s.bodies) != 3 || len(s.bodies[0]) != 100 || len(s.bodies[2]) != 50 || s.bodies[2][49].Email != "p249@x.co" {
		t.Errorf("the batches are %d", len(s.bodies))
	}
	if s.keys[0] == "" || s.keys[0] == s.keys[1] {
		t.Errorf("the keys are %v", s.keys)
	}
}

func TestPushResults(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(w http.ResponseWriter, _ int) {
		fmt.Fprintf(w, `{"results":[{"email":"p0@x.co","success":true},{"email":"p1@x.co","success":false,"error":"bad hidden-key here"},
			{"email":"p2@x.co","success":false},{"email":"p3@x.co","success":false,"error":"%s"}]}`, strings.Repeat("ä", 600))
	})
	reasons, _ := pushAll(t.Context(), t, s, local, people(5))
	want := []string{"", "bad [redacted] here", "CRM refused the contact", strings.Repeat("ä", 500), ""}
	if fmt.Sprint(reasons) != fmt.Sprint(want) {
		t.Errorf("got %v", reasons)
	}
}

func TestPushRetries(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		answer   func(w http.ResponseWriter, n int)
		requests int
		reason   string
	}{
		{"busy once", func(w http.ResponseWriter, n int) {
			if n == 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		}, 2, ""},
		{"limited", func(w http.ResponseWriter, n int) {
			if n < 4 {
				w.Header().Set("Retry-After", "0")
				w.WriteHeader(http.StatusTooManyRequests)
			}
		}, 4, ""},
		{"limited for ever", func(w http.ResponseWriter, _ int) { w.WriteHeader(http.StatusTooManyRequests) }, 4, reasonLimit},
		{"busy for ever", func(w http.ResponseWriter, _ int) { w.WriteHeader(http.StatusBadGateway) }, 4, "CRM answered with status 502"},
		{"cut off", func(http.ResponseWriter, int) { panic(http.ErrAbortHandler) }, 4, reasonNetwork},
		{"refused", func(w http.ResponseWriter, _ int) { w.WriteHeader(http.StatusUnprocessableEntity) }, 1, "CRM answered with status 422"},
		{"redirect", func(w http.ResponseWriter, _ int) {
			w.Header().Set("Location", "http://169.254.169.254/")
			w.WriteHeader(http.StatusTemporaryRedirect)
		}, 1, "CRM answered with status 307"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, tt.answer)
			reasons, log := pushAll(t.Context(), t, s, local, people(1))
			if len(s.keys) != tt.requests || reasons[0] != tt.reason {
				t.Errorf("%d requests and reason %q, want %d and %q", len(s.keys), reasons[0], tt.requests, tt.reason)
			}
			for _, key := range s.keys {
				if key != s.keys[0] {
					t.Error("a retry has another idempotency key")
				}
			}
			if strings.Contains(log, "hidden-key") {
				t.Errorf("the log holds the key: %s", log)
			}
		})
	}
}

func TestPushStops(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(w http.ResponseWriter, n int) {
		if n == 2 {
			w.WriteHeader(http.StatusForbidden)
		}
	})
	reasons, _ := pushAll(t.Context(), t, s, local, people(350))
	if len(s.keys) != 2 || reasons[99] != "" || reasons[100] != reasonKey || reasons[349] != reasonKey {
		t.Errorf("%d requests, reasons %q, %q, %q", len(s.keys), reasons[99], reasons[100], reasons[349])
	}
}

// The address counts that is dialled: what Check let through may resolve to another one by now.
func TestPushForbidden(t *testing.T) {
	t.Parallel()
	s := newServer(t, func(http.ResponseWriter, int) {})
	reasons, _ := pushAll(t.Context(), t, s, "", people(1))
	if len(s.keys) != 0 || reasons[0] != reasonTarget {
		t.Errorf("%d requests, reason %q", len(s.keys), reasons[0])
	}
}

func TestPushTooLong(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s := newServer(t, func(w http.ResponseWriter, n int) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusTooManyRequests)
		cancel()
	})
	reasons, _ := pushAll(ctx, t, s, local, people(150))
	if len(s.keys) != 1 || reasons[0] != reasonLate || reasons[149] != reasonLate {
		t.Errorf("%d requests, reasons %q, %q", len(s.keys), reasons[0], reasons[149])
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"": 0, "2": 2 * time.Second, "3600": maxPause, "99999999999999999999": 0, "-1": 0, "soon": 0,
		"Wed, 21 Oct 2015 07:28:00 GMT": 0, "Wed, 21 Oct 2099 07:28:00 GMT": maxPause,
	} {
		if got := retryAfter(text); got != want {
			t.Errorf("%q: wait %s, want %s", text, got, want)
		}
	}
}
