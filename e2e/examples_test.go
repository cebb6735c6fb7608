package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/nself-org/nself/internal/cli"
	"github.com/nself-org/nself/internal/testports"
)

// exampleLimit bounds one example; installing the packages of a Python service is the longest.
const exampleLimit = 10 * time.Minute

// where says in which folder an example runs.
type where int

const (
	running where = iota // the project that runs, with the actions registerUser, processPayment and ping
	fresh                // a new project of its own, which does not run
	empty                // an empty folder
)

// example says how the example of a command's help is run, where that is not simply in the running project, to its end,
// with exit code 0.
type example struct {
	in     where
	before string // a shell script that puts in place what the example speaks of
	stdin  string
	keys   string // typed on a terminal of its own, instead of stdin
	until  string // what it prints when it works; it is then interrupted, as by Ctrl-C
	during string // a shell script that gives it something to print
	call   string // the action whose last call k3x9 stands for; registerUser when empty
	code   int    // the exit code that is right here
}

const declareInvoice = "nself action new createInvoice --sdl invoice.graphql --role user --header 'X-API-Key: {{API_KEY}}'"

// examples are those that need something. A line that no help shows fails the test.
var examples = map[string]example{ //nolint:gochecknoglobals // a constant table
	"nself action calls --follow --json": {until: `"action": *"ping"`, during: "nself action test ping --input '{\"text\":\"x\"}'"},
	"nself action check createInvoice --call": {before: "nself action show createInvoice || " + declareInvoice +
		" && nself config set API_KEY key && nself up"},
	`nself action import actions.graphql --runtime python`:                                                 {in: fresh, before: "cp invoice.graphql actions.graphql"},
	`nself action import openapi.yaml --prefix shop --role user`:                                           {in: fresh},
	`nself action import https://example.com/openapi.json listPets --base '{{PETS_URL}}' --dry-run`:        {in: fresh},
	`nself action import --hasura http://localhost:8080 --admin-secret "$SECRET"`:                          {in: fresh},
	"nself action modify createInvoice --sdl invoice.graphql":                                              {in: fresh, before: declareInvoice},
	"nself action modify createInvoice --timeout 60 --role clerk --remove-role user":                       {in: fresh, before: declareInvoice},
	"nself action modify createInvoice --header 'X-Request-ID: {{REQUEST_ID}}' --remove-header X-API-Key":  {in: fresh, before: declareInvoice},
	"nself action modify createInvoice --handler https://example.com/hooks/invoice":                        {in: fresh, before: declareInvoice},
	"nself action new registerUser --runtime golang":                                                       {in: fresh},
	"nself action new createInvoice --sdl invoice.graphql --role user":                                     {in: fresh},
	"echo 'ping(text: String!): String' | nself action new ping --sdl - --header 'X-API-Key: {{API_KEY}}'": {in: fresh},
	"nself action remove createInvoice":                                                                    {in: fresh, before: declareInvoice},
	"nself action rename createInvoice writeInvoice":                                                       {in: fresh, before: declareInvoice},

	"nself action replay last":                 {before: "nself action test ping --input '{\"text\":\"x\"}'; until nself action calls show last | grep -q ping; do sleep 0.1; done"},
	"nself action replay k3x9 --edit --direct": {call: "ping"},
	"nself action replay k3x9 --save-test":     {call: "ping"},
	"nself action test processPayment --input - --role user --user-id 6f1d7d3e-5c7b-4c39-9a53-0d6b4f1c2a10 -H 'X-Request-ID: 7'": {
		stdin: `{"input":{"amount":-1,"currency":"usd","customer_id":"7c0e1a3e-6f0b-4a5e-9df4-0f3a4c1d2b5e","payment_method_id":"pm_card_visa"}}`,
	},
	"nself build --check --diff":                                  {in: fresh, before: "nself build"},
	"nself build --keep docker-compose.yml":                       {in: fresh, before: "nself build && echo '# mine' >> docker-compose.yml"},
	"nself config set NESTJS_ENABLED true":                        {in: fresh},
	"nself config set --file .env NESTJS_PORT 3101":               {in: fresh},
	"openssl rand -hex 32 | nself config set POSTGRES_PASSWORD -": {in: fresh},
	"nself config validate --env prod --strict":                   {in: fresh, before: "nself config set HASURA_GRAPHQL_CORS_DOMAIN https://example.com"},
	"nself db dump before.sql":                                    {before: "rm -f before.sql"},
	"nself db restore before.sql":                                 {before: "nself db dump before.sql --force || nself db dump before.sql", keys: "yes\r"},
	"gunzip -c before.sql.gz | nself db restore - --yes":          {before: "nself db dump - | gzip > before.sql.gz"},
	"nself db migrate new create_invoices":                        {in: fresh},
	"nself db migrate redo":                                       {before: migrations},
	"nself db migrate down":                                       {before: migrations},
	"nself db migrate down 3":                                     {before: migrations},
	"nself db migrate status --check":                             {before: "nself db migrate up"},
	"nself db psql":                                               {stdin: "select 1;\n"},
	"nself db reset":                                              {keys: "shop\r"},
	"nself dev":                                                   {until: "Watching"},
	"nself dev | tee dev.log":                                     {until: "Watching"},
	"nself editor":                                                {in: fresh},
	"nself gateway --metadata-dir shop --admin-secret secret":     {in: empty, before: "nself init shop --runtime golang", until: "listening"},
	"HASURA_GRAPHQL_DATABASE_URL=postgres://localhost/shop nself gateway --server-port 8081": {in: fresh, until: "listening"},
	"nself init shop --runtime golang":                   {in: empty},
	"nself init --runtime golang,python --name shop-api": {in: empty},
	"nself init demo --runtime golang --example":         {in: empty},
	"nself init --wizard":                                {in: empty, stdin: "shop\nmy-shop\n"},
	"nself logs -f":                                      {until: `golang +\|`, during: "nself action test ping --input '{\"text\":\"x\"}'"},
	"nself test golang -- -run TestPing -v ./actions":    {in: fresh, before: "echo 'ping(text: String!): String' | nself action new ping --sdl -"},
	"nself test":                              {in: fresh, before: "nself build"},
	"nself test python --watch":               {in: fresh, before: "nself config set PYTHON_ENABLED true && nself build", until: `[0-9]+ passed`},
	"nself up --watch":                        {until: "Watching"},
	"nself upgrade --check":                   {in: fresh, before: "nself build"},
	"nself upgrade --diff":                    {in: fresh, before: "nself build"},
	"nself upgrade functions/golang/internal": {in: fresh, before: "nself build"},
}

