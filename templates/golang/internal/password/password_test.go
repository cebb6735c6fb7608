package password

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestHash(t *testing.T) {
	t.Parallel()
	h := New()
	hash, err := h.Hash(t.Context(), "password123")
	if err != nil || !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Fatalf("got %q, %v", hash, err)
	}
	if again, err := h.Hash(t.Context(), "password123"); err != nil || again == hash {
		t.Errorf("a second hash is the same: %q, %v", again, err)
	}
	for password, want := range map[string]bool{"password123": true, "password124": false, "": false} {
		if got, err := h.Matches(t.Context(), password, hash); err != nil || got != want {
			t.Errorf("%q matches: %t, %v; want %t", password, got, err, want)
		}
	}
	if _, err := h.Matches(t.Context(), "x", "not a hash"); err == nil {
		t.Error("text that is not a hash was compared")
	}
}

func TestHashWaitsItsTurn(t *testing.T) {
	t.Parallel()
	h := New()
	for range cap(h.slots) {
		h.slots <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Hash(ctx, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := h.Matches(ctx, "x", "y"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	<-h.slots
	if _, err := h.Hash(t.Context(), "x"); err != nil {
		t.Errorf("got %v", err)
	}
}
