package scaffold

import (
	"slices"
	"strings"
	"testing"

	"github.com/nself-org/nself/internal/metadata"
)

// A stub whose action is renamed must be the stub of the renamed action, but for the method's own name in TypeScript. The
// names are of one length, so that lines break alike.
func TestRenamingMakesTheNewStub(t *testing.T) {
	t.Parallel()
	declared := func(name string) ServiceInput {
		return ServiceInput{Project: "shop", Actions: []metadata.Action{{Name: name, Definition: metadata.ActionDefinition{
			Handler: "{{X_URL}}/actions/" + metadata.Kebab(name), OutputType: "String", Type: metadata.Mutation,
			Arguments: []metadata.Argument{{Name: "a", Type: "Int"}},
		}}}}
	}
	for _, runtime := range RuntimeNames() {
		t.Run(runtime, func(t *testing.T) {
			t.Parallel()
			before, err := Service(runtime, declared("createInvoice"))
			if err != nil {
				t.Fatal(err)
			}
			after, err := Service(runtime, declared("archiveOrders"))
			if err != nil {
				t.Fatal(err)
			}
			r, ok := NewRenaming(runtime, "createInvoice", "archiveOrders")
			if !ok || len(r.Files) != 2 {
				t.Fatalf("%v %v", r, ok)
			}
			for old, moved := range r.Files {
				text := func(files []File, p string) string {
					i := slices.IndexFunc(files, func(f File) bool { return f.Path == p })
					if i < 0 {
						t.Fatalf("no file %s", p)
					}
					return string(files[i].Data)
				}
				got := string(r.Apply([]byte(text(before, old))))
				got = strings.NewReplacer("async createInvoice(", "async archiveOrders(", "controller.createInvoice(", "controller.archiveOrders(").Replace(got)
				if want := text(after, moved); strings.Join(strings.Fields(got), " ") != strings.Join(strings.Fields(want), " ") {
					t.Errorf("%s becomes\n%s\nwant %s\n%s", old, got, moved, want)
				}
			}
		})
	}
	if _, ok := NewRenaming("nestjs", "registerUser", "signUp"); ok {
		t.Error("an implementation that is known by its name can be renamed")
	}
}

func TestActionFilesLeavesWhatOthersNeed(t *testing.T) {
	t.Parallel()
	files := ActionFiles("golang", "registerUser", nil)
	for _, want := range []string{"functions/golang/actions/register_user.go", "functions/golang/internal/users/users.go"} {
		if !slices.Contains(files, want) {
			t.Errorf("%s is not among %v", want, files)
		}
	}
	for _, d := range documentedActions {
		for _, name := range d.files["golang"] {
			if d.name != "registerUser" && slices.Contains(ActionFiles("golang", "registerUser", []string{d.name}), "functions/golang/"+name) {
				t.Errorf("%s needs %s too", d.name, name)
			}
		}
	}
	if files := ActionFiles("python", "ping", nil); len(files) != 2 {
		t.Errorf("a stub has its handler and its test, got %v", files)
	}
}
