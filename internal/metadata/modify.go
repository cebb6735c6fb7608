package metadata

import (
	"encoding/json"
	"slices"
	"strings"
)

// Modification says what [ModifyAction] changes. The zero value changes nothing.
type Modification struct {
	// Fragment is the new SDL of the action, with the types it declares. Nil leaves the SDL alone.
	Fragment *Fragment
	// Kind makes the action a mutation or a query, with the field as it stands. Not looked at with a Fragment, which says
	// so itself; empty: as it is.
	Kind ActionType
	// Shared lets types change that other actions use too.
	Shared bool
	// Entry changes what actions.yaml says: handler, kind, headers, timeout, transforms, comment, permissions. What else it
	// changes is ignored. Nil leaves the entry alone.
	Entry func(*Action) error
}

// Modified is the outcome of an edit.
type Modified struct {
	// Files are the new contents by path relative to the project.
	Files map[string][]byte
	// Added, Changed and Removed name custom types.
	Added, Changed, Removed []string
}

// ModifyAction changes an action in the project's two files and returns their new contents; it writes nothing. Comments and
// order stay: of a type whose fields change, those that are the same keep their text, and of actions.yaml only what differs
// is replaced. Types that no action uses any more are removed, types that other actions use are refused unless
// Modification.Shared is set. The result is checked as in [AddAction].
func ModifyAction(projectDir, name string, mod Modification) (*Modified, error) {
	return editFiles(projectDir, func(sdl, text []byte) (newSDL, newYAML []byte, m *Modified, err error) {
		return modifyAction(sdl, text, name, mod)
	})
}

// editFiles applies an edit to the two files.
func editFiles(projectDir string, edit func(sdl, text []byte) ([]byte, []byte, *Modified, error)) (*Modified, error) {
	sdl, err := readFile(projectDir, SDLFile)
	if err != nil {
		return nil, err
	}
	text, err := readFile(projectDir, YAMLFile)
	if err != nil {
		return nil, err
	}
	newSDL, newYAML, m, err := edit(sdl, text)
	if err != nil {
		return nil, err
	}
	m.Files = map[string][]byte{SDLFile: newSDL, YAMLFile: newYAML}
	return m, nil
}

func modifyAction(sdl, text []byte, name string, mod Modification) (newSDL, newYAML []byte, m *Modified, err error) {
	before, err := editable(sdl, text)
	if err != nil {
		return nil, nil, nil, err
	}
	i, err := before.indexOf(name)
	if err != nil {
		return nil, nil, nil, err
	}
	old := before.Actions[i]
	changed := old.clone()
	if mod.Entry != nil {
		if err := mod.Entry(&changed); err != nil {
			return nil, nil, nil, err
		}
		d := &changed.Definition
		d.Type, d.OutputType, d.Arguments = old.Definition.Type, old.Definition.OutputType, old.Definition.Arguments
		changed.Name = name
	}
	want := *before
	want.Actions = slices.Clone(before.Actions)
	m = &Modified{}
	newSDL = sdl
	f := mod.Fragment
	if f == nil && mod.Kind != "" && mod.Kind != old.Definition.Type {
		if f, err = fieldFragment(string(sdl), old, mod.Kind); err != nil {
			return nil, nil, nil, err
		}
	}
	if f != nil {
		changed.Definition.Type, changed.Definition.OutputType = f.Action.Definition.Type, f.Action.Definition.OutputType
		changed.Definition.Arguments = f.Action.Definition.Arguments
		want.Actions[i] = changed
		if err := m.types(before, &want, f, name, mod.Shared); err != nil {
			return nil, nil, nil, err
		}
		newSDL = m.rewriteSDL(string(sdl), f, old.Definition.Type)
	}
	want.Actions[i] = changed
	e := &yamlEditor{text: text, eol: lineEnding(text)}
	if old.YAMLPos.Line == 0 {
		return nil, nil, nil, invalidf("add an entry for it, or run nself action remove "+name+" and declare it anew",
			"%s: action %q has no entry in %s", old.Pos, name, YAMLFile)
	}
	if err := e.morph([]step{{key: "actions"}, {"name", name}}, actionNode(old), actionNode(changed)); err != nil {
		return nil, nil, nil, err
	}
	if err := e.types(&before.CustomTypes, &want.CustomTypes); err != nil {
		return nil, nil, nil, err
	}
	return newSDL, e.text, m, sameSets(before, &want, parseActions(trimBOM(newSDL), trimBOM(e.text)))
}

