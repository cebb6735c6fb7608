package metadata

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Validate returns all problems of the metadata at once: those that [LoadDir] found, and what the document says that
// Hasura would refuse, drop or read differently. knownScalars adds scalars of a database to those that are always
// known.
func Validate(md *Metadata, knownScalars []string) Problems {
	v := &validator{md: md, ps: slices.Clone(md.Problems), kinds: map[string]string{}}
	for _, s := range BuiltinScalars() {
		v.kinds[s] = "scalar"
	}
	for _, s := range append(PostgresScalars(), knownScalars...) {
		v.kinds[s] = "scalar"
	}
	v.types()
	v.actions()
	return v.ps.sorted()
}

type validator struct {
	md    *Metadata
	ps    Problems
	kinds map[string]string // type name: scalar, enum, input or type
}

// reservedTypes cannot be declared: GraphQL's scalars, and the roots of Hasura's schema.
var reservedTypes = []string{
	"Int", "Float", "String", "Boolean", "ID", "Query", "Mutation", "Subscription", "query_root", "mutation_root",
	"subscription_root",
}

func (v *validator) types() {
	ct := &v.md.CustomTypes
	first := map[string]Pos{}
	declare := func(kind, name string, pos Pos) {
		if slices.Contains(reservedTypes, name) || strings.HasPrefix(name, "__") {
			v.ps.errorf(pos, "type %q has a reserved name", name).hint("rename the type")
		}
		if at, dup := first[name]; dup {
			v.ps.errorf(pos, "type %q is declared twice%s", name, firstAt(at)).hint("remove one of the two")
			return
		}
		first[name] = pos
		v.kinds[name] = kind
	}
	for _, t := range ct.Scalars {
		declare("scalar", t.Name, t.Pos)
	}
	for _, t := range ct.Enums {
		declare("enum", t.Name, t.Pos)
	}
	for _, t := range ct.InputObjects {
		declare("input", t.Name, t.Pos)
	}
	for _, t := range ct.Objects {
		declare("type", t.Name, t.Pos)
	}
	for _, t := range ct.Enums {
		v.enum(t)
	}
	for _, t := range ct.InputObjects {
		v.fields("input", t.Name, t.Pos, t.Fields, []string{"scalar", "enum", "input"})
	}
	for _, t := range ct.Objects {
		v.fields("type", t.Name, t.Pos, t.Fields, []string{"scalar", "enum", "type"})
		v.relationships(t)
	}
}

func firstAt(p Pos) string {
	if p.File == "" {
		return ""
	}
	return ", first at " + p.String()
}

func (v *validator) enum(t Enum) {
	if len(t.Values) == 0 {
		v.ps.errorf(t.Pos, "enum %q has no values", t.Name).hint("add a value, or remove the enum")
	}
	seen := map[string]bool{}
	for _, val := range t.Values {
		if seen[val.Value] {
			v.ps.errorf(val.Pos, "enum %q: value %q stands twice", t.Name, val.Value).hint("remove one of the two")
		}
		seen[val.Value] = true
	}
}

func (v *validator) fields(keyword, owner string, pos Pos, fields []Field, allowed []string) {
	if len(fields) == 0 {
		v.ps.errorf(pos, "%s %q has no fields", keyword, owner).hint("add a field, or remove it")
	}
	seen := map[string]bool{}
	for _, f := range fields {
		what := fmt.Sprintf("%s %q: field %q", keyword, owner, f.Name)
		if seen[f.Name] {
			v.ps.errorf(f.Pos, "%s stands twice", what).hint("remove one of the two")
		}
		seen[f.Name] = true
		v.reservedName(f.Pos, what, f.Name)
		v.typeOf(f.Pos, what, f.Type, allowed)
		if f.Default != "" {
			v.ps.warnf(f.Pos, "%s: Hasura drops the default value %s", what, f.Default).
				hint("apply the default in the handler, and make the field nullable")
		}
	}
}

func (v *validator) reservedName(pos Pos, what, name string) {
	if strings.HasPrefix(name, "__") {
		v.ps.errorf(pos, "%s: names that start with two underscores belong to GraphQL itself", what).hint("rename it")
	}
}

var kindNames = map[string]string{"scalar": "a scalar", "enum": "an enum", "input": "an input type", "type": "an object type"}

