package metadata

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/nself-org/nself/internal/errdefs"
)

// Addition is a new action for [AddAction].
type Addition struct {
	// Fragment declares the action and its types.
	Fragment *Fragment
	// Definition holds handler, kind, headers, timeout and transforms. Arguments and types come from the fragment.
	Definition ActionDefinition
	// Comment replaces the description in the SDL, which Hasura would ignore.
	Comment     string
	Permissions []Permission
}

// AddAction declares an action in the project's two files and returns their new contents by path relative to the
// project; it writes nothing. What the files held stays byte for byte: the new text is put between. Types that exist
// already with the same fields are reused; a type of that name with another shape is an error that shows both places.
// The result is read again and compared with what was meant before it is returned.
func AddAction(projectDir string, add Addition) (map[string][]byte, error) {
	sdl, err := readFile(projectDir, SDLFile)
	if err != nil {
		return nil, err
	}
	yaml, err := readFile(projectDir, YAMLFile)
	if err != nil {
		return nil, err
	}
	newSDL, newYAML, err := addAction(sdl, yaml, add)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{SDLFile: newSDL, YAMLFile: newYAML}, nil
}

// AddActions is [AddAction] for several actions, which may share types: all are added or none.
func AddActions(projectDir string, adds []Addition) (map[string][]byte, error) {
	sdl, err := readFile(projectDir, SDLFile)
	if err != nil {
		return nil, err
	}
	yaml, err := readFile(projectDir, YAMLFile)
	if err != nil {
		return nil, err
	}
	newSDL, newYAML, err := addActions(sdl, yaml, adds)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{SDLFile: newSDL, YAMLFile: newYAML}, nil
}

func readFile(projectDir, name string) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(projectDir, filepath.FromSlash(name)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

func addAction(sdl, yaml []byte, add Addition) (newSDL, newYAML []byte, err error) {
	return addActions(sdl, yaml, []Addition{add})
}

func addActions(sdl, yaml []byte, adds []Addition) (newSDL, newYAML []byte, err error) {
	before, err := editable(sdl, yaml)
	if err != nil {
		return nil, nil, err
	}
	want := *before
	want.Actions = slices.Clone(before.Actions)
	newSDL = sdl
	var added CustomTypes
	for _, add := range adds {
		f := add.Fragment
		for _, a := range want.Actions {
			if a.Name == f.Action.Name {
				return nil, nil, invalidf("choose another name, or edit the action there", "%s: action %q exists already", a.Pos, a.Name)
			}
		}
		fresh, err := freshTypes(&want, f)
		if err != nil {
			return nil, nil, err
		}
		a := f.Action
		a.Definition = add.Definition
		a.Definition.Type, a.Definition.OutputType = f.Action.Definition.Type, f.Action.Definition.OutputType
		a.Definition.Arguments = f.Action.Definition.Arguments
		a.Permissions = add.Permissions
		if add.Comment != "" {
			a.Comment = add.Comment
		}
		newSDL = spliceSDL(newSDL, f, fresh)
		added = added.plus(f.Types.only(fresh))
		want.Actions = append(want.Actions, a)
		want.CustomTypes = want.CustomTypes.plus(f.Types.only(fresh))
	}
	if newYAML, err = spliceYAML(yaml, want.Actions[len(before.Actions):], added); err != nil {
		return nil, nil, err
	}
	got := parseActions(trimBOM(newSDL), trimBOM(newYAML))
	if len(adds) > 1 { // a query behind a mutation may come before it in the file
		return newSDL, newYAML, sameSets(before, &want, got)
	}
	return newSDL, newYAML, sameMeaning(before, &want, got)
}

func trimBOM(data []byte) []byte { return bytes.TrimPrefix(data, []byte("\uFEFF")) }

// editable reads the two files and refuses those whose syntax is broken: an edit could make it worse.
func editable(sdl, yaml []byte) (*Metadata, error) {
	md := parseActions(trimBOM(sdl), trimBOM(yaml))
	for _, p := range md.Problems.Errors() {
		if strings.HasPrefix(p.Text, "syntax: ") {
			return nil, errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(p, "repair the file first"))
		}
	}
	return md, nil
}

func invalidf(hint, format string, args ...any) error {
	return errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(fmt.Errorf(format, args...), hint))
}

// sameMeaning compares an edit's outcome with what was meant, and refuses it when anything else changed.
func sameMeaning(before, want, got *Metadata) error {
	refuse := func(why string) error {
		return invalidf("edit "+SDLFile+" and "+YAMLFile+" by hand",
			"the files are written in a way that cannot be edited safely: %s", why)
	}
	wantJSON, err := json.Marshal(want)
	if err != nil {
		return err
	}
	gotJSON, err := json.Marshal(got)
	if err != nil {
		return err
	}
	var wantAny, gotAny any
	if json.Unmarshal(wantJSON, &wantAny) != nil || json.Unmarshal(gotJSON, &gotAny) != nil ||
		!reflect.DeepEqual(wantAny, gotAny) {
		return refuse("the result would mean something else")
	}
	if errs := got.Problems.Errors(); len(errs) > len(before.Problems.Errors()) {
		return refuse("the result would be invalid: " + errs[len(errs)-1].Error())
	}
	return nil
}

