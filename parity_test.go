package nself

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestParityNamesTests: each test that docs/hasura-parity.md names exists, and each row names one unless the thing itself
// is not there.
func TestParityNamesTests(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile(filepath.Join("docs", "hasura-parity.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`([a-z0-9/]+) ((?:Test|Fuzz)[A-Za-z0-9]+)`")
	sources := map[string][]byte{}
	found := 0
	for _, m := range named.FindAllStringSubmatch(string(doc), -1) {
		found++
		pkg, test := m[1], m[2]
		if _, read := sources[pkg]; !read {
			sources[pkg] = testSource(t, pkg)
		}
		if !bytes.Contains(sources[pkg], []byte("\nfunc "+test+"(")) {
			t.Errorf("docs/hasura-parity.md: %s has no %s", pkg, test)
		}
	}
	if found == 0 {
		t.Error("docs/hasura-parity.md names no tests")
	}
	tables, _, _ := strings.Cut(string(doc), "\n## Clients")
	for line := range strings.Lines(tables) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 5 || strings.Contains(cells[1], "---") || strings.TrimSpace(cells[1]) == "section" {
			continue
		}
		if !named.MatchString(cells[3]) && strings.TrimSpace(cells[2]) != "not there" {
			t.Errorf("docs/hasura-parity.md: no test shows %q", strings.TrimSpace(cells[1]))
		}
	}
}

// testSource reads the test files of a package under internal, or of the journeys.
func testSource(t *testing.T, pkg string) []byte {
	t.Helper()
	dir := filepath.Join("internal", filepath.FromSlash(pkg))
	if pkg == "e2e" {
		dir = pkg
	}
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(append(all, '\n'), data...)
	}
	return all
}
