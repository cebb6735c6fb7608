package server

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

type testKey struct{}

func TestDeadline(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		// early: the end of the context is asked for before it comes.
		early bool
		stop  func(cancel func(), d *deadline)
		want  error
	}{
		{"time", true, func(func(), *deadline) { time.Sleep(time.Minute) }, context.DeadlineExceeded},
		{"time, asked late", false, func(func(), *deadline) { time.Sleep(time.Minute) }, context.DeadlineExceeded},
		{"request", true, func(cancel func(), _ *deadline) { cancel() }, context.Canceled},
		{"request, asked late", false, func(cancel func(), _ *deadline) { cancel() }, context.Canceled},
		{"end", true, func(_ func(), d *deadline) { d.end() }, context.Canceled},
		{"end, asked late", false, func(_ func(), d *deadline) { d.end() }, context.Canceled},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				request, cancel := context.WithCancel(context.WithValue(t.Context(), testKey{}, "kept"))
				defer cancel()
				d := &deadline{Context: request, at: time.Now().Add(time.Minute)}
				defer d.end()
				child := context.Context(d)
				if tt.early {
					var done context.CancelFunc
					child, done = context.WithCancel(d)
					defer done()
					if err := errors.Join(d.Err(), child.Err()); err != nil {
						t.Errorf("over before its time: %v", err)
					}
				}
				if at, ok := child.Deadline(); !ok || !at.Equal(d.at) {
					t.Errorf("deadline %v %t, want %v", at, ok, d.at)
				}
				tt.stop(cancel, d)
				synctest.Wait()
				for name, ctx := range map[string]context.Context{"deadline": d, "child": child} {
					select {
					case <-ctx.Done():
					default:
						t.Errorf("%s is not done", name)
					}
					if err := ctx.Err(); !errors.Is(err, tt.want) {
						t.Errorf("%s ended with %v, want %v", name, err, tt.want)
					}
					if got := ctx.Value(testKey{}); got != "kept" {
						t.Errorf("%s lost its value, has %v", name, got)
					}
				}
			})
		})
	}
}
