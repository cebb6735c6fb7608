package e2e

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// maxFaultMemory is what a gateway may need at its peak while handlers send it gigabytes.
const maxFaultMemory = 200 << 20

// faultyHandlers are handlers that misbehave, by the name of the action that calls them.
type faultyHandlers struct {
	*httptest.Server

	secure, refused *httptest.Server
	bomb            []byte
	hung            atomic.Int64 // calls that were left without an answer
	left            atomic.Int64 // those of them that the gateway has hung up
}

func startFaultyHandlers(t *testing.T) *faultyHandlers {
	t.Helper()
	h := &faultyHandlers{bomb: gzipBomb(t)}
	h.Server = httptest.NewServer(h)
	h.secure = httptest.NewUnstartedServer(h)
	h.secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	h.secure.StartTLS()
	h.refused = httptest.NewServer(nil)
	h.refused.Close()
	t.Cleanup(h.Close)
	t.Cleanup(h.secure.Close)
	return h
}

// gzipBomb is a gigabyte, compressed.
func gzipBomb(t *testing.T) []byte {
	t.Helper()
	var part bytes.Buffer
	z := gzip.NewWriter(&part)
	if _, err := z.Write(bytes.Repeat([]byte("1"), 64<<20)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return bytes.Repeat(part.Bytes(), 16) // gzip files one after another are a gzip file
}

// ServeHTTP implements [http.Handler].
func (h *faultyHandlers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // before this the server does not notice that the caller is gone
	switch r.URL.Path {
	case "/fine":
		fmt.Fprint(w, `"fine"`)
	case "/hangs":
		h.hang(r)
	case "/slow":
		fmt.Fprint(w, `"sl`)
		_ = http.NewResponseController(w).Flush()
		h.hang(r)
	case "/closes":
		h.cut(w, "HTTP/1.1 200 OK\r\nContent-Ty")
	case "/closesInBody":
		h.cut(w, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n\"clo")
	case "/gigabyte", "/gigabyteLater":
		w.Header().Set("Content-Length", "1073741824")
		sendGigabyte(w)
	case "/gigabyteInChunks":
		sendGigabyte(w)
	case "/gigabyteCompressed":
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(h.bomb)
	case "/loops":
		http.Redirect(w, r, "/loops", http.StatusTemporaryRedirect)
	}
}

// hang waits until the caller gives up.
func (h *faultyHandlers) hang(r *http.Request) {
	h.hung.Add(1)
	<-r.Context().Done()
	h.left.Add(1)
}

// cut sends text and closes the connection.
func (h *faultyHandlers) cut(w http.ResponseWriter, text string) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, text)
}

func sendGigabyte(w io.Writer) {
	part := bytes.Repeat([]byte("1"), 1<<20)
	for range 1 << 10 {
		if _, err := w.Write(part); err != nil {
			return
		}
	}
}

