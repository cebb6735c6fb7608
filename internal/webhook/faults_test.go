package webhook

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nself-org/nself/internal/testports"
)

// patience bounds waits of tests; a loaded machine needs it.
const patience = 60 * time.Second

// cutOffAfter is the timeout of calls whose handler never answers. On a busy machine a connection may take a good part of it,
// and a call that has none in time ends with another error.
const cutOffAfter = 2 * time.Second

// rawHandler accepts connections and gives each to talk, after it has read the head of the request. What talk leaves open
// is closed with the test.
func rawHandler(t *testing.T, talk func(c net.Conn)) (url string) {
	t.Helper()
	return rawServer(t, func(c net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			talk(c)
		}
	})
}

func rawServer(t *testing.T, talk func(c net.Conn)) (url string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(wg.Wait)
	t.Cleanup(func() { _ = ln.Close() })
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer func() { _ = c.Close() }()
				talk(c)
			})
		}
	})
	return "http://" + ln.Addr().String()
}

// write sends text and closes the connection, by returning.
func write(text string) func(net.Conn) {
	return func(c net.Conn) { _, _ = io.WriteString(c, text) }
}

// writeAndHang sends text and waits until the caller is gone.
func writeAndHang(text string) func(net.Conn) {
	return func(c net.Conn) {
		_, _ = io.WriteString(c, text)
		_, _ = io.Copy(io.Discard, c)
	}
}

// trickle sends a byte every few milliseconds, without end.
func trickle(head string) func(net.Conn) {
	return func(c net.Conn) {
		text := head
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			if _, err := io.WriteString(c, text); err != nil {
				return
			}
			text = "1"
			<-tick.C
		}
	}
}

