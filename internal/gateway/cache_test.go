package gateway

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
)

func TestOperationCacheIsBounded(t *testing.T) {
	t.Parallel()
	c := operationCache{max: 50}
	for i := range 1000 {
		c.put(operationKey{query: strconv.Itoa(i)}, &operation{})
		if len(c.byID) > 50 {
			t.Fatalf("%d operations are kept", len(c.byID))
		}
	}
	if c.get(operationKey{query: "999"}) == nil {
		t.Error("the newest operation is not kept")
	}
	if c.put(operationKey{query: strings.Repeat("x", maxCachedText+1)}, &operation{}); c.get(
		operationKey{query: "999"},
	) == nil {
		t.Error("an operation made room for one that is too long")
	}
	c = operationCache{max: 1000}
	for i := range 500 {
		c.put(operationKey{query: fmt.Sprintf("%030000d", i)}, &operation{})
		if c.bytes > maxCachedTexts {
			t.Fatalf("%d bytes are kept", c.bytes)
		}
	}
	sum := 0
	for key := range c.byID {
		sum += len(key.query)
	}
	if sum != c.bytes || sum < maxCachedTexts/2 {
		t.Errorf("%d bytes are kept, %d counted", sum, c.bytes)
	}
}

// TestConcurrentRequests runs known and unknown operations, with and without conditions, while the metadata changes.
func TestConcurrentRequests(t *testing.T) {
	t.Parallel()
	url := handlerServer(t, answer(200, "1"))
	e := newEngine(t, Options{MaxCachedOperations: 3}, shop(url))
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range 20 {
				text := fmt.Sprintf("query($a: Boolean!) { quote(i: %d) @skip(if: $a) x: quote @include(if: $a) }", i%7)
				skip := (worker+i)%2 == 0
				want := `{"data":{"quote":1}}`
				if skip {
					want = `{"data":{"x":1}}`
				}
				if got := query(t, e, "clerk", text, fmt.Sprintf(`{"a":%v}`, skip)); got != want {
					t.Errorf("got %s, want %s", got, want)
				}
				if worker == 0 && i%5 == 0 {
					if _, err := e.Load(shop(url)); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
}
