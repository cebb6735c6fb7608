package metadata_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/metadata"
)

func TestMerge(t *testing.T) {
	t.Parallel()
	timeout := func(name string, seconds int) func(*metadata.Metadata) {
		return func(md *metadata.Metadata) { action(md, name).Definition.Timeout = seconds }
	}
	remove := func(name string) func(*metadata.Metadata) {
		return func(md *metadata.Metadata) {
			md.Actions = slices.DeleteFunc(md.Actions, func(a metadata.Action) bool { return a.Name == name })
		}
	}
	field := func(md *metadata.Metadata) {
		md.CustomTypes.Objects[0].Fields = append(
			md.CustomTypes.Objects[0].Fields,
			metadata.Field{Name: "more", Type: "Int"},
		)
	}
	for name, c := range map[string]struct {
		ours, theirs func(*metadata.Metadata)
		conflicts    []string
		fromOurs     []string // how the result differs from theirs
	}{
		"nothing":          {},
		"theirs only":      {theirs: timeout("login", 7)},
		"ours only":        {ours: timeout("login", 7), fromOurs: []string{"action login changed"}},
		"each another":     {ours: field, theirs: timeout("logout", 8), fromOurs: []string{"type Session changed"}},
		"both alike":       {ours: timeout("login", 7), theirs: timeout("login", 7)},
		"both differently": {ours: timeout("login", 7), theirs: timeout("login", 8), conflicts: []string{"action login"}},
		"removed here":     {ours: remove("logout"), fromOurs: []string{"action logout removed"}},
		"removed there":    {theirs: remove("logout")},
		"removed and changed": {
			ours: remove("logout"), theirs: timeout("logout", 3), conflicts: []string{"action logout"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, base := adoptProject(t)
			_, ours := adoptProject(t)
			_, theirs := adoptProject(t)
			if c.ours != nil {
				c.ours(ours)
			}
			if c.theirs != nil {
				c.theirs(theirs)
			}
			merged, conflicts, err := metadata.Merge(base, ours, theirs)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.conflicts, conflicts); diff != "" {
				t.Errorf("conflicts (-want +got):\n%s", diff)
			}
			differences, err := metadata.Compare(theirs, merged)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range differences {
				got = append(got, d.Object+" "+d.Change())
			}
			if diff := cmp.Diff(c.fromOurs, got); diff != "" {
				t.Errorf("what is taken from ours (-want +got):\n%s", diff)
			}
		})
	}
}