// TestFaults holds that a handler that misbehaves costs its own call, no longer than the timeout, and leaves nothing open.
func TestFaults(t *testing.T) {
	t.Parallel()
	nobody := net.JoinHostPort("127.0.0.1", strconv.Itoa(testports.Port(t))) // no other test comes to listen there
	secure := func(url string) string { return "https" + strings.TrimPrefix(url, "http") }
	const head = "HTTP/1.1 200 OK\r\nX-Secret: secret-word\r\n"
	for name, c := range map[string]struct {
		url     string
		want    string
		timeout bool
	}{
		"refused":           {"http://" + nobody, "Connection failure: dial tcp " + nobody + ": connect: connection refused", false},
		"no such host":      {"http://no-such-host.invalid", "Connection failure: dial tcp: lookup no-such-host.invalid", false},
		"closes at once":    {rawHandler(t, write("")), "No response data received", false},
		"closes in headers": {rawHandler(t, write(head)), "Incomplete headers", false},
		"closes in body":    {rawHandler(t, write(head+"Content-Length: 10\r\n\r\n123")), "Response body too short. expected: 10, actual: 3", false},
		"closes in a chunk": {rawHandler(t, write(head+"Transfer-Encoding: chunked\r\n\r\n5\r\n123")), "Invalid chunk headers", false},
		"closes in chunks":  {rawHandler(t, write(head+"Transfer-Encoding: chunked\r\n\r\n3\r\n123\r\n")), "Invalid chunk headers", false},
		"bad chunk":         {rawHandler(t, write(head+"Transfer-Encoding: chunked\r\n\r\nxyz\r\n123\r\n")), "Invalid chunk headers", false},
		"no HTTP":           {rawHandler(t, write("secret-word\r\n\r\n")), "Invalid Header", false},
		"long headers":      {rawHandler(t, write(head+"X-Long: "+strings.Repeat("x", maxHeaderBytes)+"\r\n\r\n1")), "Overlong headers", false},
		"many headers":      {rawHandler(t, write(head+strings.Repeat("X-More: y\r\n", 2000)+"\r\n1")), "Overlong headers", false},
		"no gzip":           {rawHandler(t, write(head+"Content-Encoding: gzip\r\nContent-Length: 11\r\n\r\nsecret-word")), "HTTP zlib error: gzip: invalid header", false},
		"too large":         {rawHandler(t, writeAndHang(head+"Content-Length: 1001\r\n\r\n")), "Response body too large. limit: 1000", false},
		"large chunks":      {rawHandler(t, writeAndHang(head+"Transfer-Encoding: chunked\r\n\r\n3e9\r\n")), "Response body too large. limit: 1000", false},
		"without end":       {rawHandler(t, writeAndHang(head+"\r\n"+strings.Repeat("1", 2000))), "Response body too large. limit: 1000", false},
		"hangs":             {rawHandler(t, writeAndHang("")), "Response timeout", true},
		"hangs in headers":  {rawHandler(t, writeAndHang(head)), "Response timeout", true},
		"hangs in body":     {rawHandler(t, writeAndHang(head+"Content-Length: 10\r\n\r\n123")), "Response timeout", true},
		"hangs in chunks":   {rawHandler(t, writeAndHang(head+"Transfer-Encoding: chunked\r\n\r\n5\r\n123")), "Response timeout", true},
		"trickles headers":  {rawHandler(t, trickle(head+"X-A: ")), "Response timeout", true},
		"trickles a body":   {rawHandler(t, trickle(head+"Content-Length: 900\r\n\r\n")), "Response timeout", true},
		"only interim":      {rawHandler(t, writeAndHang(strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 5))), "Response timeout", true},
		"handshake hangs":   {secure(rawServer(t, writeAndHang(""))), "Connection timeout", true},
		"handshake closed":  {secure(rawServer(t, write(""))), "Internal error: ", false},
		"no TLS":            {secure(rawServer(t, write(head+"\r\n"))), "Internal error: tls: first record does not look like a TLS handshake", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := NewClient(Options{MaxResponseBytes: 1000})
			target, err := client.Target(c.url)
			if err != nil {
				t.Fatal(err)
			}
			timeout := patience
			if c.timeout {
				timeout = cutOffAfter
			}
			began := time.Now()
			_, err = client.Do(t.Context(), &Request{Target: target, Body: []byte("{}"), Timeout: timeout})
			failed, ok := errors.AsType[*Error](err)
			if !ok || failed.Timeout != c.timeout || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if ok && strings.Contains(err.Error(), "secret-word") {
				t.Errorf("the handler's words are in the error: %v", err)
			}
			if took := time.Since(began); took > patience/2 || c.timeout && took < timeout {
				t.Errorf("it took %s, with a timeout of %s", took, timeout)
			}
			client.Close()
			wantOpen(t, client, 0)
		})
	}
}

// wantOpen checks how many connections a client has.
func wantOpen(t *testing.T, c *Client, want int) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.open) != want {
		t.Errorf("%d connections are open, want %d", len(c.open), want)
	}
}

// TestOddAnswers holds what is understood though it is unusual.
func TestOddAnswers(t *testing.T) {
	t.Parallel()
	cookies := strings.Repeat("Set-Cookie: "+strings.Repeat("x", 3000)+"\r\n", 4)
	for name, c := range map[string]struct {
		talk   func(net.Conn)
		status int
		body   string
	}{
		"interim answers": {write("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1"), 200, "1"},
		"long headers":    {write("HTTP/1.1 200 OK\r\n" + cookies + "Content-Length: 1\r\n\r\n1"), 200, "1"},
		"no length":       {write("HTTP/1.0 200 OK\r\n\r\n123"), 200, "123"},
		"trailer":         {write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n1\r\n0\r\nX-T: y\r\n\r\n"), 200, "1"},
		"no content":      {write("HTTP/1.1 204 No Content\r\n\r\n"), 204, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := NewClient(Options{})
			target, err := client.Target(rawHandler(t, c.talk))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := client.Do(t.Context(), &Request{Target: target, Timeout: patience})
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Release()
			if resp.Status != c.status || string(resp.Body) != c.body {
				t.Errorf("got %d %q, want %d %q", resp.Status, resp.Body, c.status, c.body)
			}
			client.Close()
			wantOpen(t, client, 0)
		})
	}
}