// TestGatewayFaults lets handlers misbehave in every way at once. Each client gets Hasura's error for it, within the
// action's timeout; other clients do not notice; connections, goroutines and memory are given back.
func TestGatewayFaults(t *testing.T) {
	t.Parallel()
	h := startFaultyHandlers(t)
	faults := map[string]string{ // what the internal part of the error says
		"slow": "Response timeout", "hangs": "Response timeout", "closes": "Incomplete headers",
		"closesInBody": "Response body too short. expected: 1000, actual: 4",
		"gigabyte":     "Response body too large. limit: 10485760", "gigabyteInChunks": "Response body too large. limit: 10485760",
		"gigabyteCompressed": "Response body too large. limit: 10485760", "loops": "Too many redirects: 11 redirects",
		"badCertificate": "Internal error: tls: failed to verify certificate: x509: ",
		"noSuchHost":     "Connection failure: dial tcp: lookup ", "refused": "Connection failure: dial tcp 127.0.0.1:",
	}
	urls := map[string]string{
		"badCertificate": h.secure.URL + "/fine", "noSuchHost": "http://no-such-host.invalid/x", "refused": h.refused.URL,
	}
	var sdl, yaml strings.Builder
	sdl.WriteString("type Mutation {\n  gigabyteLater: String\n")
	yaml.WriteString("actions:\n  - name: gigabyteLater\n    definition:\n" +
		"      kind: asynchronous\n      handler: " + h.URL + "/gigabyteLater\n")
	for name := range faults {
		if urls[name] == "" {
			urls[name] = h.URL + "/" + name
		}
	}
	urls["fine"] = h.URL + "/fine"
	for name, url := range urls {
		fmt.Fprintf(&sdl, "  %s: String\n", name)
		fmt.Fprintf(&yaml, "  - name: %s\n    definition:\n      kind: synchronous\n      handler: %s\n      timeout: 2\n", name, url)
	}
	sdl.WriteString("}\n")
	e := newEngine(t, "HASURA_GRAPHQL_METADATA_DIR="+actionsFolder(t, sdl.String(), yaml.String()))
	e.start()
	for range 20 {
		e.query("mutation { fine }")
	}
	http.DefaultClient.CloseIdleConnections()
	goroutines, files := e.metric("go_goroutines"), e.metric("process_open_fds")

	stop, others := make(chan struct{}), sync.WaitGroup{}
	var served atomic.Int64
	for range 2 {
		others.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				began := time.Now()
				if got := e.query("mutation { fine }"); got != `{"data":{"fine":"fine"}}` {
					t.Errorf("another client got %s", got)
				}
				if took := time.Since(began); took > enginePatience/2 {
					t.Errorf("another client waited for %s", took)
				}
				served.Add(1)
			}
		})
	}
	rounds := int64(0)
	for served.Load() < 100 && rounds < 10 { // one, unless the machine has no time for the others
		rounds++
		var callers sync.WaitGroup
		for name, want := range faults {
			for range 2 {
				callers.Go(func() {
					began := time.Now()
					wantFault(t, name, e.query("mutation { "+name+" }"), want)
					if took := time.Since(began); strings.HasSuffix(want, "timeout") && (took < 2*time.Second || took > enginePatience/2) {
						t.Errorf("%s: answered after %s, with a timeout of 2 s", name, took)
					}
				})
			}
		}
		callers.Wait()
	}
	close(stop)
	others.Wait()
	if served.Load() < 100 {
		t.Errorf("other clients got %d answers only", served.Load())
	}

	// The same for an asynchronous action, which nobody waits for. Its output is a scalar, so that the log tells.
	id := e.create("mutation { gigabyteLater }")
	eventually(t, "the asynchronous gigabyte has failed", func() bool {
		_, metrics := e.ask(http.MethodGet, "/metrics", "")
		return strings.Contains(metrics, `nself_action_log_entries{action="gigabyteLater",status="error"} 1`)
	})
	if peak := e.peakMemory(); peak > maxFaultMemory {
		t.Errorf("the gateway has taken %d MiB", peak>>20)
	} else {
		t.Logf("peak of memory %d MiB, %d answers to other clients meanwhile, asynchronous entry %s", peak>>20, served.Load(), id)
	}
	eventually(t, "the handlers' connections are closed", func() bool { return h.left.Load() == h.hung.Load() })
	eventually(t, "goroutines and files are given back", func() bool {
		http.DefaultClient.CloseIdleConnections()
		return e.metric("go_goroutines") <= goroutines+2 && e.metric("process_open_fds") <= files+2
	})
	if h.hung.Load() != 4*rounds {
		t.Errorf("%d calls hung, want %d: none is repeated", h.hung.Load(), 4*rounds)
	}
}

// wantFault checks the answer to a client whose handler could not be asked.
func wantFault(t *testing.T, name, answer, want string) {
	t.Helper()
	var got struct {
		Data   json.RawMessage
		Errors []struct {
			Message    string
			Extensions struct {
				Path, Code string
				Internal   struct {
					Error struct{ Type, Message string }
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(answer), &got); err != nil || len(got.Errors) != 1 || got.Data != nil {
		t.Errorf("%s: got %s", name, answer)
		return
	}
	e := got.Errors[0]
	if e.Message != "http exception when calling webhook" || e.Extensions.Code != "unexpected" || e.Extensions.Path != "$" ||
		e.Extensions.Internal.Error.Type != "http_exception" || !strings.HasPrefix(e.Extensions.Internal.Error.Message, want) {
		t.Errorf("%s: got %s, want %s", name, answer, want)
	}
}

// TestGatewayAbandonedCalls holds that a client that goes away does not end the call of a handler, which may be in the
// middle of something, and that the handler is called once.
func TestGatewayAbandonedCalls(t *testing.T) {
	t.Parallel()
	h := startHeldHandler(t)
	folder := actionsFolder(t, "type Mutation {\n  greet: String!\n}\n", "actions:\n  - name: greet\n    definition:\n"+
		"      kind: synchronous\n      handler: "+h.URL+"/greet\n")
	e := newEngine(t, "HASURA_GRAPHQL_METADATA_DIR="+folder)
	e.start()
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		_, _, err := e.send(ctx, http.MethodPost, "/v1/graphql", graphqlBody("mutation { greet }"))
		left <- err
	}()
	on := e.socket()
	on.subscribe("1", "mutation { greet }")
	h.await(t, "/greet", "/greet")
	files := e.metric("process_open_fds")
	leave()
	if err := <-left; err == nil {
		t.Error("the client has got an answer")
	}
	_ = on.conn.CloseNow()
	eventually(t, "the gateway has noticed", func() bool { return e.metric("process_open_fds") < files })
	close(h.release)
	eventually(t, "both calls have ended well", func() bool {
		_, metrics := e.ask(http.MethodGet, "/metrics", "")
		return strings.Contains(metrics, `nself_action_calls_total{action="greet",status="2xx"} 2`)
	})
	if len(h.calls) != 0 {
		t.Errorf("the handler was called again: %s", <-h.calls)
	}
}
