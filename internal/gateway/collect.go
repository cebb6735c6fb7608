package gateway

import (
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/nself-org/nself/internal/action"
)

// maxSelections bounds the fields that one operation selects once fragments are put in place: fragments that spread
// each other can double at every step.
const maxSelections = 20_000

// mergedField is a field of a selection set after fragments, conditions and merging.
type mergedField struct {
	*ast.Field
	sets []ast.SelectionSet // the sub-selections of all its occurrences
}

// compiler checks one operation against a role's schema.
type compiler struct {
	schema *roleSchema
	op     *operation
	scope  action.Scope
	depth  int
	count  int
	buf    []byte

	result   *action.Type // the result type of an asynchronous action, whose members are found under any alias
	warnings []string
}

// collect puts the fields of one object in order: fragments spread, conditions applied, equal response names merged.
func (c *compiler) collect(typeName string, sets []ast.SelectionSet) ([]*mergedField, *action.Error) {
	var fields mergedFields
	for _, set := range sets {
		if err := c.collectSet(&fields, typeName, set); err != nil {
			return nil, err
		}
	}
	return fields.list, nil
}

func (c *compiler) collectSet(fields *mergedFields, typeName string, set ast.SelectionSet) *action.Error {
	for _, s := range set {
		if c.count++; c.count > maxSelections {
			return invalid("the query selects too many fields")
		}
		var (
			err     *action.Error
			keep    bool
			inner   ast.SelectionSet
			applies bool
		)
		switch s := s.(type) {
		case *ast.Field:
			if keep, err = c.included(s.Directives, "a field"); err == nil && keep {
				err = fields.merge(s)
			}
			if err != nil {
				return err
			}
			continue
		case *ast.InlineFragment:
			applies = s.TypeCondition == "" || s.TypeCondition == typeName
			keep, err = c.included(s.Directives, "an inline fragment")
			inner = s.SelectionSet
		case *ast.FragmentSpread:
			f := c.op.fragments.ForName(s.Name)
			applies = f.TypeCondition == typeName
			// Hasura turns spreads into inline fragments before it looks at directives.
			keep, err = c.included(s.Directives, "an inline fragment")
			inner = f.SelectionSet
		}
		if err != nil {
			return err
		}
		if keep && applies {
			if err := c.collectSet(fields, typeName, inner); err != nil {
				return err
			}
		}
	}
	return nil
}

// mergedFields are the fields of a selection set in order. The zero value has none.
type mergedFields struct {
	list   []*mergedField
	byName map[string]*mergedField // by response name; nil while there are few
}

// fewFields is how many are found faster by looking at each.
const fewFields = 16

func (m *mergedFields) find(alias string) *mergedField {
	if m.byName != nil {
		return m.byName[alias]
	}
	for _, known := range m.list {
		if known.Alias == alias {
			return known
		}
	}
	return nil
}

func (m *mergedFields) add(f *mergedField) {
	m.list = append(m.list, f)
	if m.byName == nil && len(m.list) > fewFields {
		m.byName = make(map[string]*mergedField, 4*fewFields)
		for _, known := range m.list {
			m.byName[known.Alias] = known
		}
	}
	if m.byName != nil {
		m.byName[f.Alias] = f
	}
}

// merge adds a field, or joins it with one of the same response name, which must be the same field.
func (m *mergedFields) merge(f *ast.Field) *action.Error {
	known := m.find(f.Alias)
	switch {
	case known == nil:
		known = &mergedField{Field: f}
		m.add(known)
	case known.Name != f.Name:
		return invalid("selection of both '" + known.Name + "' and '" + f.Name +
			"' specify the same response name, '" + f.Alias + "'")
	case !sameArguments(known.Arguments, f.Arguments):
		return invalid("inconsistent arguments between multiple selections of field '" + f.Name + "'")
	}
	if len(f.SelectionSet) > 0 {
		known.sets = append(known.sets, f.SelectionSet)
	}
	return nil
}

// sameArguments compares arguments regardless of order.
func sameArguments(a, b ast.ArgumentList) bool {
	if len(a) != len(b) {
		return false
	}
	for _, x := range a {
		y := b.ForName(x.Name)
		if y == nil || !sameValue(x.Value, y.Value) {
			return false
		}
	}
	return true
}

func sameValue(a, b *ast.Value) bool {
	if a.Kind != b.Kind || a.Raw != b.Raw || len(a.Children) != len(b.Children) {
		return false
	}
	for i, child := range a.Children {
		other := b.Children[i]
		if a.Kind == ast.ObjectValue {
			value := b.Children.ForName(child.Name)
			if value == nil || !sameValue(child.Value, value) {
				return false
			}
		} else if !sameValue(child.Value, other.Value) {
			return false
		}
	}
	return true
}