// migrations applies three migrations that can be taken back.
const migrations = `for n in 1 2 3; do
  d=hasura/migrations/default/180000000000${n}_example; mkdir -p $d
  echo "CREATE TABLE example_$n (id int);" > $d/up.sql; echo "DROP TABLE example_$n;" > $d/down.sql
done; nself db migrate up`

// notRun are the examples that this test does not run, and why.
var notRun = map[string]string{} //nolint:gochecknoglobals // a constant table

// Every example of every command's help does what it says, on the built program with a project that runs. What cannot be
// taken literally here is replaced: addresses, ports and ids of calls.
//
//nolint:tparallel // the examples share one project, one after the other
func TestExamples(t *testing.T) {
	t.Parallel()
	requireServers(t)
	lines := exampleLines(t)
	x := newExampleProject(t)
	known := map[string]bool{}
	for _, line := range lines {
		known[line] = true
		if why, ok := notRun[line]; ok {
			t.Logf("not run: %s: %s", line, why)
			continue
		}
		t.Run(line, func(t *testing.T) { x.try(t, line, examples[line]) })
	}
	for line := range examples {
		if !known[line] {
			t.Errorf("no command's help shows %q any more", line)
		}
	}
	for line := range notRun {
		if !known[line] {
			t.Errorf("no command's help shows %q any more", line)
		}
	}
}

