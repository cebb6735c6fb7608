package build

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/scaffold"
)

func TestManifestRoundTrip(t *testing.T) {
	t.Parallel()
	kept := wrote("b", "2")
	kept.Kept = true
	m := manifestOf(wrote("c/d", "1"), kept, Entry{Path: "a", Owner: scaffold.OwnerUser, Mode: 0o755})
	text := m.Encode()
	if diff := cmp.Diff(m, ParseManifest(text), cmp.AllowUnexported(Entry{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	want := `{
  "version": 1,
  "files": [
    {"path":"a","owner":"user","mode":"0755"},
    {"path":"b","owner":"nself","mode":"0644","sha256":"` + hashOf([]byte("2")) + `","kept":true},
    {"path":"c/d","owner":"nself","mode":"0644","sha256":"` + hashOf([]byte("1")) + `"}
  ]
}
`
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !json.Valid(text) || !json.Valid(Manifest{}.Encode()) {
		t.Error("not JSON")
	}
}

// TestManifestDamaged: what can be read is used, and nothing that leads out of the project.
func TestManifestDamaged(t *testing.T) {
	t.Parallel()
	conflict := `{
  "version": 1,
  "files": [
<<<<<<< HEAD
    {"path":"a","owner":"nself","mode":"0644","sha256":"11"},
=======
    {"path":"a","owner":"nself","mode":"0644","sha256":"22"},
    {"path":"b","owner":"nself","mode":"0644","sha256":"33"},
>>>>>>> branch
    {"path":"../../etc/passwd","owner":"nself","mode":"0644","sha256":"44"},
    {"path":"/etc/passwd","owner":"nself","mode":"0644","sha256":"44"},
    {"path":"c","owner":"nself","mode":"rw-r--r--","sha256":"55"},
    {"path":"d","owner":"nse`
	m := ParseManifest([]byte(conflict))
	if len(m) != 2 || !m["a"].wrote("11") || !m["a"].wrote("22") || !m["b"].wrote("33") {
		t.Errorf("%+v", m)
	}
	for _, text := range []string{"", "null", "{}", "\x00\xff", strings.Repeat("{", 1000)} {
		if m := ParseManifest([]byte(text)); len(m) != 0 {
			t.Errorf("%q gives %v", text, m)
		}
	}
}

func FuzzParseManifest(f *testing.F) {
	f.Add([]byte(`{"path":"a","owner":"nself","mode":"0644","sha256":"11"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m := ParseManifest(data)
		again := ParseManifest(m.Encode())
		if len(m) != len(again) {
			t.Errorf("%d entries become %d", len(m), len(again))
		}
	})
}
