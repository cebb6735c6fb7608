package build

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/errdefs"
)

func planText(t *testing.T, p Plan) string {
	t.Helper()
	data, err := json.MarshalIndent(p, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestRecall builds with what the last rendering came to, without it, and with one that is damaged or lies: the plan is
// the same.
func TestRecall(t *testing.T) {
	t.Parallel()
	dir := newProject(t)
	build(t, options(dir))
	memo := filepath.Join(dir, filepath.FromSlash(memoPath))
	text, err := os.ReadFile(memo)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(memo)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%s has mode %v, %v", memoPath, info.Mode(), err)
	}
	b := builder{opts: options(dir)}
	recalled, err := b.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if b.remember != nil {
		t.Error("a second build of the same project rendered everything again")
	}
	want := planText(t, recalled.Plan)
	for name, text := range map[string]string{
		"none": "", "torn": string(text[:len(text)/2]), "of other input": strings.Replace(string(text), `"key":"`, `"key":"0`, 1),
		"wrong": strings.Replace(string(text), `"sha256":"`, `"sha256":"0`, 1),
	} {
		if err := os.WriteFile(memo, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		b := builder{opts: options(dir)}
		res, err := b.run(t.Context())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if b.remember == nil {
			t.Errorf("%s: nothing was rendered", name)
		}
		if diff := cmp.Diff(want, planText(t, res.Plan)); diff != "" {
			t.Errorf("%s: (-with the memo +without)\n%s", name, diff)
		}
	}
}

// TestRecallEdit finds an edit, and shows it whole, though the last rendering is known.
func TestRecallEdit(t *testing.T) {
	t.Parallel()
	dir := newProject(t)
	build(t, options(dir))
	replace(t, dir, "docker-compose.yml", "services:", "services: # mine")
	res, err := Run(t.Context(), options(dir))
	if !errors.Is(err, errdefs.ErrDrift) || !strings.Contains(res.Plan.Diff(), "-services: # mine") {
		t.Errorf("got %v, and the diff\n%s", err, res.Plan.Diff())
	}
}
