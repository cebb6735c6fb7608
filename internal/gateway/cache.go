package gateway

import (
	"strings"
	"sync"
)

// maxCachedText bounds the text of a remembered operation: longer ones are rare, and a client that sends ever new ones
// must not fill the memory.
const maxCachedText = 32 << 10

// maxCachedTexts bounds all texts that one role's cache remembers.
const maxCachedTexts = 4 << 20

// operationKey tells operations apart: the JSON texts of query and operation name, as the client sent them. Comparing
// them unread saves unescaping the query of every request.
type operationKey struct{ query, name string }

// operationCache remembers checked operations. When it is full a tenth of it is dropped, whichever the map yields:
// nearly every system has fewer operations than the limit, and for one that has not an exact order is not worth a
// lock per hit.
type operationCache struct {
	max   int
	mu    sync.RWMutex
	byID  map[operationKey]*operation
	bytes int // of the queries
}

func (c *operationCache) get(key operationKey) *operation {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.byID[key]
}

func (c *operationCache) put(key operationKey, op *operation) {
	if len(key.query) > maxCachedText {
		return
	}
	key = operationKey{strings.Clone(key.query), strings.Clone(key.name)} // the originals live in a reused buffer
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byID == nil {
		c.byID = map[operationKey]*operation{}
	}
	if _, known := c.byID[key]; known {
		return // another request was faster
	}
	if len(c.byID) >= c.max || c.bytes+len(key.query) > maxCachedTexts {
		drop := len(c.byID)/10 + 1
		for old := range c.byID {
			delete(c.byID, old)
			c.bytes -= len(old.query)
			if drop--; drop <= 0 && c.bytes+len(key.query) <= maxCachedTexts {
				break
			}
		}
	}
	c.byID[key] = op
	c.bytes += len(key.query)
}
