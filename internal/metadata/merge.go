package metadata

import (
	"encoding/json"
	"maps"
	"slices"
)

// Merge unites two documents that both come from base: an object that only one of them has changed is taken from it, one
// that both have changed alike from either. What both have changed differently is taken from theirs, and its name is among
// the conflicts. The databases count as one object. A nil base takes theirs.
func Merge(base, ours, theirs *Metadata) (merged *Metadata, conflicts []string, err error) {
	if base == nil {
		return theirs, nil, nil
	}
	mine, err := Compare(base, ours)
	if err != nil {
		return nil, nil, err
	}
	other, err := Compare(base, theirs)
	if err != nil {
		return nil, nil, err
	}
	apart, err := Compare(ours, theirs)
	if err != nil {
		return nil, nil, err
	}
	has := func(list []Difference, d Difference) bool {
		return slices.ContainsFunc(list, func(o Difference) bool { return o.key() == d.key() })
	}
	out := *theirs
	out.Actions, out.Rest = slices.Clone(theirs.Actions), map[string]json.RawMessage{}
	maps.Copy(out.Rest, theirs.Rest)
	out.CustomTypes = theirs.CustomTypes.without(nil, true)
	done := map[string]bool{}
	for _, d := range apart {
		switch {
		case done[d.key()] || !has(mine, d):
			continue
		case has(other, d):
			conflicts = append(conflicts, d.key())
		default:
			out.take(ours, d)
		}
		done[d.key()] = true
	}
	return &out, conflicts, nil
}

// key is the object that a difference belongs to when documents are merged.
func (d Difference) key() string {
	if d.kind == partTable || d.kind == partSource {
		return "sources"
	}
	return d.Object
}

// take puts an object of another document into this one, or removes it where the other lacks it.
func (m *Metadata) take(from *Metadata, d Difference) {
	switch {
	case d.kind == partAction:
		m.Actions = slices.DeleteFunc(m.Actions, func(a Action) bool { return a.Name == d.name })
		if i, err := from.indexOf(d.name); err == nil {
			m.Actions = append(m.Actions, from.Actions[i])
		}
	case d.kind == partType:
		m.CustomTypes = m.CustomTypes.without([]string{d.name}, false)
		m.CustomTypes = m.CustomTypes.plus(from.CustomTypes.only([]string{d.name}))
	case d.key() == "inherited_roles":
		m.InheritedRoles = from.InheritedRoles
	default:
		delete(m.Rest, d.restKey())
		if raw, ok := from.Rest[d.restKey()]; ok {
			m.Rest[d.restKey()] = raw
		}
	}
}

func (d Difference) restKey() string {
	if d.key() == "sources" {
		return "sources"
	}
	return d.name
}
