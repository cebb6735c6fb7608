package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// engineSecret is the admin secret of the engines of these tests.
const engineSecret = "engine-secret"

// enginePatience bounds waits for something that is sure to happen; a loaded machine needs it.
const enginePatience = time.Minute

// engine is nself gateway, the built program, in a process of its own.
type engine struct {
	t    *testing.T
	url  string
	port string
	env  []string
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
	end  error         // how; to be read after that
	log  *engineLog
}

// engineLog is what engines say, one after another.
type engineLog struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *engineLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *engineLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// newEngine returns an engine that is not started yet. vars are variables of its environment, as NAME=value.
func newEngine(t *testing.T, vars ...string) *engine {
	t.Helper()
	port := freePort(t)
	e := &engine{t: t, port: port, url: "http://127.0.0.1:" + port, log: &engineLog{}}
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "HASURA_GRAPHQL_") {
			e.env = append(e.env, pair)
		}
	}
	e.env = append(e.env, "HASURA_GRAPHQL_ADMIN_SECRET="+engineSecret)
	e.env = append(e.env, vars...)
	t.Cleanup(func() {
		e.kill()
		if t.Failed() {
			t.Logf("the engine said:\n%s", tail([]byte(e.log.String())))
		}
	})
	return e
}

// launch starts the process and does not wait until it serves.
func (e *engine) launch() {
	e.t.Helper()
	e.cmd = exec.Command(filepath.Join(binDir, "nself"), "gateway", "--server-host", "127.0.0.1", "--server-port", e.port)
	e.cmd.Env, e.cmd.Stdout, e.cmd.Stderr = e.env, e.log, e.log
	if err := e.cmd.Start(); err != nil {
		e.t.Fatal(err)
	}
	cmd, done := e.cmd, make(chan struct{})
	e.done = done
	go func() {
		e.end = cmd.Wait()
		close(done)
	}()
}

// start starts the process and waits until it serves.
func (e *engine) start() {
	e.t.Helper()
	e.launch()
	eventually(e.t, "the engine serves", func() bool {
		select {
		case <-e.done:
			e.t.Fatalf("the engine has ended: %v", e.end)
		default:
		}
		_, body, err := e.send(e.t.Context(), http.MethodGet, "/v1/version", "")
		return err == nil && strings.Contains(body, "server_type")
	})
}

// kill ends the process as a power cut would, if it runs.
func (e *engine) kill() {
	if e.cmd == nil {
		return
	}
	_ = e.cmd.Process.Kill()
	<-e.done
	e.cmd = nil
}

// signal sends SIGTERM.
func (e *engine) signal() {
	e.t.Helper()
	if err := e.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		e.t.Fatal(err)
	}
}

// ended waits for the end of the process and returns its exit code.
func (e *engine) ended() int {
	e.t.Helper()
	select {
	case <-e.done:
	case <-time.After(enginePatience):
		e.t.Fatal("the engine does not end")
	}
	return e.cmd.ProcessState.ExitCode()
}

// send sends a request as an administrator.
func (e *engine) send(ctx context.Context, method, path, body string) (status int, answer string, err error) {
	req, err := http.NewRequestWithContext(ctx, method, e.url+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("X-Hasura-Admin-Secret", engineSecret)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

// ask sends a request that must be answered.
func (e *engine) ask(method, path, body string) (status int, answer string) {
	e.t.Helper()
	status, answer, err := e.send(e.t.Context(), method, path, body)
	if err != nil {
		e.t.Error(err)
	}
	return status, answer
}

// query sends a GraphQL request and returns the answer.
func (e *engine) query(text string) string {
	e.t.Helper()
	_, answer := e.ask(http.MethodPost, "/v1/graphql", graphqlBody(text))
	return answer
}

func graphqlBody(text string) string {
	body, _ := json.Marshal(map[string]string{"query": text}) // strings
	return string(body)
}

// create starts an asynchronous action and returns its id.
func (e *engine) create(text string) string {
	e.t.Helper()
	answer := e.query(text)
	id := entryID(answer)
	if id == "" {
		e.t.Fatalf("no id in %s", answer)
	}
	return id
}

// entryID finds the id of an asynchronous action in an answer.
func entryID(answer string) string { return strings.Trim(maskedID.FindString(answer), `"`) }

// metadata sends a command to the metadata API, which must succeed.
func (e *engine) metadata(command string) {
	e.t.Helper()
	if status, answer := e.ask(http.MethodPost, "/v1/metadata", command); status != http.StatusOK {
		e.t.Fatalf("%s: got %d %s", command, status, answer)
	}
}

// metric reads a value without labels from /metrics.
func (e *engine) metric(name string) float64 {
	e.t.Helper()
	_, text := e.ask(http.MethodGet, "/metrics", "")
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				e.t.Fatal(err)
			}
			return n
		}
	}
	e.t.Fatalf("no metric %s in\n%s", name, text)
	return 0
}

