package actioncheck

import (
	"maps"
	"slices"

	"github.com/nself-org/nself/internal/metadata"
)

// TypeAt is a custom type and where it is declared.
type TypeAt struct {
	Name string
	Pos  metadata.Pos
}

// Unused returns the custom types that no action uses, directly or through others.
func Unused(md *metadata.Metadata) []TypeAt {
	used := map[string]bool{}
	for i := range md.Actions {
		sub := metadata.Subset(md, &md.Actions[i])
		for name := range Places(&sub.CustomTypes) {
			used[name] = true
		}
	}
	var out []TypeAt
	all := Places(&md.CustomTypes)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !used[name] {
			out = append(out, TypeAt{name, all[name]})
		}
	}
	return out
}

// Places returns where each custom type is declared, by its name.
func Places(ct *metadata.CustomTypes) map[string]metadata.Pos {
	out := map[string]metadata.Pos{}
	for _, t := range ct.InputObjects {
		out[t.Name] = t.Pos
	}
	for _, t := range ct.Objects {
		out[t.Name] = t.Pos
	}
	for _, t := range ct.Scalars {
		out[t.Name] = t.Pos
	}
	for _, t := range ct.Enums {
		out[t.Name] = t.Pos
	}
	return out
}
