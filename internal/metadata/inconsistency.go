package metadata

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Inconsistency is an object that Hasura would keep out of its schema, in Hasura's words.
type Inconsistency struct {
	Definition json.RawMessage `json:"definition"`
	Name       string          `json:"name"`
	Reason     string          `json:"reason"`
	Type       string          `json:"type"` // action or custom_types
}

// Facts are what the consistency of metadata depends on outside of it.
type Facts struct {
	// LookupEnv resolves the variables of handlers; nil means that all are set.
	LookupEnv func(name string) (string, bool)
	// Scalars are the GraphQL names of the connected databases' scalars; nil means [PostgresScalars].
	Scalars []string
	// Tables are the tracked tables per source; nil means the document's own.
	Tables map[string][]Table
	// HasColumn says whether a tracked table has a column; nil means that it has.
	HasColumn func(source string, table Table, column string) bool
}

// Inconsistencies returns what is inconsistent, custom types first, then actions in their order, and a copy of md
// without it. The custom types are one object: when they fail, they are left out as a whole and every action with
// them.
func Inconsistencies(md *Metadata, facts Facts) ([]Inconsistency, *Metadata) {
	c := &checker{facts: facts, scalars: map[string]bool{}, tables: facts.Tables}
	scalars := facts.Scalars
	if scalars == nil {
		scalars = PostgresScalars()
	}
	for _, s := range append(slices.Clone(scalars), BuiltinScalars()...) {
		c.scalars[s] = true
	}
	if c.tables == nil {
		c.tables = md.TrackedTables()
	}
	consistent := *md
	consistent.Actions = nil
	var out []Inconsistency
	c.index(md.CustomTypes)
	reasons := c.customTypes(md.CustomTypes)
	if len(reasons) > 0 {
		consistent.CustomTypes = CustomTypes{}
		out = append(out, Inconsistency{
			Type: "custom_types", Name: "custom_types custom_types",
			Reason: inconsistentPrefix + customTypesReason(reasons), Definition: customTypesDefinition(md.CustomTypes),
		})
	}
	for _, a := range md.Actions {
		reason := ""
		if len(reasons) > 0 {
			reason = "custom types are inconsistent"
		} else {
			reason = c.action(a)
		}
		if reason == "" {
			consistent.Actions = append(consistent.Actions, a)
			continue
		}
		out = append(out, Inconsistency{
			Type: "action", Name: "action " + a.Name, Reason: inconsistentPrefix + reason, Definition: actionDefinition(a),
		})
	}
	return out, &consistent
}

const inconsistentPrefix = "Inconsistent object: "

func customTypesReason(reasons []string) string {
	const prefix = "validation for the given custom types failed "
	if len(reasons) == 1 {
		return prefix + "because " + reasons[0]
	}
	var b strings.Builder
	b.WriteString(prefix + "for the following reasons:\n")
	for _, r := range reasons {
		b.WriteString("  • " + r + "\n")
	}
	return b.String()
}

type checker struct {
	facts   Facts
	tables  map[string][]Table
	scalars map[string]bool // of sources and built in
	custom  map[string]bool // declared scalars
	enums   map[string]bool
	inputs  map[string]bool
	objects map[string]Object
}

func (c *checker) index(ct CustomTypes) {
	c.custom, c.enums, c.inputs, c.objects = map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]Object{}
	for _, t := range ct.Scalars {
		c.custom[t.Name] = true
	}
	for _, t := range ct.Enums {
		c.enums[t.Name] = true
	}
	for _, t := range ct.InputObjects {
		c.inputs[t.Name] = true
	}
	for _, t := range ct.Objects {
		c.objects[t.Name] = t
	}
}

func (c *checker) isInput(name string) bool {
	return c.scalars[name] || c.custom[name] || c.enums[name] || c.inputs[name]
}

func (c *checker) isObject(name string) bool {
	_, ok := c.objects[name]
	return ok
}

func quoteAll(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = strconv.Quote(n)
	}
	return strings.Join(quoted, ", ")
}

func (c *checker) customTypes(ct CustomTypes) []string {
	var reasons []string
	add := func(format string, args ...any) { reasons = append(reasons, fmt.Sprintf(format, args...)) }
	if d := duplicates(ct.names()); len(d) > 0 {
		add("duplicate type names: %s", quoteAll(d))
	}
	for _, t := range ct.Enums {
		var values []string
		for _, v := range t.Values {
			values = append(values, v.Value)
		}
		if d := duplicates(values); len(d) > 0 {
			add("the enum type %q has duplicate values: %s", t.Name, quoteAll(d))
		}
	}
	for _, t := range ct.InputObjects {
		if d := duplicates(fieldNames(t.Fields)); len(d) > 0 {
			add("the input object %q has duplicate fields: %s", t.Name, quoteAll(d))
		}
		for _, f := range t.Fields {
			if base := baseOf(f.Type); !c.isInput(base) {
				add("the type %q for field %q in  input object type %q does not exist", base, f.Name, t.Name)
			}
		}
	}
	for _, t := range ct.Objects {
		reasons = append(reasons, c.object(t)...)
	}
	return reasons
}

