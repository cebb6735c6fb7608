package codegen

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/metadata"
)

// tsKind is how a scalar travels in JSON.
type tsKind int

const (
	tsUnknown tsKind = iota // any JSON
	tsText
	tsWhole
	tsReal
	tsNumeric // a number, or text that holds one
	tsFlag
	tsEnum
	tsObject
)

// tsScalars says what a scalar is in TypeScript; the same choices as [goScalars].
var tsScalars = func() map[string]tsKind {
	kinds := map[string]tsKind{"string": tsText, "int": tsWhole, "float64": tsReal, "bool": tsFlag, "json.Number": tsNumeric}
	m := make(map[string]tsKind, len(goScalars))
	for scalar, goType := range goScalars {
		m[scalar] = kinds[goType]
	}
	return m
}()

// tsTaken are names that a type in types.gen.ts cannot have: words of the language, names of types that are built in or
// that decorators refer to, and what the file imports.
var tsTaken = strings.Fields(`
	any as async await bigint boolean break case catch class const continue debugger declare default delete do else enum
	export extends false finally for from function get if implements import in infer instanceof interface is keyof let
	module namespace never new null number object of package private protected public readonly require return set static
	string super switch symbol this throw true try type typeof undefined unique unknown using var void while with yield
	arguments eval
	Array Boolean BigInt Function Map Number Object Promise Set String Symbol
	Allow Arguments IsArray IsBoolean IsEnum IsInt IsList IsNumber IsNumeric IsObject IsOptional IsString Items Later Type
	ValidateNested isAnything isFinite isFlag isNumeric isOneOf isRecord isText isWhole`)

// tsInherited are fields that a class cannot have, because every object has them already.
var tsInherited = []string{
	"constructor", "__proto__", "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "toLocaleString", "toString",
	"valueOf",
}

// tsTypes is the set of TypeScript types that the actions need.
type tsTypes struct {
	names   map[string]string // GraphQL name to TypeScript name
	inputs  map[string]*metadata.InputObject
	objects map[string]*metadata.Object
	enums   map[string]*metadata.Enum
	used    map[string]bool
	queue   []string
	classes []*tsShape // input objects, each after those that it holds where that is possible
	shapes  []*tsShape // objects, by name
	taken   namer
}

// tsShape is an input object or an object.
type tsShape struct {
	graphql, description string
	fields               []tsField
}

type tsField struct {
	name, description string
	ref               *metadata.TypeRef
	endless           bool // a value made of zero values would hold itself
}

func newTSTypes(types metadata.CustomTypes, taken namer) *tsTypes {
	t := &tsTypes{
		names: map[string]string{}, inputs: map[string]*metadata.InputObject{}, objects: map[string]*metadata.Object{},
		enums: map[string]*metadata.Enum{}, used: map[string]bool{}, taken: taken,
	}
	for i := range types.InputObjects {
		t.inputs[types.InputObjects[i].Name] = &types.InputObjects[i]
	}
	for i := range types.Objects {
		t.objects[types.Objects[i].Name] = &types.Objects[i]
	}
	for i := range types.Enums {
		t.enums[types.Enums[i].Name] = &types.Enums[i]
	}
	return t
}

// use marks a type as needed and gives it a name.
func (t *tsTypes) use(graphql string) {
	_, isInput := t.inputs[graphql]
	_, isObject := t.objects[graphql]
	_, isEnum := t.enums[graphql]
	if t.used[graphql] || !isInput && !isObject && !isEnum {
		return
	}
	t.used[graphql] = true
	t.names[graphql] = t.taken.take(graphql)
	t.queue = append(t.queue, graphql)
}

// field parses a field and marks its type as needed.
func (t *tsTypes) field(f metadata.Field, ofClass bool) (tsField, error) {
	if ofClass && slices.Contains(tsInherited, f.Name) {
		return tsField{}, errdefs.WithHint(
			errors.New("a TypeScript class cannot have a field of this name"), "rename it")
	}
	ref, err := metadata.ParseType(f.Type)
	if err != nil {
		return tsField{}, err
	}
	t.use(ref.Base())
	return tsField{name: f.Name, description: f.Description, ref: ref}, nil
}