// TestRefusedUnread holds that the answer of a handler counts that refuses a body without reading it.
func TestRefusedUnread(t *testing.T) {
	t.Parallel()
	url := rawHandler(t, func(c net.Conn) {
		_, _ = io.WriteString(c, "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
		_ = c.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, c) // or the system would throw the answer away with the rest of the request
	})
	client := NewClient(Options{})
	target, err := client.Target(url)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(t.Context(), &Request{Target: target, Body: make([]byte, 8<<20), Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Release()
	if resp.Status != http.StatusRequestEntityTooLarge {
		t.Errorf("got %d", resp.Status)
	}
}

// TestUnaskedAnswer holds that bytes which a handler sends beyond its answer are not taken for the next call's answer.
func TestUnaskedAnswer(t *testing.T) {
	t.Parallel()
	for name, pause := range map[string]bool{"at once": false, "later": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sent, read := make(chan struct{}, 8), make(chan struct{}, 8)
			url := rawHandler(t, func(c net.Conn) {
				const mine, other = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmine", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother"
				if !pause {
					_, _ = io.WriteString(c, mine+other)
				} else {
					_, _ = io.WriteString(c, mine)
					<-read
					_, _ = io.WriteString(c, other)
				}
				sent <- struct{}{}
				_, _ = io.Copy(io.Discard, c)
			})
			client := NewClient(Options{})
			defer client.Close()
			target, err := client.Target(url)
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				resp, err := client.Do(t.Context(), &Request{Target: target, Timeout: patience})
				if err != nil {
					t.Fatal(err)
				}
				if string(resp.Body) != "mine" {
					t.Errorf("got %q", resp.Body)
				}
				resp.Release()
				read <- struct{}{}
				<-sent
			}
		})
	}
}

// TestRedirectLoop holds that a handler that sends callers in circles is left after ten redirects.
func TestRedirectLoop(t *testing.T) {
	t.Parallel()
	calls := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls++
		w.Header().Set("Location", "/"+strconv.Itoa(calls))
		w.WriteHeader(http.StatusTemporaryRedirect)
	}))
	defer s.Close()
	client := NewClient(Options{})
	target, err := client.Target(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Do(t.Context(), &Request{Target: target, Body: []byte("{}")})
	if err == nil || err.Error() != "Too many redirects: 11 redirects" || calls != 11 {
		t.Errorf("got %v after %d calls", err, calls)
	}
	client.Close()
	wantOpen(t, client, 0)
}

// TestCutOff holds that a call ends at once when its context does or the client is aborted, wherever it is, that the
// handler can notice it, and that others go on.
func TestCutOff(t *testing.T) {
	t.Parallel()
	for name, scheme := range map[string]string{"in the answer": "http", "in the handshake": "https"} {
		for how, abort := range map[string]bool{"context": false, "abort": true} {
			t.Run(name+" by "+how, func(t *testing.T) {
				t.Parallel()
				reached, left := make(chan struct{}, 1), make(chan struct{})
				url := rawServer(t, func(c net.Conn) {
					buf := make([]byte, 1024)
					_, _ = c.Read(buf)
					reached <- struct{}{}
					_, _ = io.Copy(io.Discard, c)
					close(left)
				})
				client := NewClient(Options{})
				target, err := client.Target(scheme + strings.TrimPrefix(url, "http"))
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				go func() {
					<-reached
					if abort {
						client.Abort()
					} else {
						cancel(errors.New("enough"))
					}
				}()
				_, err = client.Do(ctx, &Request{Target: target, Timeout: time.Hour})
				want := "Call given up: enough"
				if abort {
					want = "Call given up: the gateway is shutting down"
				}
				if err == nil || err.Error() != want {
					t.Errorf("got %v, want %s", err, want)
				}
				<-left
				wantOpen(t, client, 0)
				if abort {
					if _, err := client.Do(t.Context(), &Request{Target: target}); err == nil || err.Error() != want {
						t.Errorf("after the end: got %v", err)
					}
				}
			})
		}
	}
}

