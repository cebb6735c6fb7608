package main

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

const (
	loadRequests = 10000 // per round
	loadClients  = 16
	benchSecret  = "bench-secret"
)

// The one request that is measured: a mutation with an input object and an object answer, as the guide's.
const (
	benchGraphQL = `{"query":"mutation R($input: RegisterInput!) { register(input: $input) { success message user { id email name } } }",` +
		`"variables":{"input":{"email":"test@example.com","password":"password123","name":"Test User"}}}`
	benchAnswer = `{"success":true,"user":{"id":"2f1c6f5e-51a7-4d0a-9a35-0f5a7c7b9a11","email":"test@example.com","name":"Test User",` +
		`"email_verified":false},"message":"User registered successfully."}`
)

// load is what one server's requests cost, round by round.
type load struct {
	micros []float64 // CPU time of a request
	rate   []float64 // requests a second
}

// compare sends rounds of requests to the servers by turns, so that a noisy neighbour troubles all of them.
func compare(servers []*server, rounds int) ([]load, error) {
	loads := make([]load, len(servers))
	for round := range rounds + 1 {
		for i, s := range servers {
			cpu, wall, err := s.load()
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.name, err)
			}
			if round > 0 { // the first warms up
				loads[i].micros = append(loads[i].micros, float64(cpu.Microseconds())/loadRequests)
				loads[i].rate = append(loads[i].rate, loadRequests/wall.Seconds())
			}
		}
	}
	return loads, nil
}

// against is the median of the rounds' ratios.
func (l *load) against(other *load, of func(*load) []float64) float64 {
	var ratios []float64
	for i, v := range of(l) {
		ratios = append(ratios, v/of(other)[i])
	}
	return middle(ratios)
}

func micros(l *load) []float64 { return l.micros }
func rate(l *load) []float64   { return l.rate }

func middle(figures []float64) float64 {
	figures = slices.Sorted(slices.Values(figures))
	return figures[len(figures)/2]
}

// load sends one round of requests, and reads the CPU time that the process used for it.
func (s *server) load() (cpu, wall time.Duration, err error) {
	client := &fasthttp.HostClient{Addr: s.addr, MaxConns: loadClients}
	before, err := s.cpuTime()
	if err != nil {
		return 0, 0, err
	}
	start := time.Now()
	var wg sync.WaitGroup
	faults := make(chan error, loadClients)
	for worker := range loadClients {
		wg.Go(func() {
			req, resp := newRequest(s.addr), &fasthttp.Response{}
			req.SetBodyString(benchGraphQL)
			for i := worker; i < loadRequests; i += loadClients {
				if err := ask(client, req, resp); err != nil {
					faults <- err
					return
				}
			}
		})
	}
	wg.Wait()
	wall = time.Since(start)
	after, err := s.cpuTime()
	close(faults)
	client.CloseIdleConnections()
	return after - before, wall, errors.Join(err, <-faults)
}

// newRequest is the request without its body.
func newRequest(addr string) *fasthttp.Request {
	req := &fasthttp.Request{}
	req.SetRequestURI("http://" + addr + "/v1/graphql")
	req.Header.SetMethod(http.MethodPost)
	req.Header.SetContentType("application/json")
	req.Header.Set("X-Hasura-Admin-Secret", benchSecret)
	return req
}

// ask sends a request and checks the answer.
func ask(client *fasthttp.HostClient, req *fasthttp.Request, resp *fasthttp.Response) error {
	if err := client.Do(req, resp); err != nil {
		return err
	}
	if resp.StatusCode() != http.StatusOK || !strings.Contains(string(resp.Body()), `"success":true`) {
		return fmt.Errorf("answer %d: %s", resp.StatusCode(), resp.Body())
	}
	return nil
}