// resolve follows the needed types to all that they hold.
func (t *tsTypes) resolve() error {
	for len(t.queue) > 0 {
		name := t.queue[0]
		t.queue = t.queue[1:]
		if in, ok := t.inputs[name]; ok {
			s, err := t.shape(name, in.Description, in.Fields, true)
			if err != nil {
				return err
			}
			t.classes = append(t.classes, s)
		} else if obj, ok := t.objects[name]; ok {
			s, err := t.shape(name, obj.Description, obj.Fields, false)
			if err != nil {
				return err
			}
			t.shapes = append(t.shapes, s)
		}
	}
	slices.SortFunc(t.shapes, func(a, b *tsShape) int { return strings.Compare(a.graphql, b.graphql) })
	t.order()
	return nil
}

func (t *tsTypes) shape(name, description string, fields []metadata.Field, ofClass bool) (*tsShape, error) {
	s := &tsShape{graphql: name, description: description}
	for _, f := range fields {
		field, err := t.field(f, ofClass)
		if err != nil {
			err = fmt.Errorf("type %q: field %q: %w", name, f.Name, err)
			if f.Pos.File != "" {
				err = fmt.Errorf("%s:%d: %w", f.Pos.File, f.Pos.Line, err)
			}
			return nil, errdefs.As(errdefs.ErrInvalid, err)
		}
		s.fields = append(s.fields, field)
	}
	return s, nil
}

// order puts classes behind those that they hold, because a decorator looks at the type of its field when the class is
// made, and marks the fields through which a class would hold itself without end.
func (t *tsTypes) order() {
	slices.SortFunc(t.classes, func(a, b *tsShape) int { return strings.Compare(a.graphql, b.graphql) })
	byName := map[string]*tsShape{}
	for _, s := range t.classes {
		byName[s.graphql] = s
	}
	var ordered []*tsShape
	state := map[string]int{} // 1: under way, 2: done
	var visit func(s *tsShape)
	visit = func(s *tsShape) {
		state[s.graphql] = 1
		for i, f := range s.fields {
			next, ok := byName[f.ref.Base()]
			if !ok {
				continue
			}
			if state[next.graphql] == 0 {
				visit(next)
			}
			if f.ref.Elem == nil && f.ref.NonNull && state[next.graphql] == 1 {
				s.fields[i].endless = true
			}
		}
		state[s.graphql] = 2
		ordered = append(ordered, s)
	}
	for _, s := range t.classes {
		if state[s.graphql] == 0 {
			visit(s)
		}
	}
	t.classes = ordered
}

// kind says how a named type travels.
func (t *tsTypes) kind(graphql string) tsKind {
	if _, ok := t.enums[graphql]; ok {
		return tsEnum
	}
	if _, ok := t.names[graphql]; ok {
		return tsObject
	}
	return tsScalars[graphql]
}

// base returns the TypeScript type of a name, without regard to null.
func (t *tsTypes) base(graphql string) string {
	switch t.kind(graphql) {
	case tsEnum, tsObject:
		return t.names[graphql]
	case tsText:
		return "string"
	case tsWhole, tsReal:
		return "number"
	case tsNumeric:
		return "number | string"
	case tsFlag:
		return "boolean"
	case tsUnknown:
	}
	return "unknown"
}

// of returns the TypeScript type of a reference.
func (t *tsTypes) of(ref *metadata.TypeRef) string {
	var s string
	if ref.Elem != nil {
		if s = t.of(ref.Elem); strings.Contains(s, " ") && !strings.HasSuffix(s, "[]") {
			s = "(" + s + ")"
		}
		s += "[]"
	} else {
		s = t.base(ref.Name)
	}
	if ref.NonNull || s == "unknown" {
		return s
	}
	return s + " | null"
}
