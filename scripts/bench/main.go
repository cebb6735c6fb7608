// Command bench measures nself and prints ratios, side by side in one run: machines are noisy, ratios less so.
//
// Usage: bench -nself PATH [build] [up] [gateway]
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"time"
)

func main() {
	nself := flag.String("nself", "bin/nself", "the nself to measure")
	runs := flag.Int("runs", 15, "runs per figure; the median counts")
	flag.Parse()
	if flag.NArg() == 1 && flag.Arg(0) == "serve-handler" {
		exit(serveHandler())
	}
	if flag.NArg() == 2 && flag.Arg(0) == "serve-proxy" {
		exit(serveProxy(flag.Arg(1), false))
	}
	if flag.NArg() == 2 && flag.Arg(0) == "serve-pooled-proxy" {
		exit(serveProxy(flag.Arg(1), true))
	}
	if flag.NArg() == 2 && flag.Arg(0) == "serve-gateway" {
		exit(serveGateway(flag.Arg(1)))
	}
	parts := flag.Args()
	if len(parts) == 0 {
		parts = []string{"build", "up", "gateway"}
	}
	b := &bench{nself: *nself, runs: *runs}
	for _, part := range parts {
		run, ok := map[string]func() error{"build": b.build, "up": b.up, "gateway": b.gateway}[part]
		if !ok {
			exit(fmt.Errorf("no part %q: the parts are build, up and gateway", part))
		}
		if err := run(); err != nil {
			exit(fmt.Errorf("%s: %w", part, err))
		}
	}
}

func exit(err error) {
	if err == nil {
		os.Exit(0)
	}
	fmt.Fprintln(os.Stderr, "bench:", err)
	os.Exit(1)
}

type bench struct {
	nself string
	runs  int
}

// row prints one figure beside its limit or its counterpart.
func row(what, measured, against, ratio string) {
	fmt.Printf("  %-24s %10s   %-46s %s\n", what, measured, against, ratio)
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }
