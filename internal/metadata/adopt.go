package metadata

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Adopted is what [Adopt] makes of a project's files.
type Adopted struct {
	// Differences are the objects that the files (A) and the other document (B) hold differently.
	Differences []Difference
	// Files are the new contents of the files that change, by path relative to the project; nil for one that goes.
	Files map[string][]byte
	// Rewritten names the files among them that could not be changed in place. Their comments stand at what they stood
	// at; blank lines and quoting may differ.
	Rewritten []string
	// Uncommented names those of Rewritten whose comments could not be kept.
	Uncommented []string
}

// Adopt makes the project's files say what md says, and returns their new contents; it writes nothing. In the two files
// that declare actions, and in the others where that can be done safely, only what differs changes. Comments stay; those of what
// goes, go. Tables keep a file each where the project has it so.
func Adopt(projectDir string, md *Metadata) (*Adopted, error) {
	have, err := LoadDir(projectDir)
	if err != nil {
		return nil, err
	}
	ad := &Adopted{Files: map[string][]byte{}}
	if ad.Differences, err = Compare(have, md); err != nil {
		return nil, err
	}
	if err := ad.actions(projectDir, have, md); err != nil {
		return nil, err
	}
	if err := ad.rest(projectDir, have, md); err != nil {
		return nil, err
	}
	return ad, nil
}

func (ad *Adopted) any(kinds ...part) bool {
	return slices.ContainsFunc(ad.Differences, func(d Difference) bool { return slices.Contains(kinds, d.kind) })
}

// actions brings the two files that declare actions to md.
func (ad *Adopted) actions(dir string, have, md *Metadata) error {
	if !ad.any(partAction, partType) {
		return nil
	}
	sdl, err := readFile(dir, SDLFile)
	if err != nil {
		return err
	}
	text, err := readFile(dir, YAMLFile)
	if err != nil {
		return err
	}
	newSDL, newYAML, err := ad.edit(sdl, text, have, md)
	if err == nil {
		got := parseActions(trimBOM(newSDL), trimBOM(newYAML))
		got.Rest, got.InheritedRoles = md.Rest, md.InheritedRoles
		var left []Difference
		if left, err = Compare(got, md); err == nil && len(left) > 0 {
			err = fmt.Errorf("%s cannot be edited in place", left[0].Object)
		}
	}
	if err != nil { // not an edit that keeps the rest: what is meant counts more than how it is written
		if newSDL, newYAML, err = ad.rewriteActions(sdl, text, inOrderOf(have, md)); err != nil {
			return err
		}
	}
	for path, data := range map[string][]byte{SDLFile: newSDL, YAMLFile: newYAML} {
		if old, err := readFile(dir, path); err != nil || !bytes.Equal(old, data) {
			ad.Files[path] = data
		}
	}
	return nil
}

// rewriteActions writes both files as a whole, with the comments of the old ones.
func (ad *Adopted) rewriteActions(sdl, text []byte, md *Metadata) (newSDL, newYAML []byte, err error) {
	files, err := Render(md)
	if err != nil {
		return nil, nil, err
	}
	rendered, err := yamlNode(files[YAMLFile])
	if err != nil {
		return nil, nil, err
	}
	newYAML, how, err := rewriteYAML(text, rendered)
	if err != nil {
		return nil, nil, err
	}
	if how != inPlace {
		ad.rewrote(YAMLFile, how == rewritten)
	}
	newSDL = []byte(rewrittenSDL(string(trimBOM(sdl)), string(files[SDLFile])))
	got := parseActions(newSDL, newYAML)
	got.Rest, got.InheritedRoles = md.Rest, md.InheritedRoles
	left, err := Compare(got, md)
	same := err == nil && len(left) == 0
	if !same {
		newSDL = files[SDLFile]
		ad.rewrote(SDLFile, false)
	}
	return newSDL, newYAML, nil
}

func (ad *Adopted) rewrote(file string, commented bool) {
	ad.Rewritten = append(ad.Rewritten, file)
	if !commented {
		ad.Uncommented = append(ad.Uncommented, file)
	}
}

