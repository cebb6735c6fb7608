package metadata

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// Folder is where a project keeps Hasura's metadata, relative to the project.
const Folder = "hasura/metadata"

// The two files that declare actions, relative to the project.
const (
	SDLFile  = Folder + "/actions.graphql"
	YAMLFile = Folder + "/actions.yaml"
)

// restFiles are the other files of the v3 directory, with the key of the document that each holds.
var restFiles = []struct{ file, key string }{
	{"databases/databases.yaml", "sources"},
	{"remote_schemas.yaml", "remote_schemas"},
	{"query_collections.yaml", "query_collections"},
	{"allow_list.yaml", "allowlist"},
	{"cron_triggers.yaml", "cron_triggers"},
	{"rest_endpoints.yaml", "rest_endpoints"},
	{"api_limits.yaml", "api_limits"},
	{"metrics_config.yaml", "metrics_config"},
	{"graphql_schema_introspection.yaml", "graphql_schema_introspection"},
	{"network.yaml", "network"},
	{"backend_configs.yaml", "backend_configs"},
	{"opentelemetry.yaml", "opentelemetry"},
}

// LoadDir reads the metadata of the project in projectDir. A missing file is an empty one. The error is an I/O error,
// with a nil document, or [Problems.Err] of what is wrong with the files; the document then holds what could be read,
// and [Validate] reports the same problems along with its own.
func LoadDir(projectDir string) (*Metadata, error) {
	return LoadFolder(filepath.Join(projectDir, filepath.FromSlash(Folder)))
}

// LoadFolder is [LoadDir] of the metadata folder itself, wherever it lies. Positions name its files as in a project.
func LoadFolder(folder string) (*Metadata, error) {
	l := &loader{root: folder, md: &Metadata{Version: 3}}
	if err := l.load(); err != nil {
		return nil, fmt.Errorf("read metadata: %w", err)
	}
	l.md.Problems = l.ps.sorted()
	return l.md, l.md.Problems.Err()
}

// parseActions joins the text of the two action files, for edits that are not on disk yet.
func parseActions(sdl, yaml []byte) *Metadata {
	l := &loader{md: &Metadata{Version: 3}}
	l.join(sdl, yaml)
	l.md.Problems = l.ps.sorted()
	return l.md
}

// WithActions is [LoadDir] with other contents, by path relative to the project, of the two files that declare actions: what
// the metadata would be once they are written.
func WithActions(projectDir string, files map[string][]byte) (*Metadata, error) {
	l := &loader{root: filepath.Join(projectDir, filepath.FromSlash(Folder)), md: &Metadata{Version: 3}, instead: files}
	if err := l.load(); err != nil {
		return nil, fmt.Errorf("read metadata: %w", err)
	}
	l.md.Problems = l.ps.sorted()
	return l.md, nil
}

type loader struct {
	root    string
	instead map[string][]byte // contents to take in place of what is on disk, by path relative to the project
	md      *Metadata
	ps      Problems
}

