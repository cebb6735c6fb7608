package build

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"

	"github.com/nself-org/nself/internal/scaffold"
)

// manifestVersion is the format that this program writes.
const manifestVersion = 1

// Entry is what nself knows about a file that it wrote.
type Entry struct {
	Path  string         `json:"path"`
	Owner scaffold.Owner `json:"owner"`
	Mode  Mode           `json:"mode"`
	// SHA256 is the hash, in hex, of nself's own version. Empty for files that belong to the user, whose content is
	// nobody's business.
	SHA256 string `json:"sha256,omitempty"`
	// Kept says that the user's version stands instead, and was accepted when nself's had this hash.
	Kept bool `json:"kept,omitempty"`

	// also holds further hashes that nself wrote: of a build that was cut short, or of both sides of a merge.
	also []string
}

// wrote reports whether a content with this hash came from nself.
func (e Entry) wrote(hash string) bool { return hash == e.SHA256 || slices.Contains(e.also, hash) }

// Mode is a file's permission bits, written in octal as people read them.
type Mode fs.FileMode

// MarshalText gives four octal digits: "0644".
func (m Mode) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%04o", uint32(m)), nil }

// UnmarshalText reads octal digits.
func (m *Mode) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 8, 12)
	if err != nil {
		return fmt.Errorf("file mode %q: %w", text, err)
	}
	*m = Mode(n)
	return nil
}

// Manifest lists the files that nself wrote into a project, by path. The zero value is that of a project without one.
type Manifest map[string]Entry

// ParseManifest reads a manifest. A damaged one, such as one with the marks of a merge conflict, yields what can still
// be read: every entry stands on a line of its own. It never fails, because what it lacks is recovered: a file that is
// as nself would write it is adopted, any other is reported before it is touched.
func ParseManifest(data []byte) Manifest {
	m := Manifest{}
	for line := range bytes.Lines(data) {
		line = bytes.TrimSuffix(bytes.TrimSpace(line), []byte(","))
		if len(line) == 0 || line[0] != '{' {
			continue
		}
		var e Entry
		if json.Unmarshal(line, &e) != nil || !fs.ValidPath(e.Path) || e.Path == "." {
			continue
		}
		m.add(e)
	}
	return m
}

// add puts an entry in. A second one for the same path (two branches built differently) lends its hash.
func (m Manifest) add(e Entry) {
	old, ok := m[e.Path]
	if ok && old.Owner == e.Owner {
		old.also = append(old.also, e.SHA256)
		old.also = append(old.also, e.also...)
		old.Kept = old.Kept && e.Kept
		e = old
	}
	m[e.Path] = e
}

// Encode writes the manifest, sorted by path, one entry a line, so that branches merge. It holds no times: the same
// project gives the same bytes.
func (m Manifest) Encode() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "{\n  \"version\": %d,\n  \"files\": [", manifestVersion)
	for i, path := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			b.WriteByte(',')
		}
		line, _ := json.Marshal(m[path]) //nolint:errchkjson // strings, a bool and a Mode cannot fail
		b.WriteString("\n    ")
		b.Write(line)
	}
	b.WriteString("\n  ]\n}\n")
	return b.Bytes()
}

func hashOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
