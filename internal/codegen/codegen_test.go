package codegen

import (
	"testing"

	"github.com/nself-org/nself/internal/metadata"
)

func parse(t testing.TB, sdl string) ([]metadata.Action, metadata.CustomTypes) {
	t.Helper()
	actions, types, err := metadata.ParseSDL(sdl, "actions.graphql")
	if err != nil {
		t.Fatal(err)
	}
	return actions, types
}

func TestGoNames(t *testing.T) {
	t.Parallel()
	for _, tt := range [][2]string{
		{"user_id", "UserID"},
		{"userId", "UserID"},
		{"file_url", "FileURL"},
		{"SUCCEEDED", "Succeeded"},
		{"REQUIRES_ACTION", "RequiresAction"},
		{"HTTPServer", "HTTPServer"},
		{"type", "Type"},
		{"_", "X"},
		{"_1", "X1"},
		{"__typename", "Typename"},
		{"user_ids", "UserIDs"},
		{"a", "A"},
		{"x86", "X86"},
	} {
		if got := goName(tt[0]); got != tt[1] {
			t.Errorf("goName(%q) = %q, want %q", tt[0], got, tt[1])
		}
	}
}

func TestGoFiles(t *testing.T) {
	t.Parallel()
	for _, tt := range [][3]string{
		{"registerUser", "actions/register_user.go", "actions/register_user_test.go"},
		{"checkLinux", "actions/check_linux_action.go", "actions/check_linux_action_test.go"},
		{"runTest", "actions/run_test_action.go", "actions/run_test_action_test.go"},
		{"deps", "actions/deps_action.go", "actions/deps_action_test.go"},
		{"linux", "actions/linux.go", "actions/linux_test.go"},
	} {
		if got := [2]string{GoFile(tt[0]), GoTestFile(tt[0])}; got != [2]string{tt[1], tt[2]} {
			t.Errorf("%s: got %q", tt[0], got)
		}
	}
}

func TestPath(t *testing.T) {
	t.Parallel()
	for _, tt := range [][3]string{
		{"registerUser", "{{GOLANG_URL}}/actions/register-user", "register-user"},
		{"registerUser", "{{GOLANG_URL}}/actions/sign-up", "sign-up"},
		{"registerUser", "{{GOLANG_URL}}/actions/sign-up/?x=1", "sign-up"},
		{"registerUser", "{{GOLANG_URL}}/actions/{{NAME}}", "register-user"},
		{"registerUser", "{{GOLANG_URL}}", "register-user"},
	} {
		a := metadata.Action{Name: tt[0], Definition: metadata.ActionDefinition{Handler: tt[1]}}
		if got := Path(a); got != tt[2] {
			t.Errorf("Path(%s) = %q, want %q", tt[1], got, tt[2])
		}
	}
}

func TestNewGoRefuses(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]GoInput{
		"argument": {Actions: []metadata.Action{{
			Name:       "a",
			Definition: metadata.ActionDefinition{OutputType: "Int", Arguments: []metadata.Argument{{Name: "x", Type: "[Int"}}},
		}}},
		"output": {Actions: []metadata.Action{{Name: "a", Definition: metadata.ActionDefinition{OutputType: ""}}}},
		"one file": {Actions: []metadata.Action{
			{Name: "fooBar", Definition: metadata.ActionDefinition{OutputType: "Int"}},
			{Name: "foo_bar", Definition: metadata.ActionDefinition{OutputType: "Int"}},
		}},
		"field": {
			Actions: []metadata.Action{{Name: "a", Definition: metadata.ActionDefinition{OutputType: "T"}}},
			Types:   metadata.CustomTypes{Objects: []metadata.Object{{Name: "T", Fields: []metadata.Field{{Name: "f", Type: "!"}}}}},
		},
	} {
		if _, err := NewGo(in); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
