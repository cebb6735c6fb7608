package scaffold

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/nself-org/nself/internal/metadata"
	"github.com/nself-org/nself/templates"
)

// documented is an action that comes with an implementation.
type documented struct {
	name string
	// migrations names folders of templates/hasura/migrations/default; actions may share them.
	migrations []string
	// files names, for each runtime that implements the action, the files of its template that this action alone needs.
	files map[string][]string
}

// implementedIn says whether the template of a runtime has the handler; "" asks whether any has.
func (d documented) implementedIn(runtime string) bool {
	return len(d.files[runtime]) > 0 || runtime == "" && len(d.files) > 0
}

var documentedActions = []documented{
	{
		name:       "registerUser",
		migrations: []string{"1700000000100_create_users"},
		files: map[string][]string{
			"golang": {
				"actions/register_user.go", "actions/register_user_mail.go", "actions/register_user_mail.html",
				"actions/register_user_mail.txt", "actions/register_user_rules.go", "actions/register_user_rules_test.go",
				"actions/register_user_test.go", "actions/verify_email.go", "actions/verify_email.html",
				"actions/verify_email_test.go", "internal/users/users.go", "internal/users/users_test.go",
				"internal/users/verification.go",
			},
			"nestjs": {
				"src/actions/password.service.spec.ts", "src/actions/password.service.ts",
				"src/actions/user.controller.spec.ts", "src/actions/user.controller.ts", "src/actions/user.rules.spec.ts",
				"src/actions/user.rules.ts", "src/actions/user.service.ts", "src/actions/verify-email.controller.ts",
				"test/register-user.e2e-spec.ts",
			},
			"python": {
				"actions/register_user.py", "actions/register_user_mail.html", "actions/register_user_mail.py",
				"actions/register_user_mail.txt", "actions/register_user_rules.py", "actions/verify_email.html",
				"actions/verify_email.py", "service/users.py", "tests/test_register_user.py",
				"tests/test_register_user_rules.py", "tests/test_users.py", "tests/test_verify_email.py",
			},
		},
	},
}

// DocumentedAction is an action that comes with an implementation, ready to be declared in a project.
type DocumentedAction struct {
	Name string
	// SDL is the action's part of actions.graphql: its field of type Mutation or Query, and the custom types.
	SDL string
	// Migrations are the files that make its tables, under hasura/migrations/default. They belong to the user.
	Migrations []File

	yaml string
}

// YAML returns the action's entry of the list in actions.yaml, with a handler in the given runtime ("golang", "nestjs",
// "python"): a YAML mapping, not indented.
func (a DocumentedAction) YAML(runtime string) string {
	return strings.ReplaceAll(a.yaml, "{{RUNTIME_URL}}", "{{"+strings.ToUpper(runtime)+"_URL}}")
}

// Documented returns the documented action of that name, and whether there is one.
func Documented(name string) (DocumentedAction, bool) {
	i := slices.IndexFunc(documentedActions, func(d documented) bool { return d.name == name })
	if i < 0 {
		return DocumentedAction{}, false
	}
	d := documentedActions[i]
	a := DocumentedAction{
		Name: name,
		SDL:  string(embedded("actions/" + name + "/action.graphql")),
		yaml: string(embedded("actions/" + name + "/action.yaml")),
	}
	for _, m := range d.migrations {
		for _, file := range []string{"down.sql", "up.sql"} {
			p := path.Join("hasura/migrations/default", m, file)
			a.Migrations = append(a.Migrations, File{Path: p, Data: embedded(p), Mode: 0o644, Owner: OwnerUser})
		}
	}
	return a, true
}

// DocumentedNames lists the documented actions, in the order of the guide.
func DocumentedNames() []string {
	names := make([]string, len(documentedActions))
	for i, d := range documentedActions {
		names[i] = d.name
	}
	return names
}

// embedded returns a file of the templates. That it exists is certain at build time and checked by a test.
func embedded(name string) []byte {
	data, err := fs.ReadFile(templates.FS, name)
	if err != nil {
		panic(fmt.Sprintf("embedded template %s: %v", name, err))
	}
	return data
}

// types returns the action's declaration and custom types.
func (a DocumentedAction) types() (metadata.Action, metadata.CustomTypes, error) {
	actions, types, err := metadata.ParseSDL(a.SDL, a.Name+"/action.graphql")
	if err != nil || len(actions) != 1 {
		return metadata.Action{}, types, fmt.Errorf("documented action %s: %d actions in its SDL: %w", a.Name, len(actions), err)
	}
	return actions[0], types, nil
}

// implemented finds the documented actions whose implementation in a runtime fits the project, and the types to generate.
// An empty runtime stands for all.
func implemented(runtime string, in ServiceInput) (present map[string]bool, types metadata.CustomTypes, err error) {
	present, types = map[string]bool{}, in.Types
	for _, a := range in.Actions {
		doc, ok := Documented(a.Name)
		if !ok || !implements(runtime, a.Name) {
			continue
		}
		written, needed, err := doc.types()
		if err != nil {
			return nil, types, err
		}
		if types, ok = fit(a, written, types, needed); ok {
			present[a.Name] = true
		}
	}
	return present, types, nil
}

// implements says whether a runtime's template has the handler of a documented action.
func implements(runtime, action string) bool {
	return slices.ContainsFunc(documentedActions, func(d documented) bool {
		return d.name == action && d.implementedIn(runtime)
	})
}

// ownedByAbsent says whether a file of a runtime's template serves only documented actions that the project does not have.
func ownedByAbsent(runtime, name string, present map[string]bool) bool {
	owned := false
	for _, d := range documentedActions {
		if slices.Contains(d.files[runtime], name) {
			if present[d.name] {
				return false
			}
			owned = true
		}
	}
	return owned
}
