package gateway

import (
	"bufio"
	"context"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/nself-org/nself/internal/action"
	"github.com/nself-org/nself/internal/auth"
)

const (
	// socketWriteTimeout bounds the sending of one message: a client that does not read holds up memory.
	socketWriteTimeout = 10 * time.Second
	// maxSocketOperations bounds what one client runs and subscribes to at once.
	maxSocketOperations = 1000
	// socketDrain is how long operations under way may take when metadata has changed, before their socket is closed.
	socketDrain = 10 * time.Second
	// maxCloseReason is what fits into a close frame.
	maxCloseReason = 123
)

// The close codes in use beyond those of the protocol itself.
const (
	closeBadRequest   websocket.StatusCode = 4400
	closeUnauthorized websocket.StatusCode = 4401
	closeForbidden    websocket.StatusCode = 4403
	closeInitTimeout  websocket.StatusCode = 4408
	closeDuplicate    websocket.StatusCode = 4409
	closeTooManyInits websocket.StatusCode = 4429
)

// socket is one WebSocket. One goroutine reads its messages; each operation has one of its own, so that a slow handler
// holds up nothing else.
type socket struct {
	engine    *Engine
	conn      *websocket.Conn
	raw       net.Conn
	protocol  *protocol
	requestID string // of the upgrade; it names the socket in logs
	cookies   []string
	ctx       context.Context //nolint:containedctx // it is the life of the socket
	cancel    context.CancelFunc
	running   sync.WaitGroup // operations

	mu       sync.Mutex
	client   *socketClient // nil before a successful init
	ops      map[string]*socketOperation
	busy     int // operations that are not waiting for a subscription's next value
	timers   [timerCount]*time.Timer
	draining *socketClose // the reason to close once nothing is busy
	closing  bool
}

// The timers of a socket.
const (
	initTimer = iota
	keepAliveTimer
	expiryTimer
	drainTimer
	timerCount
)

// socketClient is who is on the other side, and the headers that they gave.
type socketClient struct {
	session auth.Session
	header  http.Header
}

// socketClose is a reason to close a socket.
type socketClose struct {
	code   websocket.StatusCode
	reason string
}

// upgrades tells whether a request asks for a WebSocket.
func upgrades(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "websocket")
}

// serveSocket opens a WebSocket. It returns when the socket is open.
func (e *Engine) serveSocket(w http.ResponseWriter, r *http.Request, requestID string) {
	if origin := r.Header.Get("Origin"); origin != "" && !e.cors.disabled && !e.cors.allows(origin) {
		e.fail(w, &action.Error{
			Code: action.CodeAccessDenied, Message: "received origin header does not match configured CORS domains",
		})
		return
	}
	s := &socket{engine: e, protocol: &legacyProtocol, requestID: requestID, ops: map[string]*socketOperation{}}
	if r.Header.Get("Sec-Websocket-Protocol") == transportProtocol.name {
		s.protocol = &transportProtocol
	}
	if !e.cors.disabled {
		s.cookies = r.Header["Cookie"]
	}
	keeper := &connKeeper{ResponseWriter: w, protocol: s.protocol.name}
	conn, err := websocket.Accept(keeper, r, &websocket.AcceptOptions{InsecureSkipVerify: true}) // checked above
	if err != nil {
		if !e.opt.Logs.NoWebSocket {
			e.log.InfoContext(r.Context(), "websocket-log", slog.String("event", "rejected"),
				slog.String("request_id", requestID), slog.String("error", err.Error()))
		}
		return
	}
	conn.SetReadLimit(e.opt.MaxRequestBytes)
	s.conn, s.raw = conn, keeper.conn
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(r.Context()))
	if !e.sockets.add(s) {
		s.cancel()
		_ = keeper.conn.Close()
		return
	}
	go s.run() //nolint:gosec,contextcheck // the socket outlives the request
}

// connKeeper remembers the connection that is taken over.
type connKeeper struct {
	http.ResponseWriter
	protocol string
	conn     net.Conn
}

