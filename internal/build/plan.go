package build

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/nself-org/nself/internal/scaffold"
)

// Action is what a build does to one file.
type Action string

// The actions.
const (
	Create    Action = "create"
	Update    Action = "update"    // nself's file, as nself left it: replaced by a newer rendering
	Overwrite Action = "overwrite" // a user's edit of nself's file: replaced on demand, after a backup
	Remove    Action = "remove"    // nself's file, as nself left it, that the project does not need any more
	Conflict  Action = "conflict"  // nself's file, edited by the user: a choice is needed
	Keep      Action = "keep"      // a user's edit of nself's file: accepted on demand
	Adopt     Action = "adopt"     // as it should be already, but not in the manifest yet
	Unchanged Action = "unchanged"
)

// Change is one file's part in a [Plan].
type Change struct {
	Action Action         `json:"action"`
	Path   string         `json:"path"` // relative to the project, with slashes
	Owner  scaffold.Owner `json:"owner"`
	// Reason says why, such as "GOLANG_ENABLED in .env.local:9" or "edited since nself wrote it". May be empty.
	Reason string `json:"reason,omitempty"`
	// Backup is where an overwritten version is saved, relative to the project.
	Backup string `json:"backup,omitempty"`

	node     Node
	new      []byte
	mode     fs.FileMode
	entry    Entry // what the manifest says afterwards; without a path: nothing
	obsolete bool  // no version of nself's exists any more
}

// Plan is what a build does to a project, sorted by path.
type Plan struct {
	Changes []Change
}

// NodeKind says what stands at a path.
type NodeKind int

// The kinds of node.
const (
	Absent NodeKind = iota
	File
	Link
	Folder
	Other // a socket, device or pipe
)

// Node is what was found on disk at a path. Data is read for files that belong to nself only.
type Node struct {
	Kind NodeKind
	Mode fs.FileMode
	Data []byte

	stamp stamp
}

// Choice says what to do about conflicts.
type Choice string

// The choices.
const (
	Report    Choice = ""      // change nothing and report
	ForceAll  Choice = "force" // nself's version wins, the user's is saved under .nself/backup
	AcceptAll Choice = "keep"  // the user's version stays, until nself's changes
)

// Input is everything that a plan depends on.
type Input struct {
	Files    []scaffold.File   // what the project needs
	Hashes   map[string]string // by path: of nself's files that stand in Files without content
	Manifest Manifest
	Disk     map[string]Node   // of every path in Files and Manifest; a missing one counts as absent
	Reasons  map[string]string // by path: what asks for the file
	// Required are files of the user's that are written again after the user deleted them. Any other stays deleted, unless
	// its whole service is gone.
	Required map[string]bool
	// Gone says why a path is not needed any more. May be nil.
	Gone   func(path string) string
	Choice Choice
	Only   []string // paths that Choice is limited to; empty: all
}

// NewPlan compares what a project needs with what it has. It is a pure function. The error joins all paths where
// something stands that no build can replace, such as a folder.
func NewPlan(in Input) (Plan, error) {
	p := planner{Input: in, alive: map[string]bool{}}
	needed := map[string]bool{}
	for path, n := range in.Disk {
		if n.Kind != Absent {
			p.alive[service(path)] = true
		}
	}
	for _, f := range in.Files {
		if needed[f.Path] {
			p.faults = append(p.faults, fmt.Errorf("%s: rendered twice", f.Path))
			continue
		}
		needed[f.Path] = true
		p.file(f)
	}
	for _, path := range slices.Sorted(maps.Keys(in.Manifest)) {
		if !needed[path] {
			p.obsolete(in.Manifest[path])
		}
	}
	for path := range in.Disk {
		if _, known := in.Manifest[path]; !known && !needed[path] && derived(path) {
			p.add(Change{Action: Remove, Path: path, Owner: scaffold.OwnerDerived, obsolete: true}, in.Disk[path])
		}
	}
	slices.SortFunc(p.plan.Changes, func(a, b Change) int { return strings.Compare(a.Path, b.Path) })
	return p.plan, p.err()
}

type planner struct {
	Input
	alive  map[string]bool // services of which anything is left
	plan   Plan
	faults []error
}

func (p *planner) add(c Change, n Node) {
	c.node = n
	if c.Reason == "" {
		c.Reason = p.Reasons[c.Path]
	}
	if c.Reason == "" && c.obsolete && p.Gone != nil {
		c.Reason = p.Gone(c.Path)
	}
	if c.Action == Conflict {
		c = p.decide(c)
	}
	p.plan.Changes = append(p.plan.Changes, c)
}

// decide applies the user's choice to a conflict.
func (p *planner) decide(c Change) Change {
	if len(p.Only) > 0 && !slices.Contains(p.Only, c.Path) {
		return c
	}
	switch p.Choice {
	case ForceAll:
		c.Action = Overwrite
		if c.node.Kind == File {
			// Named by content: saving the same version twice needs one copy, and no copy replaces another.
			c.Backup = backupDir + c.Path + "." + hashOf(c.node.Data)[:8]
		}
	case AcceptAll:
		c.Action = Keep
		c.entry.Kept = true
		if c.obsolete {
			c.entry = Entry{}
		}
	case Report:
	}
	return c
}

