package e2e

import (
	"context"
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
)

// contractCase is a request to a function service, and the answer that every runtime gives.
type contractCase struct {
	Name string
	// Method and Path are POST and the action's own where they are empty.
	Method, Path string
	// Secret is "wrong", "none", or empty for the right one.
	Secret  string
	Headers map[string]string
	// Body may hold <1 MiB>, which stands for that much text.
	Body string
	// Times is how often the request is sent; the last answer counts.
	Times  int
	Status int
	Answer any
}

// TestContract runs the same requests, in the same order, against registerUser in every runtime.
func TestContract(t *testing.T) {
	requireServers(t)
	data, err := os.ReadFile(filepath.Join("testdata", "contract", "registerUser.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []contractCase
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	for _, rt := range []struct{ name, program string }{{"golang", "go"}, {"nestjs", "npm"}, {"python", "python3"}} {
		t.Run(rt.name, func(t *testing.T) {
			if !onPath(rt.program) {
				if os.Getenv("CI") != "" {
					t.Fatalf("%s is not installed", rt.program)
				}
				t.Skipf("%s is not installed", rt.program)
			}
			p := newProjectIn(t, rt.name)
			p.mustRun("config", "set", "RATE_LIMIT_POINTS", "5")
			p.mustRun("up", "--driver", "native", "--wait-timeout", "5m")
			secret := strings.TrimSpace(p.mustRun("config", "get", "HASURA_GRAPHQL_ADMIN_SECRET", "--reveal"))
			base := fmt.Sprintf("http://localhost:%d", p.ports[strings.ToUpper(rt.name)+"_PORT"])
			for _, c := range cases {
				t.Run(c.Name, func(t *testing.T) { c.run(t, base, secret) })
			}
		})
	}
}

func (c contractCase) run(t *testing.T, base, secret string) {
	t.Helper()
	var status int
	var answer any
	for range max(c.Times, 1) {
		status, answer = c.send(t, base, secret)
	}
	if diff := cmp.Diff(c.Answer, answer); status != c.Status || diff != "" {
		t.Errorf("got status %d, want %d (-want +got):\n%s", status, c.Status, diff)
	}
}

func (c contractCase) send(t *testing.T, base, secret string) (int, any) {
	t.Helper()
	method, path := http.MethodPost, "/actions/register-user"
	if c.Method != "" {
		method = c.Method
	}
	if c.Path != "" {
		path = c.Path
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	body := strings.Replace(c.Body, "<1 MiB>", strings.Repeat("x", 1<<20), 1)
	req, err := http.NewRequestWithContext(ctx, method, base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	switch c.Secret {
	case "wrong":
		req.Header.Set("X-Hasura-Admin-Secret", secret+"x")
	case "":
		req.Header.Set("X-Hasura-Admin-Secret", secret)
	}
	for name, value := range c.Headers {
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
	if resp.StatusCode == http.StatusRequestEntityTooLarge {
		// A server may hang up on a body that it has not read to the end, and not every one of them says so in its answer.
		defer http.DefaultClient.CloseIdleConnections()
	}
	for header, want := range map[string]string{
		"Content-Type": "application/json; charset=utf-8", "X-Content-Type-Options": "nosniff",
	} {
		if got := resp.Header.Get(header); got != want && c.Path != "/other" {
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
	maskedSeconds = regexp.MustCompile(`"retry_after": ?[1-9][0-9]*`)
)

// mask puts a word in the place of what differs from one run to the next.
func mask(text string) string {
	text = maskedID.ReplaceAllString(text, `"<id>"`)
	text = maskedTime.ReplaceAllString(text, "try again in <time>.")
	return maskedSeconds.ReplaceAllString(text, `"retry_after":"<seconds>"`)
}