// exampleLines are the examples of all commands, each once. The lines of the program's own are one story, and one example.
// Those that stop the project come last.
func exampleLines(t *testing.T) []string {
	t.Helper()
	root := cli.Tree()
	story := make([]string, 0, 8)
	for line := range strings.Lines(root.Example) {
		story = append(story, strings.TrimSpace(line))
	}
	lines := []string{strings.Join(story, " && ")}
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Hidden || c.Name() == "help" || c.Name() == "completion" { // cobra's own
			return
		}
		if c != root {
			for line := range strings.Lines(c.Example) {
				if line = strings.TrimSpace(line); !slices.Contains(lines, line) {
					lines = append(lines, line)
				}
			}
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root)
	last := func(line string) int {
		if strings.HasPrefix(line, "nself down") {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(lines, func(a, b string) int { return last(a) - last(b) })
	return lines
}

// exampleProject is what the examples run in.
type exampleProject struct {
	dir      string // the running project
	files    string // what a new project gets: the files that examples name
	environ  []string
	engine   string // its address
	database string // and that of its database
	pets     string // the address of an OpenAPI document
	ports    []int  // free ones, for what the examples start besides
}

func newExampleProject(t *testing.T) *exampleProject {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(root, 0o755); err != nil { // Postgres runs as another user where the tests are root's
		t.Fatal(err)
	}
	doc, err := os.ReadFile(filepath.Join("testdata", "examples", "openapi.json"))
	if err != nil {
		t.Fatal(err)
	}
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(doc) }))
	t.Cleanup(api.Close)
	files, err := filepath.Abs(filepath.Join("testdata", "examples"))
	if err != nil {
		t.Fatal(err)
	}
	ports, err := testports.Free(2 * len(portKeys))
	if err != nil {
		t.Fatal(err)
	}
	x := &exampleProject{dir: filepath.Join(root, "shop"), files: files, pets: api.URL + "/openapi.json", ports: ports}
	home := filepath.Join(root, "home")
	if err := os.Mkdir(home, 0o755); err != nil {
		t.Fatal(err)
	}
	x.environ = append(goEnv(t), "HOME="+home, "NO_COLOR=1", "PATH="+binDir+string(os.PathListSeparator)+os.Getenv("PATH"),
		"DOCKER_HOST=unix://"+filepath.Join(root, "no-engine.sock"), "EDITOR=true", "VISUAL=true")
	t.Cleanup(func() { x.sh(t, root, "nself down --volumes -C shop") })
	x.must(t, root, "nself init shop --runtime golang && cp -r "+x.files+"/. shop")
	var env strings.Builder
	for i, key := range portKeys {
		fmt.Fprintf(&env, "nself config set %s %d\n", key, x.ports[i])
	}
	x.engine = fmt.Sprintf("http://localhost:%d", x.ports[0])
	x.must(t, x.dir, "set -e\n"+env.String()+`
nself action new registerUser
nself action new processPayment --role user
nself action new ping --sdl ping.graphql
cp ping.go functions/golang/actions/ping.go
mkdir -p hasura/seeds/default && cp users.sql hasura/seeds/default/users.sql
nself up --wait-timeout 5m`)
	secret := strings.TrimSpace(x.must(t, x.dir, "nself config get HASURA_GRAPHQL_ADMIN_SECRET --reveal"))
	x.environ = append(x.environ, "SECRET="+secret)
	password := strings.TrimSpace(x.must(t, x.dir, "nself config get POSTGRES_PASSWORD --reveal"))
	x.database = fmt.Sprintf("postgres://postgres:%s@localhost:%d/shop", url.QueryEscape(password), x.ports[1])
	return x
}