func fieldNames(fields []Field) []string {
	var out []string
	for _, f := range fields {
		out = append(out, f.Name)
	}
	return out
}

func (c *checker) object(t Object) []string {
	var reasons []string
	add := func(format string, args ...any) { reasons = append(reasons, fmt.Sprintf(format, args...)) }
	rels, _ := t.ParseRelationships()
	names := fieldNames(t.Fields)
	for _, r := range rels {
		names = append(names, r.Name)
	}
	if d := duplicates(names); len(d) > 0 {
		add("the object %q has duplicate fields: %s", t.Name, quoteAll(d))
	}
	types := map[string]string{}
	for _, f := range t.Fields {
		types[f.Name] = f.Type
		base := baseOf(f.Type)
		if !c.scalars[base] && !c.custom[base] && !c.enums[base] && !c.isObject(base) {
			add("the type %q for field %q in  object type %q does not exist", base, f.Name, t.Name)
		}
	}
	for _, r := range rels {
		if !slices.Contains(c.tables[r.Source], r.RemoteTable) {
			add("the remote table %q for relationship %q of object type %q does not exist", r.RemoteTable, r.Name, t.Name)
		}
		for _, name := range sortedKeys(r.FieldMapping) {
			typ, ok := types[name]
			if !ok {
				add("the field %q for relationship %q in object type %q does not exist", name, r.Name, t.Name)
			} else if isList(typ) {
				add("the type of the field %q for relationship %q in object type %q is a list type", name, r.Name, t.Name)
			}
			column := r.FieldMapping[name]
			if c.facts.HasColumn != nil && slices.Contains(c.tables[r.Source], r.RemoteTable) &&
				!c.facts.HasColumn(r.Source, r.RemoteTable, column) {
				add("the column %q of remote table %q for relationship %q of object type %q does not exist",
					column, r.RemoteTable, r.Name, t.Name)
			}
		}
	}
	if len(rels) > 0 && slices.ContainsFunc(rels, func(r Relationship) bool { return r.Source != rels[0].Source }) {
		add("the object %q has relationships refers to tables in multiple sources", t.Name)
	}
	return reasons
}

// action returns why an action is inconsistent, or nothing.
func (c *checker) action(a Action) string {
	fail := func(format string, args ...any) string {
		return fmt.Sprintf("in action %q; ", a.Name) + fmt.Sprintf(format, args...)
	}
	d := a.Definition
	for _, arg := range d.Arguments {
		if base := baseOf(arg.Type); !c.isInput(base) {
			return fail("the type: %q is not defined in custom types or it is not a scalar/enum/input_object", base)
		}
	}
	base := baseOf(d.OutputType)
	if !c.scalars[base] && !c.custom[base] && !c.isObject(base) {
		return fail("the type: %q is not an object or scalar type defined in custom types", base)
	}
	if missing := c.missingEnv(d.Handler); len(missing) > 0 {
		return fail("Value for environment variables not found: %s", strings.Join(missing, ", "))
	}
	// Scalars of a source win over declared types of the same name.
	if object, ok := c.objects[base]; ok && !c.scalars[base] {
		return c.outputObject(a, object, fail)
	}
	return ""
}

func (c *checker) outputObject(a Action, object Object, fail func(string, ...any) string) string {
	rels, _ := object.ParseRelationships()
	if len(rels) == 0 {
		return ""
	}
	nested := map[string]bool{}
	for _, f := range object.Fields {
		base := baseOf(f.Type)
		if c.isObject(base) && !c.custom[base] && !c.enums[base] {
			nested[f.Name] = true
		}
	}
	if a.Definition.Type != Query && a.Definition.Kind == Asynchronous {
		for _, f := range object.Fields {
			if nested[f.Name] {
				return fail("Async action relations cannot be used with object fields: %q", f.Name)
			}
		}
		return ""
	}
	for _, r := range rels {
		for name := range r.FieldMapping {
			if nested[name] {
				return fail("Relationships cannot be defined with nested object fields: %q", r.Name)
			}
		}
	}
	return ""
}

