package gateway

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/nself-org/nself/internal/action"
	"github.com/nself-org/nself/internal/auth"
)

// protocol is what differs between the two ways to speak GraphQL over a WebSocket.
type protocol struct {
	name string // the WebSocket subprotocol
	// The types of messages: start and stop come from the client, result goes to it.
	start, stop, result string
	keepAlive           []byte
	initTimeout         socketClose
}

// legacyProtocol is that of the library subscriptions-transport-ws.
var legacyProtocol = protocol{
	name: "graphql-ws", start: "start", stop: "stop", result: "data",
	keepAlive:   []byte(`{"type":"ka"}`),
	initTimeout: socketClose{websocket.StatusInternalError, "Connection initialisation timed out"},
}

// transportProtocol is that of the library graphql-ws.
var transportProtocol = protocol{
	name: "graphql-transport-ws", start: "subscribe", stop: "complete", result: "next",
	keepAlive:   []byte(`{"type":"ping","payload":{"message":"keepalive"}}`),
	initTimeout: socketClose{closeInitTimeout, "Connection initialisation timed out"},
}

func (s *socket) legacy() bool { return s.protocol == &legacyProtocol }

// clientMessage is one message of the client: texts of JSON values, "" for what was left out.
type clientMessage struct{ kind, id, payload string }

// readMessage reads a message. reason says why it cannot be.
func readMessage(message []byte) (m clientMessage, reason string) {
	if !action.ValidJSON(message) {
		return m, "Error in $: not a valid json value"
	}
	text := action.Trim(action.Text(message))
	if text[0] != '{' {
		return m, "Error in $: expected Object, but encountered another kind of value"
	}
	members := action.NewMembers(text)
	for {
		key, value, ok := members.Next()
		switch {
		case !ok:
			if m.kind == "" {
				reason = `Error in $: key "type" not found`
			}
			return m, reason
		case value == "null":
			continue
		case key == "payload":
			m.payload = value
		case key != "type" && key != "id":
		case value[0] != '"':
			return m, "Error in $." + key + ": expected String, but encountered another kind of value"
		case key == "type":
			m.kind = action.Unquote(value)
		default:
			m.id = value
		}
	}
}

// receive acts on one message of the client.
func (s *socket) receive(message []byte) {
	m, reason := readMessage(message)
	if reason != "" {
		s.unreadable(reason)
		return
	}
	switch {
	case m.kind == "connection_init":
		s.init(m.payload)
	case m.kind == s.protocol.start:
		s.startOperation(m)
	case m.kind == s.protocol.stop:
		if m.id == "" {
			s.unreadable(`Error in $: key "id" not found`)
			return
		}
		s.stopOperation(action.Unquote(m.id))
	case m.kind == "connection_terminate" && s.legacy():
		s.close(socketClose{websocket.StatusNormalClosure, ""})
	case m.kind == "ping" && !s.legacy():
		pong := []byte(`{"type":"pong"`)
		if m.payload != "" {
			pong = append(append(pong, `,"payload":`...), m.payload...)
		}
		s.send(append(pong, '}'))
	case m.kind == "pong" && !s.legacy():
	default:
		s.unreadable("Error in $: unexpected type: " + m.kind)
	}
}

// unreadable answers a message that makes no sense.
func (s *socket) unreadable(reason string) {
	reason = "parsing ClientMessage failed: " + reason
	if s.legacy() {
		s.send(connectionError(reason))
		return
	}
	s.close(socketClose{closeBadRequest, "4400: " + reason})
}

func connectionError(reason string) []byte {
	return append(action.AppendString([]byte(`{"type":"connection_error","payload":`), reason), '}')
}

// init finds out who the client is.
func (s *socket) init(payload string) {
	if !s.legacy() && s.who() != nil {
		s.close(socketClose{closeTooManyInits, "4429: Too many initialisation requests"})
		return
	}
	header, reason := initHeader(payload)
	if reason != "" {
		s.unreadable(reason)
		return
	}
	if len(header["Cookie"]) == 0 && len(s.cookies) > 0 {
		header["Cookie"] = s.cookies // browsers send them with the upgrade, and let no page set them
	}
	if header.Get("X-Request-Id") == "" {
		header.Set("X-Request-Id", s.requestID)
	}
	session, refused := s.engine.opt.Auth.Authenticate(s.ctx, auth.Request{Headers: auth.HTTPHeaders(header)})
	if refused != nil {
		if s.legacy() {
			s.send(connectionError(refused.Message))
			s.close(socketClose{closeBadRequest, "4400: " + refused.Message})
		} else {
			s.close(socketClose{closeForbidden, "4403: Forbidden"})
		}
		return
	}
	s.mu.Lock()
	known := s.client != nil
	s.client = &socketClient{session: session, header: header}
	s.mu.Unlock()
	s.send([]byte(`{"type":"connection_ack"}`))
	if s.legacy() {
		s.send(s.protocol.keepAlive)
	}
	if !known {
		s.keepAliveAfter()
	}
	s.expireAt(session.Expires)
}

// expireAt closes the socket when what the client showed at its last init has lapsed. Zero: never.
func (s *socket) expireAt(t time.Time) {
	if t.IsZero() {
		s.after(expiryTimer, 0, nil)
		return
	}
	s.after(expiryTimer, t.Sub(s.engine.opt.now()), func() {
		s.close(socketClose{closeForbidden, "4403: the session has expired"})
	})
}

// initHeader reads the headers out of the payload of an init. What could not stand in an HTTP header is refused:
// handlers get these headers.
func initHeader(payload string) (header http.Header, reason string) {
	header = http.Header{}
	if payload == "" {
		return header, ""
	}
	var init struct {
		Headers map[string]string `json:"headers"`
	}
	if payload[0] != '{' || json.Unmarshal([]byte(payload), &init) != nil {
		return nil, "Error in $.payload.headers: expected an Object of Strings"
	}
	for name, value := range init.Headers {
		if !validHeader(name, value) {
			return nil, "Error in $.payload.headers: not an HTTP header"
		}
		header.Set(name, value)
	}
	return header, ""
}

// validHeader tells whether a header could have come over HTTP (RFC 9110, 5.1 and 5.5).
func validHeader(name, value string) bool {
	for i := range len(name) {
		c := name[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9'
		if !letter && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return name != ""
}

// keepAliveAfter sends a sign of life in a while, and again and again.
func (s *socket) keepAliveAfter() {
	s.after(keepAliveTimer, s.engine.opt.WebSocketKeepAlive, func() {
		s.send(s.protocol.keepAlive)
		s.keepAliveAfter()
	})
}
