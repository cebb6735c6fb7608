package gateway

import (
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/nself-org/nself/internal/action"
)

// checkFragments refuses fragments that are defined twice, undefined, or part of a cycle. Fragments that the operation
// does not reach are not looked at.
func (op *operation) checkFragments() *action.Error {
	defined := map[string]bool{}
	for _, f := range op.fragments {
		if defined[f.Name] {
			e := invalid(`multiple definitions for fragment "` + f.Name + `"`)
			e.Code = action.CodeParseFailed
			return e
		}
		defined[f.Name] = true
	}
	w := fragmentWalk{op: op, done: map[string]bool{}}
	return w.selections(op.ast.SelectionSet)
}

// fragmentWalk follows the spreads of an operation, each fragment once.
type fragmentWalk struct {
	op    *operation
	stack []string
	done  map[string]bool
}

func (w *fragmentWalk) selections(set ast.SelectionSet) *action.Error {
	for _, s := range set {
		var err *action.Error
		switch s := s.(type) {
		case *ast.Field:
			if err = w.selections(s.SelectionSet); err != nil {
				err = err.Under(s.Name).Under("selectionSet")
			}
		case *ast.InlineFragment:
			err = w.selections(s.SelectionSet)
		case *ast.FragmentSpread:
			if err = w.spread(s.Name); err != nil {
				err = err.Under("selectionSet")
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *fragmentWalk) spread(name string) *action.Error {
	if w.done[name] {
		return nil
	}
	if i := slices.Index(w.stack, name); i >= 0 {
		return invalid("the fragment definition(s) " + quotedList(append([]string{name}, w.stack[i+1:]...)) + " form a cycle")
	}
	f := w.op.fragments.ForName(name)
	if f == nil {
		return invalid(`reference to undefined fragment "` + name + `"`)
	}
	w.stack = append(w.stack, name)
	err := w.selections(f.SelectionSet)
	w.stack = w.stack[:len(w.stack)-1]
	if err != nil {
		return err.Under(name)
	}
	w.done[name] = true
	return nil
}

// quotedList writes "a", "b", and "c".
func quotedList(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = `"` + name + `"`
	}
	switch n := len(quoted); n {
	case 1:
		return quoted[0]
	case 2:
		return quoted[0] + " and " + quoted[1]
	default:
		return strings.Join(quoted[:n-1], ", ") + ", and " + quoted[n-1]
	}
}
