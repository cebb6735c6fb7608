package metadata

import "strings"

// SDLOf writes an action's field and the custom types that it reaches, as they would stand in actions.graphql.
func SDLOf(md *Metadata, a *Action) string { return renderSDL(Subset(md, a)) }

// Subset returns the document with one action and the custom types that it reaches, in the order of md.
func Subset(md *Metadata, a *Action) *Metadata {
	reached := map[string]bool{}
	for _, typ := range append([]string{a.Definition.OutputType}, argumentTypes(a)...) {
		md.CustomTypes.reach(typ, reached)
	}
	sub := &Metadata{Version: md.Version, Actions: []Action{*a}}
	all, kept := &md.CustomTypes, &sub.CustomTypes
	kept.InputObjects = keep(all.InputObjects, func(t InputObject) bool { return reached[t.Name] })
	kept.Objects = keep(all.Objects, func(t Object) bool { return reached[t.Name] })
	kept.Scalars = keep(all.Scalars, func(t Scalar) bool { return reached[t.Name] })
	kept.Enums = keep(all.Enums, func(t Enum) bool { return reached[t.Name] })
	return sub
}

func argumentTypes(a *Action) []string {
	types := make([]string, len(a.Definition.Arguments))
	for i, arg := range a.Definition.Arguments {
		types[i] = arg.Type
	}
	return types
}

// reach adds the custom types that typ names, directly or through fields, to reached.
func (ct *CustomTypes) reach(typ string, reached map[string]bool) {
	name := strings.Trim(typ, "[]! \t")
	if reached[name] {
		return
	}
	reached[name] = true
	for _, f := range ct.fieldsOf(name) {
		ct.reach(f.Type, reached)
	}
}

// fieldsOf returns the fields of the object or input object of that name.
func (ct *CustomTypes) fieldsOf(name string) []Field {
	for _, o := range ct.Objects {
		if o.Name == name {
			return o.Fields
		}
	}
	for _, o := range ct.InputObjects {
		if o.Name == name {
			return o.Fields
		}
	}
	return nil
}

// keep returns the elements that pass, in order; nil when none does.
func keep[T any](list []T, pass func(T) bool) []T {
	var kept []T
	for _, t := range list {
		if pass(t) {
			kept = append(kept, t)
		}
	}
	return kept
}
