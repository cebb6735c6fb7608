package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

const (
	latencyRate   = 1000 // requests per second
	latencyFor    = 3 * time.Second
	latencyRounds = 5
)

// latency measures what the gateway adds to an answer's time at a constant rate of requests: they are sent when they are
// due, whether or not earlier ones are answered, and their time counts from then.
func (b *bench) latency() error {
	fmt.Printf("latency at %d requests per second, handler alone and through nself gateway, by turns\n", latencyRate)
	defer prefer()()
	folder, err := os.MkdirTemp("", "nself-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	if err := writeMetadata(folder, 1); err != nil {
		return err
	}
	handler, err := startSelf("handler", "serve-handler")
	if err != nil {
		return err
	}
	defer handler.stop()
	gateway, err := b.startGateway("gateway", folder, handler.addr)
	if err != nil {
		return err
	}
	defer gateway.stop()

	var direct, through, added [2][]float64 // p50 and p99 of each round, in milliseconds
	for range latencyRounds {
		alone, err := pace(handler.addr)
		if err != nil {
			return err
		}
		behind, err := pace(gateway.addr)
		if err != nil {
			return err
		}
		for i, percent := range []int{50, 99} {
			d, t := percentile(alone, percent), percentile(behind, percent)
			direct[i], through[i], added[i] = append(direct[i], d), append(through[i], t), append(added[i], t-d)
		}
	}
	row("p50", fmt.Sprintf("%.2f ms", middle(through[0])), fmt.Sprintf("handler alone %.2f ms", middle(direct[0])),
		fmt.Sprintf("%.2f ms added", middle(added[0])))
	b.limit("p99", fmt.Sprintf("%.2f ms", middle(through[1])), fmt.Sprintf("handler alone %.2f ms", middle(direct[1])),
		"%.2f ms added", middle(added[1]), 1)
	return nil
}

// pace sends requests at a constant rate and returns how long each took.
func pace(addr string) ([]time.Duration, error) {
	client := &fasthttp.HostClient{Addr: addr, MaxConns: 1000}
	defer client.CloseIdleConnections()
	const total = int(latencyRate * latencyFor / time.Second)
	took := make([]time.Duration, total)
	faults := make([]error, total)
	due := make(chan int, total)
	start := time.Now().Add(50 * time.Millisecond)
	at := func(i int) time.Time { return start.Add(time.Duration(i) * time.Second / latencyRate) }
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			req, resp := newRequest(addr), &fasthttp.Response{}
			req.SetBodyString(benchGraphQL)
			for i := range due {
				faults[i] = ask(client, req, resp)
				took[i] = time.Since(at(i))
			}
		})
	}
	for i := range total {
		pause(time.Until(at(i)))
		due <- i
	}
	close(due)
	wg.Wait()
	return took[total/10:], errors.Join(faults...) // the first ones opened connections
}

// percentile is in milliseconds.
func percentile(took []time.Duration, percent int) float64 {
	took = slices.Sorted(slices.Values(took))
	return millis(took[len(took)*percent/100])
}
