package metadata

import (
	"slices"
	"strings"
)

// RemoveActionAndTypes is [RemoveAction] that also takes out the custom types that no other action uses.
func RemoveActionAndTypes(projectDir, name string) (*Modified, error) {
	return editFiles(projectDir, func(sdl, text []byte) (newSDL, newYAML []byte, m *Modified, err error) {
		before, err := editable(sdl, text)
		if err != nil {
			return nil, nil, nil, err
		}
		i, err := before.indexOf(name)
		if err != nil {
			return nil, nil, nil, err
		}
		want := *before
		want.Actions = slices.Delete(slices.Clone(before.Actions), i, i+1)
		m = &Modified{Removed: orphans(before, &want, name)}
		want.CustomTypes = before.CustomTypes.without(m.Removed, false)
		s := string(cutActionSDL(string(sdl), name))
		for _, t := range m.Removed {
			s = cutTypeSDL(s, t)
		}
		e := &yamlEditor{text: text, eol: lineEnding(text)}
		if _, err := e.removeItem("actions", name); err != nil {
			return nil, nil, nil, err
		}
		if err := e.types(&before.CustomTypes, &want.CustomTypes); err != nil {
			return nil, nil, nil, err
		}
		return []byte(s), e.text, m, sameSets(before, &want, parseActions(trimBOM([]byte(s)), trimBOM(e.text)))
	})
}

// RenameAction gives an action another name in the project's two files, and returns their new contents; it writes
// nothing. A handler whose path is the old name's becomes that of the new one. Types keep their names. The result is
// checked as in [AddAction].
func RenameAction(projectDir, name, to string) (*Modified, error) {
	return editFiles(projectDir, func(sdl, text []byte) (newSDL, newYAML []byte, m *Modified, err error) {
		before, err := editable(sdl, text)
		if err != nil {
			return nil, nil, nil, err
		}
		i, err := before.indexOf(name)
		if err != nil {
			return nil, nil, nil, err
		}
		for _, a := range before.Actions {
			if a.Name == to {
				return nil, nil, nil, invalidf("choose another name", "%s: action %q exists already", a.Pos, to)
			}
		}
		want := *before
		want.Actions = slices.Clone(before.Actions)
		renamed := want.Actions[i]
		renamed.Name = to
		if base, ok := strings.CutSuffix(renamed.Definition.Handler, "/actions/"+Kebab(name)); ok {
			renamed.Definition.Handler = base + "/actions/" + Kebab(to)
		}
		want.Actions[i] = renamed
		newSDL = renameField(string(sdl), name, to)
		e := &yamlEditor{text: text, eol: lineEnding(text)}
		entry := []step{{key: "actions"}, {"name", name}}
		if e.has(entry) {
			if err := e.set(append(slices.Clone(entry), step{key: "definition"}), "handler", scalar(renamed.Definition.Handler)); err != nil {
				return nil, nil, nil, err
			}
			if err := e.set(entry, "name", scalar(to)); err != nil {
				return nil, nil, nil, err
			}
		}
		return newSDL, e.text, &Modified{}, sameSets(before, &want, parseActions(trimBOM(newSDL), trimBOM(e.text)))
	})
}

// renameField gives the field of an action another name.
func renameField(text, name, to string) []byte {
	for _, p := range cutSDL(text) {
		for _, f := range p.fields {
			if f.name != name || !p.isRoot(Mutation) && !p.isRoot(Query) {
				continue
			}
			for _, t := range scanSDL(text[f.start:f.end]) {
				if t.kind == tokenName {
					at := f.start + t.start
					return []byte(text[:at] + to + text[at+len(name):])
				}
			}
		}
	}
	return []byte(text)
}
