// Package testports gives tests ports that stay theirs. A port that the system picks (":0") is free only until somebody
// else asks, and outgoing connections are given such ports too: tests that run beside each other then take one another's.
package testports

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"github.com/gofrs/flock"
)

// Ports from low to high are above those of well-known servers and below those that systems give to outgoing connections.
const (
	low  = 15000
	high = 32000
)

var (
	mu   sync.Mutex
	mine = map[int]*flock.Flock{} //nolint:gochecknoglobals // held until the process ends
)

// Free returns n ports on which nothing listens on the loopback address. No other test is given one of them, in this
// process or in another one of this user, until this process ends.
func Free(n int) ([]int, error) {
	mu.Lock()
	defer mu.Unlock()
	locks := filepath.Join(os.TempDir(), fmt.Sprintf("nself-test-ports-%d", os.Getuid()))
	if err := os.MkdirAll(locks, 0o700); err != nil {
		return nil, err
	}
	ports := make([]int, 0, n)
	for range 10 * (high - low) {
		if len(ports) == n {
			return ports, nil
		}
		port := low + rand.IntN(high-low) //nolint:gosec // no secret
		if mine[port] != nil {
			continue
		}
		lock := flock.New(filepath.Join(locks, strconv.Itoa(port)))
		switch ok, err := lock.TryLock(); {
		case err != nil:
			return nil, err
		case !ok:
			continue // another process has it
		}
		mine[port] = lock // kept when somebody listens there: it is of no use to anybody
		if unused(port) {
			ports = append(ports, port)
		}
	}
	return nil, errors.New("no port is free")
}

// unused says that nothing listens on the port. It asks by a connection: a listener of its own would stay open after its
// end for as long as a child process that is just being started holds a copy of it.
func unused(port int) bool {
	conn, err := (&net.Dialer{}).Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err == nil {
		_ = conn.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

// Port is one of [Free].
func Port(tb testing.TB) int {
	tb.Helper()
	ports, err := Free(1)
	if err != nil {
		tb.Fatal(err)
	}
	return ports[0]
}
