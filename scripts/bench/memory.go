package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/coder/websocket"
)

const idleSubscriptions = 1000

// memory measures what nself gateway holds when nothing happens, and what waiting subscriptions add.
func (b *bench) memory() error {
	fmt.Println("resident memory of nself gateway")
	folder, err := os.MkdirTemp("", "nself-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	if err := writeMetadata(folder, 1); err != nil {
		return err
	}
	file := filepath.Join(folder, "actions.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	text = []byte(strings.Replace(string(text), "kind: synchronous", "kind: asynchronous", 1))
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return err
	}
	// Nothing listens there: the result stays away, and the subscriptions wait.
	gateway, err := b.startGateway("gateway", folder, "127.0.0.1:1", "HASURA_GRAPHQL_ASYNC_ACTIONS_FETCH_INTERVAL=0")
	if err != nil {
		return err
	}
	defer gateway.stop()
	idle, err := gateway.memory("VmRSS")
	if err != nil {
		return err
	}
	b.limit("idle", fmt.Sprintf("%.1f MB", idle), "", "%.1f MB", idle, 40)

	answer, err := post(gateway.addr, "/v1/graphql", `{"query":"mutation { register(input: `+
		`{email: \"test@example.com\", password: \"password123\", name: \"Test User\"}) }"}`)
	if err != nil {
		return err
	}
	id := regexp.MustCompile(`[0-9a-f-]{36}`).FindString(answer)
	if id == "" {
		return fmt.Errorf("no id of an asynchronous action: %s", answer)
	}
	before, err := gateway.memory("VmRSS")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for range idleSubscriptions {
		conn, err := subscribe(ctx, gateway.addr, id)
		if err != nil {
			return err
		}
		defer conn.CloseNow() //nolint:errcheck // the process ends
	}
	after, err := gateway.memory("VmRSS")
	if err != nil {
		return err
	}
	b.limit(fmt.Sprintf("%d subscriptions", idleSubscriptions), fmt.Sprintf("%.1f MB", after), fmt.Sprintf("before %.1f MB", before),
		"%.1f MB more", after-before, 60)
	return nil
}

// subscribe waits for the result of an asynchronous action, and returns when its first value has come.
func subscribe(ctx context.Context, addr, id string) (*websocket.Conn, error) {
	//nolint:bodyclose // a connection that was taken over has no body to close
	conn, _, err := websocket.Dial(ctx, "ws://"+addr+"/v1/graphql", &websocket.DialOptions{
		Subprotocols: []string{"graphql-transport-ws"},
	})
	if err != nil {
		return nil, err
	}
	for _, message := range []string{
		`{"type":"connection_init","payload":{"headers":{"x-hasura-admin-secret":"` + benchSecret + `"}}}`,
		`{"type":"subscribe","id":"1","payload":{"query":"subscription { register(id: \"` + id + `\") { output { success } } }"}}`,
	} {
		if err := conn.Write(ctx, websocket.MessageText, []byte(message)); err != nil {
			return nil, err
		}
	}
	for {
		_, message, err := conn.Read(ctx)
		if err != nil {
			return nil, err
		}
		if strings.Contains(string(message), `"type":"next"`) {
			return conn, nil
		}
	}
}
