package build

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"github.com/nself-org/nself/internal/scaffold"
)

// visible reports whether a person should hear of the change.
func (c Change) visible() bool { return c.Action != Unchanged && c.Action != Adopt }

// Conflicts returns the changes that need a choice.
func (p Plan) Conflicts() []Change { return p.with(Conflict) }

func (p Plan) with(action Action) []Change {
	var list []Change
	for _, c := range p.Changes {
		if c.Action == action {
			list = append(list, c)
		}
	}
	return list
}

// Drift reports whether the project differs from what a build would make of it. Missing derived files are no drift:
// they exist on machines that run the project, and a fresh clone has none.
func (p Plan) Drift() bool {
	for _, c := range p.Changes {
		if c.visible() && (c.Owner != scaffold.OwnerDerived || c.Action != Create) {
			return true
		}
	}
	return false
}

// unchanged says that there is nothing to write, remove or decide.
func (p Plan) unchanged() bool {
	return !slices.ContainsFunc(p.Changes, func(c Change) bool { return c.Action != Unchanged })
}

// Counts returns how many files each action concerns.
func (p Plan) Counts() map[Action]int {
	counts := map[Action]int{}
	for _, c := range p.Changes {
		counts[c.Action]++
	}
	return counts
}

// String prints one line per change with its cause, or "nothing to do". Files that stay as they are do not appear.
func (p Plan) String() string {
	width := 0
	for _, c := range p.Changes {
		if c.visible() && c.Reason != "" {
			width = max(width, len(c.Path))
		}
	}
	var b strings.Builder
	for _, c := range p.Changes {
		if !c.visible() {
			continue
		}
		if c.Reason == "" {
			fmt.Fprintf(&b, "%-9s  %s\n", c.Action, c.Path)
		} else {
			fmt.Fprintf(&b, "%-9s  %-*s  %s\n", c.Action, width, c.Path, c.Reason)
		}
	}
	if b.Len() == 0 {
		return "nothing to do\n"
	}
	return b.String()
}

// Diff prints the plan as a unified diff, from what the project has to what nself would write; for a file that was
// kept or is in conflict, it is what the user's edit would lose. Contents of derived files are not shown.
func (p Plan) Diff() string {
	var b strings.Builder
	for _, c := range p.Changes {
		b.WriteString(c.Diff())
	}
	return b.String()
}

// Diff prints one change as a unified diff, or "" when nothing changes.
func (c Change) Diff() string {
	if !c.visible() {
		return ""
	}
	from, to := "a/"+c.Path, "b/"+c.Path
	if c.node.Kind == Absent {
		from = "/dev/null"
	}
	if c.obsolete {
		to = "/dev/null"
	}
	if c.Owner == scaffold.OwnerDerived {
		return fmt.Sprintf("--- %s\n+++ %s\n(holds secrets; not shown)\n", from, to)
	}
	diff := udiff.Unified(from, to, string(c.node.Data), string(c.new))
	if diff == "" { // an empty file, a link or a mode
		return fmt.Sprintf("--- %s\n+++ %s\n", from, to)
	}
	return diff
}

// MarshalJSON writes the changes, each with its diff, and the number of files per action. Files that stay as they are
// appear in the numbers only.
func (p Plan) MarshalJSON() ([]byte, error) {
	type change struct {
		Change
		Diff string `json:"diff,omitempty"`
	}
	out := struct {
		Drift   bool           `json:"drift"`
		Counts  map[Action]int `json:"counts"`
		Changes []change       `json:"changes"`
	}{p.Drift(), p.Counts(), []change{}}
	for _, c := range p.Changes {
		if c.visible() {
			out.Changes = append(out.Changes, change{c, c.Diff()})
		}
	}
	return json.Marshal(out)
}
