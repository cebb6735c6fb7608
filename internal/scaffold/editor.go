package scaffold

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// EditorInput is what editor files depend on.
type EditorInput struct {
	// Runtimes are those that are enabled.
	Runtimes []string
	// Endpoint is the engine's GraphQL address.
	Endpoint string
}

// editorRuntime is what an editor needs to know of a runtime.
type editorRuntime struct {
	extensions []string
	test       string
	// attach debugs the service that nself up has started, tests its tests.
	attach, tests map[string]any
}

var editorRuntimes = map[string]editorRuntime{
	"golang": {
		extensions: []string{"golang.go"},
		test:       "go test ./...",
		attach:     map[string]any{"type": "go", "request": "attach", "mode": "local", "processId": "${command:pickGoProcess}"},
		tests:      map[string]any{"type": "go", "request": "launch", "mode": "test", "program": "${workspaceFolder}/functions/golang/actions"},
	},
	nestRuntime: {
		extensions: []string{"dbaeumer.vscode-eslint"},
		test:       "npm test",
		attach:     map[string]any{"type": "node", "request": "attach", "processId": "${command:PickProcess}", "skipFiles": []string{"<node_internals>/**"}},
		tests: map[string]any{
			"type": "node", "request": "launch", "cwd": "${workspaceFolder}/functions/nestjs", "program": "${workspaceFolder}/functions/nestjs/node_modules/jest/bin/jest.js",
			"args": []string{"--runInBand"}, "console": "integratedTerminal",
		},
	},
	"python": {
		extensions: []string{"ms-python.python", "ms-python.debugpy", "charliermarsh.ruff"},
		test:       ".venv/bin/pytest",
		attach:     map[string]any{"type": "debugpy", "request": "attach", "processId": "${command:pickProcess}"},
		tests: map[string]any{
			"type": "debugpy", "request": "launch", "module": "pytest", "cwd": "${workspaceFolder}/functions/python",
			"python": "${workspaceFolder}/functions/python/.venv/bin/python", "console": "integratedTerminal",
		},
	},
}

// EditorFiles renders what editors read: tasks and debuggers of Visual Studio Code for each runtime, the extensions that go
// with them, and a GraphQL configuration, which gives actions.graphql and queries completion and checks in every editor with
// a GraphQL language server. The files belong to the user.
func EditorFiles(in EditorInput) ([]File, error) {
	task := func(label, command string, more map[string]any) map[string]any {
		t := map[string]any{"label": label, "type": "shell", "command": command, "problemMatcher": []string{}}
		maps.Copy(t, more)
		return t
	}
	tasks := []map[string]any{
		task("nself: up", "nself up", nil), task("nself: down", "nself down", nil),
		task("nself: build", "nself build", map[string]any{"group": "build"}),
		task("nself: check actions", "nself action check", nil),
		task("nself: logs", "nself logs -f", map[string]any{"isBackground": true}),
	}
	extensions := []string{"graphql.vscode-graphql"}
	launch := []map[string]any{}
	for _, name := range in.Runtimes {
		runtime, ok := editorRuntimes[name]
		if !ok {
			continue
		}
		tasks = append(tasks, task("test: "+name, runtime.test, map[string]any{
			"group": "test", "options": map[string]any{"cwd": "${workspaceFolder}/functions/" + name},
		}))
		extensions = append(extensions, runtime.extensions...)
		launch = append(launch, named("Attach to "+name, runtime.attach), named("Debug tests of "+name, runtime.tests))
	}
	files := []File{{Path: ".graphqlrc.yml", Data: graphqlConfig(in.Endpoint), Mode: 0o644, Owner: OwnerUser}}
	for path, v := range map[string]any{
		".vscode/tasks.json":      map[string]any{"version": "2.0.0", "tasks": tasks},
		".vscode/launch.json":     map[string]any{"version": "0.2.0", "configurations": launch},
		".vscode/extensions.json": map[string]any{"recommendations": extensions},
	} {
		data, err := indented(v)
		if err != nil {
			return nil, err
		}
		files = append(files, File{Path: path, Data: data, Mode: 0o644, Owner: OwnerUser})
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return files, nil
}

func named(name string, config map[string]any) map[string]any {
	out := map[string]any{"name": name}
	maps.Copy(out, config)
	return out
}

func indented(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// graphqlConfig tells a language server where types come from: the SDL of the actions, and the running engine for queries.
func graphqlConfig(endpoint string) []byte {
	return fmt.Appendf(nil, `# Completion and checks for GraphQL in editors (graphql-config). The admin secret comes from the environment of the editor:
# HASURA_GRAPHQL_ADMIN_SECRET=$(nself config get HASURA_GRAPHQL_ADMIN_SECRET --reveal) code .
projects:
  actions:
    schema: hasura/metadata/actions.graphql
  engine:
    schema:
      - %s:
          headers:
            x-hasura-admin-secret: ${HASURA_GRAPHQL_ADMIN_SECRET}
    documents: "**/*.{graphql,gql,ts,tsx}"
    exclude: ["hasura/**", "**/node_modules/**"]
`, endpoint)
}