// typeOf checks that a type string names a type that can stand where it does.
func (v *validator) typeOf(pos Pos, what, typ string, allowed []string) {
	ref, err := ParseType(typ)
	if err != nil {
		v.ps.errorf(pos, "%s: %v", what, err)
		return
	}
	base := ref.Base()
	kind, known := v.kinds[base]
	if !known {
		v.unknownType(pos, what, base, allowed)
		return
	}
	if slices.Contains(allowed, kind) {
		return
	}
	p := v.ps.errorf(pos, "%s: type %q is %s, which cannot stand here", what, base, kindNames[kind])
	switch kind {
	case "type":
		p.hint("declare an input type for it")
	case "input":
		p.hint("declare an object type for it")
	case "enum":
		p.hint("wrap the enum in an object type, or return String")
	}
}

func (v *validator) unknownType(pos Pos, what, base string, allowed []string) {
	if known, ok := foreignScalars[base]; ok {
		v.ps.errorf(pos, "%s: type %q is not defined (did you mean %q?)", what, base, known).
			hint("write %s, or declare \"scalar %s\"", known, base)
		return
	}
	var fitting, all []string
	for name, kind := range v.kinds {
		if strings.HasPrefix(name, "_") {
			continue
		}
		all = append(all, name)
		if slices.Contains(allowed, kind) {
			fitting = append(fitting, name)
		}
	}
	suggestion := didYouMean(base, fitting)
	if suggestion == "" {
		suggestion = didYouMean(base, all)
	}
	p := v.ps.errorf(pos, "%s: type %q is not defined%s", what, base, suggestion)
	if suggestion == "" {
		p.hint("declare it in %s", cmp.Or(pos.File, SDLFile))
	}
}

func (v *validator) relationships(t Object) {
	rels, err := t.ParseRelationships()
	if err != nil {
		v.ps.errorf(t.Pos, "type %q: relationships: %v", t.Name, err)
		return
	}
	tables := v.md.TrackedTables()
	types := map[string]string{}
	for _, f := range t.Fields {
		types[f.Name] = f.Type
	}
	source := ""
	for _, r := range rels {
		what := fmt.Sprintf("type %q: relationship %q", t.Name, r.Name)
		if _, clash := types[r.Name]; clash {
			v.ps.errorf(t.Pos, "%s has the name of a field", what).hint("rename the relationship")
		}
		for _, name := range sortedKeys(r.FieldMapping) {
			switch typ, ok := types[name]; {
			case !ok:
				v.ps.errorf(t.Pos, "%s maps field %q, which the type does not have%s", what, name,
					didYouMean(name, sortedKeys(types)))
			case isList(typ):
				v.ps.errorf(t.Pos, "%s maps field %q, which is a list", what, name).hint("map a field with a single value")
			}
		}
		if source != "" && r.Source != source {
			v.ps.errorf(t.Pos, "type %q: relationships lead to tables of several sources, %q and %q", t.Name, source, r.Source).
				hint("keep the relationships of one source")
		}
		source = r.Source
		// Without any tracked table the project keeps its tables elsewhere, and nothing can be said.
		if len(tables) > 0 && !slices.Contains(tables[r.Source], r.RemoteTable) {
			v.ps.errorf(t.Pos, "%s: table %q of source %q is not tracked", what, r.RemoteTable, r.Source).
				hint("track the table in %s/databases", Folder)
		}
	}
}

func isList(typ string) bool {
	ref, err := ParseType(typ)
	return err == nil && ref.Elem != nil
}

func (v *validator) actions() {
	first := map[string]Pos{}
	clash := map[string]string{}
	for _, a := range v.md.Actions {
		what := fmt.Sprintf("action %q", a.Name)
		if at, dup := first[a.Name]; dup {
			v.ps.errorf(a.Pos, "%s is declared twice%s", what, firstAt(at)).hint("remove one of the two")
			continue
		}
		first[a.Name] = a.Pos
		v.reservedName(a.Pos, what, a.Name)
		if slices.Contains(reservedNames, a.Name) {
			v.ps.errorf(a.Pos, "%s has a reserved name", what).hint("rename the action")
		}
		if other, ok := clash[Snake(a.Name)]; ok {
			v.ps.warnf(a.Pos, "%s and action %q have handlers of one name, %s", what, other, Kebab(a.Name)).
				hint("rename one of the two")
		}
		clash[Snake(a.Name)] = a.Name
		v.arguments(a, what)
		v.typeOf(a.Pos, what, a.Definition.OutputType, []string{"scalar", "type"})
		v.asyncOutput(a, what)
		v.settings(a, what)
	}
}