// edit changes one action after the other: first those that there are, with their types, then those that go and come.
func (ad *Adopted) edit(sdl, text []byte, have, md *Metadata) (newSDL, newYAML []byte, err error) {
	changed := map[string]bool{}
	for _, d := range ad.Differences {
		if d.kind == partType {
			changed[d.name] = true
		}
	}
	for i := range md.Actions {
		a := &md.Actions[i]
		if _, err := have.indexOf(a.Name); err != nil {
			continue
		}
		touched := slices.ContainsFunc(
			ad.Differences,
			func(d Difference) bool { return d.kind == partAction && d.name == a.Name },
		)
		for t := range md.CustomTypes.reachedBy(a) {
			touched = touched || changed[t]
		}
		if !touched {
			continue
		}
		mod := Modification{Shared: true, Entry: func(entry *Action) error { *entry = a.clone(); return nil }}
		if mod.Fragment, err = ParseFragment(SDLOf(md, a), "the engine", a.Name, ""); err != nil {
			return nil, nil, err
		}
		if sdl, text, _, err = modifyAction(sdl, text, a.Name, mod); err != nil {
			return nil, nil, err
		}
	}
	for _, d := range ad.Differences {
		if d.kind != partAction || d.Change() != "removed" {
			continue
		}
		if sdl, text, err = removeWithTypes(sdl, text, d.name, md); err != nil {
			return nil, nil, err
		}
	}
	for i := range md.Actions {
		a := &md.Actions[i]
		if _, err := have.indexOf(a.Name); err == nil {
			continue
		}
		f, err := ParseFragment(SDLOf(md, a), "the engine", a.Name, "")
		if err != nil {
			return nil, nil, err
		}
		add := Addition{Fragment: f, Definition: a.Definition, Comment: a.Comment, Permissions: a.Permissions}
		if sdl, text, err = addAction(sdl, text, add); err != nil {
			return nil, nil, err
		}
	}
	return sdl, text, nil
}

// removeWithTypes takes an action out, and the types that it alone used and that md does not have.
func removeWithTypes(sdl, text []byte, name string, md *Metadata) (newSDL, newYAML []byte, err error) {
	before, err := editable(sdl, text)
	if err != nil {
		return nil, nil, err
	}
	if newSDL, newYAML, err = removeAction(sdl, text, name); err != nil {
		return nil, nil, err
	}
	after := parseActions(trimBOM(newSDL), trimBOM(newYAML))
	wanted := md.CustomTypes.names()
	gone := slices.DeleteFunc(orphans(before, after, name), func(t string) bool { return slices.Contains(wanted, t) })
	s := string(newSDL)
	for _, t := range gone {
		s = cutTypeSDL(s, t)
	}
	kept := after.CustomTypes.without(gone, false)
	e := &yamlEditor{text: newYAML, eol: lineEnding(newYAML)}
	if err := e.types(&after.CustomTypes, &kept); err != nil {
		return nil, nil, err
	}
	return []byte(s), e.text, nil
}

// inOrderOf returns md with actions and types in the order of have, new ones last.
func inOrderOf(have, md *Metadata) *Metadata {
	out := *md
	rank := map[string]int{}
	for i, a := range have.Actions {
		rank["action "+a.Name] = i + 1
	}
	for i, n := range have.CustomTypes.names() {
		rank[n] = i + 1
	}
	at := func(name string) int {
		if r := rank[name]; r > 0 {
			return r
		}
		return len(rank) + 1
	}
	out.Actions = slices.Clone(md.Actions)
	slices.SortStableFunc(out.Actions, func(a, b Action) int { return at("action "+a.Name) - at("action "+b.Name) })
	ct := md.CustomTypes.without(nil, true)
	slices.SortStableFunc(ct.InputObjects, func(a, b InputObject) int { return at(a.Name) - at(b.Name) })
	slices.SortStableFunc(ct.Objects, func(a, b Object) int { return at(a.Name) - at(b.Name) })
	slices.SortStableFunc(ct.Scalars, func(a, b Scalar) int { return at(a.Name) - at(b.Name) })
	slices.SortStableFunc(ct.Enums, func(a, b Enum) int { return at(a.Name) - at(b.Name) })
	out.CustomTypes = ct
	return &out
}

// rest writes the other files whose part of the document differs.
func (ad *Adopted) rest(dir string, have, md *Metadata) error {
	for _, d := range ad.Differences {
		if d.kind == partAction || d.kind == partType || d.kind == partTable || d.kind == partSource {
			continue
		}
		file, raw := Folder+"/inherited_roles.yaml", md.Rest[d.name]
		if d.name == "inherited_roles" {
			raw = mustJSON(md.InheritedRoles)
		} else {
			i := slices.IndexFunc(restFiles, func(f struct{ file, key string }) bool { return f.key == d.name })
			if i < 0 {
				return invalidf("nself action diff shows it", "the project's files have no place for %s", d.name)
			}
			file = Folder + "/" + restFiles[i].file
		}
		if isEmptyJSON(raw) {
			raw = emptyLike(have.Rest[d.name])
		}
		if err := ad.write(dir, file, raw); err != nil {
			return err
		}
	}
	if !ad.any(partTable, partSource) {
		return nil
	}
	return ad.sources(dir, md.Rest["sources"])
}

