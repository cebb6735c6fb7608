package actions

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
)

// stripeServer answers as Stripe does, by the payment method of the request. Like Stripe it remembers idempotency keys.
type stripeServer struct {
	*httptest.Server
	mu        sync.Mutex
	customers int
	charges   int
	answers   map[string]stripeAnswer // by idempotency key
	last      map[string]string       // the form of the last payment
}

type stripeAnswer struct {
	status int
	body   string
}

func newStripe(t *testing.T) *stripeServer {
	t.Helper()
	s := &stripeServer{answers: map[string]stripeAnswer{}}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

const stripeIntent = `{"id":"pi_%d","object":"payment_intent","status":"%s","client_secret":"pi_secret","amount":1999,
	"currency":"usd","latest_charge":{"id":"ch_1","object":"charge","receipt_url":"https://pay.stripe.test/receipt"}}`

func (s *stripeServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if r.Header.Get("Authorization") != "Bearer sk_test_hidden" {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"error":{"type":"invalid_request_error","message":"Invalid API Key provided"}}`)
		return
	}
	if r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/v1/payment_intents/search") {
		body := `{"object":"search_result","url":"/v1/payment_intents/search","has_more":false,"data":[]}`
		for _, a := range s.answers {
			if strings.Contains(a.body, "payment_intent") {
				body = strings.Replace(body, "[]", "["+a.body+"]", 1)
			}
		}
		fmt.Fprint(w, body)
		return
	}
	if r.Method == http.MethodGet {
		fmt.Fprintf(w, stripeIntent, 1, "requires_action")
		return
	}
	key := r.Header.Get("Idempotency-Key")
	answer, known := s.answers[key]
	if !known {
		answer = s.answer(r)
		s.answers[key] = answer
	}
	w.WriteHeader(answer.status)
	fmt.Fprint(w, answer.body)
}

func (s *stripeServer) answer(r *http.Request) stripeAnswer {
	if err := r.ParseForm(); err != nil {
		return stripeAnswer{http.StatusBadRequest, err.Error()}
	}
	if r.URL.Path == "/v1/customers" {
		s.customers++
		return stripeAnswer{http.StatusOK, fmt.Sprintf(`{"id":"cus_%d","object":"customer"}`, s.customers)}
	}
	s.charges++
	s.last = map[string]string{}
	for name := range r.PostForm {
		s.last[name] = r.PostForm.Get(name)
	}
	switch method := r.PostForm.Get("payment_method"); method {
	case "pm_declined":
		return stripeAnswer{http.StatusPaymentRequired, `{"error":{"type":"card_error","code":"card_declined",
			"message":"Your card was declined.","payment_intent":` + fmt.Sprintf(stripeIntent, s.charges, "requires_payment_method") + `}}`}
	case "pm_broken":
		return stripeAnswer{http.StatusBadRequest, `{"error":{"type":"invalid_request_error","message":"internal detail"}}`}
	default:
		return stripeAnswer{http.StatusOK, fmt.Sprintf(stripeIntent, s.charges, strings.TrimPrefix(method, "pm_"))}
	}
}

func newPaymentService(t *testing.T) (*testService, *stripeServer) {
	t.Helper()
	stripe := newStripe(t)
	s := newService(t, serviceOptions{env: map[string]string{
		"STRIPE_SECRET_KEY": "sk_test_hidden", "STRIPE_API_BASE": stripe.URL,
	}})
	addPayers(t, s)
	return s, stripe
}

func addPayers(t *testing.T, s *testService) {
	t.Helper()
	if _, err := s.deps.DB.Exec(t.Context(), `INSERT INTO users (id, email, password_hash, name)
		VALUES ($1, 'alice@x.co', '!', 'Alice'), ($2, 'bob@x.co', '!', 'Bob')`, alice, bob); err != nil {
		t.Fatal(err)
	}
}

// pay calls the action for alice, with the given idempotency key.
func pay(t *testing.T, s *testService, method, key string, amount int) (int, map[string]any) {
	t.Helper()
	input := fmt.Sprintf(`{"input":{"amount":%d,"currency":"USD","payment_method_id":%q,"customer_id":%q,"description":"Order 7"}}`,
		amount, method, strings.ToUpper(alice))
	return s.post(t, "process-payment", `{"input":`+input+`}`, "Idempotency-Key", key)
}

func TestProcessPayment(t *testing.T) {
	t.Parallel()
	s, stripe := newPaymentService(t)
	null := map[string]any{
		"success": false, "payment_intent_id": nil, "status": "FAILED", "message": "", "receipt_url": nil, "client_secret": nil,
		"errors": nil, "error_code": nil,
	}
	with := func(pairs ...any) map[string]any {
		m := maps.Clone(null)
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i].(string)] = pairs[i+1]
		}
		return m
	}
	const receipt = "https://pay.stripe.test/receipt"
	for i, tt := range []struct {
		method string
		status int
		want   map[string]any
	}{
		{"pm_succeeded", 200, with("success", true, "payment_intent_id", "pi_1", "status", "SUCCEEDED",
			"message", "Payment processed successfully", "receipt_url", receipt)},
		{"pm_requires_action", 200, with("payment_intent_id", "pi_2", "status", "REQUIRES_ACTION",
			"message", "Additional authentication required", "receipt_url", receipt, "client_secret", "pi_secret")},
		{"pm_processing", 200, with("success", true, "payment_intent_id", "pi_3", "status", "PROCESSING",
			"message", "Payment is being processed", "receipt_url", receipt)},
		{"pm_canceled", 200, with("payment_intent_id", "pi_4", "message", "Payment failed: canceled", "receipt_url", receipt)},
		{"pm_declined", 400, map[string]any{
			"success": false, "status": "FAILED", "message": "Card error: Your card was declined.",
			"error_code": "CARD_ERROR", "code": "CARD_ERROR",
		}},
	} {
		key := fmt.Sprintf("key-%d", i)
		for _, repeat := range []string{"first", "again"} {
			status, got := pay(t, s, tt.method, key, 1999)
			if status != tt.status || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%s, %s: got status %d, %v\nwant %d, %v", tt.method, repeat, status, got, tt.status, tt.want)
			}
		}
	}
	if stripe.charges != 5 || stripe.customers != 1 {
		t.Errorf("Stripe made %d charges and %d customers, want 5 and 1", stripe.charges, stripe.customers)
	}
	for field, want := range map[string]string{
		"amount": "1999", "currency": "usd", "customer": "cus_1", "confirm": "true", "off_session": "false",
		"description": "Order 7", "return_url": "http://service.test/payment-complete", "expand[0]": "latest_charge",
	} {
		if got := stripe.last[field]; got != want {
			t.Errorf("%s is %q, want %q", field, got, want)
		}
	}
	if text := s.log.String(); strings.Contains(text, "sk_test_hidden") || strings.Contains(text, "pi_secret") {
		t.Error("the log holds a secret")
	}
}

func TestProcessPaymentKeyReused(t *testing.T) {
	t.Parallel()
	s, stripe := newPaymentService(t)
	pay(t, s, "pm_succeeded", "key", 1999)
	if _, got := pay(t, s, "pm_succeeded", "key", 2000); got["error_code"] != "IDEMPOTENCY_KEY_REUSED" || got["success"] != false {
		t.Errorf("got %v", got)
	}
	if stripe.charges != 1 {
		t.Errorf("%d charges", stripe.charges)
	}
}

// A process that was killed after Stripe had charged left the payment PENDING. The same request again must not charge
// twice, neither while Stripe remembers the key nor later.
func TestProcessPaymentCutShort(t *testing.T) {
	t.Parallel()
	for _, age := range []string{"0", "2 days"} {
		t.Run(age, func(t *testing.T) {
			t.Parallel()
			s, stripe := newPaymentService(t)
			pay(t, s, "pm_succeeded", "key", 1999)
			if _, err := s.deps.DB.Exec(t.Context(), `UPDATE payments SET status = 'PENDING', stripe_payment_intent_id = NULL,
				receipt_url = NULL, message = NULL, created_at = now() - $1::text::interval`, age); err != nil {
				t.Fatal(err)
			}
			if age != "0" {
				for key, a := range stripe.answers { // Stripe has forgotten the key, not the payment
					delete(stripe.answers, key)
					stripe.answers["forgotten "+key] = a
				}
			}
			status, got := pay(t, s, "pm_succeeded", "key", 1999)
			if status != http.StatusOK || got["status"] != "SUCCEEDED" || got["payment_intent_id"] != "pi_1" {
				t.Errorf("got status %d, %v", status, got)
			}
			if stripe.charges != 1 {
				t.Errorf("%d charges", stripe.charges)
			}
		})
	}
}

func TestProcessPaymentFails(t *testing.T) {
	t.Parallel()
	s, _ := newPaymentService(t)
	status, got := pay(t, s, "pm_broken", "key", 1999)
	want := map[string]any{
		"success": false, "status": "FAILED", "message": "Payment processing failed", "error_code": "INTERNAL_ERROR",
		"code": "INTERNAL_ERROR",
	}
	if status != http.StatusInternalServerError || !reflect.DeepEqual(got, want) {
		t.Errorf("got status %d, %v", status, got)
	}
	if !strings.Contains(s.log.String(), "internal detail") {
		t.Errorf("the log does not say why:\n%s", s.log)
	}
}

func TestProcessPaymentNotConfigured(t *testing.T) {
	t.Parallel()
	s := newService(t, serviceOptions{})
	addPayers(t, s)
	if _, got := pay(t, s, "pm_succeeded", "key", 1999); got["error_code"] != "PAYMENTS_NOT_CONFIGURED" ||
		got["message"] != "Payments are not configured" || got["status"] != "FAILED" {
		t.Errorf("got %v", got)
	}
	if !strings.Contains(s.log.String(), "STRIPE_SECRET_KEY") {
		t.Errorf("the log does not name the variable:\n%s", s.log)
	}
}

func TestProcessPaymentForOneself(t *testing.T) {
	t.Parallel()
	s, stripe := newPaymentService(t)
	const input = `{"input":{"amount":100,"currency":"eur","payment_method_id":"pm_succeeded","customer_id":"` + alice + `"}}`
	if status, got := s.post(t, "process-payment", fmt.Sprintf(userBody, input, bob)); status != http.StatusForbidden ||
		got["error_code"] != "FORBIDDEN" {
		t.Errorf("for someone else: got status %d, %v", status, got)
	}
	if status, got := s.post(t, "process-payment", fmt.Sprintf(userBody, input, alice)); got["success"] != true {
		t.Errorf("for oneself: got status %d, %v", status, got)
	}
	if stripe.charges != 1 {
		t.Errorf("%d charges", stripe.charges)
	}
}

func TestValidatePayment(t *testing.T) {
	t.Parallel()
	s := newService(t, serviceOptions{})
	for _, tt := range []struct{ input, want string }{
		{`{}`, "[amount INVALID_RANGE currency INVALID_CURRENCY payment_method_id REQUIRED_FIELD customer_id NOT_FOUND]"},
		{
			`{"amount":100000000,"currency":"xxx","payment_method_id":" ","customer_id":"7","description":"` + strings.Repeat("x", 1001) + `"}`,
			"[amount INVALID_RANGE currency INVALID_CURRENCY payment_method_id REQUIRED_FIELD customer_id NOT_FOUND description INVALID_LENGTH]",
		},
		{`{"amount":1,"currency":"JPY","payment_method_id":"pm","customer_id":"` + alice + `"}`, "[customer_id NOT_FOUND]"},
	} {
		_, got := s.post(t, "process-payment", `{"input":{"input":`+tt.input+`}}`)
		var faults []string
		list, _ := got["errors"].([]any)
		for _, f := range list {
			fault, _ := f.(map[string]any)
			faults = append(faults, fmt.Sprint(fault["field"]), fmt.Sprint(fault["code"]))
		}
		if fmt.Sprint(faults) != tt.want || got["message"] != "Validation failed" || got["status"] != "FAILED" {
			t.Errorf("%s: got %v %v, want %s", tt.input, got["message"], faults, tt.want)
		}
	}
}
