package metadata

import "strings"

// SDLOf writes an action's field and the custom types that it reaches, as they would stand in actions.graphql.
func SDLOf(md *Metadata, a *Action) string { return renderSDL(Subset(md, a)) }

// Subset returns the document with one action and the custom types that it reaches, in the order of md.
func Subset(md *Metadata, a *Action) *Metadata {
	reached := map[string]bool{}
	var reach func(typ string)
	reach = func(typ string) {
		name := strings.Trim(typ, "[]! \t")
		if reached[name] {
			return
		}
		reached[name] = true
		for _, o := range md.CustomTypes.Objects {
			if o.Name == name {
				for _, f := range o.Fields {
					reach(f.Type)
				}
			}
		}
		for _, o := range md.CustomTypes.InputObjects {
			if o.Name == name {
				for _, f := range o.Fields {
					reach(f.Type)
				}
			}
		}
	}
	reach(a.Definition.OutputType)
	for _, arg := range a.Definition.Arguments {
		reach(arg.Type)
	}
	sub := &Metadata{Version: md.Version, Actions: []Action{*a}}
	for _, t := range md.CustomTypes.InputObjects {
		if reached[t.Name] {
			sub.CustomTypes.InputObjects = append(sub.CustomTypes.InputObjects, t)
		}
	}
	for _, t := range md.CustomTypes.Objects {
		if reached[t.Name] {
			sub.CustomTypes.Objects = append(sub.CustomTypes.Objects, t)
		}
	}
	for _, t := range md.CustomTypes.Scalars {
		if reached[t.Name] {
			sub.CustomTypes.Scalars = append(sub.CustomTypes.Scalars, t)
		}
	}
	for _, t := range md.CustomTypes.Enums {
		if reached[t.Name] {
			sub.CustomTypes.Enums = append(sub.CustomTypes.Enums, t)
		}
	}
	return sub
}
