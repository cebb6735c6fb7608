package quickhttp_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/quickhttp"
)

// patience bounds waits on real time; a loaded machine needs it.
const patience = 30 * time.Second

// service is a server whose handler says what it got; quick counts the requests that were not net/http's.
type service struct {
	addr     string
	listener *quickhttp.Listener
	quick    atomic.Int32
}

func start(t *testing.T, o quickhttp.Options, h http.HandlerFunc) *service {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &service{addr: ln.Addr().String()}
	o.Paths, o.Log = []string{"/q"}, slog.New(slog.DiscardHandler)
	o.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.quick.Add(1)
		h(w, r)
	})
	s.listener = quickhttp.New(ln, o)
	server := &http.Server{Handler: h, ReadHeaderTimeout: patience, ErrorLog: slog.NewLogLogger(o.Log.Handler(), slog.LevelError)}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(s.listener) }()
	t.Cleanup(func() {
		within, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		if err := s.listener.Shutdown(within); err != nil {
			t.Errorf("shut down: %v", err)
		}
		_ = server.Close()
		<-ended
	})
	return s
}

func (s *service) dial(t *testing.T) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c, bufio.NewReader(c)
}

func write(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

// read returns an answer as "status body", and its header.
func read(t *testing.T, r *bufio.Reader) (string, http.Header) {
	t.Helper()
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(resp.StatusCode, " ", string(text)), resp.Header
}

// echo answers with what a handler sees of a request.
func echo(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	fmt.Fprintf(w, "%s %s %s %s a=%q id=%q length=%q %d %q %v", r.Method, r.URL.Path, r.Host, r.Proto, r.Header["A"],
		r.Header["X-Request-Id"], r.Header["Content-Length"], r.ContentLength, text, err)
	r.Header["X-Request-Id"] = []string{"made"}
}

func post(body string, header ...string) string {
	return "POST /q HTTP/1.1\r\nHost: h:1\r\n" + strings.Join(append(header, ""), "\r\n") +
		fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body)
}

// TestRequestsOnOneConnection holds that requests of one connection do not mix, whichever way they come in.
func TestRequestsOnOneConnection(t *testing.T) {
	t.Parallel()
	s := start(t, quickhttp.Options{}, echo)
	c, r := s.dial(t)
	for _, step := range []struct{ send, want string }{
		{post("one"), `200 POST /q h:1 HTTP/1.1 a=[] id=[] length=["3"] 3 "one" <nil>`},
		{post("three"), `200 POST /q h:1 HTTP/1.1 a=[] id=[] length=["5"] 5 "three" <nil>`},
		{post("", "A: x"), `200 POST /q h:1 HTTP/1.1 a=["x"] id=[] length=["0"] 0 "" <nil>`},
		{post("z", "A:x", "a:  y ", "X-Content-Length: 7"), `200 POST /q h:1 HTTP/1.1 a=["x" "y"] id=[] length=["1"] 1 "z" <nil>`},
		{post("z", "A:x", "a:  y ", "X-Content-Length: 9"), `200 POST /q h:1 HTTP/1.1 a=["x" "y"] id=[] length=["1"] 1 "z" <nil>`},
		{post("z", "X-Request-Id: own"), `200 POST /q h:1 HTTP/1.1 a=[] id=["own"] length=["1"] 1 "z" <nil>`},
		{post("z"), `200 POST /q h:1 HTTP/1.1 a=[] id=[] length=["1"] 1 "z" <nil>`},
	} {
		write(t, c, step.send)
		got, header := read(t, r)
		if got != step.want {
			t.Errorf("got  %s\nwant %s", got, step.want)
		}
		if _, err := http.ParseTime(header.Get("Date")); err != nil || header.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("header %v", header)
		}
	}
	if n := s.quick.Load(); n != 7 {
		t.Errorf("%d requests were served here", n)
	}
	// Several at once, in pieces.
	text := post("first") + post("second", "A: 2") + post(strings.Repeat("x", 20_000)) + post("last")
	go func() {
		for len(text) > 0 {
			n := min(len(text), 33)
			_, _ = io.WriteString(c, text[:n])
			text = text[n:]
		}
	}()
	for _, want := range []string{`5 "first"`, `6 "second"`, `20000 "xxx`, `4 "last"`} {
		if got, _ := read(t, r); !strings.Contains(got, want) {
			t.Errorf("got %.200s, want %s", got, want)
		}
	}
}