// peakMemory is the largest resident memory that the process had so far, in bytes; 0 where the system does not tell.
func (e *engine) peakMemory() int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", e.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "VmHWM:" {
			kib, _ := strconv.ParseInt(fields[1], 10, 64)
			return kib << 10
		}
	}
	return 0
}

// eventually waits until ready says so.
func eventually(t *testing.T, what string, ready func() bool) {
	t.Helper()
	for deadline := time.Now().Add(enginePatience); !ready(); wait(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s", what, enginePatience)
		}
	}
}

// engineSocket is a client on a WebSocket of an engine, in the protocol graphql-transport-ws, as an administrator.
type engineSocket struct {
	t    *testing.T
	conn *websocket.Conn
}

func (e *engine) socket() *engineSocket {
	e.t.Helper()
	conn, resp, err := websocket.Dial(e.t.Context(), "ws"+strings.TrimPrefix(e.url, "http")+"/v1/graphql",
		&websocket.DialOptions{Subprotocols: []string{"graphql-transport-ws"}})
	if err != nil {
		e.t.Fatal(err)
	}
	if resp.Body != nil {
		_ = resp.Body.Close()
	}
	e.t.Cleanup(func() { _ = conn.CloseNow() })
	s := &engineSocket{t: e.t, conn: conn}
	s.write(`{"type":"connection_init","payload":{"headers":{"X-Hasura-Admin-Secret":"` + engineSecret + `"}}}`)
	if got := s.next(); !strings.Contains(got, "connection_ack") {
		e.t.Fatalf("got %s", got)
	}
	return s
}

func (s *engineSocket) write(message string) {
	s.t.Helper()
	if err := s.conn.Write(s.t.Context(), websocket.MessageText, []byte(message)); err != nil {
		s.t.Fatal(err)
	}
}

// subscribe starts an operation.
func (s *engineSocket) subscribe(id, text string) {
	s.t.Helper()
	s.write(`{"type":"subscribe","id":"` + id + `","payload":` + graphqlBody(text) + `}`)
}

// read returns the next message that is no sign of life, or how the socket was closed.
func (s *engineSocket) read() (message string, err error) {
	ctx, cancel := context.WithTimeout(s.t.Context(), enginePatience)
	defer cancel()
	for {
		_, data, err := s.conn.Read(ctx)
		if err != nil || !bytes.HasPrefix(data, []byte(`{"type":"ping"`)) {
			return string(data), err
		}
	}
}

func (s *engineSocket) next() string {
	s.t.Helper()
	message, err := s.read()
	if err != nil {
		s.t.Fatal(err)
	}
	return message
}

// closed waits for the end of the socket and returns its code; messages before that are skipped.
func (s *engineSocket) closed() websocket.StatusCode {
	for {
		if _, err := s.read(); err != nil {
			return websocket.CloseStatus(err)
		}
	}
}

// actionsFolder writes metadata for --metadata-dir and returns its folder.
func actionsFolder(t *testing.T, sdl, yaml string) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range map[string]string{"version.yaml": "version: 3\n", "actions.graphql": sdl, "actions.yaml": yaml} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}
