package build

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/scaffold"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func own(path, text string) scaffold.File {
	return scaffold.File{Path: path, Data: []byte(text), Mode: 0o644, Owner: scaffold.OwnerNself}
}

func users(path, text string) scaffold.File {
	return scaffold.File{Path: path, Data: []byte(text), Mode: 0o644, Owner: scaffold.OwnerUser}
}

func secret(path, text string) scaffold.File {
	return scaffold.File{Path: path, Data: []byte(text), Mode: 0o600, Owner: scaffold.OwnerDerived}
}

func file(text string) Node { return Node{Kind: File, Mode: 0o644, Data: []byte(text)} }

func wrote(path, text string) Entry {
	return Entry{Path: path, Owner: scaffold.OwnerNself, Mode: 0o644, SHA256: hashOf([]byte(text))}
}

func manifestOf(entries ...Entry) Manifest {
	m := Manifest{}
	for _, e := range entries {
		m[e.Path] = e
	}
	return m
}

// TestOneFile goes through what can be the matter with a single file.
func TestOneFile(t *testing.T) {
	t.Parallel()
	const p = "functions/golang/f.go"
	keptEntry := func(text string) Entry {
		e := wrote(p, text)
		e.Kept = true
		return e
	}
	theirs := Entry{Path: p, Owner: scaffold.OwnerUser, Mode: 0o644}
	merged := wrote(p, "old")
	merged.also = []string{hashOf([]byte("other branch"))}
	moded := wrote(p, "new")
	moded.Mode = 0o755
	for name, c := range map[string]struct {
		file     scaffold.File // without a path: not needed any more
		manifest Manifest
		node     Node
		choice   Choice
		required bool
		want     Action
		entry    Entry // in the manifest afterwards
	}{
		"new":                               {file: own(p, "new"), want: Create, entry: wrote(p, "new")},
		"as nself left it, and still right": {own(p, "new"), manifestOf(wrote(p, "new")), file("new"), "", false, Unchanged, wrote(p, "new")},
		"as nself left it, and outdated":    {own(p, "new"), manifestOf(wrote(p, "old")), file("old"), "", false, Update, wrote(p, "new")},
		"written by the other branch":       {own(p, "new"), manifestOf(merged), file("other branch"), "", false, Update, wrote(p, "new")},
		"deleted":                           {own(p, "new"), manifestOf(wrote(p, "new")), Node{}, "", false, Create, wrote(p, "new")},
		"line ends changed by git":          {own(p, "a\nb\n"), manifestOf(wrote(p, "a\nb\n")), file("a\r\nb\r\n"), "", false, Unchanged, wrote(p, "a\nb\n")},
		"manifest lost, content right":      {own(p, "new"), nil, file("new"), "", false, Adopt, wrote(p, "new")},
		"manifest lost, content differs":    {own(p, "new"), nil, file("other"), "", false, Conflict, wrote(p, "new")},
		"edited":                            {own(p, "new"), manifestOf(wrote(p, "old")), file("mine"), "", false, Conflict, wrote(p, "new")},
		"edited, forced":                    {own(p, "new"), manifestOf(wrote(p, "old")), file("mine"), ForceAll, false, Overwrite, wrote(p, "new")},
		"edited, kept":                      {own(p, "new"), manifestOf(wrote(p, "old")), file("mine"), AcceptAll, false, Keep, keptEntry("new")},
		"kept before":                       {own(p, "new"), manifestOf(keptEntry("new")), file("mine"), "", false, Unchanged, keptEntry("new")},
		"kept before, edited further":       {own(p, "new"), manifestOf(keptEntry("new")), file("mine 2"), "", false, Unchanged, keptEntry("new")},
		"kept before, nself's changed":      {own(p, "newer"), manifestOf(keptEntry("new")), file("mine"), "", false, Conflict, wrote(p, "newer")},
		"kept before, then given up":        {own(p, "new"), manifestOf(keptEntry("new")), file("new"), "", false, Adopt, wrote(p, "new")},
		"kept before, then deleted":         {own(p, "new"), manifestOf(keptEntry("new")), Node{}, "", false, Create, wrote(p, "new")},
		"a link":                            {own(p, "new"), manifestOf(wrote(p, "new")), Node{Kind: Link}, "", false, Conflict, wrote(p, "new")},
		"a link, kept":                      {own(p, "new"), manifestOf(keptEntry("new")), Node{Kind: Link}, "", false, Unchanged, keptEntry("new")},
		"another mode":                      {own(p, "new"), manifestOf(moded), Node{Kind: File, Mode: 0o755, Data: []byte("new")}, "", false, Update, wrote(p, "new")},
		"not needed":                        {manifest: manifestOf(wrote(p, "old")), node: file("old"), want: Remove},
		"not needed and gone":               {manifest: manifestOf(wrote(p, "old")), want: Unchanged},
		"not needed but edited":             {manifest: manifestOf(wrote(p, "old")), node: file("mine"), want: Conflict, entry: wrote(p, "old")},
		"not needed but edited, forced":     {manifest: manifestOf(wrote(p, "old")), node: file("mine"), choice: ForceAll, want: Overwrite},
		"not needed but edited, kept":       {manifest: manifestOf(wrote(p, "old")), node: file("mine"), choice: AcceptAll, want: Keep},
		"not needed but kept":               {manifest: manifestOf(keptEntry("old")), node: file("mine"), want: Unchanged},
		"user's, new":                       {file: users(p, "new"), want: Create, entry: theirs},
		"user's, changed":                   {users(p, "new"), manifestOf(theirs), file("mine"), "", false, Unchanged, theirs},
		"user's, changed, forced":           {users(p, "new"), manifestOf(theirs), file("mine"), ForceAll, false, Unchanged, theirs},
		"user's, unknown":                   {users(p, "new"), nil, file("mine"), "", false, Adopt, theirs},
		"user's, deleted":                   {users(p, "new"), manifestOf(theirs), Node{}, "", false, Unchanged, theirs},
		"user's, deleted but required":      {users(p, "new"), manifestOf(theirs), Node{}, "", true, Create, theirs},
		"user's, not needed":                {manifest: manifestOf(theirs), node: file("mine"), want: Unchanged, entry: theirs},
		"user's, not needed and gone":       {manifest: manifestOf(theirs), want: Unchanged},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := Input{
				Manifest: c.manifest, Choice: c.choice, Required: map[string]bool{p: c.required},
				// Something of the service is left, so that one deleted file is not a deleted service.
				Disk: map[string]Node{p: c.node, "functions/golang/main.go": file("main")},
			}
			if c.file.Path != "" {
				in.Files = []scaffold.File{c.file}
			}
			plan, err := NewPlan(in)
			if err != nil || len(plan.Changes) != 1 {
				t.Fatalf("%d changes, error %v", len(plan.Changes), err)
			}
			if got := plan.Changes[0].Action; got != c.want {
				t.Errorf("action %s, want %s (%s)", got, c.want, plan.Changes[0].Reason)
			}
			if diff := cmp.Diff(c.entry, plan.manifest()[p], cmp.AllowUnexported(Entry{})); diff != "" {
				t.Errorf("manifest (-want +got):\n%s", diff)
			}
			if saved := plan.Changes[0].Backup != ""; saved != (c.want == Overwrite) {
				t.Errorf("backup: %t", saved)
			}
		})
	}
}

