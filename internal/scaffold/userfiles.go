package scaffold

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/nself-org/nself/internal/codegen"
	"github.com/nself-org/nself/internal/metadata"
)

// ActionFiles returns the files, relative to the project, that hold an action's code in a runtime's service: the handler
// and its test, and, of a documented action, all that its implementation needs and none of the others does. A project has
// them or not; they are the user's.
func ActionFiles(runtime, action string, others []string) []string {
	dir, code, test := stubFiles(runtime, action)
	if dir == "" {
		return nil
	}
	files := []string{path.Join(dir, code), path.Join(dir, test)}
	for _, d := range documentedActions {
		if d.name != action {
			continue
		}
		for _, name := range d.files[runtime] {
			shared := slices.ContainsFunc(documentedActions, func(o documented) bool {
				return slices.Contains(others, o.name) && o.name != action && slices.Contains(o.files[runtime], name)
			})
			if p := path.Join(dir, name); !shared && !slices.Contains(files, p) {
				files = append(files, p)
			}
		}
	}
	slices.Sort(files)
	return files
}

// stubFiles returns the folder of a runtime's service, and the handler and the test of an action in there.
func stubFiles(runtime, action string) (dir, code, test string) {
	switch runtime {
	case "golang":
		return goDir, codegen.GoFile(action), codegen.GoTestFile(action)
	case nestRuntime:
		return nestDir, codegen.TSFile(action), codegen.TSTestFile(action)
	case "python":
		return pyDir, codegen.PyFile(action), codegen.PyTestFile(action)
	}
	return "", "", ""
}

// Renaming says how the code of an action gets another name: its files move, and what the service's generated code calls
// it by changes in them.
type Renaming struct {
	// Dir is the service's folder, relative to the project.
	Dir string
	// Files are the new paths by the old ones, relative to the project.
	Files map[string]string
	words []renamedWord
}

type renamedWord struct {
	pattern *regexp.Regexp
	with    string
}

// NewRenaming works out the renaming of an action in a runtime's service. ok is false where the template knows the
// action's code by its name, so that it cannot have another.
func NewRenaming(runtime, action, to string) (r Renaming, ok bool) {
	if runtime == nestRuntime && nestImplementations[action].Controllers != nil {
		return r, false
	}
	dir, code, test := stubFiles(runtime, action)
	_, newCode, newTest := stubFiles(runtime, to)
	r.Dir = dir
	r.Files = map[string]string{path.Join(dir, code): path.Join(dir, newCode), path.Join(dir, test): path.Join(dir, newTest)}
	word := func(pattern, with string) {
		r.words = append(r.words, renamedWord{regexp.MustCompile(pattern), with})
	}
	name := func(old, with string) { word(`\b`+regexp.QuoteMeta(old)+`\b`, with) }
	stem, newStem := metadata.Pascal(action), metadata.Pascal(to)
	name(stem+"Args", newStem+"Args")
	switch runtime {
	case "golang":
		name(stem+"Handler", newStem+"Handler")
		name("New"+stem, "New"+newStem)
		word(`\bTest`+stem+`(\w*)\b`, "Test"+newStem+"${1}")
	case nestRuntime:
		name(codegen.TSController(action), codegen.TSController(to))
		name(strings.TrimSuffix(path.Base(code), ".ts"), strings.TrimSuffix(path.Base(newCode), ".ts"))
	case "python":
		module, newModule := strings.TrimSuffix(path.Base(code), ".py"), strings.TrimSuffix(path.Base(newCode), ".py")
		name(stem+"Handler", newStem+"Handler")
		name("actions."+module, "actions."+newModule)
		word(`\btest_`+module+`(\w*)\b`, "test_"+newModule+"${1}")
	}
	name(path.Join(dir, code), path.Join(dir, newCode))
	word(`(["'])`+regexp.QuoteMeta(action)+`(["'])`, "${1}"+to+"${2}")
	word(`(["'/])`+regexp.QuoteMeta(metadata.Kebab(action))+`(["'])`, "${1}"+metadata.Kebab(to)+"${2}")
	word(`\b([Tt]he action )`+regexp.QuoteMeta(action)+`\b`, "${1}"+to)
	return r, true
}

// Apply renames what the service's code calls the action by, in the text of one of its files.
func (r Renaming) Apply(text []byte) []byte {
	for _, w := range r.words {
		text = w.pattern.ReplaceAll(text, []byte(w.with))
	}
	return text
}

// Mentions returns the lines, from 1, of a text that use one of the old names, and would not once it is applied.
func (r Renaming) Mentions(text []byte) []int {
	var lines []int
	for i, line := range strings.Split(string(text), "\n") {
		if string(r.Apply([]byte(line))) != line {
			lines = append(lines, i+1)
		}
	}
	return lines
}
