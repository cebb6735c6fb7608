package actions

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nself-org/nself/templates/golang/internal/cache"
	"github.com/nself-org/nself/templates/golang/internal/config"
	"github.com/nself-org/nself/templates/golang/internal/lifecycle"
	"github.com/nself-org/nself/templates/golang/internal/logging"
	"github.com/nself-org/nself/templates/golang/internal/mail"
	"github.com/nself-org/nself/templates/golang/internal/ratelimit"
	"github.com/nself-org/nself/templates/golang/internal/redis"
	"github.com/nself-org/nself/templates/golang/internal/server"
	"github.com/nself-org/nself/templates/golang/internal/store"
	"github.com/nself-org/nself/templates/golang/internal/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Main(m)) }

const testSecret = "test-secret"

// Two users, and a body with the input and the id of the user who calls.
const (
	alice    = "a11ce000-0000-4000-8000-000000000001"
	bob      = "b0b00000-0000-4000-8000-000000000001"
	userBody = `{"input":%s,"session_variables":{"x-hasura-role":"user","x-hasura-user-id":%q}}`
)

// testService is the whole service behind a test server, with a database and a mailbox of its own.
type testService struct {
	*httptest.Server
	deps    Deps
	mailbox *testenv.Mailbox
	log     *logBuffer
}

// serviceOptions changes what a test's service talks to.
type serviceOptions struct {
	databaseURL, redisURL string
	smtpDown              bool
	env                   map[string]string // what Deps.Env reads
}

func newService(t *testing.T, opts serviceOptions) *testService {
	t.Helper()
	if opts.databaseURL == "" {
		opts.databaseURL = testenv.Database(t)
	}
	redisURL, prefix := testenv.Redis(t)
	if opts.redisURL != "" {
		redisURL = opts.redisURL
	}
	s := &testService{mailbox: testenv.NewMailbox(t), log: &logBuffer{}}
	cfg := config.Config{
		DatabaseURL:      config.Secret(opts.databaseURL),
		PublicURL:        "http://service.test",
		AdminSecret:      testSecret,
		UnauthorizedRole: "public",
		SMTP:             config.SMTP{Host: s.mailbox.Host, Port: s.mailbox.Port, From: "Shop <no-reply@shop.test>"},
		RateLimit:        config.RateLimit{Points: 5, RolePoints: 100, Duration: time.Minute},
	}
	if opts.smtpDown {
		cfg.SMTP.Host = ""
	}
	log := logging.New(s.log, slog.LevelDebug)
	db, err := store.Open(t.Context(), config.Secret(opts.databaseURL))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	redisClient, err := redis.Open(config.Secret(redisURL))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = redisClient.Close() })
	parts := lifecycle.New(log)
	vars := config.NewReader(func(key string) string { return opts.env[key] })
	s.deps = Deps{
		Log: log, Config: cfg, Env: vars, DB: db,
		Cache: cache.New(redisClient, prefix, log), Mail: mail.New(cfg.SMTP), Parts: parts,
	}
	list := All(s.deps)
	if err := vars.Err(); err != nil {
		t.Fatal(err)
	}
	h, err := server.New(server.Options{
		Log: log, AdminSecret: testSecret, Checks: parts.Checks(), Routes: parts.Routes,
		Limiter: ratelimit.New(redisClient, prefix, cfg.RateLimit, cfg.UnauthorizedRole, log),
	}, list)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(parts.Start(context.WithoutCancel(t.Context())))
	s.Server = httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// post calls an action with the admin secret and further headers, and returns the status and the decoded answer.
func (s *testService) post(t *testing.T, path, body string, header ...string) (int, map[string]any) {
	t.Helper()
	status, data := s.do(t, http.MethodPost, "/actions/"+path, body, header...)
	var answer map[string]any
	if err := json.Unmarshal(data, &answer); err != nil {
		t.Fatalf("answer is not a JSON object: %v\n%s", err, data)
	}
	return status, answer
}

func (s *testService) do(t *testing.T, method, path, body string, header ...string) (int, []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Hasura-Admin-Secret", testSecret)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var data bytes.Buffer
	if _, err := data.ReadFrom(resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, data.Bytes()
}

// logBuffer keeps what the service logs, so that tests can look for what must not be there.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
