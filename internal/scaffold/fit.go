package scaffold

import (
	"slices"
	"strings"

	"github.com/nself-org/nself/internal/metadata"
)

// fit says whether the implementation of a documented action works with the project's types: the action takes and
// returns what it was written for, and each field that the project declares has the type it was written for. Fields that
// the project adds are its own matter. Fields that it leaves out, such as error_code, do not hinder: the engine ignores
// what a handler answers beyond the declared type. They are added to the returned types, so that the code compiles.
func fit(declared, written metadata.Action, project, needed metadata.CustomTypes) (metadata.CustomTypes, bool) {
	// Whether the output may be null makes no difference to the code: it answers with an object either way.
	if strings.TrimSuffix(declared.Definition.OutputType, "!") != strings.TrimSuffix(written.Definition.OutputType, "!") ||
		!slices.EqualFunc(declared.Definition.Arguments, written.Definition.Arguments, func(a, b metadata.Argument) bool {
			return a.Name == b.Name && a.Type == b.Type
		}) {
		return project, false
	}
	merged := metadata.CustomTypes{
		InputObjects: slices.Clone(project.InputObjects),
		Objects:      slices.Clone(project.Objects),
		Enums:        slices.Clone(project.Enums),
		Scalars:      slices.Clone(project.Scalars),
	}
	for _, want := range needed.InputObjects {
		i := slices.IndexFunc(merged.InputObjects, func(t metadata.InputObject) bool { return t.Name == want.Name })
		if i < 0 {
			merged.InputObjects = append(merged.InputObjects, want)
			continue
		}
		fields, ok := fitFields(merged.InputObjects[i].Fields, want.Fields)
		if !ok {
			return project, false
		}
		merged.InputObjects[i].Fields = fields
	}
	for _, want := range needed.Objects {
		i := slices.IndexFunc(merged.Objects, func(t metadata.Object) bool { return t.Name == want.Name })
		if i < 0 {
			merged.Objects = append(merged.Objects, want)
			continue
		}
		fields, ok := fitFields(merged.Objects[i].Fields, want.Fields)
		if !ok {
			return project, false
		}
		merged.Objects[i].Fields = fields
	}
	for _, want := range needed.Enums {
		i := slices.IndexFunc(merged.Enums, func(t metadata.Enum) bool { return t.Name == want.Name })
		if i < 0 {
			merged.Enums = append(merged.Enums, want)
			continue
		}
		for _, v := range want.Values {
			if !slices.ContainsFunc(merged.Enums[i].Values, func(have metadata.EnumValue) bool { return have.Value == v.Value }) {
				return project, false // an answer with this value would not be of the declared type
			}
		}
	}
	return merged, true
}

// fitFields adds to have the fields that are only in want, or reports a field that has another type.
func fitFields(have, want []metadata.Field) ([]metadata.Field, bool) {
	have = slices.Clone(have)
	for _, w := range want {
		i := slices.IndexFunc(have, func(f metadata.Field) bool { return f.Name == w.Name })
		switch {
		case i < 0:
			have = append(have, w)
		case !sameType(have[i].Type, w.Type):
			return nil, false
		}
	}
	return have, true
}

// sameType compares types as handlers see them: the documents spell Postgres' uuid in capitals.
func sameType(a, b string) bool {
	norm := func(s string) string {
		ref, err := metadata.ParseType(s)
		if err != nil {
			return s
		}
		for r := ref; ; r = r.Elem {
			if r.Elem == nil {
				if r.Name == "uuid" {
					r.Name = "UUID"
				}
				return ref.String()
			}
		}
	}
	return norm(a) == norm(b)
}