// read returns a file's content without a byte order mark; nil where it is missing.
func (l *loader) read(name string) ([]byte, error) {
	if data, ok := l.instead[Folder+"/"+name]; ok {
		return trimBOM(data), nil
	}
	data, err := os.ReadFile(filepath.Join(l.root, filepath.FromSlash(name)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return bytes.TrimPrefix(data, []byte("\uFEFF")), err
}

func (l *loader) load() error {
	sdl, err := l.read("actions.graphql")
	if err != nil {
		return err
	}
	yaml, err := l.read("actions.yaml")
	if err != nil {
		return err
	}
	l.join(sdl, yaml)
	if err := l.version(); err != nil {
		return err
	}
	if err := l.inheritedRoles(); err != nil {
		return err
	}
	for _, f := range restFiles {
		data, err := l.readJSON(f.file, nil)
		if err != nil {
			return err
		}
		if isEmptyJSON(data) {
			continue
		}
		if l.md.Rest == nil {
			l.md.Rest = map[string]json.RawMessage{}
		}
		l.md.Rest[f.key] = data
	}
	return nil
}

// join matches actions and types of the two files by name. Where the files disagree the SDL decides what exists.
func (l *loader) join(sdl, yaml []byte) {
	var (
		doc     *sdlDocument
		sdlSays Problems
		reading sync.WaitGroup
	)
	reading.Go(func() { doc, sdlSays = parseSDL(string(sdl), SDLFile) })
	file, ps := parseActionsYAML(yaml, YAMLFile)
	reading.Wait()
	l.ps = append(append(l.ps, sdlSays...), ps...)
	// After a syntax error in the SDL every entry would seem to lack its declaration.
	sdlReadable := len(doc.actions) > 0 || !slices.ContainsFunc(l.ps, func(p *Problem) bool {
		return p.Pos.File == SDLFile && strings.HasPrefix(p.Text, "syntax: ")
	})
	l.md.Actions = doc.actions
	l.md.CustomTypes = doc.types
	l.joinActions(doc, file, sdlReadable)
	l.joinTypes(file, sdlReadable)
}

func (l *loader) joinActions(doc *sdlDocument, file *actionsFile, sdlReadable bool) {
	var names []string
	index := map[string]int{}
	for i, a := range doc.actions {
		names = append(names, a.Name)
		index[a.Name] = i
	}
	first := map[string]Pos{}
	for _, y := range file.actions {
		if at, dup := first[y.Name]; dup {
			l.ps.errorf(y.YAMLPos, "action %q stands twice in the file, first at %s", y.Name, at).hint("remove one of the two")
			continue
		}
		first[y.Name] = y.YAMLPos
		i, ok := index[y.Name]
		if !ok {
			if sdlReadable {
				l.ps.errorf(y.YAMLPos, "action %s is not present in actions.graphql%s", y.Name, didYouMean(y.Name, names)).
					hint("declare it in type Mutation or type Query of %s, or remove the entry", SDLFile)
			}
			continue
		}
		a := &l.md.Actions[i]
		a.Comment, a.Permissions, a.YAMLPos, a.KeyPos = y.Comment, y.Permissions, y.YAMLPos, y.KeyPos
		d := y.Definition
		d.Type, d.OutputType, d.Arguments = a.Definition.Type, a.Definition.OutputType, a.Definition.Arguments
		a.Definition = d
	}
	for _, a := range l.md.Actions {
		text, ok := doc.actionDescriptions[a.Name]
		if ok && a.Comment == "" && a.YAMLPos.Line != 0 {
			l.ps.warnf(a.Pos, "action %q: Hasura ignores the description %q of an action's field", a.Name, shorten(text)).
				hint("put the text under \"comment\" of the action in %s", YAMLFile)
		}
	}
}

func (l *loader) joinTypes(file *actionsFile, sdlReadable bool) {
	ct := &l.md.CustomTypes
	names, places := ct.names(), ct.places()
	first := map[string]Pos{}
	for _, y := range file.types {
		if at, dup := first[y.name]; dup {
			l.ps.errorf(y.pos, "custom type %q stands twice in the file, first at %s", y.name, at).hint("remove one of the two")
			continue
		}
		first[y.name] = y.pos
		at, declared := places[y.name]
		if declared {
			ct.describe(at, y)
		}
		switch {
		case !declared && sdlReadable:
			l.ps.errorf(y.pos, "custom type %s is not present in actions.graphql%s", y.name, didYouMean(y.name, names)).
				hint("declare it in %s, or remove the entry", SDLFile)
		case declared && at.list != y.list:
			l.ps.errorf(y.pos, "custom type %q stands under %s, but actions.graphql declares it as one of the %s",
				y.name, y.list, at.list).hint("move the entry to custom_types: %s", at.list)
		}
	}
}

// typeAt is the place of a custom type: its list by the key in actions.yaml, and the index in it.
type typeAt struct {
	list string
	i    int
}

// places finds custom types by name. Of several with one name the first one counts, objects before input objects, scalars and enums.
func (ct *CustomTypes) places() map[string]typeAt {
	at := make(map[string]typeAt, len(ct.Objects)+len(ct.InputObjects)+len(ct.Scalars)+len(ct.Enums))
	add := func(list, name string, i int) {
		if _, known := at[name]; !known {
			at[name] = typeAt{list, i}
		}
	}
	for i, t := range ct.Objects {
		add("objects", t.Name, i)
	}
	for i, t := range ct.InputObjects {
		add("input_objects", t.Name, i)
	}
	for i, t := range ct.Scalars {
		add("scalars", t.Name, i)
	}
	for i, t := range ct.Enums {
		add("enums", t.Name, i)
	}
	return at
}

// describe puts an entry's description and relationships on the type that stands there.
func (ct *CustomTypes) describe(at typeAt, y yamlType) {
	switch at.list {
	case "objects":
		ct.Objects[at.i].Description, ct.Objects[at.i].Relationships = y.description, y.relationships
	case "input_objects":
		ct.InputObjects[at.i].Description = y.description
	case "scalars":
		ct.Scalars[at.i].Description = y.description
	case "enums":
		ct.Enums[at.i].Description = y.description
	}
}

// names returns the names of all custom types.
func (ct *CustomTypes) names() []string {
	var out []string
	for _, t := range ct.InputObjects {
		out = append(out, t.Name)
	}
	for _, t := range ct.Objects {
		out = append(out, t.Name)
	}
	for _, t := range ct.Scalars {
		out = append(out, t.Name)
	}
	for _, t := range ct.Enums {
		out = append(out, t.Name)
	}
	return out
}

func (l *loader) version() error {
	data, err := l.readJSON("version.yaml", nil)
	if err != nil || data == nil {
		return err
	}
	var v struct {
		Version json.Number `json:"version"`
	}
	if json.Unmarshal(data, &v) != nil || v.Version != "3" {
		l.ps.errorf(Pos{File: Folder + "/version.yaml"}, "expected \"version: 3\", the only format nself reads").
			hint("export the metadata with a Hasura CLI of version 2")
	}
	return nil
}

func (l *loader) inheritedRoles() error {
	data, err := l.readJSON("inherited_roles.yaml", nil)
	if err != nil || isEmptyJSON(data) {
		return err
	}
	roles, shape := parseInheritedRoles(data, "$")
	if shape != nil {
		l.ps.errorf(Pos{File: Folder + "/inherited_roles.yaml"}, "%s at %s", shape.Message, shape.Path)
		return nil //nolint:nilerr // it is reported among the problems
	}
	l.md.InheritedRoles = roles
	return nil
}

// readJSON reads a YAML file of the directory, with what it includes, as JSON; nil where it is missing or empty.
// parents are the files that include it.
func (l *loader) readJSON(name string, parents []string) (json.RawMessage, error) {
	text, err := l.read(name)
	if err != nil || text == nil {
		return nil, err
	}
	file := Folder + "/" + name
	var ioErr error
	r := &yamlReader{file: file, ps: &l.ps, size: len(text)}
	r.include = func(target string, pos Pos) json.RawMessage {
		full := path.Join(path.Dir(name), strings.Trim(target, `"'`))
		if !fs.ValidPath(full) {
			l.ps.errorf(pos, "!include %s: the path leaves the metadata folder", target).hint("move the file into %s", Folder)
			return nil
		}
		if full == name || slices.Contains(parents, full) {
			l.ps.errorf(pos, "!include %s: the files include each other", target).hint("remove one of the two includes")
			return nil
		}
		if _, err := os.Stat(filepath.Join(l.root, filepath.FromSlash(full))); errors.Is(err, fs.ErrNotExist) {
			l.ps.errorf(pos, "!include %s: there is no file %s/%s", target, Folder, full).hint("add the file, or remove the !include")
			return nil
		}
		data, err := l.readJSON(full, append(slices.Clone(parents), name))
		ioErr = errors.Join(ioErr, err)
		return data
	}
	root := parseYAML(text, file, &l.ps)
	data := r.raw(root, path.Base(name))
	return data, ioErr
}

func shorten(s string) string {
	const limit = 40
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > limit {
		return string(r[:limit]) + "..."
	}
	return s
}
