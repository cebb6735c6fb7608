package upgrade

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/scaffold"
)

func TestMerge(t *testing.T) {
	t.Parallel()
	const base = "a\nb\nc\nd\ne\nf\n"
	for name, c := range map[string]struct {
		base, ours, theirs, want string
		conflicts                int
	}{
		"only ours":         {base, "a\nB\nc\nd\ne\nf\n", base, "a\nB\nc\nd\ne\nf\n", 0},
		"only theirs":       {base, base, "a\nb\nc\nd\nE\nf\n", "a\nb\nc\nd\nE\nf\n", 0},
		"both, apart":       {base, "A\nb\nc\nd\ne\nf\n", "a\nb\nc\nd\ne\nF\n", "A\nb\nc\nd\ne\nF\n", 0},
		"both alike":        {base, "a\nX\nc\nd\ne\nf\n", "a\nX\nc\nd\ne\nf\n", "a\nX\nc\nd\ne\nf\n", 0},
		"deleted and added": {base, "a\nc\nd\ne\nf\n", "a\nb\nc\nd\ne\nf\ng\n", "a\nc\nd\ne\nf\ng\n", 0},
		"both, same line":   {base, "a\nX\nc\nd\ne\nf\n", "a\nY\nc\nd\ne\nf\n", "a\n<<<<<<< yours\nX\n||||||| as nself wrote it\nb\n=======\nY\n>>>>>>> nself now\nc\nd\ne\nf\n", 1},
		"both insert":       {base, "a\nX\nb\nc\nd\ne\nf\n", "a\nY\nb\nc\nd\ne\nf\n", "a\n<<<<<<< yours\nX\n||||||| as nself wrote it\n=======\nY\n>>>>>>> nself now\nb\nc\nd\ne\nf\n", 1},
		"changed, deleted":  {base, "a\nX\nc\nd\ne\nf\n", "a\nc\nd\ne\nf\n", "a\n<<<<<<< yours\nX\n||||||| as nself wrote it\nb\n=======\n>>>>>>> nself now\nc\nd\ne\nf\n", 1},
		"overlapping":       {base, "a\nX\nX\nd\ne\nf\n", "a\nb\nY\nY\ne\nf\n", "a\n<<<<<<< yours\nX\nX\nd\n||||||| as nself wrote it\nb\nc\nd\n=======\nb\nY\nY\n>>>>>>> nself now\ne\nf\n", 1},
		"without last line": {"a\nb", "a\nX", "a\nY", "a\n<<<<<<< yours\nX\n||||||| as nself wrote it\nb\n=======\nY\n>>>>>>> nself now\n", 1},
		"two conflicts":     {base, "X\nb\nc\nd\ne\nX\n", "Y\nb\nc\nd\ne\nY\n", "<<<<<<< yours\nX\n||||||| as nself wrote it\na\n=======\nY\n>>>>>>> nself now\nb\nc\nd\ne\n<<<<<<< yours\nX\n||||||| as nself wrote it\nf\n=======\nY\n>>>>>>> nself now\n", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, conflicts := Merge(c.base, c.ours, c.theirs)
			if diff := cmp.Diff(c.want, got); diff != "" || conflicts != c.conflicts {
				t.Errorf("%d conflicts, want %d (-want +got):\n%s", conflicts, c.conflicts, diff)
			}
		})
	}
}

// One-sided changes must come out as they are, whatever they are, and two sides must not depend on their order.
func TestMergeAtRandom(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	text := func() string {
		var b strings.Builder
		for range random.IntN(12) {
			b.WriteString(string(rune('a'+random.IntN(4))) + "\n")
		}
		return b.String()
	}
	for range 5000 {
		base, x, y := text(), text(), text()
		if got, n := Merge(base, x, base); got != x || n > 0 {
			t.Fatalf("base %q, ours %q: got %q, %d conflicts", base, x, got, n)
		}
		if got, n := Merge(base, base, y); got != y || n > 0 {
			t.Fatalf("base %q, theirs %q: got %q, %d conflicts", base, y, got, n)
		}
		if got, n := Merge(base, x, x); got != x || n > 0 {
			t.Fatalf("base %q, both %q: got %q, %d conflicts", base, x, got, n)
		}
		one, n := Merge(base, x, y)
		other, m := Merge(base, y, x)
		if (n == 0) != (m == 0) || n == 0 && one != other {
			t.Fatalf("base %q, %q and %q: %q (%d) and %q (%d)", base, x, y, one, n, other, m)
		}
	}
}

func TestPlanAndApply(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	user := func(p, text string) scaffold.File {
		return scaffold.File{Path: p, Data: []byte(text), Mode: 0o644, Owner: scaffold.OwnerUser}
	}
	write := func(p, text string) {
		t.Helper()
		at := filepath.Join(dir, filepath.FromSlash(p))
		if err := os.MkdirAll(filepath.Dir(at), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	const old, now = "1\n2\n3\n4\n5\n", "1\n2\n3\n4\nfive\n"
	texts := map[string]string{
		"untouched": old, "edited": "one\n2\n3\n4\n5\n", "clash": "1\n2\n3\n4\nV\n", "windows": "one\r\n2\r\n3\r\n4\r\n5\r\n", "today": now,
	}
	var written, rendered []scaffold.File
	for name, text := range texts {
		write("functions/golang/"+name, text)
		written, rendered = append(written, user("functions/golang/"+name, old)), append(rendered, user("functions/golang/"+name, now))
	}
	write("functions/golang/before", old) // from a time when originals were not kept
	rendered = append(rendered, user("functions/golang/before", now), user("functions/golang/deleted", now), user("hasura/x", now),
		scaffold.File{Path: "functions/golang/own", Data: []byte(now), Owner: scaffold.OwnerNself})
	if _, err := Record(dir, written); err != nil {
		t.Fatal(err)
	}
	changes, known, err := Plan(dir, rendered)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, c := range changes {
		got[c.Path] = string(c.Action)
	}
	want := map[string]string{
		"functions/golang/untouched": "update", "functions/golang/edited": "merge", "functions/golang/windows": "merge",
		"functions/golang/clash": "conflict", "functions/golang/before": "unknown",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
	if err := Apply(dir, ".nself/backup/x", changes, known); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"functions/golang/untouched": now, "functions/golang/edited": "one\n2\n3\n4\nfive\n", "functions/golang/windows": "one\r\n2\r\n3\r\n4\r\nfive\r\n",
		"functions/golang/before": old, ".nself/backup/x/functions/golang/edited": texts["edited"],
		"functions/golang/clash": "1\n2\n3\n4\n<<<<<<< yours\nV\n||||||| as nself wrote it\n5\n=======\nfive\n>>>>>>> nself now\n",
	} {
		data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil || string(data) != text {
			t.Errorf("%s: %q, %v, want %q", name, data, err, text)
		}
	}
	if info, err := os.Stat(filepath.Join(dir, "functions/golang/edited")); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	again, _, err := Plan(dir, rendered)
	if err != nil || len(again) != 1 || again[0].Action != Unknown {
		t.Errorf("a second upgrade finds %+v, %v", again, err)
	}
}
