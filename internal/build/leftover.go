package build

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/scaffold"
)

// leftoverWarnings tells of handlers whose action is not declared any more. They are the user's, so they stay; but the
// types that they were written for are gone, and a service that is compiled as a whole fails with them.
func leftoverWarnings(cfg *env.Config, manifest Manifest, needed []scaffold.File, nodes map[string]Node) []Warning {
	var warnings []Warning
	for _, rt := range cfg.Runtimes() {
		if !rt.Enabled {
			continue
		}
		var left []string
		for p, e := range manifest {
			if e.Owner == scaffold.OwnerNself || nodes[p].Kind == Absent || !strings.HasPrefix(p, functionsDir+rt.Name+"/") ||
				path.Base(path.Dir(p)) != "actions" || slices.ContainsFunc(needed, func(f scaffold.File) bool { return f.Path == p }) {
				continue
			}
			left = append(left, p)
		}
		if len(left) == 0 {
			continue
		}
		slices.Sort(left)
		which := strings.Join(left, ", ")
		if len(left) > 2 { // the advice names them all
			which = fmt.Sprintf("%s and %d more files", left[0], len(left)-1)
		}
		warnings = append(warnings, Warning{
			Text: fmt.Sprintf("%s: left from an action that the %s service does not have any more, and may not compile without its types",
				which, rt.Name),
			Hint: "remove with: rm " + strings.Join(left, " "),
		})
	}
	return warnings
}
