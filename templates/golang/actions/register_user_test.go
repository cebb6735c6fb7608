package actions

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/nself-org/nself/templates/golang/internal/password"
	"github.com/nself-org/nself/templates/golang/internal/testenv"
)

// The two shapes of the body: the engine's, and what people write by hand.
const (
	engineBody = `{"action":{"name":"registerUser"},"input":{"input":%s},` +
		`"session_variables":{"x-hasura-role":"public"},"request_query":"mutation { ... }"}`
	directBody = `{"input":%s}`
	testUser   = `{"email":"test@example.com","password":"password123","name":"Test User"}`
)

func TestRegisterUser(t *testing.T) {
	t.Parallel()
	for _, body := range []string{engineBody, directBody} {
		t.Run(body, func(t *testing.T) {
			t.Parallel()
			s := newService(t, serviceOptions{})
			status, got := s.post(t, "register-user", fmt.Sprintf(body,
				`{"email":" Test@Example.com ","password":"password123","name":" Test User ","company":"Acme"}`))
			user, _ := got["user"].(map[string]any)
			id, _ := user["id"].(string)
			want := map[string]any{
				"success": true,
				"user":    map[string]any{"id": id, "email": "test@example.com", "name": "Test User", "email_verified": false},
				"message": "User registered successfully. Please check your email for verification.",
				"errors":  nil, "error_code": nil,
			}
			if status != http.StatusOK || !reflect.DeepEqual(got, want) {
				t.Fatalf("got status %d, %v\nwant 200, %v", status, got, want)
			}

			var hash, company string
			if err := s.deps.DB.QueryRow(t.Context(), "SELECT password_hash, company FROM users WHERE id::text = $1", id).
				Scan(&hash, &company); err != nil {
				t.Fatal(err)
			}
			if ok, err := password.New().Matches(t.Context(), "password123", hash); !ok || err != nil {
				t.Errorf("the stored hash %q is not of the password: %v", hash, err)
			}
			if company != "Acme" {
				t.Errorf("company is %q", company)
			}
			for _, secret := range []string{"password123", hash, testSecret} {
				if strings.Contains(s.log.String(), secret) {
					t.Errorf("the log holds the secret %q", secret)
				}
			}
		})
	}
}

func TestRegisterUserDuplicate(t *testing.T) {
	t.Parallel()
	s := newService(t, serviceOptions{})
	if _, got := s.post(t, "register-user", fmt.Sprintf(directBody, testUser)); got["success"] != true {
		t.Fatalf("the first registration failed: %v", got)
	}
	status, got := s.post(t, "register-user", fmt.Sprintf(directBody, strings.Replace(testUser, "test@", "TEST@", 1)))
	want := map[string]any{
		"success": false, "user": nil, "message": "Email already registered",
		"errors": []any{map[string]any{
			"field": "email", "message": "Email is already in use", "code": "EMAIL_ALREADY_REGISTERED",
		}},
		"error_code": "EMAIL_ALREADY_REGISTERED",
	}
	if status != http.StatusOK || !reflect.DeepEqual(got, want) {
		t.Errorf("got status %d, %v\nwant 200, %v", status, got, want)
	}
}

func TestRegisterUserRace(t *testing.T) {
	t.Parallel()
	s := newService(t, serviceOptions{})
	const callers = 20
	var mu sync.Mutex
	outcomes := map[string]int{}
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			_, got := s.post(t, "register-user", fmt.Sprintf(engineBody, testUser))
			mu.Lock()
			defer mu.Unlock()
			outcomes[fmt.Sprint(got["message"])]++
		})
	}
	wg.Wait()
	want := map[string]int{
		"User registered successfully. Please check your email for verification.": 1,
		"Email already registered": callers - 1,
	}
	if !reflect.DeepEqual(outcomes, want) {
		t.Errorf("got %v, want %v", outcomes, want)
	}
}

func TestRegisterUserMailFails(t *testing.T) {
	t.Parallel()
	s := newService(t, serviceOptions{smtpDown: true})
	_, got := s.post(t, "register-user", fmt.Sprintf(directBody, testUser))
	if got["success"] != true ||
		got["message"] != "User registered successfully, but the verification email could not be sent." {
		t.Errorf("got %v", got)
	}
	if !strings.Contains(s.log.String(), "verification mail not sent") {
		t.Errorf("nothing was logged:\n%s", s.log)
	}
}

func TestRegisterUserIsRateLimited(t *testing.T) {
	t.Parallel()
	s := newService(t, serviceOptions{})
	const body = `{"input":{"input":{}},"session_variables":{"x-hasura-role":"user","x-hasura-user-id":"7"}}`
	for i := range 5 {
		if status, got := s.post(t, "register-user", body); status != http.StatusOK {
			t.Fatalf("call %d: got status %d, %v", i+1, status, got)
		}
	}
	status, got := s.post(t, "register-user", body)
	if status != http.StatusTooManyRequests || got["error_code"] != "RATE_LIMITED" || got["message"] == "" {
		t.Errorf("call 6: got status %d, %v", status, got)
	}
}

func TestRegisterUserWithoutPostgres(t *testing.T) {
	t.Parallel()
	proxy := testenv.ProxyPostgres(t, testenv.Database(t))
	s := newService(t, serviceOptions{databaseURL: proxy.URL})
	proxy.Down()
	status, got := s.post(t, "register-user", fmt.Sprintf(directBody, testUser))
	want := map[string]any{
		"success": false, "message": "Internal server error", "error_code": "INTERNAL_ERROR", "code": "INTERNAL_ERROR",
	}
	if status != http.StatusInternalServerError || !reflect.DeepEqual(got, want) {
		t.Errorf("down: got status %d, %v", status, got)
	}
	proxy.Up()
	if status, got = s.post(t, "register-user", fmt.Sprintf(directBody, testUser)); got["success"] != true {
		t.Errorf("up again: got status %d, %v", status, got)
	}
}

func TestRegisterUserWithoutRedis(t *testing.T) {
	t.Parallel()
	url, _ := testenv.Redis(t)
	proxy := testenv.ProxyRedis(t, url)
	s := newService(t, serviceOptions{redisURL: proxy.URL})
	proxy.Down()
	const body = `{"input":{"input":%s},"session_variables":{"x-hasura-role":"user","x-hasura-user-id":"7"}}`
	if status, got := s.post(t, "register-user", fmt.Sprintf(body, testUser)); got["success"] != true {
		t.Errorf("got status %d, %v", status, got)
	}
	if !strings.Contains(s.log.String(), "rate limit is off") {
		t.Errorf("nothing was logged:\n%s", s.log)
	}
}

// The generated output type sends null rather than leaving fields out: the engine drops a nested object that is missing.
func TestRegisterUserOutputHasAllFields(t *testing.T) {
	t.Parallel()
	data, err := json.Marshal(RegisterUserOutput{})
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{"success", "user", "message", "errors"} {
		if !strings.Contains(string(data), `"`+field+`":`) {
			t.Errorf("%s is not in %s", field, data)
		}
	}
}
