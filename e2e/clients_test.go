package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nself-org/nself/internal/testneeds"
	"github.com/nself-org/nself/internal/testports"
)

const clientsSecret = "clients-secret"

// The actions that the clients use. The role user may call all of them.
const (
	clientsSDL = `
type Query {
  greet(name: String!): Greeting
}

type Mutation {
  signUp(input: SignUpInput!): Account
  report(topic: String!): Report
}

input SignUpInput {
  email: String!
}

type Greeting {
  text: String!
}

type Account {
  id: ID!
  email: String!
}

type Report {
  url: String!
}
`
	clientsYAML = `
actions:
  - name: greet
    definition:
      kind: ""
      handler: '{{HANDLER}}/greet'
    permissions:
      - role: user
  - name: signUp
    definition:
      kind: synchronous
      handler: '{{HANDLER}}/sign-up'
    permissions:
      - role: user
  - name: report
    definition:
      kind: asynchronous
      handler: '{{HANDLER}}/report'
    permissions:
      - role: user
custom_types:
  input_objects:
    - name: SignUpInput
  objects:
    - name: Greeting
    - name: Account
    - name: Report
`
)

// TestClients runs clients that people use against nself gateway, with their own code and no tolerance of ours.
func TestClients(t *testing.T) {
	t.Parallel()
	dir := installClients(t)
	handler := httptest.NewServer(http.HandlerFunc(clientsHandler))
	t.Cleanup(handler.Close) // the subtests outlive this function
	url := startClientsGateway(t, handler.URL)
	scripts, err := filepath.Glob(filepath.Join(dir, "*.test.mjs"))
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, script := range scripts {
		name := filepath.Base(script)
		t.Run(strings.TrimSuffix(name, ".test.mjs"), func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), "node", "--test", "--test-reporter", "spec", "--test-timeout", "120000", name)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "GATEWAY_URL="+url, "ADMIN_SECRET="+clientsSecret, "NO_COLOR=1")
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s", err, out)
				return
			}
			t.Logf("%s", out)
		})
	}
}

// installClients installs what the lock file names, in a copy of the scripts' folder.
func installClients(t *testing.T) string {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		if onPath(program) {
			continue
		}
		testneeds.Missing(t, "%s is not installed", program)
	}
	dir := t.TempDir()
	entries, err := os.ReadDir("clients")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if entry.IsDir() {
			continue
		}
		data, err := os.ReadFile(filepath.Join("clients", entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, entry.Name()), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	install := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		testneeds.Missing(t, "npm ci: %v\n%s", err, out)
	}
	return dir
}

// startClientsGateway runs the built program and returns where it answers.
func startClientsGateway(t *testing.T, handler string) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range map[string]string{
		"version.yaml": "version: 3\n", "actions.graphql": clientsSDL, "actions.yaml": clientsYAML,
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	port := freePort(t)
	var log bytes.Buffer
	cmd := exec.Command(filepath.Join(binDir, "nself"), "gateway", "--metadata-dir", folder, "--server-host", "127.0.0.1",
		"--server-port", port)
	cmd.Env = append(os.Environ(), "HANDLER="+handler, "HASURA_GRAPHQL_ADMIN_SECRET="+clientsSecret)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("nself gateway: %v\n%s", err, &log)
		}
		if t.Failed() {
			t.Logf("%s", &log)
		}
	})
	healthy := func() bool {
		check := exec.CommandContext(t.Context(), filepath.Join(binDir, "nself"), "gateway", "healthcheck",
			"--url", "http://127.0.0.1:"+port+"/healthz")
		return check.Run() == nil
	}
	deadline := time.Now().Add(time.Minute)
	for !healthy() {
		if time.Now().After(deadline) {
			t.Fatal("nself gateway is not healthy after a minute")
		}
		wait(50 * time.Millisecond)
	}
	return "http://127.0.0.1:" + port
}

func freePort(t *testing.T) string {
	t.Helper()
	return strconv.Itoa(testports.Port(t))
}

// clientsHandler answers the actions of the clients.
func clientsHandler(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Input struct {
			Name, Topic string
			Input       struct{ Email string }
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	switch r.URL.Path {
	case "/greet":
		if body.Input.Name == "" {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"message":"the name is empty","extensions":{"code":"empty-name"}}`)
			return
		}
		fmt.Fprintf(w, `{"text":%q}`, "hello "+body.Input.Name)
	case "/sign-up":
		fmt.Fprintf(w, `{"id":"1","email":%q}`, body.Input.Input.Email)
	case "/report":
		pause := 300 * time.Millisecond // so that a subscription sees the action under way
		if body.Input.Topic == "slow" {
			pause = 20 * time.Second // also where the client is slow to ask; an action has 30 s
		}
		wait(pause)
		fmt.Fprintf(w, `{"url":%q}`, "https://reports.example.com/"+body.Input.Topic)
	default:
		http.NotFound(w, r)
	}
}