func TestDerivedFiles(t *testing.T) {
	t.Parallel()
	const p = ".nself/env/hasura.env"
	for name, c := range map[string]struct {
		node  Node
		want  Action
		drift bool
	}{
		"missing, as in a fresh clone": {Node{}, Create, false},
		"current":                      {Node{Kind: File, Mode: 0o600, Data: []byte("A=1")}, Unchanged, false},
		"narrower":                     {Node{Kind: File, Mode: 0o400, Data: []byte("A=1")}, Unchanged, false},
		"outdated":                     {Node{Kind: File, Mode: 0o600, Data: []byte("A=0")}, Update, true},
		"others may read it":           {Node{Kind: File, Mode: 0o644, Data: []byte("A=1")}, Update, true},
	} {
		plan, err := NewPlan(Input{Files: []scaffold.File{secret(p, "A=1")}, Disk: map[string]Node{p: c.node}})
		if err != nil || plan.Changes[0].Action != c.want || plan.Drift() != c.drift {
			t.Errorf("%s: %s, drift %t, error %v", name, plan.Changes[0].Action, plan.Drift(), err)
		}
		if len(plan.manifest()) != 0 {
			t.Errorf("%s: the manifest knows a hash of secrets", name)
		}
		text, err := json.Marshal(plan)
		if strings.Contains(plan.Diff()+string(text), "A=") || err != nil {
			t.Errorf("%s: a secret is shown (error %v)", name, err)
		}
	}
	plan, err := NewPlan(Input{Disk: map[string]Node{".nself/env/redis.env": file("old")}})
	if err != nil || len(plan.Changes) != 1 || plan.Changes[0].Action != Remove {
		t.Errorf("of a service that does not run any more: %v, error %v", plan.Changes, err)
	}
}

