package gateway

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"github.com/nself-org/nself/internal/actionlog"
)

// idleSockets and maxIdleBytes are the promise: so many subscriptions that wait take at most so much memory.
const (
	idleSockets  = 1000
	maxIdleBytes = 60 << 20
)

// TestSocketMemory holds what idle subscriptions cost the process. It counts everything that the Go runtime has taken from
// the system: heap, stacks and what is kept for later. The clients live in a process of their own.
func TestSocketMemory(t *testing.T) { //nolint:paralleltest // it measures the whole process
	if testing.Short() || raceDetector {
		t.Skip("opens a thousand connections, and the race detector takes memory of its own")
	}
	log := actionlog.NewMemory(0)
	e := newEngine(t, Options{ActionLog: log}, asyncShop("http://127.0.0.1:1"))
	server := httptest.NewServer(e.Handler())
	defer server.Close()
	id := createOrder(t, e, "x")

	before := runtimeBytes()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), benchRole+"=sockets", "NSELF_BENCH_ADDR="+server.Listener.Addr().String(), "NSELF_BENCH_ID="+id)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "ready" {
		t.Fatalf("the clients said %q", lines.Text())
	}
	used := runtimeBytes() - before
	t.Logf("%d idle subscriptions: %.1f MB, %d goroutines", idleSockets, float64(used)/(1<<20), runtime.NumGoroutine())
	if open := len(e.sockets.list()); open != idleSockets {
		t.Errorf("%d sockets are open", open)
	}
	if used > maxIdleBytes {
		t.Errorf("%d idle subscriptions take %d MB, more than %d", idleSockets, used>>20, maxIdleBytes>>20)
	}
	// All of them are alive, and all hear of the end.
	settle(t, log, id, actionlog.Complete([]byte(`{"id":"r1"}`)))
	if !lines.Scan() || lines.Text() != strconv.Itoa(idleSockets) {
		t.Errorf("%q of %d subscriptions were told", lines.Text(), idleSockets)
	}
	_ = in.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	e.sockets.gone.Wait()
}

// runtimeBytes is what the Go runtime holds of the system's memory.
func runtimeBytes() int64 {
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys - m.HeapReleased)
}

// benchSockets opens idle subscriptions, says "ready" when all have their first value and how many got a second one,
// and ends with its input.
func benchSockets() {
	conns := make([]*bufio.Reader, idleSockets)
	for i := range conns {
		conn, err := net.Dial("tcp", os.Getenv("NSELF_BENCH_ADDR"))
		if err != nil {
			panic(err)
		}
		fmt.Fprintf(conn, "GET /v1/graphql HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"+
			"Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n")
		conns[i] = bufio.NewReader(conn)
		for line := ""; line != "\r\n"; {
			if line, err = conns[i].ReadString('\n'); err != nil {
				panic(err)
			}
		}
		writeFrame(conn, `{"type":"connection_init","payload":{"headers":{"x-hasura-role":"customer"}}}`)
		writeFrame(conn, `{"type":"subscribe","id":"1","payload":{"query":"subscription { placeOrder(id: \"`+
			os.Getenv("NSELF_BENCH_ID")+`\") { output { id } } }"}}`)
		readUntil(conns[i], `"output":null`)
	}
	fmt.Fprintln(os.Stdout, "ready")
	told := 0
	for _, r := range conns {
		readUntil(r, `"output":{"id":"r1"}`)
		told++
	}
	fmt.Fprintln(os.Stdout, told)
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	os.Exit(0)
}

// writeFrame sends a short or medium text frame, masked with zeros.
func writeFrame(conn net.Conn, text string) {
	frame := []byte{0x81}
	if len(text) < 126 {
		frame = append(frame, 0x80|byte(len(text)))
	} else {
		frame = append(frame, 0x80|126, byte(len(text)>>8), byte(len(text)))
	}
	frame = append(append(frame, 0, 0, 0, 0), text...)
	if _, err := conn.Write(frame); err != nil {
		panic(err)
	}
}

// readUntil reads frames up to one that contains text.
func readUntil(r *bufio.Reader, text string) {
	for {
		head := make([]byte, 2)
		if _, err := io.ReadFull(r, head); err != nil {
			panic(err)
		}
		length := int(head[1])
		if length == 126 {
			if _, err := io.ReadFull(r, head); err != nil {
				panic(err)
			}
			length = int(head[0])<<8 | int(head[1])
		}
		payload := make([]byte, length)
		if _, err := io.ReadFull(r, payload); err != nil {
			panic(err)
		}
		if strings.Contains(string(payload), text) {
			return
		}
	}
}
