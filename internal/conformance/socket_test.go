package conformance_test

import (
	"encoding/json"
	"testing"

	"github.com/coder/websocket"
)

// runSocket runs a case over the older WebSocket protocol: credentials are in the first message, statuses do not exist.
func (s *stack) runSocket(t *testing.T, file string) {
	t.Helper()
	steps, err := readSteps(file)
	if err != nil {
		t.Fatal(err)
	}
	//nolint:bodyclose // the body is the socket
	conn, _, err := websocket.Dial(t.Context(), s.url+"/v1/graphql", &websocket.DialOptions{
		Subprotocols: []string{"graphql-ws"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.CloseNow() }()
	send := func(kind, id string, payload any) {
		t.Helper()
		message, err := json.Marshal(map[string]any{"type": kind, "id": id, "payload": payload})
		if err == nil {
			err = conn.Write(t.Context(), websocket.MessageText, message)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	receive := func(kind string) json.RawMessage {
		t.Helper()
		for {
			_, data, err := conn.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var message struct {
				Type    string
				Payload json.RawMessage
			}
			if err := json.Unmarshal(data, &message); err != nil {
				t.Fatal(err)
			}
			switch message.Type {
			case "ka":
			case kind:
				return message.Payload
			default:
				t.Fatalf("got %s, want a message of type %s", data, kind)
			}
		}
	}
	send("connection_init", "", map[string]any{"headers": s.trusted(nil)})
	receive("connection_ack")
	for _, step := range steps {
		body, err := toJSON(&step.Query)
		if err != nil {
			t.Fatal(err)
		}
		send("start", "1", json.RawMessage(body))
		want, err := toJSON(&step.Response)
		if err != nil {
			t.Fatal(err)
		}
		got := receive("data")
		receive("complete")
		if diff := compareSocket(want, got); diff != "" {
			t.Errorf("%s: payload (-want +got):\n%s", step.Description, diff)
		}
	}
}

// compareSocket is compare for the payload of a message, where data stands beside errors if the file says so.
func compareSocket(want, got []byte) string {
	var w, g map[string]json.RawMessage
	if json.Unmarshal(want, &w) != nil || json.Unmarshal(got, &g) != nil {
		return "no objects"
	}
	if data, ok := w["data"]; ok && compacted(data) != compacted(g["data"]) {
		return "data: want " + string(data) + ", got " + string(g["data"])
	}
	delete(g, "data")
	rest, err := json.Marshal(g)
	if err != nil {
		return err.Error()
	}
	return compare(want, rest, false)
}
