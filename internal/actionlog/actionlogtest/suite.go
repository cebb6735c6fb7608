// Package actionlogtest specifies what an [actionlog.Store] does. Every implementation runs it.
package actionlogtest

import (
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/nself-org/nself/internal/actionlog"
)

// Open returns two stores, or one twice, on one new, empty log. They are closed when the test ends.
type Open func(t *testing.T, lease time.Duration) (a, b actionlog.Store)

// patience bounds every wait of the suite; a loaded machine needs it.
const patience = 30 * time.Second

// short is a lease for tests that wait for its end, long one for those that must not see it.
const (
	short = 200 * time.Millisecond
	long  = time.Hour
)

// Run runs the suite.
func Run(t *testing.T, open Open) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, Open){
		"an entry comes back as it was created":           testRoundTrip,
		"secrets are not stored":                          testSecrets,
		"what cannot be stored is refused":                testUnstorable,
		"unknown ids":                                     testUnknown,
		"outcomes":                                        testOutcomes,
		"claims are oldest first and exclusive":           testClaim,
		"claims are exclusive under concurrency":          testConcurrentClaims,
		"a claimant that has not joined gets nothing":     testStranger,
		"an outcome is recorded once":                     testOnce,
		"requeue keeps what it is told to":                testRequeue,
		"leaving requeues":                                testLeave,
		"the dead are rescued and fenced":                 testRescue,
		"renewing keeps alive":                            testRenew,
		"an outcome counts once, however short the lease": testTinyLeases,
		"dropping": testDrop,
		"depth":    testDepth,
		"watching": testWatch,
		"arrivals": testArrivals,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open)
		})
	}
}

