package env

import (
	"bytes"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
)

// warnUnread warns about names in the files that nself does not know and that look as if they were meant for it.
func (l *loader) warnUnread() {
	c := l.cfg
	for _, key := range c.order {
		v := c.values[key]
		if v.Group != GroupOther {
			continue
		}
		pos := v.Source
		if pos.Kind == FromEnvironment { // the line is what the user can change
			pos = c.layers[key][len(c.layers[key])-1].Source
		}
		if advice, ok := computed(key); ok {
			l.warn(pos, key, "has no effect: nself works this value out for the services", advice)
			continue
		}
		if problem, hint := c.oldName(key, v.Text); problem != "" {
			l.warn(pos, key, problem, hint)
			continue
		}
		if near := c.table.nearest(key); near != "" {
			l.warn(pos, key, "nself does not know this name", "did you mean "+near+"?")
			continue
		}
		if prefix := ownPrefix(key); prefix != "" {
			l.warn(pos, key, "nself reads no such "+prefix+" name; it only reaches the function services",
				"see nself config show for the names that count")
		}
	}
}

// ownPrefix is the prefix that makes a name look like one of ours, or "".
func ownPrefix(key string) string {
	for _, prefix := range []string{
		"NSELF_", "NESTJS_", "PYTHON_", "GOLANG_", "POSTGRES_", "REDIS_", "HASURA_", "MAILPIT_", "MINIO_",
	} {
		if strings.HasPrefix(key, prefix) && !strings.HasPrefix(key, "HASURA_GRAPHQL_") {
			return prefix
		}
	}
	return ""
}

// nearest is the known name that key is most likely a slip of, or "". The first word may differ in a long word only, so
// that SES_REGION is not taken for S3_REGION.
func (t *table) nearest(key string) string {
	if t == nil || hasuraOwn(key) {
		return ""
	}
	upper := strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
	if t.find(upper) != nil {
		return upper
	}
	best, bestCost := "", 3
	for i := range t.keys {
		name := t.keys[i].Name
		if diff := len(name) - len(upper); diff < -2 || diff > 2 {
			continue
		}
		if bagDistance(upper, name) > 2 {
			continue
		}
		if strings.TrimRight(upper, "0123456789_") == strings.TrimRight(name, "0123456789_") {
			continue // a second of its kind: SMTP_HOST2
		}
		cost := levenshtein.Distance(upper, name, nil)
		if swapped(upper, name) {
			cost = 1
		}
		if cost < bestCost && (cost == 1 || len(name) >= 8 && sameStart(upper, name)) {
			best, bestCost = name, cost
		}
	}
	return best
}

// slipOfSecret reports whether key looks like the mistyped name of a secret.
func (t *table) slipOfSecret(key string) bool {
	near := t.nearest(key)
	return near != "" && t.find(near).Secret
}

// bagDistance is how many letters one name has and the other lacks: never more than the edit distance, and much
// cheaper.
func bagDistance(a, b string) int {
	var counts [128]int8
	for i := range len(a) {
		counts[a[i]&127]++
	}
	for i := range len(b) {
		counts[b[i]&127]--
	}
	surplus, lack := 0, 0
	for _, n := range counts {
		if n > 0 {
			surplus += int(n)
		} else {
			lack -= int(n)
		}
	}
	return max(surplus, lack)
}

// sameStart reports whether the first words agree, or are long and the rest agrees.
func sameStart(a, b string) bool {
	firstA, restA, _ := strings.Cut(a, "_")
	firstB, restB, _ := strings.Cut(b, "_")
	return firstA == firstB || restA == restB && min(len(firstA), len(firstB)) >= 5
}

// swapped reports whether a and b differ in two neighbours that have changed places.
func swapped(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	return i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
}

// hasuraOwn reports names that Hasura reads and that look like a slip of one of ours.
func hasuraOwn(key string) bool {
	return slices.Contains([]string{
		"HASURA_GRAPHQL_JWT_SECRETS", "HASURA_GRAPHQL_ADMIN_SECRETS", "HASURA_GRAPHQL_ACCESS_KEY",
	}, key)
}

// Limits of the search for names in a project's own files: enough for its sources, not for what was installed or built.
const (
	maxSearchedBytes = 1 << 20
	maxSearchedFiles = 5000
)

// Unread returns those keys, in their order, that no file under roots in fsys mentions. Installed packages, build
// results, binary files and files over 1 MiB are not searched, nor more than 5000 files; a root that is not there is
// empty.
func Unread(fsys fs.FS, keys []string, roots ...string) ([]string, error) {
	left := slices.Clone(keys)
	files := 0
	for _, root := range roots {
		err := fs.WalkDir(fsys, root, func(path string, d fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist), err != nil && path != root:
				return nil // gone, or not ours to read
			case err != nil:
				return err
			case d.IsDir() && path != root && skippedDir(d.Name()):
				return fs.SkipDir
			case !d.Type().IsRegular() || strings.HasPrefix(d.Name(), ".env"):
				return nil
			}
			if files++; files > maxSearchedFiles || len(left) == 0 {
				return fs.SkipAll
			}
			left = withoutMentioned(fsys, path, d, left)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return left, nil
}

// UnreadKeys returns the keys of the project's files that nself passes on and that nothing in functions/, hasura/ or
// docker-compose.override.yml mentions, each as a warning.
func (c *Config) UnreadKeys(fsys fs.FS) ([]*Warning, error) {
	var keys []string
	for _, key := range c.order {
		if v := c.values[key]; v.Group == GroupOther && c.Functions[key] != "" && c.table.nearest(key) == "" &&
			ownPrefix(key) == "" {
			if problem, _ := c.oldName(key, v.Text); problem == "" {
				keys = append(keys, key)
			}
		}
	}
	unread, err := Unread(fsys, keys, "functions", "hasura", "docker-compose.override.yml")
	if err != nil {
		return nil, err
	}
	warnings := make([]*Warning, len(unread))
	for i, key := range unread {
		warnings[i] = &Warning{
			Pos: c.values[key].Source, Key: key,
			Text: "nothing in functions/, hasura/ or docker-compose.override.yml mentions this name",
			Hint: "remove it, or check its spelling",
		}
	}
	return warnings, nil
}

func skippedDir(name string) bool {
	switch name {
	case "node_modules", ".venv", "venv", ".git", "dist", "build", "vendor", "__pycache__", "coverage", ".nself":
		return true
	}
	return strings.HasSuffix(name, "_cache")
}

// withoutMentioned drops the keys that the file at path mentions. A file that cannot be read mentions none.
func withoutMentioned(fsys fs.FS, path string, d fs.DirEntry, keys []string) []string {
	if info, err := d.Info(); err != nil || info.Size() > maxSearchedBytes {
		return keys
	}
	text, err := fs.ReadFile(fsys, path)
	if err != nil || bytes.IndexByte(text[:min(len(text), 8000)], 0) >= 0 {
		return keys
	}
	return slices.DeleteFunc(keys, func(key string) bool { return mentions(text, key) })
}

// mentions reports whether text has key as a whole word.
func mentions(text []byte, key string) bool {
	for {
		i := bytes.Index(text, []byte(key))
		if i < 0 {
			return false
		}
		end := i + len(key)
		if (i == 0 || !wordByte(text[i-1])) && (end == len(text) || !wordByte(text[end])) {
			return true
		}
		text = text[end:]
	}
}

func wordByte(b byte) bool {
	return b == '_' || 'A' <= b && b <= 'Z' || 'a' <= b && b <= 'z' || '0' <= b && b <= '9'
}