// TestDeletedService: a file that was deleted alone stays deleted, a whole service comes back, a migration never.
func TestDeletedService(t *testing.T) {
	t.Parallel()
	files := []scaffold.File{
		users("functions/golang/README.md", "r"), users("functions/golang/main.go", "m"),
		users("hasura/migrations/default/1_a/up.sql", "u"),
	}
	m := Manifest{}
	for _, f := range files {
		m[f.Path] = Entry{Path: f.Path, Owner: f.Owner, Mode: 0o644}
	}
	for name, c := range map[string]struct {
		disk   map[string]Node
		choice Choice
		only   []string
		want   string
	}{
		"one file":       {map[string]Node{"functions/golang/main.go": file("m")}, "", nil, "nothing to do\n"},
		"the service":    {nil, "", nil, "create     functions/golang/README.md\ncreate     functions/golang/main.go\n"},
		"forced by name": {map[string]Node{"functions/golang/main.go": file("m")}, ForceAll, []string{"functions/golang/README.md"}, "create     functions/golang/README.md\n"},
		"forced all":     {map[string]Node{"functions/golang/main.go": file("m")}, ForceAll, nil, "nothing to do\n"},
	} {
		plan, err := NewPlan(Input{Files: files, Manifest: m, Disk: c.disk, Choice: c.choice, Only: c.only})
		if diff := cmp.Diff(c.want, plan.String()); diff != "" || err != nil {
			t.Errorf("%s: error %v (-want +got):\n%s", name, err, diff)
		}
	}
}

func TestNewPlanRefuses(t *testing.T) {
	t.Parallel()
	_, err := NewPlan(Input{
		Files: []scaffold.File{own("a", "1"), own("b", "1"), own("c", "1")},
		Disk:  map[string]Node{"a": {Kind: Folder}, "b": {Kind: Other}},
	})
	if err == nil || len(errdefs.Hints(err)) == 0 {
		t.Fatalf("error %v", err)
	}
	want := "a: nself writes a file here, but a folder stands there\n" +
		"b: nself writes a file here, but neither a file nor a folder stands there"
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := NewPlan(Input{Files: []scaffold.File{own("a", "1"), own("a", "2")}}); err == nil {
		t.Error("two renderings of one file pass")
	}
}

// TestPlanText holds what a person sees, in text, diff and JSON.
func TestPlanText(t *testing.T) {
	t.Parallel()
	kept := wrote("kept.yml", "theirs\n")
	kept.Kept = true
	in := Input{
		Files: []scaffold.File{
			own("docker-compose.yml", "name: shop\nservices: {}\n"), own("functions/golang/actions/actions_gen.go", "new\n"),
			own("functions/golang/actions/types_gen.go", "types\n"), users("functions/golang/actions/place_order.go", "stub\n"),
			users("functions/golang/main.go", "main\n"), own("kept.yml", "theirs\n"), own("same", "same\n"),
			secret(".nself/env/hasura.env", "SECRET=1\n"),
		},
		Manifest: manifestOf(
			wrote("docker-compose.yml", "name: shop\n"), wrote("functions/golang/actions/actions_gen.go", "old\n"),
			wrote("functions/python/app_gen.py", "x\n"), wrote("same", "same\n"), kept,
		),
		Disk: map[string]Node{
			"docker-compose.yml":                      file("name: shop\nservices:\n  mine: {}\n"),
			"functions/golang/actions/actions_gen.go": file("old\n"),
			"functions/golang/main.go":                file("mine\n"),
			"functions/python/app_gen.py":             file("x\n"),
			"kept.yml":                                file("mine\n"),
			"same":                                    file("same\n"),
		},
		Reasons: map[string]string{
			"functions/golang/actions/place_order.go": "action placeOrder in hasura/metadata/actions.graphql:4",
			"functions/golang/actions/types_gen.go":   "the actions and their types",
		},
		Gone: func(string) string { return "PYTHON_ENABLED is not true" },
	}
	for name, choice := range map[string]Choice{"report": Report, "force": ForceAll, "keep": AcceptAll} {
		in.Choice = choice
		plan, err := NewPlan(in)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.MarshalIndent(plan, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		got := plan.String() + "\n-- diff --\n" + plan.Diff() + "\n-- json --\n" + string(text) + "\n"
		golden := filepath.Join("testdata", "plan-"+name+".txt")
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s (-want +got), accept with -update:\n%s", golden, diff)
		}
	}
}
