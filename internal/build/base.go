package build

import (
	"strings"

	"github.com/nself-org/nself/internal/scaffold"
	"github.com/nself-org/nself/internal/upgrade"
)

// originals are being recorded.
type originals struct {
	done chan struct{}
	take func() error
	err  error
}

// keepOriginals begins to record what is written into new files of the user's, for upgrades to come: they tell by it what
// the user has changed since. Packing takes as long as writing, and goes on beside it.
func (d *disk) keepOriginals(p Plan) *originals {
	o := &originals{done: make(chan struct{})}
	var files []scaffold.File
	for _, c := range p.Changes {
		if c.Action == Create && c.Owner == scaffold.OwnerUser && strings.HasPrefix(c.Path, functionsDir) {
			files = append(files, scaffold.File{Path: c.Path, Data: c.new, Owner: c.Owner})
		}
	}
	go func() {
		defer close(o.done)
		var err error
		if o.take, err = upgrade.Record(d.dir, files); err != nil {
			o.err = d.explain("write", upgrade.Folder, err)
		}
	}()
	return o
}

// wait returns when all is recorded.
func (o *originals) wait() error {
	<-o.done
	return o.err
}

// undo takes the record back, for files that could not be written after all.
func (o *originals) undo() error {
	<-o.done
	if o.err != nil {
		return nil //nolint:nilerr // a record that failed has taken itself back
	}
	return o.take()
}
