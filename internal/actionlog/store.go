package actionlog

import (
	"context"
	"time"
)

// DefaultLease is how long a claimant lives without renewing. It is how long a crash can go unnoticed, and how long the
// store may be away before calls under way are given up.
const DefaultLease = 10 * time.Second

// Log is what the server of GraphQL requests needs. It is safe for concurrent use.
type Log interface {
	// Create stores a new entry and returns its id. ErrUnstorable: the input.
	Create(ctx context.Context, e NewEntry) (id string, err error)
	// Get returns an entry. ErrNotFound: there is none, or id is not a UUID.
	Get(ctx context.Context, id string) (Entry, error)
	// Watch returns a channel that gets a value after the entry has reached its final state or was dropped. Call Get
	// after Watch, not before, or a change in between is missed. A watcher costs a map entry; stop must be called, once
	// or more often.
	Watch(id string) (changed <-chan struct{}, stop func())
	// Drop removes all entries of an action and returns how many. Calls under way end without an effect.
	Drop(ctx context.Context, action string) (rows int64, err error)
	// Depth counts the entries by action and state, sorted by both. It reads the whole log.
	Depth(ctx context.Context) ([]Depth, error)
}

// Queue is what a worker needs. It is safe for concurrent use. A claimant is a UUID that a worker makes for itself, new
// for each Join. Every change of state is made only while the claim that it is based on stands.
type Queue interface {
	// Join begins the lease of a claimant and returns its length.
	Join(ctx context.Context, claimant string) (lease time.Duration, err error)
	// Renew begins the lease anew. ErrLost: it has ended, and the claimant must stop what it runs.
	Renew(ctx context.Context, claimant string) error
	// Leave requeues everything the claimant still claims and ends its lease. Leaving twice is fine.
	Leave(ctx context.Context, claimant string) error
	// Claim moves up to limit entries, oldest first, from created to processing. One whose lease has ended gets none.
	// After an error entries may have been claimed nevertheless; Requeue gives them back.
	Claim(ctx context.Context, claimant string, limit int) ([]Claim, error)
	// Record moves entries from processing to their final state, as far as their claims stand, and ends those claims.
	// The errors are in the order of results; nil: recorded. ErrFenced, ErrUnstorable: see there. Any other: unknown,
	// record it again.
	Record(ctx context.Context, results []Result) []error
	// Requeue moves what the claimant claims, except for keep, back to created and returns how many those were.
	Requeue(ctx context.Context, claimant string, keep []string) (rows int, err error)
	// Rescue moves what dead claimants claim back to created and returns how many those were.
	Rescue(ctx context.Context) (rows int, err error)
	// Arrivals returns a channel that gets a value after an entry became created through this Queue in this process.
	// Other processes' entries are found by asking. stop must be called, once or more often.
	Arrivals() (arrived <-chan struct{}, stop func())
}

// Store keeps entries.
type Store interface {
	Log
	Queue
}
