package e2e

import (
	"bytes"
	stdcmp "cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/metadata"
	"github.com/nself-org/nself/internal/scaffold"
	"github.com/nself-org/nself/internal/testneeds"
)

// contractCase is a request to a function service, and the answer that every runtime gives.
type contractCase struct {
	Name string
	// Action is another one than that of the table.
	Action string
	// Method and Path are POST and the action's own where they are empty.
	Method, Path string
	// Secret is "wrong", "none", or empty for the right one.
	Secret  string
	Headers map[string]string
	// Body may hold words in angle brackets, which stand for long texts and for what only a run knows, see fill.
	Body string
	// Input makes the body that the engine sends for the arguments it holds; see session for User.
	Input json.RawMessage
	User  string
	// Times is how often the request is sent; the last answer counts.
	Times  int
	Status int
	Answer any
}

// contract is a running function service.
type contract struct {
	*project
	runtime      string
	base, secret string
	words        *strings.Replacer
}

// TestContract runs the same requests, in the same order, against every documented action in every runtime that has it,
// and then what a table cannot say: jobs, links, mails, and what happens when something breaks.
func TestContract(t *testing.T) {
	requireServers(t)
	for _, rt := range []struct{ name, program string }{{"golang", "go"}, {"nestjs", "npm"}, {"python", "python3"}} {
		t.Run(rt.name, func(t *testing.T) {
			testneeds.Program(t, rt.program)
			c := startContract(t, rt.name)
			for _, name := range scaffold.DocumentedNames() {
				t.Run(name, func(t *testing.T) {
					for _, tt := range readCases(t, name) {
						t.Run(tt.Name, func(t *testing.T) { c.run(t, tt) })
					}
				})
			}
			c.journeys(t)
			c.faults(t)
		})
	}
}

// startContract starts a project with every documented action in a runtime, in front of servers that stand for others'.
func startContract(t *testing.T, rt string) *contract {
	t.Helper()
	stripe, crm := newStripe(t), newCRM(t)
	p := newProjectIn(t, rt)
	for _, name := range scaffold.DocumentedNames() {
		if name != "registerUser" {
			p.mustRun("action", "new", name, "--runtime", rt)
		}
	}
	p.mustRun("config", "set", "RATE_LIMIT_POINTS", "5")
	p.mustRun("config", "set", "STRIPE_SECRET_KEY", stripeKey)
	p.mustRun("config", "set", "STRIPE_API_BASE", stripe)
	p.mustRun("config", "set", "CRM_ALLOWED_HOSTS", "127.0.0.1")
	p.mustRun("up", "--driver", "native", "--wait-timeout", "5m")
	c := &contract{
		project: p, runtime: rt, secret: strings.TrimSpace(p.mustRun("config", "get", "HASURA_GRAPHQL_ADMIN_SECRET", "--reveal")),
		base: fmt.Sprintf("http://localhost:%d", p.ports[strings.ToUpper(rt)+"_PORT"]),
		words: strings.NewReplacer("<alice>", alice, "<crm>", crm, "<1 MiB>", strings.Repeat("x", 1<<20),
			"<8 MiB>", strings.Repeat("x", 8<<20), "<20 MiB>", strings.Repeat("x", 20<<20),
			"<10 MiB in base64, and a byte>", base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("a"), 10<<20+1)),
			"<10001 users>", strings.TrimSuffix(strings.Repeat(`{"email":"a@example.com","name":"A"},`, 10_001), ","),
			"<5001 contacts>", strings.TrimSuffix(strings.Repeat(`{"email":"a@example.com","name":"A"},`, 5_001), ",")),
	}
	c.sql(fmt.Sprintf("insert into users (id, email, password_hash, name) values ('%s', 'alice@example.com', '!', 'Alice'), "+
		"('%s', 'bob@example.com', '!', 'Bob')", alice, bob))
	return c
}

// sql runs a statement in the project's database and returns what psql prints.
func (c *contract) sql(statement string) string {
	c.t.Helper()
	return strings.TrimSpace(c.mustRun("exec", "postgres", "--", "psql", "-qAt", "-v", "ON_ERROR_STOP=1", "-c", statement))
}

func readCases(t *testing.T, action string) []contractCase {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "contract", action+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []contractCase
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	for i := range cases {
		if cases[i].Action == "" {
			cases[i].Action = action
		}
	}
	return cases
}

