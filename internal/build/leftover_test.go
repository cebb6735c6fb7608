package build

import (
	"strings"
	"testing"
)

func TestRunLeftoverHandler(t *testing.T) {
	t.Parallel()
	dir := newProject(t)
	if res := build(t, options(dir)); len(res.Warnings) != 0 {
		t.Fatalf("a project with its handlers: warnings %+v", res.Warnings)
	}
	replace(t, dir, "hasura/metadata/actions.yaml", "{{GOLANG_URL}}/actions/place-order", "https://orders.example.com/hook")
	res := build(t, options(dir))
	if len(res.Warnings) != 1 {
		t.Fatalf("warnings %+v, want one about the handler that is left", res.Warnings)
	}
	for _, want := range []string{handlerPath, strings.TrimSuffix(handlerPath, ".go") + "_test.go"} {
		if w := res.Warnings[0]; !strings.Contains(w.Text, want) || !strings.Contains(w.Hint, want) {
			t.Errorf("warning %+v does not name %s", w, want)
		}
	}
	if !exists(t, dir, handlerPath) {
		t.Error("the user's handler is gone")
	}
}
