package actionlog

import (
	"sync"

	"github.com/google/uuid"
)

// Hub passes on, within a process, that entries have changed. Stores use it for Watch and Arrivals. The zero value is
// ready. It is safe for concurrent use.
type Hub struct {
	mu       sync.Mutex
	topics   map[string]*topic
	arrivals map[chan struct{}]struct{}
}

// topic is one watched entry.
type topic struct {
	watchers map[chan struct{}]struct{}
	settled  bool
}

// Watch implements [Log].Watch.
func (h *Hub) Watch(id string) (changed <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	parsed, err := uuid.Parse(id)
	if err != nil {
		return c, func() {} // no entry can have this id
	}
	key := parsed.String()
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.topics[key]
	if t == nil {
		t = &topic{watchers: map[chan struct{}]struct{}{}}
		if h.topics == nil {
			h.topics = map[string]*topic{}
		}
		h.topics[key] = t
	}
	t.watchers[c] = struct{}{}
	return c, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(t.watchers, c)
		if len(t.watchers) == 0 && h.topics[key] == t {
			delete(h.topics, key)
		}
	}
}

// Settled tells the watchers of entries, named by canonical ids, that these have reached their end.
func (h *Hub) Settled(ids ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, id := range ids {
		if t := h.topics[id]; t != nil {
			t.settled = true
			signal(t.watchers)
		}
	}
}

// Pending returns the ids that are watched and of which Settled was not told.
func (h *Hub) Pending() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var ids []string
	for id, t := range h.topics {
		if !t.settled {
			ids = append(ids, id)
		}
	}
	return ids
}

// Arrivals implements [Queue].Arrivals.
func (h *Hub) Arrivals() (arrived <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.arrivals == nil {
		h.arrivals = map[chan struct{}]struct{}{}
	}
	h.arrivals[c] = struct{}{}
	return c, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.arrivals, c)
	}
}

// Arrived tells that an entry became created.
func (h *Hub) Arrived() {
	h.mu.Lock()
	defer h.mu.Unlock()
	signal(h.arrivals)
}

// signal leaves a value in each channel; one that is there already says the same.
func signal(channels map[chan struct{}]struct{}) {
	for c := range channels {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}
