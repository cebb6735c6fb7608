package metadata_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/metadata"
)

// login is the definition that the archives add.
func login(f *metadata.Fragment) metadata.Addition {
	return metadata.Addition{
		Fragment: f,
		Definition: metadata.ActionDefinition{
			Kind: metadata.Synchronous, Handler: "{{GOLANG_URL}}/actions/login",
			Headers: []metadata.Header{{Name: "X-Hasura-Admin-Secret", ValueFromEnv: "HASURA_ADMIN_SECRET"}},
			RequestTransform: []byte(`{"version": 2, "template_engine": "Kriti",
				"request_headers": {"add_headers": {"X-Hasura-Role": "{{$session_variables['x-hasura-role']}}"}}}`),
		},
		Permissions: []metadata.Permission{{Role: "user"}},
	}
}

func TestAddAction(t *testing.T) {
	t.Parallel()
	archives(t, "add", func(t *testing.T, ar *txtar.Archive) {
		dir := project(t, ar)
		ar.Files = slices.DeleteFunc(ar.Files, func(f txtar.File) bool {
			return strings.HasPrefix(f.Name, "want/") || f.Name == "error"
		})
		f, err := metadata.ParseFragment(string(section(ar, "fragment").Data), "login.graphql", "login", "")
		if err != nil {
			t.Fatal(err)
		}
		files, err := metadata.AddAction(dir, login(f))
		if err != nil {
			if !errors.Is(err, errdefs.ErrInvalid) {
				t.Errorf("not an invalid project: %v", err)
			}
			section(ar, "error").Data = fmt.Appendf(nil, "%v\n", err)
			return
		}
		for _, name := range []string{metadata.SDLFile, metadata.YAMLFile} {
			section(ar, "want/"+name).Data = files[name]
		}
		keepsEveryByte(t, ar, files)
	})
}

// keepsEveryByte checks that the old text is still there, in order, but for blanks and the brackets of empty lists.
func keepsEveryByte(t *testing.T, ar *txtar.Archive, files map[string][]byte) {
	t.Helper()
	for name, data := range files {
		rest := string(data)
		for line := range strings.SplitSeq(string(section(&txtar.Archive{Files: ar.Files}, name).Data), "\n") {
			line = strings.TrimSpace(line)
			for word := range strings.FieldsSeq(line) {
				if word == "[]" || word == "{}" || strings.HasPrefix(word, "[]") {
					continue
				}
				_, after, ok := strings.Cut(rest, word)
				if !ok {
					t.Errorf("%s: %q of %q is gone", name, word, line)
				}
				rest = after
			}
		}
	}
}

func TestAddActionKeepsWindowsLines(t *testing.T) {
	t.Parallel()
	crlf := func(s string) []byte { return []byte(strings.ReplaceAll(s, "\n", "\r\n")) }
	ar := &txtar.Archive{Files: []txtar.File{
		{Name: metadata.SDLFile, Data: crlf("type Mutation {\n  a: Int # é\n}\n")},
		{Name: metadata.YAMLFile, Data: crlf("actions:\n  - name: a\n    definition:\n      kind: synchronous\n      handler: http://h/a # é\n")},
	}}
	f, err := metadata.ParseFragment("login: Out\r\n\r\ntype Out {\r\n  a: Int\r\n}\r\n", "x", "", "")
	if err != nil {
		t.Fatal(err)
	}
	files, err := metadata.AddAction(project(t, ar), login(f))
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range files {
		if lone := bytes.Count(data, []byte("\n")) - bytes.Count(data, []byte("\r\n")); lone != 0 {
			t.Errorf("%s: %d lines end without a carriage return:\n%q", name, lone, data)
		}
		old := section(ar, name).Data
		head := bytes.TrimSuffix(old, []byte("}\r\n"))
		if !bytes.HasPrefix(data, head) {
			t.Errorf("%s does not begin with its old text:\n%q", name, data)
		}
	}
}

func TestParseFragmentErrors(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		sdl, action string
		typ         metadata.ActionType
		want        string
	}{
		"syntax":     {"login(: Int): Int", "", "", "new.graphql:1: syntax: expected a name, found :"},
		"empty":      {"# nothing", "", "", "new.graphql: there is no action in the SDL"},
		"two":        {"type Mutation { a: Int b: Int }", "", "", `new.graphql: there are 2 actions in the SDL, "a" and "b" among them`},
		"name":       {"a: Int", "b", "", `new.graphql: the SDL declares action "a", not "b"`},
		"type":       {"type Query { a: Int }", "a", metadata.Mutation, `new.graphql: the SDL declares action "a" as a query, not a mutation`},
		"union":      {"a: Int\nunion U = A", "a", "", "new.graphql:2: union U: Hasura's actions have no unions"},
		"bare query": {"a: Int", "a", metadata.Query, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, err := metadata.ParseFragment(c.sdl, "new.graphql", c.action, c.typ)
			if c.want == "" {
				if err != nil || f.Action.Definition.Type != c.typ {
					t.Fatalf("got %+v, %v", f, err)
				}
				return
			}
			if err == nil || err.Error() != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}