// fieldFragment is the action's field as it stands, as a fragment of another kind.
func fieldFragment(sdl string, a Action, kind ActionType) (*Fragment, error) {
	for _, p := range cutSDL(sdl) {
		for _, field := range p.fields {
			if field.name == a.Name && p.isRoot(a.Definition.Type) {
				return ParseFragment(dedent(sdl, field), SDLFile, a.Name, kind)
			}
		}
	}
	return nil, invalidf("edit the file by hand", "%s: the field of action %q cannot be moved", a.Pos, a.Name)
}

// indexOf finds an action by name.
func (md *Metadata) indexOf(name string) (int, error) {
	i := slices.IndexFunc(md.Actions, func(a Action) bool { return a.Name == name })
	if i >= 0 {
		return i, nil
	}
	names := make([]string, len(md.Actions))
	for i, a := range md.Actions {
		names[i] = a.Name
	}
	return 0, invalidf("list them with \"nself action list\"", "there is no action %q%s", name, didYouMean(name, names))
}

// clone copies what an edit may change.
func (a Action) clone() Action {
	a.Permissions = slices.Clone(a.Permissions)
	a.Definition.Headers = slices.Clone(a.Definition.Headers)
	a.Definition.IgnoredClientHeaders = slices.Clone(a.Definition.IgnoredClientHeaders)
	return a
}

// types works out the custom types after the change.
func (m *Modified) types(before, want *Metadata, f *Fragment, name string, shared bool) error {
	existing, wanted := before.CustomTypes.shapes(), f.Types.shapes()
	var faults []string
	for _, t := range f.types {
		declared, isType := wanted[t.name]
		if !isType {
			continue // a directive's definition
		}
		have, known := existing[t.name]
		switch {
		case !known:
			m.Added = append(m.Added, t.name)
		case have.text != declared.text || before.CustomTypes.described(t.name) != f.Types.described(t.name):
			m.Changed = append(m.Changed, t.name)
			if others := before.usersOf(t.name, name); len(others) > 0 && have.text != declared.text && !shared {
				faults = append(faults, t.name+" ("+have.pos.String()+") is used by "+strings.Join(others, ", "))
			}
		}
	}
	if len(faults) > 0 {
		return invalidf("add --shared to change it for those too, or give the type another name", "the new SDL changes types of other actions: %s",
			strings.Join(faults, "; "))
	}
	want.CustomTypes = before.CustomTypes.without(m.Changed, true).plusChanged(f.Types.only(m.Changed), &before.CustomTypes)
	want.CustomTypes = want.CustomTypes.plus(f.Types.only(m.Added))
	m.Removed = orphans(before, want, name)
	want.CustomTypes = want.CustomTypes.without(m.Removed, false)
	m.Changed = slices.DeleteFunc(m.Changed, func(t string) bool { return slices.Contains(m.Removed, t) })
	return nil
}

// described is what a type's SDL says beyond its shape: the descriptions of its members and its defaults, in their order.
func (ct *CustomTypes) described(name string) string {
	one := ct.only([]string{name})
	for i := range one.Objects {
		one.Objects[i].Description, one.Objects[i].Relationships = "", nil
	}
	one.setDescriptions(nil)
	texts := []string{string(mustJSON(one))}
	for _, f := range one.fieldsOf(name) {
		texts = append(texts, f.Default)
	}
	return strings.Join(texts, "\x00")
}

// usersOf names the other actions that reach a type.
func (md *Metadata) usersOf(typ, except string) []string {
	var users []string
	for i := range md.Actions {
		a := &md.Actions[i]
		if a.Name != except && md.CustomTypes.reachedBy(a)[typ] {
			users = append(users, a.Name)
		}
	}
	return users
}

// reachedBy are the types that an action names, directly or through fields.
func (ct *CustomTypes) reachedBy(a *Action) map[string]bool {
	reached := map[string]bool{}
	for _, typ := range append([]string{a.Definition.OutputType}, argumentTypes(a)...) {
		ct.reach(typ, reached)
	}
	return reached
}

// orphans names the custom types that an action reached before and that no action reaches in want.
func orphans(before, want *Metadata, name string) []string {
	used := map[string]bool{}
	for i := range want.Actions {
		for t := range want.CustomTypes.reachedBy(&want.Actions[i]) {
			used[t] = true
		}
	}
	var out []string
	for i := range before.Actions {
		if before.Actions[i].Name != name {
			continue
		}
		reached := before.CustomTypes.reachedBy(&before.Actions[i])
		for _, t := range want.CustomTypes.names() {
			if reached[t] && !used[t] {
				out = append(out, t)
			}
		}
	}
	return out
}