// Users of the tables.
const (
	alice = "a11ce000-0000-4000-8000-000000000001"
	bob   = "b0b00000-0000-4000-8000-000000000001"
)

// session returns the session variables of a user: "admin", "nobody" (a role without a user), "visitor" (who claims to be
// alice), "seven" (whose id is no UUID), "<new>" (who has not been seen before), or any name. An empty one is a direct
// call.
func session(user string) string {
	role, id := "user", ""
	switch user {
	case "":
		return "{}"
	case "admin":
		role = "admin"
	case "nobody":
	case "visitor":
		role, id = "public", alice
	case "seven":
		id = "7"
	case "alice":
		id = alice
	case "bob":
		id = bob
	default:
		if user == "<new>" {
			user = rand.Text()
		}
		sum := sha256.Sum256([]byte(user))
		id = fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
	}
	if id == "" {
		return fmt.Sprintf(`{"x-hasura-role":%q}`, role)
	}
	return fmt.Sprintf(`{"x-hasura-role":%q,"x-hasura-user-id":%q}`, role, id)
}

// body is what is sent.
func (tt contractCase) body() string {
	if tt.Input == nil {
		return tt.Body
	}
	return fmt.Sprintf(`{"action":{"name":%q},"input":%s,"session_variables":%s,"request_query":"query { it }"}`,
		tt.Action, tt.Input, session(tt.User))
}

func (c *contract) run(t *testing.T, tt contractCase) {
	t.Helper()
	var status int
	var answer any
	body := tt.body() // a new user is the same for all times
	for range max(tt.Times, 1) {
		status, answer = c.send(t, tt, body)
	}
	if diff := cmp.Diff(tt.Answer, answer); status != tt.Status || diff != "" {
		t.Errorf("got status %d, want %d (-want +got):\n%s", status, tt.Status, diff)
	}
}

func (c *contract) send(t *testing.T, tt contractCase, body string) (int, any) {
	t.Helper()
	method, path := stdcmp.Or(tt.Method, http.MethodPost), stdcmp.Or(tt.Path, "/actions/"+metadata.Kebab(tt.Action))
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, strings.NewReader(c.words.Replace(body)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	switch tt.Secret {
	case "wrong":
		req.Header.Set("X-Hasura-Admin-Secret", c.secret+"x")
	case "":
		req.Header.Set("X-Hasura-Admin-Secret", c.secret)
	}
	for name, value := range tt.Headers {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for header, want := range map[string]string{
		"Content-Type": "application/json; charset=utf-8", "X-Content-Type-Options": "nosniff",
	} {
		if got := resp.Header.Get(header); got != want && tt.Path != "/other" {
			t.Errorf("%s is %q, want %q", header, got, want)
		}
	}
	if resp.Header.Get("X-Request-Id") == "" {
		t.Error("the answer has no request id")
	}
	if wait := resp.Header.Get("Retry-After"); (wait != "") != (resp.StatusCode == http.StatusTooManyRequests) {
		t.Errorf("status %d with Retry-After %q", resp.StatusCode, wait)
	}
	var answer any
	if err := json.Unmarshal([]byte(mask(string(data))), &answer); err != nil {
		t.Fatalf("the answer is not JSON: %v\n%s", err, data)
	}
	return resp.StatusCode, answer
}

var (
	maskedID      = regexp.MustCompile(`"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"`)
	maskedTime    = regexp.MustCompile(`try again in [0-9hms]+\.`)
	maskedLink    = regexp.MustCompile(`"http://localhost:\d+/files/[^"]*"`)
	maskedIntent  = regexp.MustCompile(`"pi_\d+"`)
	maskedSeconds = regexp.MustCompile(`"retry_after": ?[1-9][0-9]*`)
)

// mask puts a word in the place of what differs from one run to the next.
func mask(text string) string {
	text = maskedID.ReplaceAllString(text, `"<id>"`)
	text = maskedLink.ReplaceAllString(text, `"<link>"`)
	text = maskedIntent.ReplaceAllString(text, `"<intent>"`)
	text = maskedTime.ReplaceAllString(text, "try again in <time>.")
	return maskedSeconds.ReplaceAllString(text, `"retry_after":"<seconds>"`)
}