// TestIdleConnections holds that unused connections are closed, those used last included, and that a call after that gets
// a new one.
func TestIdleConnections(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "1") }))
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	client := NewClient(Options{TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}})
	target, err := client.Target(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	call := func() {
		resp, err := client.Do(t.Context(), &Request{Target: target, Timeout: patience})
		if err != nil {
			t.Error(err)
			return
		}
		resp.Release()
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(call)
	}
	wg.Wait()
	deadline := time.Now().Add(patience)
	for open := 1; open > 0; {
		if time.Now().After(deadline) {
			t.Fatalf("%d connections are still open", open)
		}
		<-time.After(50 * time.Millisecond)
		client.mu.Lock()
		open = len(client.open)
		client.mu.Unlock()
	}
	call()
	client.Close()
	wantOpen(t, client, 0)
}

// TestCallsPerHost holds that calls beyond the bound wait for others to end, within their timeout.
func TestCallsPerHost(t *testing.T) {
	t.Parallel()
	client := NewClient(Options{})
	target, err := client.Target(rawHandler(t, write("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1")))
	if err != nil {
		t.Fatal(err)
	}
	for range maxConnsPerHost {
		target.host.calls <- struct{}{}
	}
	_, err = client.Do(t.Context(), &Request{Target: target, Timeout: 50 * time.Millisecond})
	if err == nil || err.Error() != "Connection timeout" {
		t.Errorf("got %v", err)
	}
	go func() { <-target.host.calls }()
	resp, err := client.Do(t.Context(), &Request{Target: target, Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	resp.Release()
}

// TestLaxTarget holds that a certificate which nobody has issued is taken where that is allowed, but none that has expired.
func TestLaxTarget(t *testing.T) {
	t.Parallel()
	for name, expired := range map[string]bool{"valid": false, "expired": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "1") }))
			s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
			s.TLS = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{selfSigned(t, expired)}}
			s.StartTLS()
			defer s.Close()
			client := NewClient(Options{})
			defer client.Close()
			strict, err := client.Target(s.URL)
			if err != nil {
				t.Fatal(err)
			}
			lax, err := client.LaxTarget(s.URL)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := client.Do(t.Context(), &Request{Target: lax, Timeout: patience})
			if (err != nil) != expired || expired && !strings.Contains(err.Error(), "expired") {
				t.Errorf("lax: got %v", err)
			}
			resp.Release()
			if _, err := client.Do(t.Context(), &Request{Target: strict, Timeout: patience}); err == nil {
				t.Error("the strict target trusts it too")
			}
		})
	}
}

// selfSigned makes a certificate for a name that nobody calls.
func selfSigned(t *testing.T, expired bool) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"handler.invalid"}, NotBefore: now.Add(-2 * time.Hour), NotAfter: now.Add(time.Hour),
	}
	if expired {
		template.NotAfter = now.Add(-time.Hour)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// TestClosedWhileIdle holds that a connection that the handler has closed in the meantime is noticed before anything is
// sent, also under TLS, which says goodbye first.
func TestClosedWhileIdle(t *testing.T) {
	t.Parallel()
	for name, secure := range map[string]bool{"http": false, "https": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			closed := make(chan struct{}, 16)
			s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "1") }))
			s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
				if state == http.StateClosed {
					closed <- struct{}{}
				}
			}
			if secure {
				s.StartTLS()
			} else {
				s.Start()
			}
			defer s.Close()
			client := NewClient(Options{})
			defer client.Close()
			target, err := client.LaxTarget(s.URL)
			if err != nil {
				t.Fatal(err)
			}
			for range 10 {
				resp, err := client.Do(t.Context(), &Request{Target: target, Timeout: patience})
				if err != nil {
					t.Fatal(err)
				}
				resp.Release()
				s.CloseClientConnections()
				<-closed
			}
		})
	}
}
