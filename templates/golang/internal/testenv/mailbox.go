package testenv

import (
	"bufio"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Mailbox is an SMTP server that keeps what it receives.
type Mailbox struct {
	Host string
	Port int

	mu   sync.Mutex
	sent []string
}

// NewMailbox starts an SMTP server that lives as long as the test.
func NewMailbox(t testing.TB) *Mailbox {
	t.Helper()
	ln := listen(t, "127.0.0.1:0")
	host, port := splitAddr(ln.Addr())
	m := &Mailbox{Host: host, Port: port}
	serveConns(t, ln, m.receive)
	return m
}

// Messages returns the messages so far, headers and encoded bodies.
func (m *Mailbox) Messages() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.sent)
}

// receive speaks as much SMTP as a client without authentication needs.
func (m *Mailbox) receive(conn net.Conn) {
	r := bufio.NewReader(conn)
	say := func(line string) { _, _ = io.WriteString(conn, line+"\r\n") }
	say("220 test")
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		verb, _, _ := strings.Cut(strings.ToUpper(strings.TrimSpace(line)), " ")
		switch verb {
		case "DATA":
			say("354 go on")
			var msg strings.Builder
			for {
				line, err := r.ReadString('\n')
				if err != nil {
					return
				}
				if line == ".\r\n" {
					break
				}
				msg.WriteString(strings.TrimPrefix(line, "."))
			}
			m.mu.Lock()
			m.sent = append(m.sent, msg.String())
			m.mu.Unlock()
			say("250 kept")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 fine")
		}
	}
}
