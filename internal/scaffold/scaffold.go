// Package scaffold renders the embedded templates into files of a user's project: function services, the documented
// actions' SDL, metadata and migrations, and new projects. It decides and returns files; it writes nothing.
package scaffold

import "io/fs"

// Owner says who may change a rendered file after it is written.
type Owner string

const (
	// OwnerNself files are rewritten by every build; a user's edit of one is reported, never silently lost.
	OwnerNself Owner = "nself"
	// OwnerUser files are written once, where they are missing, and belong to the user from then on.
	OwnerUser Owner = "user"
	// OwnerDerived files repeat what other files say, secrets included: every build rewrites them, and neither their
	// content nor a hash of it is shown or recorded.
	OwnerDerived Owner = "derived"
)

// File is one rendered file.
type File struct {
	// Path is relative to the project's root, with slashes.
	Path  string
	Data  []byte
	Mode  fs.FileMode // permission bits, such as 0o644
	Owner Owner
}