// WriteHeader names the protocol even if the client asked for none or for another one, as Hasura does.
func (k *connKeeper) WriteHeader(status int) {
	if status == http.StatusSwitchingProtocols {
		k.Header().Set("Sec-WebSocket-Protocol", k.protocol)
	}
	k.ResponseWriter.WriteHeader(status)
}

// Hijack implements [http.Hijacker].
func (k *connKeeper) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffers, err := http.NewResponseController(k.ResponseWriter).Hijack()
	k.conn = conn
	return conn, buffers, err
}

// run reads messages until the socket is closed.
func (s *socket) run() {
	s.event("accepted")
	defer s.end()
	defer s.recovered()
	s.after(initTimer, s.engine.opt.WebSocketInitTimeout, func() {
		if s.who() == nil {
			s.close(s.protocol.initTimeout)
		}
	})
	for {
		// Closing the connection ends Read; a context would cost every idle socket one more registration.
		_, message, err := s.conn.Read(context.Background())
		if err != nil {
			return
		}
		s.receive(message)
	}
}

// recovered keeps a panic from ending the process: one broken message must not take others with it.
func (s *socket) recovered() {
	if cause := recover(); cause != nil {
		s.engine.log.ErrorContext(s.ctx, "websocket panicked", slog.Any("cause", cause),
			slog.String("request_id", s.requestID), slog.String("stack", string(debug.Stack())))
		go s.close(socketClose{websocket.StatusInternalError, "internal error"})
	}
}

// end gives back everything that the socket holds.
func (s *socket) end() {
	s.mu.Lock()
	s.closing = true
	for _, t := range s.timers {
		if t != nil {
			t.Stop()
		}
	}
	s.mu.Unlock()
	s.cancel()
	_ = s.raw.Close()
	s.running.Wait()
	s.event("closed")
	s.engine.sockets.remove(s)
}

// after calls f once, d from now, unless the socket ends or the timer is set anew before. A nil f is never called.
func (s *socket) after(timer int, d time.Duration, f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return
	}
	if old := s.timers[timer]; old != nil {
		old.Stop()
	}
	s.timers[timer] = nil
	if f != nil {
		s.timers[timer] = time.AfterFunc(d, f)
	}
}

// who returns the client; nil before a successful init.
func (s *socket) who() *socketClient {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.client
}

// send writes one message. A client that does not take it in time is cut off.
func (s *socket) send(message []byte) {
	if s.ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), socketWriteTimeout)
	defer cancel()
	if err := s.conn.Write(ctx, websocket.MessageText, message); err != nil {
		s.cancel()
		_ = s.raw.Close()
	}
}

// close says why and closes the socket. Only the first call counts. It waits for the client's answer for a few seconds.
func (s *socket) close(why socketClose) {
	s.mu.Lock()
	first := !s.closing
	s.closing = true
	s.mu.Unlock()
	if !first {
		return
	}
	if len(why.reason) > maxCloseReason {
		why.reason = strings.ToValidUTF8(why.reason[:maxCloseReason], "")
	}
	s.cancel()
	_ = s.conn.Close(why.code, why.reason) // the client may be gone already
}

// drain closes the socket when the operations under way have ended, and takes no new ones.
func (s *socket) drain(why socketClose) {
	s.mu.Lock()
	s.draining = &why
	idle := s.busy == 0
	s.mu.Unlock()
	if idle {
		s.close(why)
	}
}

// enter counts an operation in, unless the socket or the engine is about to close.
func (s *socket) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing || s.draining != nil || !s.engine.enter() {
		return false
	}
	s.busy++
	return true
}

// leave counts an operation out that has ended or has nothing to do but wait.
func (s *socket) leave() {
	s.engine.leave()
	s.mu.Lock()
	s.busy--
	why := s.draining
	idle := s.busy == 0
	s.mu.Unlock()
	if why != nil && idle {
		go s.close(*why) // the caller has its own end to come to first
	}
}

// event writes a line about the socket itself.
func (s *socket) event(name string) {
	if s.engine.opt.Logs.NoWebSocket {
		return
	}
	s.engine.log.LogAttrs(s.ctx, slog.LevelInfo, "websocket-log", slog.String("event", name),
		slog.String("request_id", s.requestID), slog.String("protocol", s.protocol.name))
}
