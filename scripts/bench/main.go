// Command bench measures nself and prints ratios, side by side in one run: machines are noisy, ratios less so. What misses
// its limit is said so; with -strict it is a failure too.
//
// Usage: bench [-nself PATH] [-strict] [build] [up] [watch] [docker] [gateway] [latency] [scale] [memory]
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"time"
)

// part is one group of figures.
type part struct {
	name string
	run  func(*bench) error
}

func parts() []part {
	return []part{
		{"build", (*bench).build},
		{"up", (*bench).up},
		{"watch", (*bench).watch},
		{"docker", (*bench).docker},
		{"gateway", (*bench).gateway},
		{"latency", (*bench).latency},
		{"scale", (*bench).scale},
		{"memory", (*bench).memory},
	}
}

func main() {
	nself := flag.String("nself", "bin/nself", "the nself to measure")
	scripts := flag.String("scripts", "scripts/bench", "the folder of this program's source")
	runs := flag.Int("runs", 15, "runs per figure of build; the median counts")
	strict := flag.Bool("strict", false, "fail when a limit is missed")
	flag.Parse()
	if play, ok := roles()[flag.Arg(0)]; ok {
		exit(play(flag.Arg(1)))
	}
	for _, name := range flag.Args() {
		if !slices.ContainsFunc(parts(), func(p part) bool { return p.name == name }) {
			exit(fmt.Errorf("no part %q: the parts are build, up, watch, docker, gateway, latency, scale and memory", name))
		}
	}
	b := &bench{nself: *nself, scripts: *scripts, runs: *runs}
	for _, p := range parts() {
		if flag.NArg() > 0 && !slices.Contains(flag.Args(), p.name) {
			continue
		}
		if err := p.run(b); err != nil {
			exit(fmt.Errorf("%s: %w", p.name, err))
		}
	}
	if b.missed > 0 {
		fmt.Printf("%d figures miss their limit\n", b.missed)
		if *strict {
			os.Exit(1)
		}
	}
}

// roles are what this program does as a process of its own beside the measuring one.
func roles() map[string]func(handler string) error {
	return map[string]func(string) error{
		"serve-handler":      func(string) error { return serveHandler() },
		"serve-proxy":        func(handler string) error { return serveProxy(handler, false) },
		"serve-pooled-proxy": func(handler string) error { return serveProxy(handler, true) },
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
	nself   string
	scripts string
	runs    int
	missed  int // figures beyond their limit
}

// row prints one figure beside its counterpart.
func row(what, measured, against, ratio string) {
	fmt.Printf("  %-24s %10s   %-46s %s\n", what, measured, against, ratio)
}

// limit prints one figure beside the most it may be; format writes both. value is measured, or derived from it.
func (b *bench) limit(what, measured, against, format string, value, limit float64) {
	verdict := "ok"
	if value > limit {
		verdict = "MISSED"
		b.missed++
	}
	row(what, measured, against, fmt.Sprintf(format+", limit "+format+": %s", value, limit, verdict))
}

func median(d []time.Duration) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[len(d)/2]
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", millis(d)) }

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