// create makes an entry and returns its id.
func create(t *testing.T, s actionlog.Store, action string) string {
	t.Helper()
	id, err := s.Create(t.Context(), actionlog.NewEntry{Action: action, Input: json.RawMessage(`{}`)})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func get(t *testing.T, s actionlog.Store, id string) actionlog.Entry {
	t.Helper()
	e, err := s.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// join makes a claimant.
func join(t *testing.T, s actionlog.Store) string {
	t.Helper()
	claimant := uuid.NewString()
	if _, err := s.Join(t.Context(), claimant); err != nil {
		t.Fatal(err)
	}
	return claimant
}

// claim claims and expects want entries.
func claim(t *testing.T, s actionlog.Store, claimant string, limit, want int) []actionlog.Claim {
	t.Helper()
	claims, err := s.Claim(t.Context(), claimant, limit)
	if err != nil {
		t.Fatal(err)
	}
	if len(claims) != want {
		t.Fatalf("claimed %d entries, want %d", len(claims), want)
	}
	return claims
}

func record(t *testing.T, s actionlog.Store, c actionlog.Claim, o actionlog.Outcome) error {
	t.Helper()
	errs := s.Record(t.Context(), []actionlog.Result{{Claim: c, Outcome: o}})
	if len(errs) != 1 {
		t.Fatalf("got %d errors for one result", len(errs))
	}
	return errs[0]
}

// await receives a value.
func await(t *testing.T, c <-chan struct{}, what string) {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-c:
	case <-timer.C:
		t.Fatalf("%s: nothing came within %s", what, patience)
	}
}

// rescue asks until want entries are rescued.
func rescue(t *testing.T, s actionlog.Store, want int) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	total := 0
	for total < want && time.Now().Before(deadline) {
		n, err := s.Rescue(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		total += n
		<-tick.C
	}
	if total != want {
		t.Fatalf("rescued %d entries, want %d", total, want)
	}
}

func equalJSON(t *testing.T, what string, got json.RawMessage, want string) {
	t.Helper()
	var g, w any
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(got, &g); err != nil {
		t.Fatalf("%s: got %q: %v", what, got, err)
	}
	if diff := cmp.Diff(w, g); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func testRoundTrip(t *testing.T, open Open) {
	t.Helper()
	a, b := open(t, long)
	const input = `{"text":"ü \u0001 \\u0000 \" 😀","list":[1,2.50,1e3,null,true],"deep":{"a":{"b":[]}}}`
	id, err := a.Create(t.Context(), actionlog.NewEntry{
		Action: "report", Input: json.RawMessage(input),
		Header:  http.Header{"Authorization": {"Bearer x", "second"}, "x-request-id": {"r1"}, "User-Agent": {"ua"}},
		Host:    "shop.example",
		Session: map[string]string{"x-hasura-role": "user", "x-hasura-user-id": "42"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if parsed, err := uuid.Parse(id); err != nil || parsed.String() != id {
		t.Errorf("id %q is not a canonical UUID", id)
	}
	got := get(t, b, id)
	if age := time.Since(got.CreatedAt); age < -time.Minute || age > time.Hour {
		t.Errorf("created %s ago", age)
	}
	equalJSON(t, "input", got.Input, input)
	got.Input, got.CreatedAt = nil, time.Time{}
	want := actionlog.Entry{
		ID: id, Action: "report", Host: "shop.example", Status: actionlog.StatusCreated,
		Header:  http.Header{"Authorization": {"Bearer x"}, "X-Request-Id": {"r1"}, "User-Agent": {"ua"}},
		Session: map[string]string{"x-hasura-role": "user", "x-hasura-user-id": "42"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entry (-want +got):\n%s", diff)
	}
}

func testSecrets(t *testing.T, open Open) {
	t.Helper()
	a, _ := open(t, long)
	id, err := a.Create(t.Context(), actionlog.NewEntry{
		Action: "report", Input: json.RawMessage(`{}`), Header: http.Header{
			"X-Hasura-Admin-Secret": {"s"}, "x-HASURA-access-key": {"s"}, "X-Hasura-Role": {"user"}, "Connection": {"close"},
			"Transfer-Encoding": {"chunked"}, "Content-Length": {"2"}, "Host": {"h"}, "X-Kept": {"1"}, "X-Empty": nil,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(http.Header{"X-Kept": {"1"}}, get(t, a, id).Header); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
}

func testUnstorable(t *testing.T, open Open) {
	t.Helper()
	a, _ := open(t, long)
	for _, input := range []string{``, `{`, `{"a":"\u0000"}`} {
		_, err := a.Create(t.Context(), actionlog.NewEntry{Action: "report", Input: json.RawMessage(input)})
		if !errors.Is(err, actionlog.ErrUnstorable) {
			t.Errorf("create with %q: got %v, want ErrUnstorable", input, err)
		}
	}
	create(t, a, "one")
	create(t, a, "two")
	claims := claim(t, a, join(t, a), 10, 2)
	errs := a.Record(t.Context(), []actionlog.Result{
		{Claim: claims[0], Outcome: actionlog.Complete(json.RawMessage(`"\u0000"`))},
		{Claim: claims[1], Outcome: actionlog.Complete(json.RawMessage(`"fine"`))},
	})
	if !errors.Is(errs[0], actionlog.ErrUnstorable) || errs[1] != nil {
		t.Errorf("got %v, want ErrUnstorable and nil", errs)
	}
	if err := record(t, a, claims[0], actionlog.Outcome{}); !errors.Is(err, actionlog.ErrUnstorable) {
		t.Errorf("an outcome of no kind: got %v, want ErrUnstorable", err)
	}
	if err := record(t, a, claims[0], actionlog.Fail(json.RawMessage(`{"error":"e"}`))); err != nil {
		t.Errorf("the claim did not outlast an outcome that cannot be stored: %v", err)
	}
}

func testUnknown(t *testing.T, open Open) {
	t.Helper()
	a, _ := open(t, long)
	for _, id := range []string{"", "x", uuid.NewString()} {
		if _, err := a.Get(t.Context(), id); !errors.Is(err, actionlog.ErrNotFound) {
			t.Errorf("get %q: got %v, want ErrNotFound", id, err)
		}
		_, stop := a.Watch(id)
		stop()
		stop()
	}
}

func testOutcomes(t *testing.T, open Open) {
	t.Helper()
	a, b := open(t, long)
	failed, completed := create(t, a, "failed"), create(t, a, "completed")
	for _, c := range claim(t, a, join(t, a), 10, 2) {
		if c.Status != actionlog.StatusProcessing || get(t, b, c.ID).Status != actionlog.StatusProcessing {
			t.Errorf("a claimed entry is not processing")
		}
		o := actionlog.Complete(json.RawMessage(`{"done":true}`))
		if c.ID == failed {
			o = actionlog.Fail(json.RawMessage(`{"error":"no","path":"$","code":"c"}`))
		}
		if err := record(t, a, c, o); err != nil {
			t.Fatal(err)
		}
	}
	e := get(t, b, completed)
	equalJSON(t, "response", e.Response, `{"done":true}`)
	if e.Status != actionlog.StatusCompleted || e.Errors != nil {
		t.Errorf("got status %s, errors %s", e.Status, e.Errors)
	}
	e = get(t, b, failed)
	equalJSON(t, "errors", e.Errors, `{"error":"no","path":"$","code":"c"}`)
	if e.Status != actionlog.StatusError || e.Response != nil {
		t.Errorf("got status %s, response %s", e.Status, e.Response)
	}
	claim(t, a, join(t, a), 10, 0)
}

func testClaim(t *testing.T, open Open) {
	t.Helper()
	a, b := open(t, long)
	one, two, three := create(t, a, "x"), create(t, a, "x"), create(t, a, "x")
	first := claim(t, a, join(t, a), 2, 2)
	second := claim(t, b, join(t, b), 2, 1)
	if got := map[string]bool{first[0].ID: true, first[1].ID: true}; !got[one] || !got[two] || second[0].ID != three {
		t.Errorf("not the oldest came first")
	}
	if first[0].Attempt != 1 {
		t.Errorf("attempt is %d, want 1", first[0].Attempt)
	}
}

func testConcurrentClaims(t *testing.T, open Open) {
	t.Helper()
	a, b := open(t, long)
	const entries = 200
	for range entries {
		create(t, a, "x")
	}
	var mu sync.Mutex
	claimed := map[string]int{}
	var wg sync.WaitGroup
	for _, s := range []actionlog.Store{a, b, a, b} {
		me := join(t, s)
		wg.Go(func() {
			for {
				claims, err := s.Claim(t.Context(), me, 7)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				for _, c := range claims {
					claimed[c.ID]++
				}
				finished := len(claimed) == entries
				mu.Unlock()
				if finished {
					return
				}
			}
		})
	}
	wg.Wait()
	for id, n := range claimed {
		if n != 1 {
			t.Errorf("%s was claimed %d times", id, n)
		}
	}
}

func testStranger(t *testing.T, open Open) {
	t.Helper()
	a, _ := open(t, long)
	create(t, a, "x")
	claim(t, a, uuid.NewString(), 10, 0)
	if err := a.Renew(t.Context(), uuid.NewString()); !errors.Is(err, actionlog.ErrLost) {
		t.Errorf("renew: got %v, want ErrLost", err)
	}
	if err := a.Leave(t.Context(), uuid.NewString()); err != nil {
		t.Errorf("leave: %v", err)
	}
}

func testOnce(t *testing.T, open Open) {
	t.Helper()
	a, b := open(t, long)
	id := create(t, a, "x")
	c := claim(t, a, join(t, a), 1, 1)[0]
	forged := c
	forged.Claimant = join(t, b)
	if err := record(t, b, forged, actionlog.Complete(json.RawMessage(`1`))); !errors.Is(err, actionlog.ErrFenced) {
		t.Errorf("another's claim: got %v, want ErrFenced", err)
	}
	forged = c
	forged.Attempt++
	if err := record(t, b, forged, actionlog.Complete(json.RawMessage(`1`))); !errors.Is(err, actionlog.ErrFenced) {
		t.Errorf("another attempt: got %v, want ErrFenced", err)
	}
	if err := record(t, a, c, actionlog.Complete(json.RawMessage(`2`))); err != nil {
		t.Fatal(err)
	}
	if err := record(t, a, c, actionlog.Fail(json.RawMessage(`{}`))); !errors.Is(err, actionlog.ErrFenced) {
		t.Errorf("a second outcome: got %v, want ErrFenced", err)
	}
	equalJSON(t, "response", get(t, a, id).Response, `2`)
}

func testRequeue(t *testing.T, open Open) {
	t.Helper()
	a, b := open(t, long)
	for range 3 {
		create(t, a, "x")
	}
	me, other := join(t, a), join(t, b)
	mine := claim(t, a, me, 2, 2)
	theirs := claim(t, b, other, 1, 1)
	n, err := a.Requeue(t.Context(), me, []string{mine[0].ID})
	if err != nil || n != 1 {
		t.Fatalf("requeued %d, %v, want 1", n, err)
	}
	again := claim(t, b, other, 10, 1)[0]
	if again.ID != mine[1].ID || again.Attempt != 2 {
		t.Errorf("claimed %s, attempt %d, want %s, attempt 2", again.ID, again.Attempt, mine[1].ID)
	}
	if err := record(t, a, mine[1], actionlog.Complete(json.RawMessage(`1`))); !errors.Is(err, actionlog.ErrFenced) {
		t.Errorf("the requeued claim: got %v, want ErrFenced", err)
	}
	for _, c := range []actionlog.Claim{mine[0], theirs[0], again} {
		if err := record(t, a, c, actionlog.Complete(json.RawMessage(`1`))); err != nil {
			t.Error(err)
		}
	}
}

func testLeave(t *testing.T, open Open) {
	t.Helper()
	a, b := open(t, long)
	create(t, a, "x")
	me := join(t, a)
	c := claim(t, a, me, 1, 1)[0]
	for range 2 {
		if err := a.Leave(t.Context(), me); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Renew(t.Context(), me); !errors.Is(err, actionlog.ErrLost) {
		t.Errorf("renew: got %v, want ErrLost", err)
	}
	if err := record(t, a, c, actionlog.Complete(json.RawMessage(`1`))); !errors.Is(err, actionlog.ErrFenced) {
		t.Errorf("record: got %v, want ErrFenced", err)
	}
	claim(t, a, me, 1, 0)
	claim(t, b, join(t, b), 1, 1)
}

func testRescue(t *testing.T, open Open) {
	t.Helper()
	a, b := open(t, short)
	id := create(t, a, "x")
	dead := join(t, a)
	late := claim(t, a, dead, 1, 1)[0]
	rescue(t, b, 1)
	if got := get(t, b, id).Status; got != actionlog.StatusCreated {
		t.Errorf("a rescued entry is %s, want created", got)
	}
	if err := a.Renew(t.Context(), dead); !errors.Is(err, actionlog.ErrLost) {
		t.Errorf("the dead renewed: %v", err)
	}
	claim(t, a, dead, 1, 0)
	if err := record(t, a, late, actionlog.Complete(json.RawMessage(`"late"`))); !errors.Is(err, actionlog.ErrFenced) {
		t.Errorf("late, before the next claim: got %v, want ErrFenced", err)
	}
	c := claim(t, b, join(t, b), 1, 1)[0]
	if c.Attempt != 2 {
		t.Errorf("attempt is %d, want 2", c.Attempt)
	}
	if err := record(t, a, late, actionlog.Complete(json.RawMessage(`"late"`))); !errors.Is(err, actionlog.ErrFenced) {
		t.Errorf("late, after the next claim: got %v, want ErrFenced", err)
	}
	if err := record(t, b, c, actionlog.Complete(json.RawMessage(`"second"`))); err != nil {
		t.Fatal(err)
	}
	if err := record(t, a, late, actionlog.Fail(json.RawMessage(`{}`))); !errors.Is(err, actionlog.ErrFenced) {
		t.Errorf("late, after the end: got %v, want ErrFenced", err)
	}
	e := get(t, a, id)
	equalJSON(t, "response", e.Response, `"second"`)
	if e.Status != actionlog.StatusCompleted || e.Errors != nil {
		t.Errorf("got status %s, errors %s", e.Status, e.Errors)
	}
}

// testTinyLeases has claimants die all the time, in the middle of everything. Each entry must be recorded exactly once.
func testTinyLeases(t *testing.T, open Open) {
	t.Helper()
	a, b := open(t, 10*time.Millisecond)
	const entries = 100
	for range entries {
		create(t, a, "x")
	}
	tally := tally{times: map[string]int{}}
	deadline := time.Now().Add(2 * patience)
	var wg sync.WaitGroup
	for _, s := range []actionlog.Store{a, b, a, b} {
		wg.Go(func() {
			for tally.entries() < entries && time.Now().Before(deadline) {
				if err := liveShortly(t, s, &tally); err != nil {
					t.Log(err) // Postgres may break a deadlock; nothing was done then
				}
			}
		})
	}
	wg.Wait()
	if n := tally.entries(); n != entries {
		t.Errorf("%d of %d entries were recorded", n, entries)
	}
	for id, n := range tally.times {
		if n != 1 {
			t.Errorf("%s was recorded %d times", id, n)
		}
	}
}

// tally counts how often an entry was recorded.
type tally struct {
	mu    sync.Mutex
	times map[string]int
}

func (y *tally) add(id string) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.times[id]++
}

func (y *tally) entries() int {
	y.mu.Lock()
	defer y.mu.Unlock()
	return len(y.times)
}

// liveShortly is a claimant that neither renews nor leaves.
func liveShortly(t *testing.T, s actionlog.Store, recorded *tally) error {
	t.Helper()
	me := uuid.NewString()
	if _, err := s.Join(t.Context(), me); err != nil {
		return err
	}
	for range 3 {
		claims, err := s.Claim(t.Context(), me, 3)
		if err != nil {
			return err
		}
		if _, err := s.Rescue(t.Context()); err != nil {
			return err
		}
		for _, c := range claims {
			result := actionlog.Result{Claim: c, Outcome: actionlog.Complete(json.RawMessage(`1`))}
			err := s.Record(t.Context(), []actionlog.Result{result})[0]
			if err == nil {
				recorded.add(c.ID)
			} else if !errors.Is(err, actionlog.ErrFenced) {
				return err
			}
		}
	}
	return nil
}

func testRenew(t *testing.T, open Open) {
	t.Helper()
	const lease = 2 * time.Second
	a, b := open(t, lease)
	create(t, a, "x")
	me := join(t, a)
	c := claim(t, a, me, 1, 1)[0]
	tick := time.NewTicker(lease / 10)
	defer tick.Stop()
	for end := time.Now().Add(lease + lease/2); time.Now().Before(end); <-tick.C {
		if err := a.Renew(t.Context(), me); err != nil {
			t.Fatal(err)
		}
		if n, err := b.Rescue(t.Context()); n != 0 || err != nil {
			t.Fatalf("rescued %d entries of the living, %v", n, err)
		}
	}
	if err := record(t, a, c, actionlog.Complete(json.RawMessage(`1`))); err != nil {
		t.Error(err)
	}
}

func testDrop(t *testing.T, open Open) {
	t.Helper()
	a, b := open(t, long)
	kept := create(t, a, "kept")
	gone := create(t, a, "gone")
	create(t, a, "gone")
	me := join(t, a)
	claims := claim(t, a, me, 10, 3)
	changed, stop := a.Watch(gone)
	defer stop()
	if n, err := a.Drop(t.Context(), "gone"); n != 2 || err != nil {
		t.Fatalf("dropped %d, %v, want 2", n, err)
	}
	await(t, changed, "watch of a dropped entry")
	if _, err := b.Get(t.Context(), gone); !errors.Is(err, actionlog.ErrNotFound) {
		t.Errorf("get: got %v, want ErrNotFound", err)
	}
	for _, c := range claims {
		err := record(t, a, c, actionlog.Complete(json.RawMessage(`1`)))
		if want := c.ID != kept; errors.Is(err, actionlog.ErrFenced) != want {
			t.Errorf("record for %s: %v", c.Action, err)
		}
	}
}

func testDepth(t *testing.T, open Open) {
	t.Helper()
	a, b := open(t, long)
	for range 3 {
		create(t, a, "two")
	}
	create(t, a, "one")
	claims := claim(t, a, join(t, a), 2, 2)
	if err := record(t, a, claims[0], actionlog.Complete(json.RawMessage(`1`))); err != nil {
		t.Fatal(err)
	}
	got, err := b.Depth(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []actionlog.Depth{
		{Action: "one", Status: actionlog.StatusCreated, Rows: 1},
		{Action: "two", Status: actionlog.StatusCompleted, Rows: 1},
		{Action: "two", Status: actionlog.StatusCreated, Rows: 1},
		{Action: "two", Status: actionlog.StatusProcessing, Rows: 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("depth (-want +got):\n%s", diff)
	}
}

func testWatch(t *testing.T, open Open) {
	t.Helper()
	a, b := open(t, long)
	id, idle := create(t, a, "x"), create(t, a, "idle")
	var channels []<-chan struct{}
	for _, s := range []actionlog.Store{a, a, b} { // b learns of what a does
		c, stop := s.Watch(id)
		defer stop()
		channels = append(channels, c)
	}
	stopped, stop := a.Watch(id)
	stop()
	quiet, stop := a.Watch(idle)
	defer stop()
	c := claim(t, a, join(t, a), 1, 1)[0]
	if err := record(t, a, c, actionlog.Complete(json.RawMessage(`1`))); err != nil {
		t.Fatal(err)
	}
	for _, c := range channels {
		await(t, c, "watch")
	}
	if got := get(t, b, id).Status; got != actionlog.StatusCompleted {
		t.Errorf("after the signal the entry is %s", got)
	}
	if len(stopped) > 0 || len(quiet) > 0 {
		t.Error("a watcher got a signal that was not for it")
	}
}

func testArrivals(t *testing.T, open Open) {
	t.Helper()
	a, _ := open(t, long)
	arrived, stop := a.Arrivals()
	defer stop()
	create(t, a, "x")
	await(t, arrived, "arrival after create")
	me := join(t, a)
	claim(t, a, me, 1, 1)
	if _, err := a.Requeue(t.Context(), me, nil); err != nil {
		t.Fatal(err)
	}
	await(t, arrived, "arrival after requeue")
}