// file plans one file that the project needs.
func (p *planner) file(f scaffold.File) {
	n, e := p.Disk[f.Path], p.Manifest[f.Path]
	known := e.Path != ""
	c := Change{Path: f.Path, Owner: f.Owner, new: f.Data, mode: f.Mode}
	if n.Kind == Folder || n.Kind == Other {
		p.faults = append(p.faults, blocked(f.Path, n.Kind))
		return
	}
	switch f.Owner {
	case scaffold.OwnerDerived:
		c.Action = deriveAction(f, n)
	case scaffold.OwnerUser:
		c.entry = Entry{Path: f.Path, Owner: f.Owner, Mode: Mode(f.Mode)}
		switch {
		case n.Kind == Absent && known && p.deleted(f.Path):
			c.Action, c.Reason = Unchanged, "deleted by you"
		case n.Kind == Absent:
			c.Action = Create
		case known:
			c.Action = Unchanged
		default:
			c.Action = Adopt
		}
	default:
		want, hashed := p.Hashes[f.Path]
		if !hashed {
			want = hashOf(f.Data)
		}
		c.entry = Entry{Path: f.Path, Owner: f.Owner, Mode: Mode(f.Mode), SHA256: want}
		c.Action, c.Reason = ownAction(f, n, e, c.entry.SHA256)
		c.entry.Kept = c.Reason == kept
		if c.entry.Kept && p.Choice == ForceAll { // forcing is how a user takes back having kept a version
			c.Action, c.Reason, c.entry.Kept = Conflict, "you kept your version before", false
			if len(p.Only) > 0 && !slices.Contains(p.Only, c.Path) {
				c.Action, c.Reason, c.entry.Kept = Unchanged, kept, true
			}
		}
	}
	p.add(c, n)
}

func deriveAction(f scaffold.File, n Node) Action {
	switch {
	case n.Kind == Absent:
		return Create
	case n.Kind == File && bytes.Equal(n.Data, f.Data) && n.Mode&^f.Mode == 0:
		return Unchanged
	default:
		return Update
	}
}

// kept is the reason why a file that differs is left alone.
const kept = "your version is kept"

// ownAction plans a file that belongs to nself and may have been edited all the same.
func ownAction(f scaffold.File, n Node, e Entry, want string) (Action, string) {
	known := e.Path != ""
	switch {
	case n.Kind == Absent:
		return Create, ""
	case n.Kind == Link && e.Kept && e.SHA256 == want:
		return Unchanged, kept
	case n.Kind == Link:
		return Conflict, "a symbolic link stands there"
	}
	has := hashOf(n.Data)
	if has != want && bytes.Contains(n.Data, []byte("\r\n")) { // git may have changed the line ends on checkout
		has = hashOf(bytes.ReplaceAll(n.Data, []byte("\r\n"), []byte("\n")))
	}
	switch {
	case has == want && known && e.SHA256 == want && !e.Kept && e.Mode == Mode(f.Mode):
		return Unchanged, ""
	case has == want && known && e.Mode != Mode(f.Mode) && n.Mode != f.Mode:
		return Update, "its mode changes"
	case has == want:
		return Adopt, ""
	case e.Kept && e.SHA256 == want:
		return Unchanged, kept
	case e.Kept:
		return Conflict, "nself's version has changed since you kept yours"
	case known && e.wrote(has):
		return Update, ""
	case known:
		return Conflict, "edited since nself wrote it"
	default:
		return Conflict, "nself did not write it"
	}
}

// obsolete plans a file of the manifest that the project does not need any more.
func (p *planner) obsolete(e Entry) {
	n := p.Disk[e.Path]
	c := Change{Path: e.Path, Owner: e.Owner, obsolete: true}
	switch {
	case e.Owner != scaffold.OwnerNself:
		// The user's: it stays, and stays known. Its deletion is forgotten, except that of a migration.
		c.Action = Unchanged
		if n.Kind != Absent || migration(e.Path) {
			c.entry = e
		}
	case n.Kind == Absent || e.Kept:
		c.Action = Unchanged
	case n.Kind == File && e.wrote(hashOf(n.Data)):
		c.Action = Remove
	case n.Kind == File || n.Kind == Link:
		c.Action, c.Reason, c.entry = Conflict, "not needed any more, but edited since nself wrote it", e
	default:
		c.Action = Unchanged
	}
	p.add(c, n)
}

// deleted says whether a file of the user's that is gone shall stay gone: one that was squashed, renamed or not wanted
// must not come back with every build.
func (p *planner) deleted(path string) bool {
	if p.Choice == ForceAll && slices.Contains(p.Only, path) {
		return false
	}
	return migration(path) || !p.Required[path] && p.alive[service(path)]
}

func migration(path string) bool { return strings.HasPrefix(path, "hasura/") }

// service returns the folder of the service that a path belongs to, or the path itself.
func service(path string) string {
	if rest, ok := strings.CutPrefix(path, functionsDir); ok {
		name, _, _ := strings.Cut(rest, "/")
		return functionsDir + name
	}
	return path
}

func derived(path string) bool { return strings.HasPrefix(path, envDir) }

// manifest is the manifest after the plan has been applied.
func (p Plan) manifest() Manifest {
	m := Manifest{}
	for _, c := range p.Changes {
		if c.entry.Path != "" && (c.Action != Overwrite || !c.obsolete) {
			m[c.Path] = c.entry
		}
	}
	return m
}