// freshTypes returns the names of the fragment's types that do not exist yet.
func freshTypes(md *Metadata, f *Fragment) ([]string, error) {
	existing := md.CustomTypes.shapes()
	wanted := f.Types.shapes()
	var fresh []string
	for _, t := range f.types {
		want, ok := wanted[t.name]
		if !ok {
			continue // a directive's definition
		}
		have, ok := existing[t.name]
		if !ok {
			fresh = append(fresh, t.name)
			continue
		}
		if have.text != want.text {
			return nil, invalidf("rename one of the two types, or give them the same fields",
				"type %q is declared differently:\n%s: %s\n%s: %s", t.name, have.pos, have.text,
				Pos{File: f.source, Line: t.line}, want.text)
		}
	}
	return fresh, nil
}

// shape is what makes two declarations of a type the same: kind, fields and values, in any order.
type shape struct {
	text string
	pos  Pos
}

func (ct *CustomTypes) shapes() map[string]shape {
	out := map[string]shape{}
	put := func(keyword, name string, pos Pos, members []string) {
		slices.Sort(members)
		text := keyword + " " + name
		if len(members) > 0 {
			text += " { " + strings.Join(members, ", ") + " }"
		}
		out[name] = shape{text: text, pos: pos}
	}
	members := func(fields []Field) []string {
		var out []string
		for _, f := range fields {
			out = append(out, f.Name+": "+f.Type)
		}
		return out
	}
	for _, t := range ct.Scalars {
		put("scalar", t.Name, t.Pos, nil)
	}
	for _, t := range ct.Enums {
		var values []string
		for _, v := range t.Values {
			values = append(values, v.Value)
		}
		put("enum", t.Name, t.Pos, values)
	}
	for _, t := range ct.InputObjects {
		put("input", t.Name, t.Pos, members(t.Fields))
	}
	for _, t := range ct.Objects {
		put("type", t.Name, t.Pos, members(t.Fields))
	}
	return out
}

// only returns the types with the given names.
func (ct *CustomTypes) only(names []string) CustomTypes {
	var out CustomTypes
	for _, t := range ct.InputObjects {
		if slices.Contains(names, t.Name) {
			out.InputObjects = append(out.InputObjects, t)
		}
	}
	for _, t := range ct.Objects {
		if slices.Contains(names, t.Name) {
			out.Objects = append(out.Objects, t)
		}
	}
	for _, t := range ct.Scalars {
		if slices.Contains(names, t.Name) {
			out.Scalars = append(out.Scalars, t)
		}
	}
	for _, t := range ct.Enums {
		if slices.Contains(names, t.Name) {
			out.Enums = append(out.Enums, t)
		}
	}
	return out
}

// plus returns the types of both.
func (ct *CustomTypes) plus(more CustomTypes) CustomTypes {
	return CustomTypes{
		InputObjects: append(slices.Clone(ct.InputObjects), more.InputObjects...),
		Objects:      append(slices.Clone(ct.Objects), more.Objects...),
		Scalars:      append(slices.Clone(ct.Scalars), more.Scalars...),
		Enums:        append(slices.Clone(ct.Enums), more.Enums...),
	}
}

// lineEnding is the file's own: that of its first line.
func lineEnding(text []byte) string {
	if i := bytes.IndexByte(text, '\n'); i > 0 && text[i-1] == '\r' {
		return "\r\n"
	}
	return "\n"
}

// spliceSDL puts the action into the only block of its root type, or into a block of its own at the end where there
// is none or several (the Hasura CLI writes a block per action), and the types at the end.
func spliceSDL(sdl []byte, f *Fragment, fresh []string) []byte {
	text := string(sdl)
	var blocks []sdlPiece
	for _, p := range cutSDL(text) {
		if p.isRoot(f.Action.Definition.Type) && p.shut > p.open {
			blocks = append(blocks, p)
		}
	}
	eol := lineEnding(sdl)
	var tail strings.Builder
	if len(blocks) == 1 {
		shut := blocks[0].shut
		line := text[strings.LastIndexByte(text[:shut], '\n')+1 : shut]
		at, added := shut-len(line), indent(f.field, "  ")+"\n"
		if strings.TrimSpace(line) != "" { // the brace shares its line with something, and gets one of its own
			at, added = len(strings.TrimRight(text[:shut], " \t")), "\n"+added
			text = text[:at] + text[shut:]
		}
		text = text[:at] + strings.ReplaceAll(added, "\n", eol) + text[at:]
	} else {
		tail.WriteString("\n" + f.block())
	}
	for _, t := range f.types {
		if slices.Contains(fresh, t.name) {
			tail.WriteString("\n" + t.text + "\n")
		}
	}
	added := tail.String()
	switch {
	case added == "":
	case strings.TrimSpace(text) == "":
		added = added[1:]
	case !strings.HasSuffix(text, "\n"):
		added = "\n" + added
	}
	return []byte(text + strings.ReplaceAll(added, "\n", eol))
}

// spliceYAML adds the entries of actions and of new types.
func spliceYAML(yaml []byte, actions []Action, types CustomTypes) ([]byte, error) {
	e := &yamlEditor{text: yaml, eol: lineEnding(yaml)}
	nodes := make([]*node, len(actions))
	for i, a := range actions {
		nodes[i] = actionNode(a)
	}
	if err := e.appendItems([]string{"actions"}, nodes); err != nil {
		return nil, err
	}
	entries := typesNode(&types)
	for i := 0; i < len(entries.Content); i += 2 {
		var items []*node
		for _, item := range entries.Content[i+1].Content {
			items = append(items, (*node)(item))
		}
		if err := e.appendItems([]string{"custom_types", entries.Content[i].Value}, items); err != nil {
			return nil, err
		}
	}
	return e.text, nil
}
