package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// The names of those that the gateway is compared with.
const (
	bareProxy   = "bare proxy"
	pooledProxy = "proxy with a pooled transport"
	apollo      = "Apollo Server"
)

// gateway measures nself gateway against the standard library's reverse proxy and against Apollo Server, in front of the
// same handler. What the gateway does for its time: authentication, validation, header rules, metrics, logs.
func (b *bench) gateway() error {
	fmt.Println("nself gateway, httputil.ReverseProxy and Apollo Server, same handler, processes of their own, by turns")
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
	var servers []*server
	defer func() { stopAll(servers) }()
	for _, start := range []func() (*server, error){
		func() (*server, error) { return b.startGateway("gateway", folder, handler.addr) },
		func() (*server, error) { return startSelf(bareProxy, "serve-proxy", handler.addr) },
		func() (*server, error) { return startSelf(pooledProxy, "serve-pooled-proxy", handler.addr) },
		func() (*server, error) { return b.startApollo(handler.addr) },
	} {
		s, err := start()
		switch {
		case errors.Is(err, exec.ErrNotFound):
			row(apollo, "skipped", err.Error(), "")
			continue
		case err != nil:
			return err
		}
		servers = append(servers, s)
	}
	loads, err := compare(servers, 9)
	if err != nil {
		return err
	}
	// The most that the gateway's CPU time per request may be of theirs.
	maxOf := map[string]float64{bareProxy: 0.45, apollo: 1.0 / 6}
	g := &loads[0]
	for i, other := range servers[1:] {
		name, l := other.name, &loads[i+1]
		mine, theirs := fmt.Sprintf("%.1f µs", middle(g.micros)), fmt.Sprintf("%s %.1f µs", name, middle(l.micros))
		if limit, limited := maxOf[name]; limited {
			b.limit("CPU per request", mine, theirs, "ratio %.3f", g.against(l, micros), limit)
		} else {
			row("CPU per request", mine, theirs, fmt.Sprintf("ratio %.3f", g.against(l, micros)))
		}
		row("requests per second", fmt.Sprintf("%.0f", middle(g.rate)), fmt.Sprintf("%s %.0f", name, middle(l.rate)),
			fmt.Sprintf("ratio %.2f", g.against(l, rate)))
	}
	return nil
}

// startApollo installs what the lock file names and runs it. The error is exec.ErrNotFound where Node.js is not there.
func (b *bench) startApollo(handler string) (*server, error) {
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, err
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		return nil, err
	}
	install := exec.Command(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
	install.Dir = filepath.Join(b.scripts, "apollo")
	if _, err := os.Stat(filepath.Join(install.Dir, "node_modules", "pino")); err != nil {
		if out, err := install.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("npm ci: %w\n%s", err, out)
		}
	}
	cmd := exec.Command(node, "server.mjs", handler)
	cmd.Dir = install.Dir
	cmd.Env = append(os.Environ(), "NODE_ENV=production", "BENCH_SECRET="+benchSecret)
	return startServer(apollo, cmd)
}
