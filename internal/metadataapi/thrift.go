package metadataapi

import (
	"os"
	"runtime/debug"
	"runtime/metrics"
)

const (
	// manyActions is from when on the memory of a reload is worth handing back: a thousand actions take about five
	// megabytes, and reading them several times that.
	manyActions = 1000
	// thriftyMemory is what the program may take while two versions of the metadata and its files are in memory: ten
	// thousand actions fit in. thriftyFactor lets it grow with what is there already.
	thriftyMemory = 220 << 20
	thriftyFactor = 2
	// smallGCPercent lets a heap that is small anyway grow to three times what is live, not twice, before it is collected:
	// a few megabytes more for some hundredths less of a busy gateway's time.
	smallGCPercent, usualGCPercent = 200, 100
)

// pace sets how often memory is collected, by the number of actions, unless GOGC says it.
func pace(actions int) {
	switch {
	case os.Getenv("GOGC") != "":
	case actions < manyActions:
		debug.SetGCPercent(smallGCPercent)
	default:
		debug.SetGCPercent(usualGCPercent)
	}
}

// thrifty keeps memory small at the price of some time, until undo is called. It is for one caller at a time.
func thrifty() (undo func()) {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	limit := max(thriftyMemory, thriftyFactor*int64(live[0].Value.Uint64())) //nolint:gosec // no heap is that large
	usual := debug.SetMemoryLimit(limit)
	if usual < limit {
		debug.SetMemoryLimit(usual) // somebody wants it smaller still
	}
	return func() { debug.SetMemoryLimit(usual) }
}