// TestHandsOver holds that what is unusual is answered as net/http does it, also in the middle of a connection.
func TestHandsOver(t *testing.T) {
	t.Parallel()
	s := start(t, quickhttp.Options{}, echo)
	for name, test := range map[string]struct{ send, want string }{
		"another method":      {"GET /q HTTP/1.1\r\nHost: h\r\n\r\n", `200 GET /q h HTTP/1.1`},
		"another path":        {"POST /other HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx", `200 POST /other h`},
		"a query":             {"POST /q?a HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx", `200 POST /q h`},
		"chunks":              {"POST /q HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", `-1 "x"`},
		"both framings":       {"POST /q HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n1\r\nx\r\n0\r\n\r\n", `-1 "x"`},
		"an older version":    {"POST /q HTTP/1.0\r\nHost: h\r\nContent-Length: 1\r\n\r\nx", `HTTP/1.0`},
		"closing":             {post("x", "Connection: close"), `1 "x"`},
		"a long head":         {post("x", "A: "+strings.Repeat("b", 9000)), `1 "x"`},
		"no host":             {"POST /q HTTP/1.1\r\nContent-Length: 1\r\n\r\nx", `400 `},
		"two hosts":           {post("x", "Host: other"), `400 `},
		"two lengths":         {post("x", "Content-Length: 3"), `400 `},
		"a length with a +":   {"POST /q HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\nx", `400 `},
		"a name with a blank": {post("x", "A : b"), `400 `},
		"a folded line":       {post("x", "A: b\r\n c"), `1 "x"`},
		"a control character": {post("x", "A: b\x01"), `400 `},
		"a bare line feed":    {"POST /q HTTP/1.1\nHost: h\nContent-Length: 1\n\nx\r\n\r\n", `1 "x"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, before := range []int{0, 1} {
				c, r := s.dial(t)
				if before > 0 {
					write(t, c, post("before"))
					read(t, r)
				}
				write(t, c, test.send)
				if got, _ := read(t, r); !strings.Contains(got, test.want) {
					t.Errorf("got %s, want %s", got, test.want)
				}
			}
		})
	}
	t.Cleanup(func() {
		if n := s.quick.Load(); n != 16 { // the ones before
			t.Errorf("%d requests were served here", n)
		}
	})
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	long := bytes.Repeat([]byte("0123456789"), 10_000)
	s := start(t, quickhttp.Options{}, func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		switch r.Header.Get("A") {
		case "many":
			h["Set-Cookie"] = []string{"a=1", "b=2\r\nEvil: yes"}
			w.WriteHeader(http.StatusTeapot)
			w.WriteHeader(http.StatusOK)
			fmt.Fprint(w, "a")
			fmt.Fprint(w, "b")
		case "none":
			w.WriteHeader(http.StatusNoContent)
		case "long":
			h.Set("Content-Length", strconv.Itoa(len(long)))
			_, _ = w.Write(long)
		case "close":
			h.Set("Connection", "close")
		case "panic":
			panic("no")
		}
	})
	c, r := s.dial(t)
	ask := func(a string) (string, http.Header) {
		write(t, c, post("unread", "A: "+a))
		return read(t, r)
	}
	got, header := ask("many")
	if diff := cmp.Diff([]string{"a=1", "b=2  Evil: yes"}, header["Set-Cookie"]); got != "418 ab" || diff != "" || header["Evil"] != nil {
		t.Errorf("got %s %v", got, header)
	}
	if got, header := ask("none"); got != "204 " || header.Get("Content-Length") != "" {
		t.Errorf("got %s %v", got, header)
	}
	if got, header := ask("long"); got != "200 "+string(long) || header.Get("Content-Length") != "100000" {
		t.Errorf("got %.50s %v", got, header)
	}
	if got, _ := ask("nothing"); got != "200 " {
		t.Errorf("got %s", got)
	}
	if got, header := ask("close"); got != "200 " || header.Get("Set-Cookie") != "" {
		t.Errorf("got %s %v", got, header)
	}
	if _, err := r.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("after an answer that closes: %v", err)
	}
	c, r = s.dial(t)
	write(t, c, post("", "A: panic"))
	if _, err := r.ReadByte(); err == nil {
		t.Error("a panic is answered")
	}
}

// TestUnreadBody holds that a client which is still sending gets the answer to a request that was refused.
func TestUnreadBody(t *testing.T) {
	t.Parallel()
	s := start(t, quickhttp.Options{}, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusRequestEntityTooLarge) })
	c, r := s.dial(t)
	go func() { _, _ = io.WriteString(c, post(strings.Repeat("x", 4<<20))) }()
	if got, _ := read(t, r); got != "413 " {
		t.Errorf("got %s", got)
	}
	if _, err := r.ReadByte(); err == nil {
		t.Error("the connection is used again")
	}
}

func TestTimeouts(t *testing.T) {
	t.Parallel()
	s := start(t, quickhttp.Options{HeaderTimeout: time.Second, IdleTimeout: time.Second}, echo)
	for name, text := range map[string]string{
		"silence": "", "half a head": "POST /q HT", "after an answer": post("x"), "half the next head": post("x") + "POST /q",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, r := s.dial(t)
			write(t, c, text)
			if strings.Contains(text, "\r\n\r\n") {
				read(t, r)
			}
			if _, err := r.ReadByte(); err == nil || !strings.Contains(err.Error(), "EOF") && !strings.Contains(err.Error(), "reset") {
				t.Errorf("not closed: %v", err)
			}
		})
	}
}

// TestShutdown holds that requests under way are answered, and that idle connections are closed at once.
func TestShutdown(t *testing.T) {
	t.Parallel()
	called, answer := make(chan struct{}), make(chan struct{})
	s := start(t, quickhttp.Options{}, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("A") == "slow" {
			close(called)
			<-answer
		}
		fmt.Fprint(w, "done")
	})
	idle, idleReader := s.dial(t)
	write(t, idle, post("x"))
	read(t, idleReader)
	busy, busyReader := s.dial(t)
	write(t, busy, post("x", "A: slow"))
	<-called
	ended := make(chan error, 1)
	go func() { ended <- s.listener.Shutdown(context.WithoutCancel(t.Context())) }()
	if _, err := idleReader.ReadByte(); err == nil {
		t.Error("an idle connection stays open")
	}
	select {
	case err := <-ended:
		t.Fatalf("a request under way is not waited for: %v", err)
	default:
	}
	expired, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.listener.Shutdown(expired); err == nil {
		t.Error("shut down with a request under way")
	}
	close(answer)
	if got, _ := read(t, busyReader); got != "200 done" {
		t.Errorf("got %s", got)
	}
	if _, err := busyReader.ReadByte(); err == nil {
		t.Error("a connection is used again")
	}
	if err := <-ended; err != nil {
		t.Errorf("shut down: %v", err)
	}
	if _, err := net.Dial("tcp", s.addr); err == nil {
		t.Error("connections are still accepted")
	}
}

func TestAbort(t *testing.T) {
	t.Parallel()
	called := make(chan struct{})
	s := start(t, quickhttp.Options{}, func(_ http.ResponseWriter, r *http.Request) {
		close(called)
		_, _ = io.Copy(io.Discard, r.Body)
	})
	c, r := s.dial(t)
	write(t, c, "POST /q HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n")
	<-called
	s.listener.Abort()
	if _, err := r.ReadByte(); err == nil {
		t.Error("not cut off")
	}
}