// without returns the types that are not named; with keep, all of them.
func (ct CustomTypes) without(names []string, keep bool) CustomTypes {
	if keep {
		names = nil
	}
	gone := func(name string) bool { return slices.Contains(names, name) }
	return CustomTypes{
		InputObjects: slices.DeleteFunc(slices.Clone(ct.InputObjects), func(t InputObject) bool { return gone(t.Name) }),
		Objects:      slices.DeleteFunc(slices.Clone(ct.Objects), func(t Object) bool { return gone(t.Name) }),
		Scalars:      slices.DeleteFunc(slices.Clone(ct.Scalars), func(t Scalar) bool { return gone(t.Name) }),
		Enums:        slices.DeleteFunc(slices.Clone(ct.Enums), func(t Enum) bool { return gone(t.Name) }),
	}
}

// plusChanged puts the changed types in the place of those of their names, of whatever kind they were. Relationships, and
// descriptions that the change does not give, are those of the old ones.
func (ct CustomTypes) plusChanged(changed CustomTypes, old *CustomTypes) CustomTypes {
	relationships := map[string]json.RawMessage{}
	for _, o := range old.Objects {
		relationships[o.Name] = o.Relationships
	}
	descriptions := map[string]string{}
	for _, t := range old.all() {
		descriptions[t.name] = t.description
	}
	keep := func(name string, description *string) {
		if *description == "" {
			*description = descriptions[name]
		}
	}
	out := ct.without(changed.names(), false)
	for _, t := range changed.InputObjects {
		keep(t.Name, &t.Description)
		out.InputObjects = append(out.InputObjects, t)
	}
	for _, t := range changed.Objects {
		keep(t.Name, &t.Description)
		t.Relationships = relationships[t.Name]
		out.Objects = append(out.Objects, t)
	}
	for _, t := range changed.Scalars {
		keep(t.Name, &t.Description)
		out.Scalars = append(out.Scalars, t)
	}
	for _, t := range changed.Enums {
		keep(t.Name, &t.Description)
		out.Enums = append(out.Enums, t)
	}
	return out
}

// listed is a type as custom_types lists it.
type listed struct{ list, name, description string }

func (ct *CustomTypes) all() []listed {
	var out []listed
	for _, t := range ct.Enums {
		out = append(out, listed{"enums", t.Name, t.Description})
	}
	for _, t := range ct.InputObjects {
		out = append(out, listed{"input_objects", t.Name, t.Description})
	}
	for _, t := range ct.Objects {
		out = append(out, listed{"objects", t.Name, t.Description})
	}
	for _, t := range ct.Scalars {
		out = append(out, listed{"scalars", t.Name, t.Description})
	}
	return out
}

// types brings the entries of custom_types from old to what they should be. Types without an entry get none, unless they
// are new: Hasura's tools need one for what it does not read from the SDL only.
func (e *yamlEditor) types(old, want *CustomTypes) error {
	was, is := old.all(), want.all()
	for _, t := range was {
		path := []step{{key: "custom_types"}, {key: t.list}}
		item := step{"name", t.name}
		i := slices.IndexFunc(is, func(n listed) bool { return n.list == t.list && n.name == t.name })
		if !e.has(append(slices.Clone(path), item)) {
			continue
		}
		if i < 0 {
			if err := e.pull(path, item); err != nil {
				return err
			}
			continue
		}
		if is[i].description != t.description {
			if err := e.set(append(path, item), "description", scalar(is[i].description)); err != nil {
				return err
			}
		}
	}
	for _, t := range is {
		if slices.ContainsFunc(was, func(o listed) bool { return o.list == t.list && o.name == t.name }) {
			continue
		}
		if err := e.appendItem([]string{"custom_types", t.list}, typeNode(t.name, t.description)); err != nil {
			return err
		}
	}
	return nil
}

// has tells whether there is something at a path.
func (e *yamlEditor) has(path []step) bool {
	var ps Problems
	_, n := find(parseYAML(e.text, YAMLFile, &ps), path)
	return n != nil
}

// sameSets is sameMeaning without regard to the order of actions and types: an action that turns from a mutation into a
// query moves in the file.
func sameSets(before, want, got *Metadata) error {
	return sameMeaning(before, want.inOrder(), got.inOrder())
}

func (md *Metadata) inOrder() *Metadata {
	out := *md
	out.Actions = slices.Clone(md.Actions)
	slices.SortFunc(out.Actions, func(a, b Action) int { return strings.Compare(a.Name, b.Name) })
	ct := md.CustomTypes.without(nil, true)
	slices.SortFunc(ct.InputObjects, func(a, b InputObject) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(ct.Objects, func(a, b Object) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(ct.Scalars, func(a, b Scalar) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(ct.Enums, func(a, b Enum) int { return strings.Compare(a.Name, b.Name) })
	out.CustomTypes = ct
	return &out
}
