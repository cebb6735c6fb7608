package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nself-org/nself/internal/testneeds"
)

const (
	stripeKey = "sk_test_contract"
	// stripeMock is Stripe's own server for tests. It knows what Stripe accepts, and always gives the same answer.
	stripeMock = "github.com/stripe/stripe-mock@v0.203.0"
)

// stripeServer answers as Stripe does, by the payment method of a request, after stripe-mock has accepted the request.
// Like Stripe it remembers idempotency keys.
type stripeServer struct {
	t       *testing.T
	mock    string // its URL
	mu      sync.Mutex
	intents int
	answers map[string]stripeAnswer // by idempotency key
}

type stripeAnswer struct {
	status int
	body   string
}

// newStripe starts the server and returns its URL.
func newStripe(t *testing.T) string {
	t.Helper()
	s := &stripeServer{t: t, mock: startStripeMock(t), answers: map[string]stripeAnswer{}}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	return srv.URL
}

// startStripeMock builds and starts stripe-mock.
func startStripeMock(t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	install := exec.CommandContext(t.Context(), "go", "install", stripeMock)
	install.Env = append(os.Environ(), "GOBIN="+bin, "GOFLAGS=")
	if out, err := install.CombinedOutput(); err != nil {
		testneeds.Missing(t, "go install %s: %v\n%s", stripeMock, err, out)
	}
	mock := exec.CommandContext(t.Context(), filepath.Join(bin, "stripe-mock"), "-http-addr", "127.0.0.1:0", "-https-addr", "127.0.0.1:0")
	out, err := mock.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := mock.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = mock.Process.Kill()
		_ = mock.Wait()
	})
	said := bufio.NewScanner(out)
	for said.Scan() {
		if _, address, ok := strings.Cut(said.Text(), "Listening for HTTP at address: "); ok {
			go func() { _, _ = io.Copy(io.Discard, out) }() // it goes on talking
			return "http://" + address
		}
	}
	t.Fatalf("stripe-mock ended without listening: %v", said.Err())
	return ""
}

// within polls until done says so.
func within(t *testing.T, patience time.Duration, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !done(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

func (s *stripeServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Error(err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if got := r.Header.Get("Authorization"); got != "Bearer "+stripeKey {
		s.t.Errorf("%s %s with authorization %q", r.Method, r.URL, got)
	}
	s.check(r, body)
	w.Header().Set("Content-Type", "application/json")
	if r.Method == http.MethodGet {
		fmt.Fprintf(w, stripeIntent, 2, "requires_action", "null")
		return
	}
	key := r.Header.Get("Idempotency-Key")
	if key == "" {
		s.t.Errorf("%s %s has no idempotency key", r.Method, r.URL)
	}
	answer, known := s.answers[key]
	if !known {
		answer = s.answer(r)
		s.answers[key] = answer
	}
	w.WriteHeader(answer.status)
	fmt.Fprint(w, answer.body)
}

// check has stripe-mock look at the request: it refuses what Stripe's API does not know.
func (s *stripeServer) check(r *http.Request, body []byte) {
	req, err := http.NewRequestWithContext(r.Context(), r.Method, s.mock+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		s.t.Error(err)
		return
	}
	req.Header = r.Header.Clone()
	req.Header.Del("Accept-Encoding")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Error(err)
		return
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(resp.Body)
		s.t.Errorf("stripe-mock refuses %s %s %s: %d %s", r.Method, r.URL, body, resp.StatusCode, text)
	}
}

const stripeIntent = `{"id":"pi_%d","object":"payment_intent","status":"%s","client_secret":"pi_secret","amount":1999,
	"currency":"usd","latest_charge":%s}`

func (s *stripeServer) answer(r *http.Request) stripeAnswer {
	if err := r.ParseForm(); err != nil {
		return stripeAnswer{http.StatusBadRequest, err.Error()}
	}
	if r.URL.Path == "/v1/customers" {
		return stripeAnswer{http.StatusOK, `{"id":"cus_1","object":"customer"}`}
	}
	s.intents++
	charge := "null"
	switch method := r.PostForm.Get("payment_method"); method {
	case "pm_declined":
		return stripeAnswer{http.StatusPaymentRequired, `{"error":{"type":"card_error","code":"card_declined",
			"message":"Your card was declined.","payment_intent":` + fmt.Sprintf(stripeIntent, s.intents, "requires_payment_method", charge) + `}}`}
	case "pm_broken":
		return stripeAnswer{http.StatusBadRequest, `{"error":{"type":"invalid_request_error","message":"internal detail"}}`}
	case "pm_succeeded":
		charge = `{"id":"ch_1","object":"charge","receipt_url":"https://pay.stripe.test/receipt"}`
		fallthrough
	default:
		return stripeAnswer{http.StatusOK, fmt.Sprintf(stripeIntent, s.intents, strings.TrimPrefix(method, "pm_"), charge)}
	}
}

// newCRM starts a CRM that answers as the first element of the path says, and returns its URL.
func newCRM(t *testing.T) string {
	t.Helper()
	var mu sync.Mutex
	calls := map[string]int{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Contacts []struct {
				Email, Name    string
				Phone, Company *string
			}
		}
		mode, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || rest != "contacts" || r.Method != http.MethodPost ||
			r.Header.Get("Authorization") != "Bearer crm-secret-key" || r.Header.Get("Idempotency-Key") == "" || len(body.Contacts) != 2 {
			t.Errorf("the CRM got %s %s %v with %d contacts: %v", r.Method, r.URL, r.Header, len(body.Contacts), err)
		}
		mu.Lock()
		calls[mode]++
		first := calls[mode] == 1
		mu.Unlock()
		switch {
		case mode == "limited" && first:
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
		case mode == "busy" && first, mode == "down":
			w.WriteHeader(http.StatusServiceUnavailable)
		case mode == "some":
			fmt.Fprint(w, `{"results":[{"email":"a@example.com","success":true},{"email":"b@example.com","success":false,"error":"no"}]}`)
		case mode == "each":
			fmt.Fprint(w, `{"results":[{"email":"a@example.com","success":false,"error":"a@example.com was refused with crm-secret-key"},
				{"email":"b@example.com","success":false}]}`)
		case mode == "key":
			w.WriteHeader(http.StatusUnauthorized)
		case mode == "bad":
			w.WriteHeader(http.StatusUnprocessableEntity)
		case mode == "redirect":
			w.Header().Set("Location", "http://169.254.169.254/")
			w.WriteHeader(http.StatusTemporaryRedirect)
		}
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}
