package gateway

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/nself-org/nself/internal/metadata"
)

// The benchmarks compare the CPU time that one process spends on a request: the gateway, which parses, checks, calls
// and projects, and a bare reverse proxy, which copies. Handler and load run in processes of their own, so that what
// is measured is the server alone:
//
//	go test -bench . -benchtime 50000x ./internal/gateway

const (
	benchRole  = "NSELF_BENCH_ROLE" // "handler" or "load": this test binary is a helper process
	benchReply = `{"id":"ord_000017","total":4200,"size":"LARGE","first":{"sku":"A-1"},` +
		`"lines":[{"sku":"A-1","qty":2},{"sku":"B-2","qty":1},{"sku":"C-3","qty":7}],"note":"thank you"}`
	benchQuery = `{"query":"mutation Order($items: [Item!]!, $note: String) { placeOrder(items: $items, note: $note) ` +
		`{ id total size lines { sku } } }","variables":{"items":[{"sku":"A-1","qty":2,"size":"LARGE"},` +
		`{"sku":"B-2","qty":1}],"note":"please wrap"},"operationName":"Order"}`
	benchConns = 16
)

func TestMain(m *testing.M) {
	switch os.Getenv(benchRole) {
	case "handler":
		benchHandler()
	case "load":
		benchLoad()
	case "sockets":
		benchSockets()
	default:
		os.Exit(m.Run())
	}
}

// benchHandler answers every request alike and prints its address.
func benchHandler() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(os.Stdout, listener.Addr())
	panic(fasthttp.Serve(listener, func(c *fasthttp.RequestCtx) {
		c.SetContentType("application/json")
		c.SetBodyString(benchReply)
	}))
}

// benchLoad sends as many requests as it is told, line by line, over kept connections.
func benchLoad() {
	client := &fasthttp.HostClient{Addr: os.Getenv("NSELF_BENCH_ADDR"), MaxConns: benchConns}
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		total, err := strconv.Atoi(in.Text())
		if err != nil {
			panic(err)
		}
		var wg sync.WaitGroup
		for worker := range benchConns {
			wg.Go(func() {
				req, resp := &fasthttp.Request{}, &fasthttp.Response{}
				req.SetRequestURI("http://" + client.Addr + os.Getenv("NSELF_BENCH_PATH"))
				req.Header.SetMethod(http.MethodPost)
				req.Header.SetContentType("application/json")
				req.Header.Set("X-Hasura-Role", "customer")
				req.Header.Set("X-Hasura-User-Id", "42")
				req.SetBodyString(benchQuery)
				for i := worker; i < total; i += benchConns {
					if err := client.Do(req, resp); err != nil || !strings.Contains(string(resp.Body()), "ord_000017") {
						panic(fmt.Sprint(err, resp.String()))
					}
				}
			})
		}
		wg.Wait()
		fmt.Fprintln(os.Stdout, "done")
	}
}

// helper starts this binary in a role and returns a way to talk to it line by line.
func helper(b *testing.B, role string, env ...string) (send func(string), receive func() string) {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), benchRole+"="+role), env...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	return func(s string) { fmt.Fprintln(in, s) }, func() string {
		if !lines.Scan() {
			b.Fatalf("the %s process ended", role)
		}
		return lines.Text()
	}
}

// cpuTime is what this process has used.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// measure drives handler with b.N requests and reports the CPU time of each.
func measure(b *testing.B, path string, handler http.Handler) {
	b.Helper()
	server := httptest.NewServer(handler)
	b.Cleanup(server.Close)
	send, receive := helper(b, "load", "NSELF_BENCH_ADDR="+server.Listener.Addr().String(), "NSELF_BENCH_PATH="+path)
	run := func(n int) {
		send(strconv.Itoa(n))
		receive()
	}
	run(500) // connections, caches
	before := cpuTime(b)
	b.ResetTimer()
	run(b.N)
	b.StopTimer()
	b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
}

// BenchmarkGateway writes its log, as a running gateway does.
func BenchmarkGateway(b *testing.B) {
	_, receive := helper(b, "handler")
	nowhere, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer nowhere.Close()
	e := newEngine(b, Options{Log: slog.New(slog.NewJSONHandler(nowhere, nil))}, shop("http://"+receive()))
	measure(b, "/v1/graphql", e.Handler())
}

// BenchmarkReverseProxy keeps as many connections as it uses, like the gateway.
func BenchmarkReverseProxy(b *testing.B) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = benchConns
	benchProxy(b, transport)
}

// BenchmarkReverseProxyAsItComes has the default transport, which keeps two connections to a host.
func BenchmarkReverseProxyAsItComes(b *testing.B) { benchProxy(b, nil) }

func benchProxy(b *testing.B, transport http.RoundTripper) {
	b.Helper()
	_, receive := helper(b, "handler")
	target, err := url.Parse("http://" + receive())
	if err != nil {
		b.Fatal(err)
	}
	measure(b, "/place-order", &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport: transport,
	})
}

// BenchmarkStage makes a snapshot of 10,000 actions with types of their own, and reports what it keeps.
func BenchmarkStage(b *testing.B) {
	const actions = 10000
	md := &metadata.Metadata{Version: 3}
	transform := json.RawMessage(`{"version":2,"template_engine":"Kriti","request_headers":{"add_headers":` +
		`{"X-Role":"{{$session_variables['x-hasura-role']}}"}}}`)
	for i := range actions {
		n := strconv.Itoa(i)
		text := []metadata.Field{{Name: "id", Type: "uuid!"}, {Name: "email", Type: "String!"}, {Name: "name", Type: "String"}}
		md.CustomTypes.InputObjects = append(md.CustomTypes.InputObjects, metadata.InputObject{Name: "In" + n, Fields: text})
		md.CustomTypes.Objects = append(md.CustomTypes.Objects, metadata.Object{Name: "Out" + n, Fields: text})
		md.Actions = append(md.Actions, metadata.Action{
			Name: "act" + n, Permissions: []metadata.Permission{{Role: "user"}},
			Definition: metadata.ActionDefinition{
				Handler: "http://localhost:3003/actions/act" + n, OutputType: "Out" + n, RequestTransform: transform,
				Arguments: []metadata.Argument{{Name: "input", Type: "In" + n + "!"}},
				Headers:   []metadata.Header{{Name: "X-Secret", Value: "s"}},
			},
		})
	}
	e := newEngine(b, Options{}, &metadata.Metadata{Version: 3})
	for b.Loop() {
		if _, err := e.Load(md); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	held := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	with := held()
	if _, err := e.Load(&metadata.Metadata{Version: 3}); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(with-held())/actions, "held-B/action")
	runtime.KeepAlive(md)
}
