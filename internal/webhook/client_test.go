package webhook

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// echoServer counts connections and answers with method, path and body.
func echoServer(t *testing.T, secure bool) (s *httptest.Server, opened *atomic.Int64) {
	t.Helper()
	opened = new(atomic.Int64)
	s = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Add("Set-Cookie", "a=1")
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, r.Method+" "+r.URL.String()+" "+r.Header.Get("X-A")+" "+string(body))
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	if secure {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s, opened
}

func call(t *testing.T, c *Client, url, body string) string {
	t.Helper()
	target, err := c.Target(url)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(t.Context(), &Request{Target: target, Header: []Field{{"X-A", "b"}}, Body: []byte(body)})
	if err != nil {
		t.Error(err)
		return ""
	}
	defer resp.Release()
	if resp.Status != http.StatusTeapot || strings.Join(resp.SetCookies(), "|") != "a=1" {
		t.Errorf("got status %d, cookies %q", resp.Status, resp.SetCookies())
	}
	return string(resp.Body)
}

// TestConnectionsAreKept holds that calls one after another share a connection, also under TLS, where the server sends
// session tickets that the look at an idle connection must not mistake for its end.
func TestConnectionsAreKept(t *testing.T) {
	t.Parallel()
	for name, secure := range map[string]bool{"http": false, "https": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, opened := echoServer(t, secure)
			o := Options{}
			if secure {
				pool := x509.NewCertPool()
				pool.AddCert(s.Certificate())
				o.TLS = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
			}
			c := NewClient(o)
			t.Cleanup(c.Close)
			for range 5 {
				if got := call(t, c, s.URL+"/x?y=z", `{"a":1}`); got != `POST /x?y=z b {"a":1}` {
					t.Errorf("got %s", got)
				}
			}
			if n := opened.Load(); n != 1 {
				t.Errorf("%d connections were opened, want 1", n)
			}
		})
	}
}

// TestUnknownAuthority holds that certificates are checked.
func TestUnknownAuthority(t *testing.T) {
	t.Parallel()
	s, _ := echoServer(t, true)
	s.Config.ErrorLog = nil
	c := NewClient(Options{})
	target, err := c.Target(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Do(t.Context(), &Request{Target: target, Timeout: 5 * time.Second})
	failed, ok := errors.AsType[*Error](err)
	if !ok || failed.Timeout || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("got %v, want an error about the certificate", err)
	}
}

// TestConcurrentCalls holds that answers are not mixed up.
func TestConcurrentCalls(t *testing.T) {
	t.Parallel()
	s, _ := echoServer(t, false)
	c := NewClient(Options{})
	t.Cleanup(c.Close)
	var wg sync.WaitGroup
	for worker := range 16 {
		wg.Go(func() {
			body := strings.Repeat(string(rune('a'+worker)), 1+worker*500)
			for range 20 {
				if got := call(t, c, s.URL, body); got != "POST / b "+body {
					t.Errorf("got %.40s..., want %.40s...", got, body)
				}
			}
		})
	}
	wg.Wait()
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	done := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		// The header arrives in time; the timeout covers the body too.
		w.Header().Set("Content-Length", "10")
		_, _ = io.WriteString(w, "1")
		_ = http.NewResponseController(w).Flush()
		<-done
	}))
	t.Cleanup(s.Close)
	t.Cleanup(func() { close(done) })
	c := NewClient(Options{})
	target, err := c.Target(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	_, err = c.Do(t.Context(), &Request{Target: target, Timeout: cutOffAfter})
	failed, ok := errors.AsType[*Error](err)
	if !ok || !failed.Timeout || err.Error() != "Response timeout" {
		t.Errorf("got %v", err)
	}
	if took := time.Since(began); took < cutOffAfter || took > patience {
		t.Errorf("it took %v", took)
	}
}

// TestHostsAreBounded holds that URLs made from a client's input do not fill the memory.
func TestHostsAreBounded(t *testing.T) {
	t.Parallel()
	c := NewClient(Options{})
	for i := range maxHosts + 50 {
		if _, err := c.Target("http://h" + strings.Repeat("x", i%60) + "-" + strings.Repeat("y", i/60) + "/"); err != nil {
			t.Fatal(err)
		}
	}
	kept := 0
	c.hosts.Range(func(any, any) bool { kept++; return true })
	if kept != maxHosts {
		t.Errorf("%d hosts are kept, want %d", kept, maxHosts)
	}
}
