package scaffold

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/nself-org/nself/internal/codegen"
	"github.com/nself-org/nself/internal/metadata"
	"github.com/nself-org/nself/templates"
)

// goTemplate is the import path of the template's packages in nself's own module.
const goTemplate = "github.com/nself-org/nself/templates/golang"

// goDir is where the service stands in a project.
const goDir = "functions/golang"

// GoModule is the module path of a project's Go service. The last element is what the go command names the program.
func GoModule(project string) string { return project + "/" + goDir }

func golangService(in ServiceInput) ([]File, error) {
	module := GoModule(in.Project)
	present, types, err := implemented("golang", in)
	if err != nil {
		return nil, err
	}
	gen, err := codegen.NewGo(codegen.GoInput{Module: module, Dir: goDir, Actions: in.Actions, Types: types})
	if err != nil {
		return nil, err
	}
	files, err := goTree(module, func(name string) bool { return !ownedByAbsent("golang", name, present) })
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
			goFile(codegen.GoFile(a.Name), code, OwnerUser),
			goFile(codegen.GoTestFile(a.Name), test, OwnerUser))
	}
	typesCode, err := gen.Types()
	if err != nil {
		return nil, err
	}
	actionsCode, err := gen.Actions()
	if err != nil {
		return nil, err
	}
	return append(files,
		goFile(codegen.GoTypesFile, typesCode, OwnerNself),
		goFile(codegen.GoActionsFile, actionsCode, OwnerNself)), nil
}

func goFile(name string, data []byte, owner Owner) File {
	return File{Path: path.Join(goDir, name), Data: data, Mode: 0o644, Owner: owner}
}

// goTree renders the files of the template that keep allows, except those that are generated from the actions.
func goTree(module string, keep func(name string) bool) ([]File, error) {
	var files []File
	err := fs.WalkDir(templates.FS, "golang", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name := strings.TrimPrefix(p, "golang/")
		if name == codegen.GoTypesFile || name == codegen.GoActionsFile || !keep(name) {
			return nil
		}
		data := embedded(p)
		switch {
		case strings.HasSuffix(name, ".go"):
			data = rewriteImports(data, module)
		case strings.HasSuffix(name, ".embed"):
			// The go command would take a folder with a go.mod for another module, and leave it out of this one.
			name = strings.TrimSuffix(name, ".embed")
			data = bytes.Replace(data, []byte("module "+goTemplate+"\n"), []byte("module "+module+"\n"), 1)
		}
		files = append(files, goFile(name, data, OwnerUser))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the Go template: %w", err)
	}
	return files, nil
}

// rewriteImports puts the project's module in the place of the template's. A replacement of text is enough: a test
// parses every file of the template and finds the quoted path in import specs only. The order of imports stays that of
// gofmt, because all paths with the prefix stand in a group of their own.
func rewriteImports(code []byte, module string) []byte {
	return bytes.ReplaceAll(code, []byte(`"`+goTemplate+`/`), []byte(`"`+module+`/`))
}

// GoTemplateCode returns the generated files of templates/golang itself, by their path in there: they declare all
// documented actions that the template implements.
func GoTemplateCode() (map[string][]byte, error) {
	var actions []metadata.Action
	var types metadata.CustomTypes
	for _, d := range documentedActions {
		if !d.implementedIn("golang") {
			continue
		}
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
	gen, err := codegen.NewGo(codegen.GoInput{Module: goTemplate, Dir: goDir, Actions: actions, Types: types})
	if err != nil {
		return nil, err
	}
	typesCode, err := gen.Types()
	if err != nil {
		return nil, err
	}
	actionsCode, err := gen.Actions()
	if err != nil {
		return nil, err
	}
	return map[string][]byte{codegen.GoTypesFile: typesCode, codegen.GoActionsFile: actionsCode}, nil
}