func (v *validator) arguments(a Action, what string) {
	seen := map[string]bool{}
	for _, arg := range a.Definition.Arguments {
		what := fmt.Sprintf("%s: argument %q", what, arg.Name)
		if seen[arg.Name] {
			v.ps.errorf(arg.Pos, "%s stands twice", what).hint("remove one of the two")
		}
		seen[arg.Name] = true
		v.reservedName(arg.Pos, what, arg.Name)
		v.typeOf(arg.Pos, what, arg.Type, []string{"scalar", "enum", "input"})
		if arg.Default != "" {
			v.ps.warnf(arg.Pos, "%s: Hasura drops the default value %s", what, arg.Default).
				hint("apply the default in the handler, and make the argument nullable")
		}
	}
}

func (v *validator) asyncOutput(a Action, what string) {
	d := a.Definition
	if d.Type != Query && d.Kind == Asynchronous && v.kinds[baseOf(d.OutputType)] == "scalar" {
		v.ps.warnf(a.Pos, "%s: an asynchronous action that returns the scalar %s", what, d.OutputType).
			hint("return an object type: the result is read as a field of the action's log entry")
	}
}

// at is the place of a key in actions.yaml, of the entry where the key is missing, or of the declaration.
func (a Action) at(key string) Pos {
	if p, ok := a.KeyPos[key]; ok {
		return p
	}
	if a.YAMLPos.Line != 0 {
		return a.YAMLPos
	}
	return a.Pos
}

func (v *validator) settings(a Action, what string) {
	d := a.Definition
	onDisk := a.Pos.File != ""
	if onDisk && a.YAMLPos.Line == 0 {
		// A broken actions.yaml has been reported; every action would seem to lack its entry.
		if !v.yamlUnreadable() {
			v.ps.errorf(a.Pos, "%s has no entry in actions.yaml: Hasura refuses an action without a handler", what).
				hint("add an entry with kind and handler to %s, or run \"nself action new %s\"", YAMLFile, a.Name)
		}
		return
	}
	v.kind(a, what, onDisk)
	v.handler(a, what)
	if d.Timeout < 0 {
		v.ps.errorf(a.at("timeout"), "%s: timeout %d is negative", what, d.Timeout).hint("give whole seconds; the default is 30")
	}
	for _, h := range d.Headers {
		v.header(a, h, what)
	}
	transform := func(key string, raw []byte, check func(value) (json.RawMessage, *ShapeError)) {
		if _, err := check(value{path: key, raw: raw}); err != nil {
			v.ps.errorf(a.at(key), "%s: %s: %s", what, err.Path, err.Message)
		}
	}
	transform("request_transform", d.RequestTransform, decodeRequestTransform)
	transform("response_transform", d.ResponseTransform, decodeResponseTransform)
	seen := map[string]bool{}
	for _, p := range a.Permissions {
		switch {
		case p.Role == "":
			v.ps.errorf(posOr(p.Pos, a), "%s: permission without a role", what).hint("add a \"role\" key, or remove the entry")
		case seen[p.Role]:
			v.ps.errorf(posOr(p.Pos, a), "%s: role %q stands twice in permissions", what, p.Role).hint("remove one of the two")
		case p.Role == "admin":
			v.ps.warnf(posOr(p.Pos, a), "%s: role admin may run every action, it needs no permission", what)
		}
		seen[p.Role] = true
	}
}

func posOr(p Pos, a Action) Pos {
	if p.Line != 0 {
		return p
	}
	return a.at("permissions")
}

func (v *validator) yamlUnreadable() bool {
	return slices.ContainsFunc(v.md.Problems, func(p *Problem) bool {
		return p.Pos.File == YAMLFile && (strings.HasPrefix(p.Text, "syntax: ") || strings.HasPrefix(p.Text, "actions: expected "))
	})
}

func (v *validator) kind(a Action, what string, onDisk bool) {
	kind := a.Definition.Kind
	kinds := []string{string(Synchronous), string(Asynchronous)}
	known := kind == Synchronous || kind == Asynchronous
	switch {
	case a.Definition.Type == Query && kind == Asynchronous:
		v.ps.errorf(a.at("kind"), "%s: a query cannot be asynchronous; Hasura runs it as an ordinary query", what).
			hint("declare the action in type Mutation, or set kind: synchronous")
	case a.Definition.Type == Query && (known || kind == ""):
	case kind == "" && onDisk:
		v.ps.errorf(a.at("kind"), "%s has no kind: Hasura refuses a mutation without one", what).hint("add \"kind: synchronous\"")
	case !known && kind != "":
		v.ps.errorf(a.at("kind"), "%s: kind %q is not synchronous or asynchronous%s", what, kind, didYouMean(string(kind), kinds)).
			hint("write synchronous, or asynchronous for one that answers with an id")
	}
}

