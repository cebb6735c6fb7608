package scaffold

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/nself-org/nself/internal/codegen"
	"github.com/nself-org/nself/internal/metadata"
	"github.com/nself-org/nself/templates"
)

// pyDir is where the service stands in a project.
const pyDir = "functions/python"

// pyProject is the line of the template's pyproject.toml that names it.
const pyProject = `name = "functions-python"`

func pythonService(in ServiceInput) ([]File, error) {
	present, types, err := implemented("python", in)
	if err != nil {
		return nil, err
	}
	gen, err := codegen.NewPy(codegen.PyInput{
		Dir: pyDir, Actions: in.Actions, Types: types, Modules: pyModules(present),
	})
	if err != nil {
		return nil, err
	}
	files, err := pyTree(in.Project, func(name string) bool { return !ownedByAbsent("python", name, present) })
	if err != nil {
		return nil, err
	}
	for _, a := range in.Actions {
		if present[a.Name] {
			continue
		}
		code, test, err := gen.Stub(a.Name)
		if err != nil {
			return nil, err
		}
		files = append(files,
			pyFile(codegen.PyFile(a.Name), code, OwnerUser),
			pyFile(codegen.PyTestFile(a.Name), test, OwnerUser))
	}
	return append(files,
		pyFile(codegen.PyTypesFile, gen.Types(), OwnerNself),
		pyFile(codegen.PyActionsFile, gen.Actions(), OwnerNself)), nil
}

// pyModules names the modules of documented actions that the guide names otherwise than the action.
func pyModules(present map[string]bool) map[string]string {
	if !present["processPayment"] {
		return nil
	}
	return map[string]string{"processPayment": "payment"}
}

func pyFile(name string, data []byte, owner Owner) File {
	return File{Path: path.Join(pyDir, name), Data: data, Mode: 0o644, Owner: owner}
}

// pyTree renders the files of the template that keep allows, except those that are generated from the actions.
func pyTree(project string, keep func(name string) bool) ([]File, error) {
	var files []File
	err := fs.WalkDir(templates.FS, "python", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name := strings.TrimPrefix(p, "python/")
		if name == codegen.PyTypesFile || name == codegen.PyActionsFile || !keep(name) {
			return nil
		}
		data := embedded(p)
		if name == "pyproject.toml" {
			text := string(data)
			if strings.Count(text, pyProject+"\n") != 1 {
				return fmt.Errorf("%s has no line %s", p, pyProject)
			}
			data = []byte(strings.Replace(text, pyProject, fmt.Sprintf("name = %q", project+"-functions-python"), 1))
		}
		files = append(files, pyFile(name, data, OwnerUser))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the Python template: %w", err)
	}
	return files, nil
}

// PyTemplateCode returns the generated files of templates/python itself, by their path in there: they declare all
// documented actions that the template implements.
func PyTemplateCode() (map[string][]byte, error) {
	var actions []metadata.Action
	var types metadata.CustomTypes
	for _, d := range slices.DeleteFunc(slices.Clone(documentedActions), func(d documented) bool {
		return !d.implementedIn("python")
	}) {
		doc, _ := Documented(d.name)
		action, needed, err := doc.types()
		if err != nil {
			return nil, err
		}
		merged, ok := fit(action, action, types, needed)
		if !ok {
			return nil, fmt.Errorf("the types of documented action %s contradict those of another", d.name)
		}
		actions, types = append(actions, action), merged
	}
	gen, err := codegen.NewPy(codegen.PyInput{
		Dir: pyDir, Actions: actions, Types: types, Modules: pyModules(map[string]bool{"processPayment": true}),
	})
	if err != nil {
		return nil, err
	}
	return map[string][]byte{codegen.PyTypesFile: gen.Types(), codegen.PyActionsFile: gen.Actions()}, nil
}
