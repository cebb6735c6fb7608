package codegen

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/metadata"
)

// goScalars says what a scalar is in Go: GraphQL's own, Postgres', and the usual names of custom ones. Dates stay text,
// because their formats vary with the server's settings; numbers that float64 cannot hold are json.Number, which reads
// both numbers and text. A scalar that is not listed is any.
var goScalars = map[string]string{
	"String": "string", "ID": "string", "Int": "int", "Float": "float64", "Boolean": "bool",

	"uuid": "string", "citext": "string", "bpchar": "string", "char": "string", "name": "string", "bytea": "string",
	"date": "string", "time": "string", "timetz": "string", "timestamp": "string", "timestamptz": "string",
	"interval": "string", "inet": "string", "cidr": "string", "macaddr": "string", "macaddr8": "string", "xml": "string",
	"ltree": "string", "bit": "string", "varbit": "string", "tsvector": "string", "tsquery": "string", "money": "string",
	"smallint": "int", "float8": "float64", "bigint": "json.Number", "numeric": "json.Number",

	"UUID": "string", "Uuid": "string", "Date": "string", "Time": "string", "DateTime": "string", "Timestamp": "string",
	"Email": "string", "EmailAddress": "string", "URL": "string", "Url": "string", "URI": "string", "Bytes": "string",
	"BigInt": "json.Number", "Long": "json.Number", "Decimal": "json.Number", "BigDecimal": "json.Number",
}

// goTypes is the set of Go types that the actions need.
type goTypes struct {
	names   map[string]string // GraphQL name to Go name, of declared types that become Go types
	inputs  map[string]*metadata.InputObject
	objects map[string]*metadata.Object
	enums   map[string]*metadata.Enum
	scalars map[string]bool // declared scalars
	used    map[string]bool // GraphQL names
	queue   []string        // used, fields not looked at yet
	structs []*goStruct
	consts  map[string][]string // enum name to the Go names of its values
	taken   namer
}

// goStruct is an input object or an object.
type goStruct struct {
	graphql, description string
	output               bool
	fields               []goField
}

// goField is a field of a struct.
type goField struct {
	name, graphql, description string
	ref                        *metadata.TypeRef
	pointer                    bool // the field's type holds this one, so that it cannot be held by value
}

func newGoTypes(in GoInput, taken namer) *goTypes {
	t := &goTypes{
		names: map[string]string{}, inputs: map[string]*metadata.InputObject{}, objects: map[string]*metadata.Object{},
		enums: map[string]*metadata.Enum{}, scalars: map[string]bool{}, used: map[string]bool{},
		consts: map[string][]string{}, taken: taken,
	}
	for i := range in.Types.InputObjects {
		t.inputs[in.Types.InputObjects[i].Name] = &in.Types.InputObjects[i]
	}
	for i := range in.Types.Objects {
		t.objects[in.Types.Objects[i].Name] = &in.Types.Objects[i]
	}
	for i := range in.Types.Enums {
		t.enums[in.Types.Enums[i].Name] = &in.Types.Enums[i]
	}
	for _, s := range in.Types.Scalars {
		t.scalars[s.Name] = true
	}
	return t
}

// use marks a type as needed and gives it a name.
func (t *goTypes) use(graphql string) {
	_, isInput := t.inputs[graphql]
	_, isObject := t.objects[graphql]
	_, isEnum := t.enums[graphql]
	if t.used[graphql] || !isInput && !isObject && !isEnum {
		return
	}
	t.used[graphql] = true
	t.names[graphql] = t.taken.take(goName(graphql))
	t.queue = append(t.queue, graphql)
}

// field parses a field and marks its type as needed.
func (t *goTypes) field(names namer, f metadata.Field) (goField, error) {
	ref, err := metadata.ParseType(f.Type)
	if err != nil {
		return goField{}, err
	}
	t.use(ref.Base())
	return goField{name: names.take(goName(f.Name)), graphql: f.Name, description: f.Description, ref: ref}, nil
}

