package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

const (
	gatewayRequests = 20000 // per round
	gatewayClients  = 16
	gatewayRounds   = 5
	benchSecret     = "bench-secret"
)

// The one request that is measured: a mutation with an input object and an object answer, as the guide's.
const (
	benchGraphQL = `{"query":"mutation R($input: RegisterInput!) { register(input: $input) { success message user { id email name } } }",` +
		`"variables":{"input":{"email":"test@example.com","password":"password123","name":"Test User"}}}`
	benchAnswer = `{"success":true,"user":{"id":"2f1c6f5e-51a7-4d0a-9a35-0f5a7c7b9a11","email":"test@example.com","name":"Test User",` +
		`"email_verified":false},"message":"User registered successfully."}`
)

// gateway measures the engine against a bare httputil.ReverseProxy in front of the same handler.
func (b *bench) gateway() error {
	fmt.Println("gateway against httputil.ReverseProxy, same handler, processes of their own")
	handler, err := startSelf("serve-handler")
	if err != nil {
		return err
	}
	defer handler.stop()
	proxy, err := startSelf("serve-proxy", handler.addr)
	if err != nil {
		return err
	}
	defer proxy.stop()
	pooled, err := startSelf("serve-pooled-proxy", handler.addr)
	if err != nil {
		return err
	}
	defer pooled.stop()
	gateway, err := startSelf("serve-gateway", handler.addr)
	if err != nil {
		return err
	}
	defer gateway.stop()

	servers := []*server{gateway, proxy, pooled}
	loads := make([]load, len(servers))
	for round := range gatewayRounds + 1 {
		for i, s := range servers {
			one, err := s.load()
			if err != nil {
				return err
			}
			if round > 0 { // the first warms up
				loads[i].add(one)
			}
		}
	}
	g := &loads[0]
	for i, name := range []string{"bare proxy", "proxy with a pooled transport"} {
		p := &loads[i+1]
		row("CPU per request", fmt.Sprintf("%.1f µs", g.cpuMicros()), fmt.Sprintf("%s %.1f µs", name, p.cpuMicros()),
			fmt.Sprintf("ratio %.2f", g.cpuMicros()/p.cpuMicros()))
		row("requests per second", fmt.Sprintf("%.0f", g.rate()), fmt.Sprintf("%s %.0f", name, p.rate()),
			fmt.Sprintf("ratio %.2f", g.rate()/p.rate()))
	}
	return nil
}

// load is what some requests cost.
type load struct {
	requests int
	cpu      time.Duration
	wall     time.Duration
}

func (l *load) add(o load) {
	l.requests, l.cpu, l.wall = l.requests+o.requests, l.cpu+o.cpu, l.wall+o.wall
}

func (l *load) cpuMicros() float64 { return float64(l.cpu.Microseconds()) / float64(l.requests) }
func (l *load) rate() float64      { return float64(l.requests) / l.wall.Seconds() }

// server is a process of this program that serves on addr.
type server struct {
	cmd  *exec.Cmd
	in   io.Closer
	addr string
}

// startSelf runs this program in a serving role; its first line of output is its address.
func startSelf(args ...string) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, args...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, errors.Join(err, cmd.Process.Kill())
	}
	return &server{cmd: cmd, in: in, addr: strings.TrimSpace(line)}, nil
}

func (s *server) stop() {
	s.in.Close() // a serving process ends with its standard input
	_ = s.cmd.Wait()
}

// load sends one round of requests and reads the CPU time that the process used for it.
func (s *server) load() (load, error) {
	client := &fasthttp.HostClient{Addr: s.addr, MaxConns: gatewayClients}
	before, err := cpuTime(s.cmd.Process.Pid)
	if err != nil {
		return load{}, err
	}
	start := time.Now()
	var wg sync.WaitGroup
	faults := make(chan error, gatewayClients)
	for range gatewayClients {
		wg.Go(func() {
			req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
			req.SetRequestURI("http://" + s.addr + "/v1/graphql")
			req.Header.SetMethod(http.MethodPost)
			req.Header.SetContentType("application/json")
			req.Header.Set("X-Hasura-Admin-Secret", benchSecret)
			req.SetBodyString(benchGraphQL)
			for range gatewayRequests / gatewayClients {
				if err := client.Do(req, resp); err != nil {
					faults <- err
					return
				}
				if resp.StatusCode() != http.StatusOK || !strings.Contains(string(resp.Body()), `"success":true`) {
					faults <- fmt.Errorf("answer %d: %s", resp.StatusCode(), resp.Body())
					return
				}
			}
		})
	}
	wg.Wait()
	wall := time.Since(start)
	after, err := cpuTime(s.cmd.Process.Pid)
	close(faults)
	return load{requests: gatewayRequests, cpu: after - before, wall: wall}, errors.Join(err, <-faults)
}

// cpuTime reads a process's user and system time, in the kernel's ticks of 10 ms (proc(5)).
func cpuTime(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	var ticks int
	for _, field := range fields[11:13] { // utime, stime
		n, err := strconv.Atoi(field)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}

// serve prints its address, serves until standard input ends, and returns.
func serve(h http.Handler) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		srv.Close()
	}()
	if _, err := fmt.Fprintln(os.Stdout, l.Addr()); err != nil {
		return err
	}
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// serveHandler is a function service that answers at once.
func serveHandler() error {
	return serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, benchAnswer)
	}))
}

// serveProxy is the yardstick: the standard library's reverse proxy, bare, or with enough idle connections that it need
// not dial, which its default of two for each host makes it do under load.
func serveProxy(handler string, pooled bool) error {
	target, err := url.Parse("http://" + handler)
	if err != nil {
		return err
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	if pooled {
		proxy.Transport = &http.Transport{MaxIdleConnsPerHost: 4 * gatewayClients}
	}
	return serve(proxy)
}
