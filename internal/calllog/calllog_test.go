package calllog_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/calllog"
)

// write adds the entries to a log in dir and waits until they are on disk.
func write(t *testing.T, dir string, secrets []string, entries ...calllog.Entry) {
	t.Helper()
	l := calllog.New(dir, secrets, slog.New(slog.DiscardHandler))
	for _, e := range entries {
		l.Add(e)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Run(ctx); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, dir string, f calllog.Filter) []calllog.Entry {
	t.Helper()
	all, err := calllog.Read(dir, f)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestSecretsAreNotKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, []string{"admin-secret-0123456789", "short"}, calllog.Entry{
		Action: "login", Role: "user", Status: 200,
		Session: map[string]string{"x-hasura-role": "user", "x-hasura-auth-token": "very-private"},
		Headers: map[string]string{"Authorization": "Bearer very-private", "X-Request-Id": "7", "X-API-Key": "very-private"},
		Input: json.RawMessage(`{"z":1.50,"input":{"password":"very-private","newPassword":{"a":"very-private"},"email":"a@b.c",
			"note":"the admin-secret-0123456789 <b>","users":[{"card_number":4242424242424242},{"pin":"1234","token":null,"password":""}]}}`),
		Response: json.RawMessage(`{"accessToken":"very-private","ok":true,"short":"short"}`),
		Error:    "refused admin-secret-0123456789",
	})
	raw, err := os.ReadFile(filepath.Join(dir, "calls.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"very-private", "admin-secret", "4242", "1234"} {
		if strings.Contains(string(raw), secret) {
			t.Errorf("%q was kept: %s", secret, raw)
		}
	}
	e := read(t, dir, calllog.Filter{})[0]
	wantInput := `{"z":1.50,"input":{"password":"[redacted]","newPassword":"[redacted]","email":"a@b.c",` +
		`"note":"the [redacted] <b>","users":[{"card_number":"[redacted]"},{"pin":"[redacted]","token":null,"password":""}]}}`
	if diff := cmp.Diff(wantInput, string(e.Input)); diff != "" {
		t.Errorf("input (-want +got):\n%s", diff)
	}
	wantHidden := []string{"input.password", "input.newPassword", "input.note", "input.users.0.card_number", "input.users.1.pin"}
	if diff := cmp.Diff(wantHidden, e.Hidden); diff != "" {
		t.Errorf("places (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(`{"accessToken":"[redacted]","ok":true,"short":"short"}`, string(e.Response)); diff != "" {
		t.Errorf("response (-want +got):\n%s", diff)
	}
	wantHeaders := map[string]string{"Authorization": "[redacted]", "X-Request-Id": "7", "X-API-Key": "[redacted]"}
	if diff := cmp.Diff(wantHeaders, e.Headers); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	for path, want := range map[string]os.FileMode{filepath.Join(dir, "calls.jsonl"): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, %v", path, info.Mode(), err)
		}
	}
}

func TestSensitive(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"password": true, "user_password": true, "PASSWORD_HASH": true, "X-Api-Key": true, "apiKey": true, "Set-Cookie": true,
		"x-hasura-admin-secret": true, "refreshToken": true, "cvc": true, "pin": true,
		"email": false, "name": false, "shipping": false, "company": false, "author": false, "pinned": false, "panel": false,
	} {
		if got := calllog.Sensitive(name); got != want {
			t.Errorf("Sensitive(%q) = %t", name, got)
		}
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for round := range 8 { // each less than what may wait at once
		var entries []calllog.Entry
		for i := range 200 {
			entries = append(entries, calllog.Entry{Action: strconv.Itoa(round*200 + i), Input: json.RawMessage(`{}`)})
		}
		write(t, dir, nil, entries...)
	}
	all := read(t, dir, calllog.Filter{})
	if len(all) < 500 || len(all) > 1000 {
		t.Errorf("%d calls are kept", len(all))
	}
	if last := all[len(all)-1].Action; last != "1599" {
		t.Errorf("the last call is %s", last)
	}
	if got := read(t, dir, calllog.Filter{Limit: 3}); len(got) != 3 || got[0].Action != "1597" {
		t.Errorf("the last three are %+v", got)
	}

	large := `"` + strings.Repeat("x", 70<<10) + `"`
	write(t, dir, nil, calllog.Entry{Action: "big", Input: json.RawMessage(large), Response: json.RawMessage(large)})
	e := read(t, dir, calllog.Filter{Action: "big"})[0]
	if diff := cmp.Diff([]string{"input", "response"}, e.Cut); diff != "" || e.Input != nil || e.Response != nil {
		t.Errorf("cut (-want +got):\n%s%s", diff, e.Input)
	}
}

// TestTooManyAtOnce holds that adding never waits, and that what was dropped is counted.
func TestTooManyAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var entries []calllog.Entry
	for range 300 {
		entries = append(entries, calllog.Entry{Action: "a"})
	}
	write(t, dir, nil, entries...)
	all := read(t, dir, calllog.Filter{})
	if kept := int64(len(all)); kept+all[0].Missed != 300 {
		t.Errorf("%d kept and %d missed of 300", kept, all[0].Missed)
	}
}

func TestFindAndDamage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := calllog.Find(dir, "last"); err == nil {
		t.Error("an empty log has a last call")
	}
	write(t, dir, nil, calllog.Entry{Action: "a", Response: json.RawMessage("<html>")})
	path := filepath.Join(dir, "calls.jsonl")
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString(`{"id":"half`)
	if err != nil || f.Close() != nil {
		t.Fatal(err)
	}
	write(t, dir, nil, calllog.Entry{Action: "b", Failed: true})
	all := read(t, dir, calllog.Filter{})
	if len(all) != 2 || string(all[0].Response) != `"<html>"` {
		t.Fatalf("read %+v", all)
	}
	if e, err := calllog.Find(dir, "last"); err != nil || e.Action != "b" {
		t.Errorf("last: %+v, %v", e, err)
	}
	if e, err := calllog.Find(dir, all[0].ID[:7]); err != nil || e.Action != "a" {
		t.Errorf("by id: %+v, %v", e, err)
	}
	if got := read(t, dir, calllog.Filter{Failed: true}); len(got) != 1 || got[0].Action != "b" {
		t.Errorf("failed: %+v", got)
	}
}

func TestFollow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, nil, calllog.Entry{Action: "before"})
	ctx, cancel := context.WithCancel(t.Context())
	seen, ended := make(chan string, 1000), make(chan error, 1)
	go func() {
		ended <- calllog.Follow(ctx, dir, calllog.Filter{}, func(e calllog.Entry) { seen <- e.Action })
	}()
	for following := false; !following; { // it has begun once a call is seen
		write(t, dir, nil, calllog.Entry{Action: "before"})
		select {
		case <-seen:
			following = true
		case <-time.After(50 * time.Millisecond):
		}
	}
	var entries []calllog.Entry
	for range 200 {
		entries = append(entries, calllog.Entry{Action: "x"})
	}
	n := 0
	for round := range 3 { // across a rotation
		entries[0].Action = fmt.Sprint("round", round)
		write(t, dir, nil, entries...)
		for n < (round+1)*200 {
			if a := <-seen; a != "before" {
				n++
			}
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