func emptyLike(raw json.RawMessage) json.RawMessage {
	if strings.HasPrefix(string(bytes.TrimSpace(raw)), "{") {
		return json.RawMessage("{}")
	}
	return json.RawMessage("[]")
}

// write renders a part of the document into a file, unless the file says the same.
func (ad *Adopted) write(dir, file string, raw json.RawMessage) error {
	n, err := jsonNode(raw)
	if err != nil {
		return err
	}
	text, err := n.text()
	if err != nil {
		return err
	}
	old, err := readFile(dir, file)
	if err != nil {
		return err
	}
	if old != nil {
		before, errA := decodeAny(old)
		after, errB := decodeAny(text)
		if errA == nil && errB == nil && bytes.Equal(mustJSON(plain(before)), mustJSON(plain(after))) {
			return nil
		}
		var how rewriting
		if text, how, err = rewriteYAML(old, n); err != nil {
			return err
		}
		if how != inPlace {
			ad.rewrote(file, how == rewritten)
		}
	}
	ad.Files[file] = text
	return nil
}

// sources writes databases.yaml. Where it includes the tables, as the Hasura CLI has it, they keep a file each.
func (ad *Adopted) sources(dir string, raw json.RawMessage) error {
	const file = Folder + "/databases/databases.yaml"
	old, err := readFile(dir, file)
	if err != nil {
		return err
	}
	if old != nil && !bytes.Contains(old, []byte("!include")) {
		return ad.write(dir, file, raw)
	}
	var sources []json.RawMessage
	if err := json.Unmarshal(raw, &sources); err != nil {
		return fmt.Errorf("read the sources: %w", err)
	}
	var list []json.RawMessage
	for _, source := range sources {
		n, err := ad.source(dir, source)
		if err != nil {
			return err
		}
		list = append(list, n)
	}
	return ad.write(dir, file, mustJSON(list))
}

// source writes the files of one source's tables and returns the source with the place of their list.
func (ad *Adopted) source(dir string, raw json.RawMessage) (json.RawMessage, error) {
	var s struct {
		Name   string            `json:"name"`
		Tables []json.RawMessage `json:"tables"`
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, fmt.Errorf("read a source: %w", err)
	}
	folder := Folder + "/databases/" + s.Name + "/tables/"
	if !fs.ValidPath(folder + "x") {
		return nil, invalidf("rename the source", "the source %q cannot be the name of a folder", s.Name)
	}
	listed := map[string]bool{"tables.yaml": true}
	names := []string{}
	for _, t := range s.Tables {
		file := strings.NewReplacer(".", "_", "/", "_").Replace(tableName(t)) + ".yaml"
		listed[file] = true
		names = append(names, "!include "+file)
		if err := ad.write(dir, folder+file, t); err != nil {
			return nil, err
		}
	}
	if err := ad.write(dir, folder+"tables.yaml", mustJSON(names)); err != nil {
		return nil, err
	}
	if err := ad.unlisted(dir, folder, listed); err != nil {
		return nil, err
	}
	var w jsonObject
	dec := json.NewDecoder(bytes.NewReader(raw))
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	for dec.More() { // in the order of the keys
		key, err := dec.Token()
		if err != nil {
			return nil, err
		}
		var member json.RawMessage
		if err := dec.Decode(&member); err != nil {
			return nil, err
		}
		if key == "tables" {
			member = mustJSON("!include " + s.Name + "/tables/tables.yaml")
		}
		w.raw(fmt.Sprint(key), member)
	}
	if s.Tables == nil {
		w.put("tables", "!include "+s.Name+"/tables/tables.yaml")
	}
	return w.bytes(), nil
}

// unlisted takes the files of tables away that no list includes any more.
func (ad *Adopted) unlisted(dir, folder string, listed map[string]bool) error {
	entries, err := os.ReadDir(filepath.Join(dir, filepath.FromSlash(folder)))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if name := e.Name(); strings.HasSuffix(name, ".yaml") && !listed[name] && !e.IsDir() {
			ad.Files[folder+name] = nil
			ad.Rewritten = append(ad.Rewritten, folder+name)
		}
	}
	return nil
}