// goEnv is the environment of the tests without what would lead the program elsewhere, with the machine's caches.
func goEnv(t *testing.T) []string {
	t.Helper()
	environ := slices.DeleteFunc(os.Environ(), func(v string) bool {
		key, _, _ := strings.Cut(v, "=")
		return key == "HOME" || key == "PATH" || key == "DOCKER_HOST" || key == "CI" || strings.HasPrefix(key, "NSELF_") || strings.HasPrefix(key, "HASURA_")
	})
	for _, name := range []string{"GOMODCACHE", "GOCACHE"} {
		out, err := exec.CommandContext(t.Context(), "go", "env", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		environ = append(environ, name+"="+strings.TrimSpace(string(out)))
	}
	return environ
}

// try runs one example.
func (x *exampleProject) try(t *testing.T, line string, e example) {
	t.Helper()
	dir := x.dir
	story := strings.Contains(line, "cd shop && ")
	if story {
		e.in = empty
	}
	if e.in != running {
		dir = t.TempDir()
	}
	if e.in == fresh {
		x.must(t, dir, "nself init --runtime golang --name shop . && cp -r "+x.files+"/. .")
	}
	if e.before != "" {
		x.must(t, dir, e.before)
	}
	environ := x.environ
	if story { // it starts another project, beside the one that runs
		for i, key := range portKeys {
			environ = append(slices.Clip(environ), fmt.Sprintf("%s=%d", key, x.ports[len(portKeys)+i]))
		}
		defer func() { x.run(t, filepath.Join(dir, "shop"), "nself down --volumes", "", environ) }()
	}
	if strings.Contains(line, "nself gateway") { // the port that the engine takes when none is named
		port := x.ports[len(portKeys)]
		if strings.HasSuffix(line, "healthcheck") {
			port = x.ports[0]
		}
		environ = append(slices.Clip(environ), fmt.Sprintf("HASURA_GRAPHQL_SERVER_PORT=%d", port))
	}
	shell := strings.NewReplacer("postgres://localhost/shop", x.database, "https://hasura.example.com", x.engine, "http://localhost:8080", x.engine,
		"https://example.com/openapi.json", x.pets, "--server-port 8081", fmt.Sprintf("--server-port %d", x.ports[len(portKeys)+1])).Replace(line)
	if strings.Contains(line, "k3x9") {
		shell = strings.ReplaceAll(shell, "k3x9", x.lastCall(t, e.call))
	}
	if e.keys != "" {
		shell, e.stdin = "script -qec "+quote(shell)+" /dev/null", e.keys
	}
	if e.until != "" {
		x.interrupt(t, dir, shell, e, environ)
		return
	}
	out, code := x.run(t, dir, shell, e.stdin, environ)
	if code != e.code {
		t.Errorf("exit code %d, want %d:\n%s", code, e.code, out)
	}
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// lastCall is the id of an action's last call.
func (x *exampleProject) lastCall(t *testing.T, action string) string {
	t.Helper()
	input := `'{"text":"x"}'`
	if action == "" {
		action, input = "registerUser", "@input.json"
	}
	x.must(t, x.dir, "nself action test "+action+" --input "+input)
	var calls []struct {
		ID string `json:"id"`
	}
	for deadline := time.Now().Add(time.Minute); ; { // the engine writes a call down after it has answered
		out, code := x.run(t, x.dir, "nself action calls "+action+" --json 2>/dev/null", "", x.environ)
		if code == 0 && json.Unmarshal([]byte(out), &calls) == nil && len(calls) > 0 {
			return calls[len(calls)-1].ID
		}
		if time.Now().After(deadline) {
			t.Fatalf("no call of %s is kept:\n%s", action, out)
		}
		wait(50 * time.Millisecond)
	}
}

func (x *exampleProject) sh(t *testing.T, dir, script string) (string, int) {
	t.Helper()
	return x.run(t, dir, script, "", x.environ)
}

func (x *exampleProject) must(t *testing.T, dir, script string) string {
	t.Helper()
	out, code := x.sh(t, dir, script)
	if code != 0 {
		t.Fatalf("%s: exit code %d:\n%s", script, code, out)
	}
	return out
}

// run runs a shell script to its end and returns what it printed and its exit code.
func (x *exampleProject) run(t *testing.T, dir, script, stdin string, environ []string) (string, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), exampleLimit) // also when the test is cleaned up
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", "set -o pipefail\n"+script)
	cmd.Dir, cmd.Env, cmd.Stdin = dir, environ, strings.NewReader(stdin)
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// interrupt runs an example that goes on until somebody ends it: waits until it prints what it should, and presses Ctrl-C.
func (x *exampleProject) interrupt(t *testing.T, dir, script string, e example, environ []string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-c", "set -o pipefail\n"+script)
	var out lockedBuffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, environ, &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C reaches all that the line has started
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	want := regexp.MustCompile(e.until)
	for deadline := time.Now().Add(exampleLimit); !want.MatchString(out.String()); {
		select {
		case err := <-ended:
			t.Fatalf("ended by itself (%v) before it printed %q:\n%s", err, e.until, out.String())
		default:
		}
		if time.Now().After(deadline) {
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			t.Fatalf("did not print %q:\n%s", e.until, out.String())
		}
		if e.during != "" {
			x.sh(t, dir, e.during)
		}
		wait(100 * time.Millisecond)
	}
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(time.Minute):
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		t.Fatalf("did not end within a minute of Ctrl-C:\n%s", out.String())
	}
	if code := cmd.ProcessState.ExitCode(); code != 0 && code != 130 {
		t.Errorf("exit code %d after Ctrl-C:\n%s", code, out.String())
	}
}

// lockedBuffer is a buffer that can be read while a program writes to it.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
