package metadata_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/metadata"
)

const adoptSDL = `# what people do
type Mutation {
  # the way in
  login(email: String!): Session
  logout: Done # no arguments
}

"""Who is in."""
type Session {
  # opaque
  token: String!
}

type Done {
  ok: Boolean!
}
`

const adoptYAML = `actions:
  # asked for at every start
  - name: login
    definition:
      kind: synchronous
      handler: '{{GOLANG_URL}}/actions/login' # with a quote
    permissions:
      - role: anonymous
  - name: logout
    definition:
      kind: synchronous
      handler: '{{GOLANG_URL}}/actions/logout'
custom_types:
  objects:
    - name: Session
    - name: Done
`

// adoptProject writes a project and returns it with its document, to be changed as an engine's would be.
func adoptProject(t *testing.T) (string, *metadata.Metadata) {
	t.Helper()
	dir := t.TempDir()
	for path, text := range map[string]string{
		metadata.SDLFile: adoptSDL, metadata.YAMLFile: adoptYAML,
		metadata.Folder + "/version.yaml": "version: 3\n",
		metadata.Folder + "/databases/databases.yaml": "# the shop's\n- name: default\n  kind: postgres\n" +
			"  configuration:\n    connection_info:\n      database_url:\n        from_env: DATABASE_URL\n" +
			"  tables: \"!include default/tables/tables.yaml\"\n",
		metadata.Folder + "/databases/default/tables/tables.yaml": "- \"!include public_users.yaml\"\n",
		metadata.Folder + "/databases/default/tables/public_users.yaml": "# everybody\n" +
			"table:\n  name: users\n  schema: public\n\n# what a guest may see\nselect_permissions:\n  - role: anonymous\n" +
			"    permission:\n      columns: # few\n        - id\n        - email # and this\n      filter: {}\n" +
			"  # whoever is in\n  - role: user\n    permission:\n      columns: '*'\n      filter: {}\n",
	} {
		file := filepath.Join(dir, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	md, err := metadata.LoadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(md) // as an engine exports it
	if err != nil {
		t.Fatal(err)
	}
	server, err := metadata.ParseDocument(data, "$")
	if err != nil {
		t.Fatal(err)
	}
	return dir, server
}

func action(md *metadata.Metadata, name string) *metadata.Action {
	i := slices.IndexFunc(md.Actions, func(a metadata.Action) bool { return a.Name == name })
	return &md.Actions[i]
}

func TestAdopt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		edit        func(md *metadata.Metadata)
		differences []string
		rewritten   []string
		kept        map[string][]string // what must still stand in a file
		now         map[string][]string // what must stand there now
	}{
		"nothing": {edit: func(*metadata.Metadata) {}},
		"an entry": {
			edit: func(md *metadata.Metadata) {
				a := action(md, "login")
				a.Definition.Timeout = 60
				a.Permissions = append(a.Permissions, metadata.Permission{Role: "user"})
			},
			differences: []string{"action login changed"},
			kept: map[string][]string{
				metadata.YAMLFile: {"# asked for at every start", "# with a quote", "'{{GOLANG_URL}}/actions/login'"},
			},
			now: map[string][]string{metadata.YAMLFile: {"timeout: 60", "role: user"}},
		},
		"arguments and a type": {
			edit: func(md *metadata.Metadata) {
				a := action(md, "login")
				a.Definition.Arguments = append(a.Definition.Arguments, metadata.Argument{Name: "code", Type: "Int"})
				i := slices.IndexFunc(md.CustomTypes.Objects, func(o metadata.Object) bool { return o.Name == "Session" })
				o := &md.CustomTypes.Objects[i]
				o.Fields = append(o.Fields, metadata.Field{Name: "expires", Type: "Int"})
			},
			differences: []string{"action login changed", "type Session changed"},
			kept:        map[string][]string{metadata.SDLFile: {"# what people do", "# the way in", "# no arguments", "# opaque"}},
			now:         map[string][]string{metadata.SDLFile: {"code: Int", "expires: Int"}},
		},
		"an action that comes and one that goes": {
			edit: func(md *metadata.Metadata) {
				md.Actions = slices.DeleteFunc(md.Actions, func(a metadata.Action) bool { return a.Name == "logout" })
				md.CustomTypes.Objects = slices.DeleteFunc(md.CustomTypes.Objects, func(o metadata.Object) bool { return o.Name == "Done" })
				fresh := *action(md, "login")
				fresh.Name, fresh.Definition.OutputType = "renew", "Renewal"
				fresh.Definition.Arguments = nil
				md.Actions = append(md.Actions, fresh)
				md.CustomTypes.Objects = append(md.CustomTypes.Objects, metadata.Object{
					Name: "Renewal", Fields: []metadata.Field{{Name: "session", Type: "Session"}},
				})
			},
			differences: []string{"action logout removed", "action renew added", "type Done removed", "type Renewal added"},
			kept:        map[string][]string{metadata.SDLFile: {"# what people do", "# the way in"}},
			now:         map[string][]string{metadata.SDLFile: {"renew: Renewal", "session: Session"}},
		},
		"a type that no action uses": {
			edit: func(md *metadata.Metadata) {
				md.CustomTypes.Scalars = append(md.CustomTypes.Scalars, metadata.Scalar{Name: "Money"})
			},
			differences: []string{"type Money added"},
			kept: map[string][]string{
				metadata.SDLFile:  {"# what people do", "# the way in", "# no arguments", "# opaque"},
				metadata.YAMLFile: {"# asked for at every start", "'{{GOLANG_URL}}/actions/login' # with a quote"},
			},
			now: map[string][]string{metadata.SDLFile: {"scalar Money", "login("}},
		},
		"tables and cron triggers": {
			edit: func(md *metadata.Metadata) {
				md.Rest["sources"] = json.RawMessage(strings.Replace(string(md.Rest["sources"]), `"tables":[`,
					`"tables":[{"table":{"schema":"public","name":"orders"}},`, 1))
				md.Rest["cron_triggers"] = json.RawMessage(`[{"name":"nightly","webhook":"http://x","schedule":"0 0 * * *"}]`)
			},
			differences: []string{"cron_triggers added", "table default public.orders added"},
			rewritten:   []string{metadata.Folder + "/databases/default/tables/tables.yaml"},
			kept: map[string][]string{
				metadata.Folder + "/databases/databases.yaml":                   {"# the shop's"},
				metadata.Folder + "/databases/default/tables/public_users.yaml": {"# everybody"},
				metadata.YAMLFile: {"# with a quote"},
			},
			now: map[string][]string{
				metadata.Folder + "/databases/default/tables/public_orders.yaml": {"name: orders"},
				metadata.Folder + "/cron_triggers.yaml":                          {"nightly"},
			},
		},
		"a table's permissions": {
			edit: func(md *metadata.Metadata) {
				md.Rest["sources"] = json.RawMessage(strings.NewReplacer(`"role":"user"`, `"role":"member"`,
					`["id","email"]`, `["id","email","name"]`).Replace(string(md.Rest["sources"])))
			},
			differences: []string{"table default public.users changed"},
			rewritten:   []string{metadata.Folder + "/databases/default/tables/public_users.yaml"},
			kept: map[string][]string{
				metadata.Folder + "/databases/default/tables/public_users.yaml": {
					"# everybody", "# what a guest may see", "email # and this", "# whoever is in\n  - role: member",
				},
			},
			now: map[string][]string{
				metadata.Folder + "/databases/default/tables/public_users.yaml": {"role: member", "- name\n"},
			},
		},
		"a table that goes": {
			edit: func(md *metadata.Metadata) {
				var sources []map[string]any
				_ = json.Unmarshal(md.Rest["sources"], &sources)
				sources[0]["tables"] = []any{}
				md.Rest["sources"], _ = json.Marshal(sources)
			},
			differences: []string{"table default public.users removed"},
			rewritten: []string{
				metadata.Folder + "/databases/default/tables/tables.yaml",
				metadata.Folder + "/databases/default/tables/public_users.yaml",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, server := adoptProject(t)
			c.edit(server)
			adopted, err := metadata.Adopt(dir, server)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range adopted.Differences {
				got = append(got, d.Object+" "+d.Change())
			}
			slices.Sort(got)
			if diff := cmp.Diff(c.differences, got); diff != "" {
				t.Errorf("differences (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.rewritten, adopted.Rewritten); diff != "" {
				t.Errorf("rewritten (-want +got):\n%s", diff)
			}
			for path, data := range adopted.Files {
				file := filepath.Join(dir, filepath.FromSlash(path))
				if data == nil {
					err = os.Remove(file)
				} else {
					err = os.WriteFile(file, data, 0o644)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			for _, texts := range []map[string][]string{c.kept, c.now} {
				for path, list := range texts {
					data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(path)))
					if err != nil {
						t.Fatal(err)
					}
					for _, text := range list {
						if !strings.Contains(string(data), text) {
							t.Errorf("%s lacks %q:\n%s", path, text, data)
						}
					}
				}
			}
			after, err := metadata.LoadDir(dir)
			if err != nil {
				t.Fatalf("the files are broken now: %v", err)
			}
			left, err := metadata.Compare(after, server)
			if err != nil || len(left) > 0 {
				t.Errorf("%v; the files still differ: %+v", err, left)
			}
		})
	}
}
