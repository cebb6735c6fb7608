package scaffold

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

func TestEditorFiles(t *testing.T) {
	t.Parallel()
	files, err := EditorFiles(EditorInput{Runtimes: []string{"golang", "python"}, Endpoint: "http://localhost:8080/v1/graphql"})
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	var paths []string
	for _, f := range files {
		paths = append(paths, f.Path)
		texts[f.Path] = string(f.Data)
		var v any
		if strings.HasSuffix(f.Path, ".json") {
			err = json.Unmarshal(f.Data, &v)
		} else {
			err = yaml.Unmarshal(f.Data, &v)
		}
		if err != nil {
			t.Errorf("%s: %v", f.Path, err)
		}
	}
	if diff := cmp.Diff([]string{".graphqlrc.yml", ".vscode/extensions.json", ".vscode/launch.json", ".vscode/tasks.json"}, paths); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	for _, want := range []string{"Attach to golang", "Debug tests of golang", "Attach to python", "Debug tests of python"} {
		if !strings.Contains(texts[".vscode/launch.json"], want) {
			t.Errorf("no %q in launch.json", want)
		}
	}
	if strings.Contains(texts[".vscode/launch.json"]+texts[".vscode/tasks.json"], "nestjs") {
		t.Error("a runtime that is off has a configuration")
	}
	for _, runtime := range RuntimeNames() {
		if r, ok := editorRuntimes[runtime]; !ok || r.attach == nil || r.tests == nil || r.test == "" || len(r.extensions) == 0 {
			t.Errorf("runtime %s has no configuration", runtime)
		}
	}
}
