package watch

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestChangesWhileBusy holds that what happens during a callback is told afterwards, in one batch, when it has settled.
func TestChangesWhileBusy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		paths, told, leave := make(chan string), make(chan []string, 10), make(chan struct{})
		g := &gatherer{settle: defaultSettle, pending: map[string]bool{}, changed: func(_ context.Context, batch []string) {
			told <- batch
			<-leave
		}}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			g.run(ctx, paths, nil)
		}()
		// next is what was told since the last time; nil: nothing.
		next := func() (batch []string) {
			synctest.Wait()
			select {
			case batch = <-told:
			default:
			}
			return batch
		}
		paths <- "first"
		time.Sleep(defaultSettle)
		if got := next(); !slices.Equal(got, []string{"first"}) {
			t.Errorf("first batch: %q", got)
		}
		for range 3 { // the callback takes long
			paths <- "third"
			paths <- "second"
			time.Sleep(longestSettle)
		}
		if got := next(); got != nil {
			t.Errorf("told during a callback: %q", got)
		}
		leave <- struct{}{}
		if got := next(); got != nil {
			t.Errorf("told before it has settled: %q", got)
		}
		time.Sleep(defaultSettle)
		if got := next(); !slices.Equal(got, []string{"second", "third"}) {
			t.Errorf("second batch: %q", got)
		}
		cancel()
		close(leave)
		<-ended
	})
}
