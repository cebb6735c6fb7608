package testenv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
)

// Proxy stands between the service and a server that a test wants to be down for a while. Down and Up may be called in
// any order.
type Proxy struct {
	// URL reaches the server through the proxy.
	URL string

	t               testing.TB
	address         string
	network, target string

	mu    sync.Mutex
	ln    net.Listener
	conns map[net.Conn]bool
}

// ProxyPostgres puts a Proxy before the Postgres at this URL.
func ProxyPostgres(t testing.TB, target string) *Proxy {
	t.Helper()
	cfg, err := pgx.ParseConfig(target)
	if err != nil {
		t.Fatal(err)
	}
	network, address := pgxAddress(cfg)
	p := newProxy(t, network, address)
	u := url.URL{Scheme: "postgres", Host: p.address, Path: "/" + cfg.Database, RawQuery: "sslmode=disable"}
	u.User = url.UserPassword(cfg.User, cfg.Password)
	p.URL = u.String()
	return p
}

// ProxyRedis puts a Proxy before the Redis at this URL.
func ProxyRedis(t testing.TB, target string) *Proxy {
	t.Helper()
	opts, err := redis.ParseURL(target)
	if err != nil {
		t.Fatal(err)
	}
	p := newProxy(t, opts.Network, opts.Addr)
	u := url.URL{Scheme: "redis", Host: p.address, Path: fmt.Sprintf("/%d", opts.DB), RawQuery: patient}
	if opts.Password != "" {
		u.User = url.UserPassword(opts.Username, opts.Password)
	}
	p.URL = u.String()
	return p
}

func pgxAddress(cfg *pgx.ConnConfig) (network, address string) {
	if len(cfg.Host) > 0 && cfg.Host[0] == '/' {
		return "unix", fmt.Sprintf("%s/.s.PGSQL.%d", cfg.Host, cfg.Port)
	}
	return "tcp", net.JoinHostPort(cfg.Host, strconv.Itoa(int(cfg.Port)))
}

func newProxy(t testing.TB, network, target string) *Proxy {
	t.Helper()
	p := &Proxy{t: t, network: network, target: target, conns: map[net.Conn]bool{}}
	for p.ln == nil {
		// While the proxy is down, an outgoing connection could take a port of the system's own choice.
		p.address = net.JoinHostPort("127.0.0.1", strconv.Itoa(10000+rand.IntN(5000))) //nolint:gosec // no secret
		ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", p.address)
		if err == nil {
			p.serve(ln)
		} else if !errors.Is(err, syscall.EADDRINUSE) {
			t.Fatal(err)
		}
	}
	t.Cleanup(p.Down)
	return p
}

// Up lets connections through, on the same port every time.
func (p *Proxy) Up() {
	p.t.Helper()
	p.serve(listen(p.t, p.address))
}

func (p *Proxy) serve(ln net.Listener) {
	p.mu.Lock()
	p.ln = ln
	p.mu.Unlock()
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go p.pass(conn)
		}
	}()
}

// Down refuses new connections and cuts those that exist.
func (p *Proxy) Down() {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.ln.Close()
	for conn := range p.conns {
		_ = conn.Close()
	}
	clear(p.conns)
}

func (p *Proxy) pass(client net.Conn) {
	defer client.Close()
	var d net.Dialer
	server, err := d.DialContext(p.t.Context(), p.network, p.target)
	if err != nil {
		return
	}
	defer server.Close()
	p.mu.Lock()
	p.conns[client], p.conns[server] = true, true
	p.mu.Unlock()
	done := make(chan struct{}, 2)
	for _, pair := range [][2]net.Conn{{client, server}, {server, client}} {
		go func() {
			_, _ = io.Copy(pair[0], pair[1])
			done <- struct{}{}
		}()
	}
	<-done
}

// listen opens a port that the system chose, or one that was open before.
func listen(t testing.TB, address string) net.Listener {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

func splitAddr(addr net.Addr) (string, int) {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return "", 0
	}
	return tcp.IP.String(), tcp.Port
}

// serveConns hands each connection to serve until the test ends.
func serveConns(t testing.TB, ln net.Listener, serve func(net.Conn)) {
	t.Helper()
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				continue
			}
			// A client that leaves its connection open must not keep the test from ending.
			context.AfterFunc(t.Context(), func() { _ = conn.Close() })
			wg.Go(func() {
				defer conn.Close()
				serve(conn)
			})
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		wg.Wait()
	})
}
