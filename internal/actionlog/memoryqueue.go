package actionlog

import (
	"context"
	"maps"
	"slices"
	"time"
)

// Join implements [Queue].
func (m *Memory) Join(_ context.Context, claimant string) (time.Duration, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.leases[claimant] = time.Now().Add(m.lease)
	return m.lease, nil
}

// Renew implements [Queue].
func (m *Memory) Renew(_ context.Context, claimant string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.alive(claimant) {
		return ErrLost
	}
	m.leases[claimant] = time.Now().Add(m.lease)
	return nil
}

func (m *Memory) alive(claimant string) bool { return time.Now().Before(m.leases[claimant]) }

// Leave implements [Queue].
func (m *Memory) Leave(_ context.Context, claimant string) error {
	m.mu.Lock()
	delete(m.leases, claimant)
	m.mu.Unlock()
	m.requeue(func(e *memoryEntry) bool { return e.claimant == claimant })
	return nil
}

// Requeue implements [Queue].
func (m *Memory) Requeue(_ context.Context, claimant string, keep []string) (int, error) {
	return m.requeue(func(e *memoryEntry) bool { return e.claimant == claimant && !slices.Contains(keep, e.ID) }), nil
}

// Rescue implements [Queue].
func (m *Memory) Rescue(context.Context) (int, error) {
	rows := m.requeue(func(e *memoryEntry) bool { return !m.alive(e.claimant) })
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.leases, func(claimant string, _ time.Time) bool { return !m.alive(claimant) })
	return rows, nil
}

// requeue moves the chosen ones among the claimed entries back to created.
func (m *Memory) requeue(choose func(*memoryEntry) bool) int {
	m.mu.Lock()
	var ids []string
	for id, e := range m.entries {
		if e.Status == StatusProcessing && choose(e) {
			e.Status, e.claimant = StatusCreated, ""
			ids = append(ids, id)
		}
	}
	if len(ids) > 0 {
		m.created = append(m.created, ids...)
		slices.SortStableFunc(m.created, func(a, b string) int { return m.createdAt(a).Compare(m.createdAt(b)) })
	}
	m.mu.Unlock()
	if len(ids) > 0 {
		m.Arrived()
	}
	return len(ids)
}

func (m *Memory) createdAt(id string) time.Time {
	if e := m.entries[id]; e != nil {
		return e.CreatedAt
	}
	return time.Time{}
}

// Claim implements [Queue].
func (m *Memory) Claim(_ context.Context, claimant string, limit int) ([]Claim, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.alive(claimant) {
		return nil, nil
	}
	var claims []Claim
	for len(m.created) > 0 && len(claims) < limit {
		e := m.entries[m.created[0]]
		m.created = m.created[1:]
		if e == nil || e.Status != StatusCreated {
			continue
		}
		e.Status, e.claimant = StatusProcessing, claimant
		e.attempt++
		claims = append(claims, Claim{Entry: e.copy(), Claimant: claimant, Attempt: e.attempt})
	}
	return claims, nil
}

// Record implements [Queue].
func (m *Memory) Record(_ context.Context, results []Result) []error {
	errs := make([]error, len(results))
	for i, r := range results {
		errs[i] = m.record(r)
	}
	return errs
}

func (m *Memory) record(r Result) error {
	if !storable(r.Outcome.Payload) || !r.Outcome.Status.Final() {
		return ErrUnstorable
	}
	m.mu.Lock()
	e := m.entries[r.Claim.ID]
	if e == nil || e.Status != StatusProcessing || e.claimant != r.Claim.Claimant || e.attempt != r.Claim.Attempt {
		m.mu.Unlock()
		return ErrFenced
	}
	e.Status, e.claimant = r.Outcome.Status, ""
	if r.Outcome.Status == StatusCompleted {
		e.Response = slices.Clone(r.Outcome.Payload)
	} else {
		e.Errors = slices.Clone(r.Outcome.Payload)
	}
	m.mu.Unlock()
	m.Settled(r.Claim.ID)
	return nil
}