// resolve follows the needed types to all that they hold.
func (t *goTypes) resolve() error {
	for len(t.queue) > 0 {
		name := t.queue[0]
		t.queue = t.queue[1:]
		if in, ok := t.inputs[name]; ok {
			if err := t.addStruct(name, in.Description, in.Fields, false); err != nil {
				return err
			}
		} else if obj, ok := t.objects[name]; ok {
			if err := t.addStruct(name, obj.Description, obj.Fields, true); err != nil {
				return err
			}
		}
	}
	// Values come last, so that a type keeps its name whatever values an enum has.
	for name, enum := range sorted(t.enums) {
		if !t.used[name] {
			continue
		}
		for _, v := range enum.Values {
			t.consts[name] = append(t.consts[name], t.taken.take(t.names[name]+goName(v.Value)))
		}
	}
	t.breakCycles()
	slices.SortStableFunc(t.structs, func(a, b *goStruct) int { return strings.Compare(t.names[a.graphql], t.names[b.graphql]) })
	return nil
}

func (t *goTypes) addStruct(name, description string, fields []metadata.Field, output bool) error {
	s := &goStruct{graphql: name, description: description, output: output}
	names := newNamer("MarshalJSON")
	for _, f := range fields {
		gf, err := t.field(names, f)
		if err != nil {
			err = fmt.Errorf("type %q: field %q: %w", name, f.Name, err)
			if f.Pos.File != "" {
				err = fmt.Errorf("%s:%d: %w", f.Pos.File, f.Pos.Line, err)
			}
			return errdefs.As(errdefs.ErrInvalid, err)
		}
		s.fields = append(s.fields, gf)
	}
	t.structs = append(t.structs, s)
	return nil
}

// breakCycles makes pointers of the fields through which a struct would hold itself by value, which Go forbids.
func (t *goTypes) breakCycles() {
	holds := map[string][]string{} // by value
	for _, s := range t.structs {
		for _, f := range s.fields {
			if f.ref.NonNull && f.ref.Elem == nil && t.isStruct(f.ref.Name) {
				holds[s.graphql] = append(holds[s.graphql], f.ref.Name)
			}
		}
	}
	reaches := func(from, to string) bool {
		seen := map[string]bool{}
		stack := []string{from}
		for len(stack) > 0 {
			at := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if at == to {
				return true
			}
			if !seen[at] {
				seen[at] = true
				stack = append(stack, holds[at]...)
			}
		}
		return false
	}
	for _, s := range t.structs {
		for i, f := range s.fields {
			if slices.Contains(holds[s.graphql], f.ref.Name) && f.ref.NonNull && reaches(f.ref.Name, s.graphql) {
				s.fields[i].pointer = true
			}
		}
	}
}

func (t *goTypes) isStruct(graphql string) bool {
	_, isInput := t.inputs[graphql]
	_, isObject := t.objects[graphql]
	return isInput || isObject
}

// base returns the Go type of a name, without regard to null.
func (t *goTypes) base(graphql string) string {
	if name, ok := t.names[graphql]; ok {
		return name
	}
	if scalar, ok := goScalars[graphql]; ok {
		return scalar
	}
	return "any"
}

// of returns the Go type of a reference: nullable values are pointers, unless nil can say null by itself.
func (t *goTypes) of(ref *metadata.TypeRef) string {
	if ref.Elem != nil {
		return "[]" + t.of(ref.Elem)
	}
	base := t.base(ref.Name)
	if ref.NonNull || base == "any" {
		return base
	}
	return "*" + base
}

// ofField is of, with the pointer that breaks a cycle.
func (t *goTypes) ofField(f goField) string {
	s := t.of(f.ref)
	if f.pointer && !strings.HasPrefix(s, "*") {
		return "*" + s
	}
	return s
}

// answer returns the Go type of an action's output: an object is a pointer even where it may not be null, so that a
// handler can return nil beside an error.
func (t *goTypes) answer(ref *metadata.TypeRef) string {
	t.use(ref.Base())
	s := t.of(ref)
	if ref.Elem == nil && t.isStruct(ref.Name) && !strings.HasPrefix(s, "*") {
		return "*" + s
	}
	return s
}