// missingEnv returns the variables of a handler that are not set.
func (c *checker) missingEnv(handler string) []string {
	_, names, ok := expand(handler, func(string, string) string { return "" })
	if !ok || c.facts.LookupEnv == nil {
		return nil
	}
	var missing []string
	for _, n := range names {
		if _, set := c.facts.LookupEnv(n); !set && !slices.Contains(missing, n) {
			missing = append(missing, n)
		}
	}
	return missing
}

// ResolveHandler replaces each {{NAME}} of a handler's URL with the variable's value. missing are those that are not
// set.
func ResolveHandler(handler string, lookupEnv func(string) (string, bool)) (resolved string, missing []string) {
	c := checker{facts: Facts{LookupEnv: lookupEnv}}
	if missing = c.missingEnv(handler); len(missing) > 0 {
		return "", missing
	}
	_, names, ok := expand(handler, func(string, string) string { return "" })
	if !ok {
		return handler, nil
	}
	resolved, _, _ = expand(handler, func(string, string) string {
		v, _ := lookupEnv(names[0])
		names = names[1:]
		return v
	})
	return resolved, nil
}

// nullable writes an empty text as null, as Hasura shows definitions of inconsistent objects.
func (w *jsonObject) nullable(key, v string) {
	if v == "" {
		w.raw(key, []byte("null"))
		return
	}
	w.put(key, v)
}

// actionDefinition is the action as Hasura shows it beside an inconsistency: complete, but without the ignored headers.
func actionDefinition(a Action) json.RawMessage {
	d := a.Definition
	var def jsonObject
	def.raw("arguments", encodeList(d.Arguments, func(arg Argument) []byte {
		var w jsonObject
		w.put("name", arg.Name)
		w.put("type", arg.Type)
		w.nullable("description", arg.Description)
		return w.bytes()
	}))
	def.put("output_type", d.OutputType)
	def.raw("headers", encodeList(d.Headers, encodeHeader))
	def.put("forward_client_headers", d.ForwardClientHeaders)
	def.put("handler", d.Handler)
	timeout := d.Timeout
	if timeout == 0 {
		timeout = DefaultTimeout
	}
	def.put("timeout", timeout)
	if len(d.RequestTransform) > 0 {
		def.raw("request_transform", d.RequestTransform)
	}
	if len(d.ResponseTransform) > 0 {
		def.raw("response_transform", d.ResponseTransform)
	}
	if d.Type == Query {
		def.put("type", Query)
	} else {
		def.put("type", Mutation)
		kind := d.Kind
		if kind == "" {
			kind = Synchronous
		}
		def.put("kind", kind)
	}
	var w jsonObject
	w.put("name", a.Name)
	w.raw("definition", def.bytes())
	w.nullable("comment", a.Comment)
	return w.bytes()
}

func customTypesDefinition(ct CustomTypes) json.RawMessage {
	fields := func(list []Field, object bool) []byte {
		return encodeList(list, func(f Field) []byte {
			var w jsonObject
			w.put("name", f.Name)
			w.put("type", f.Type)
			w.nullable("description", f.Description)
			if object {
				w.raw("arguments", []byte("null"))
			}
			return w.bytes()
		})
	}
	var w jsonObject
	w.raw("input_objects", encodeList(ct.InputObjects, func(t InputObject) []byte {
		var w jsonObject
		w.put("name", t.Name)
		w.nullable("description", t.Description)
		w.raw("fields", fields(t.Fields, false))
		return w.bytes()
	}))
	w.raw("objects", encodeList(ct.Objects, func(t Object) []byte {
		var w jsonObject
		w.put("name", t.Name)
		w.nullable("description", t.Description)
		w.raw("fields", fields(t.Fields, true))
		rels, _ := t.ParseRelationships()
		w.raw("relationships", encodeList(rels, func(r Relationship) []byte { return mustJSON(r) }))
		return w.bytes()
	}))
	w.raw("scalars", encodeList(ct.Scalars, func(t Scalar) []byte {
		var w jsonObject
		w.put("name", t.Name)
		w.nullable("description", t.Description)
		return w.bytes()
	}))
	w.raw("enums", encodeList(ct.Enums, func(t Enum) []byte {
		var w jsonObject
		w.put("name", t.Name)
		w.nullable("description", t.Description)
		w.raw("values", encodeList(t.Values, func(v EnumValue) []byte {
			var w jsonObject
			w.put("value", v.Value)
			w.nullable("description", v.Description)
			if v.IsDeprecated {
				w.put("is_deprecated", true)
			} else {
				w.raw("is_deprecated", []byte("null"))
			}
			return w.bytes()
		}))
		return w.bytes()
	}))
	return w.bytes()
}