func (v *validator) header(a Action, h Header, what string) {
	pos := h.Pos
	if pos.Line == 0 {
		pos = a.at("headers")
	}
	switch {
	case h.Name == "":
		v.ps.errorf(pos, "%s: header without a name", what).hint("add a \"name\" key, or remove the entry")
	case !isHeaderName(h.Name):
		v.ps.errorf(pos, "%s: %q is not the name of an HTTP header", what, h.Name).hint("use letters, digits and dashes, such as X-API-Key")
	}
	if strings.HasPrefix(h.ValueFromEnv, forbiddenEnvPrefix) {
		v.ps.errorf(pos, "%s: header %q: Hasura refuses value_from_env: %s, as it refuses all of HASURA_GRAPHQL_*",
			what, h.Name, h.ValueFromEnv).hint("use HASURA_ADMIN_SECRET, or another variable of your own")
	}
}

func isHeaderName(s string) bool {
	for _, r := range []byte(s) {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(r)) {
			return false
		}
	}
	return s != ""
}

// serviceURLs are the variables of the function services, which hold an address without a path.
var serviceURLs = []string{"{{GOLANG_URL}}", "{{NESTJS_URL}}", "{{PYTHON_URL}}"}

// handler checks a handler's URL with its {{VARIABLES}} filled in with something plausible.
func (v *validator) handler(a Action, what string) {
	handler := a.Definition.Handler
	pos := a.at("handler")
	if strings.TrimSpace(handler) == "" {
		v.ps.errorf(pos, "%s has no handler", what).hint("add handler: '{{GOLANG_URL}}/actions/%s'", Kebab(a.Name))
		return
	}
	filled, names, ok := expand(handler, func(before, after string) string {
		switch {
		case before == "" && strings.HasPrefix(after, "://"):
			return "http"
		case before == "":
			return "http://host"
		case strings.HasSuffix(before, ":"):
			return "80"
		default:
			return "x"
		}
	})
	if !ok {
		v.ps.errorf(pos, "%s: handler %q has an opening {{ without its }}", what, handler).
			hint("write it such as '{{GOLANG_URL}}/actions/%s'", Kebab(a.Name))
		return
	}
	for _, n := range names {
		trimmed := strings.TrimSpace(n)
		switch {
		case trimmed != n && trimmed != "":
			v.ps.errorf(pos, "%s: handler %q: Hasura takes the blanks in {{%s}} as part of the variable's name", what, handler, n).
				hint("write {{%s}}", trimmed)
		case !isName(n): // a GraphQL name has the letters of a variable's
			v.ps.errorf(pos, "%s: handler %q: {{%s}} does not name an environment variable", what, handler, n).
				hint("write a URL, or begin it with a variable, such as '{{GOLANG_URL}}/actions/%s'", Kebab(a.Name))
		}
	}
	for _, service := range serviceURLs {
		if rest, ok := strings.CutPrefix(handler, service); ok && rest != "" && !strings.ContainsRune("/?:", rune(rest[0])) {
			v.ps.errorf(pos, "%s: handler %q: %s has no path behind it: %q would become a part of the port", what, handler, service, rest).
				hint("write '%s/actions/%s'", service, Kebab(a.Name))
		}
	}
	u, err := url.Parse(filled)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		v.ps.errorf(pos, "%s: handler %q is not an http or https URL", what, handler).
			hint("write a URL such as '{{GOLANG_URL}}/actions/%s'", Kebab(a.Name))
	}
}

// expand replaces each {{NAME}}; ok is false when a {{ is not closed.
func expand(s string, fill func(before, after string) string) (out string, names []string, ok bool) {
	var b strings.Builder
	for {
		start := strings.Index(s, "{{")
		if start < 0 {
			b.WriteString(s)
			return b.String(), names, true
		}
		end := strings.Index(s[start:], "}}")
		if end < 0 {
			return "", names, false
		}
		end += start
		b.WriteString(s[:start])
		names = append(names, s[start+2:end])
		s = s[end+2:]
		b.WriteString(fill(b.String(), s))
	}
}

// At is where a key of the action's entry stands in actions.yaml, such as "timeout"; where the key is missing it is the entry, and
// without one the declaration.
func (a Action) At(key string) Pos { return a.at(key) }
