package scaffold

import (
	"slices"
	"strings"
	"testing"
)

// What a project declares decides whether it gets the documented handler or a stub that compiles with its own types.
func TestDocumentedHandlerNeedsItsTypes(t *testing.T) {
	t.Parallel()
	replace := func(old, to string) string {
		if !strings.Contains(guideSDL, old) {
			t.Fatalf("%q is not in the SDL", old)
		}
		return strings.Replace(guideSDL, old, to, 1)
	}
	for _, tt := range []struct {
		name, sdl string
		want      bool
	}{
		{"the guide's", guideSDL, true},
		{"answer never null", replace("): RegisterUserOutput", "): RegisterUserOutput!"), true},
		{"Postgres' uuid", replace("id: UUID!", "id: uuid!"), true},
		{"a field more", replace("name: String! company", "name: String! phone: String company"), true},
		{"a field less", replace(" company: String", ""), true},
		{"another argument", replace("(input: RegisterUserInput!)", "(user: RegisterUserInput!)"), false},
		{"an argument more", replace("(input: RegisterUserInput!)", "(input: RegisterUserInput!, x: Int)"), false},
		{"another answer", replace("): RegisterUserOutput", "): UserInfo"), false},
		{"another type of a field", replace("company: String", "company: String!"), false},
		{"another type of an id", replace("id: UUID!", "id: Int!"), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			files, err := Service("golang", serviceInput(t, tt.sdl))
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(files, func(f File) bool { return f.Path == "functions/golang/actions/register_user.go" })
			if i < 0 {
				t.Fatal("there is no handler")
			}
			if got := !strings.Contains(string(files[i].Data), "NotImplemented"); got != tt.want {
				t.Errorf("the documented handler was taken: %t, want %t", got, tt.want)
			}
		})
	}
}
