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

const (
	nestRuntime = "nestjs"
	// nestDir is where the service stands in a project.
	nestDir = "functions/nestjs"
	// nestTemplateName is the name of the template's package, in package.json and in the lock file.
	nestTemplateName = `"name": "nestjs-functions"`
)

func nestService(in ServiceInput) ([]File, error) {
	present, types, err := implemented(nestRuntime, in)
	if err != nil {
		return nil, err
	}
	gen, err := nestCode(in.Actions, types, present)
	if err != nil {
		return nil, err
	}
	files, err := nestTree(in.Project+"-nestjs", func(name string) bool { return !ownedByAbsent(nestRuntime, name, present) })
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
			nestFile(codegen.TSFile(a.Name), code, OwnerUser),
			nestFile(codegen.TSTestFile(a.Name), test, OwnerUser))
	}
	generated, err := nestGenerated(gen)
	if err != nil {
		return nil, err
	}
	for name, code := range generated {
		files = append(files, nestFile(name, code, OwnerNself))
	}
	return files, nil
}

// nestCode prepares the code of a service; present are the actions whose implementation the template brings.
func nestCode(actions []metadata.Action, types metadata.CustomTypes, present map[string]bool) (*codegen.TS, error) {
	known := map[string]codegen.TSImplementation{}
	for name := range present {
		known[name] = nestImplementations[name]
	}
	return codegen.NewTS(codegen.TSInput{Dir: nestDir, Actions: actions, Types: types, Implemented: known})
}

// nestGenerated returns the files that are made from the actions and their types, by their path in the service.
func nestGenerated(gen *codegen.TS) (map[string][]byte, error) {
	types, err := gen.Types()
	if err != nil {
		return nil, err
	}
	actions, err := gen.Actions()
	if err != nil {
		return nil, err
	}
	return map[string][]byte{codegen.TSTypesFile: types, codegen.TSActionsFile: actions}, nil
}

func nestFile(name string, data []byte, owner Owner) File {
	return File{Path: path.Join(nestDir, name), Data: data, Mode: 0o644, Owner: owner}
}

// nestTree renders the files of the template that keep allows, except those that are generated from the actions. The
// package gets a name of its own; nothing else in there depends on the project.
func nestTree(name string, keep func(name string) bool) ([]File, error) {
	var files []File
	err := fs.WalkDir(templates.FS, nestRuntime, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel := strings.TrimPrefix(p, nestRuntime+"/")
		if rel == codegen.TSTypesFile || rel == codegen.TSActionsFile || !keep(rel) {
			return nil
		}
		data := embedded(p)
		if rel == "package.json" || rel == "package-lock.json" {
			data = bytes.ReplaceAll(data, []byte(nestTemplateName), fmt.Appendf(nil, `"name": %q`, name))
		}
		files = append(files, nestFile(rel, data, OwnerUser))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the NestJS template: %w", err)
	}
	return files, nil
}

// NestTemplateCode returns the generated files of templates/nestjs itself, by their path in there: they declare all
// documented actions that the template implements.
func NestTemplateCode() (map[string][]byte, error) {
	var actions []metadata.Action
	var types metadata.CustomTypes
	present := map[string]bool{}
	for _, d := range documentedActions {
		if !d.implementedIn(nestRuntime) {
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
		actions, types, present[d.name] = append(actions, action), merged, true
	}
	gen, err := nestCode(actions, types, present)
	if err != nil {
		return nil, err
	}
	return nestGenerated(gen)
}

// nestHandler is the file of the action's own controller, or of the one in the template that implements it.
func nestHandler(action string, rendered []File) string {
	own := path.Join(nestDir, codegen.TSFile(action))
	known, ok := nestImplementations[action]
	if !ok || hasFile(rendered, own) {
		return own
	}
	return path.Join(nestDir, "src/actions", known.Controllers[0].Module+".ts")
}
