package gateway

import (
	"context"
	"sync"
	"time"
)

// sockets are the open WebSockets of an engine. The zero value has none.
type sockets struct {
	mu     sync.Mutex
	open   map[*socket]struct{}
	closed bool // no more are let in
	gone   sync.WaitGroup
}

// add lets a socket in, unless the engine is shutting down.
func (all *sockets) add(s *socket) bool {
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.closed {
		return false
	}
	if all.open == nil {
		all.open = map[*socket]struct{}{}
	}
	all.open[s] = struct{}{}
	all.gone.Add(1)
	return true
}

func (all *sockets) remove(s *socket) {
	all.mu.Lock()
	delete(all.open, s)
	all.mu.Unlock()
	all.gone.Done()
}

func (all *sockets) list() []*socket {
	all.mu.Lock()
	defer all.mu.Unlock()
	list := make([]*socket, 0, len(all.open))
	for s := range all.open {
		list = append(list, s)
	}
	return list
}

// restart closes all sockets so that their clients come back and see what has changed. What is under way may end first,
// within limit.
func (all *sockets) restart(why socketClose, limit time.Duration) {
	for _, s := range all.list() {
		go s.drain(why)
		s.after(drainTimer, limit, func() { s.close(why) })
	}
}

// shutdown lets no more sockets in and closes those that are open as they become idle.
func (all *sockets) shutdown(why socketClose) {
	all.mu.Lock()
	all.closed = true
	all.mu.Unlock()
	for _, s := range all.list() {
		go s.drain(why)
	}
}

// wait waits until all sockets are gone. When ctx ends it cuts the connections.
func (all *sockets) wait(ctx context.Context) error {
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		all.gone.Wait()
	}()
	select {
	case <-gone:
		return nil
	case <-ctx.Done():
		for _, s := range all.list() {
			s.cancel()
			_ = s.raw.Close()
		}
		return context.Cause(ctx)
	}
}
