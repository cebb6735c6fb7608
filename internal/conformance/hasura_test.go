package conformance_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/nself-org/nself/internal/testneeds"
)

// folderVariable names the folder with Hasura's case files.
const folderVariable = "HASURA_CONFORMANCE_DIR"

// report collects what became of each case.
type report struct {
	mu   sync.Mutex
	rows map[string]row
}

type row struct {
	file   bool // the case is a file
	result string
	note   string
}

// add records a case; a failure in one of two runs stays.
func (r *report) add(name string, file bool, result, note string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.rows == nil {
		r.rows = map[string]row{}
	}
	if r.rows[name].result != "failed" {
		r.rows[name] = row{file, result, note}
	}
}

// watch records a case when its test ends.
func (r *report) watch(t *testing.T, name string, file bool, note string) {
	t.Helper()
	t.Cleanup(func() {
		result := "passed"
		switch {
		case t.Failed():
			result = "failed"
		case t.Skipped():
			result = "skipped"
		}
		r.add(name, file, result, note)
	})
}

// String is a table of all cases and a line that sums it up.
func (r *report) String() string {
	var b strings.Builder
	count, files := map[string]int{}, map[string]int{}
	var names []string
	for name := range r.rows {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		row := r.rows[name]
		fmt.Fprintf(&b, "%-8s %-80s %s\n", row.result, name, row.note)
		count[row.result]++
		if row.file {
			files[row.result]++
		}
	}
	fmt.Fprintf(&b, "of %d case files: %d passed, %d failed, %d skipped\n",
		files["passed"]+files["failed"]+files["skipped"], files["passed"], files["failed"], files["skipped"])
	fmt.Fprintf(&b, "%d passed, %d failed, %d skipped\n", count["passed"], count["failed"], count["skipped"])
	return b.String()
}

// TestHasura runs Hasura's own cases, with and without an admin secret.
//
//nolint:tparallel // one subtest holds all the parallel ones, so that the report comes after them
func TestHasura(t *testing.T) {
	t.Parallel()
	dir := os.Getenv(folderVariable)
	if dir == "" {
		testneeds.Missing(t, "%s names no folder with Hasura's case files", folderVariable)
	}
	results := &report{}
	known := map[string]bool{}
	t.Run("cases", func(t *testing.T) {
		for _, c := range classes() {
			for _, one := range c.cases {
				known[filepath.Join(c.dir, one.name+".yaml")] = true
			}
			for _, secret := range []string{"", adminSecret} {
				if secret == "" && c.secretOnly {
					continue
				}
				name := c.dir + map[bool]string{false: "/open", true: "/secret"}[secret != ""]
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					runClass(t, dir, c, secret, results)
				})
			}
		}
	})
	for _, file := range caseFiles(t, dir) {
		if !known[file] {
			t.Errorf("%s: nobody runs this case", file)
		}
	}
	t.Log("\n" + results.String())
}

// caseFiles lists the files of a folder that are neither set-ups nor teardowns.
func caseFiles(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		name := d.Name()
		if err != nil || d.IsDir() || filepath.Ext(name) != ".yaml" || strings.HasSuffix(name, "setup.yaml") ||
			strings.HasSuffix(name, "teardown.yaml") {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		files = append(files, rel)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func runClass(t *testing.T, dir string, c class, secret string, results *report) {
	t.Helper()
	folder := filepath.Join(dir, filepath.FromSlash(c.dir))
	if c.skip != "" {
		for _, one := range c.cases {
			t.Run(c.dir+"/"+one.name, func(t *testing.T) {
				results.watch(t, c.dir+"/"+one.name, true, c.skip)
				t.Skip(c.skip)
			})
		}
		return
	}
	s := startStack(t, secret)
	if c.before != "" {
		s.sql(t.Context(), t, c.before)
	}
	prepare := func(t *testing.T, requests ...string) {
		t.Helper()
		for _, request := range requests {
			path, file, _ := strings.Cut(request, " ")
			s.prepare(t.Context(), t, path, filepath.Join(folder, file))
		}
	}
	prepare(t, c.setup...)
	for _, one := range c.cases {
		note := one.skip
		if one.direct {
			note = "rows are read and written in the database, in place of table GraphQL"
		}
		t.Run(c.dir+"/"+one.name, func(t *testing.T) {
			results.watch(t, c.dir+"/"+one.name, true, note)
			if one.skip != "" {
				t.Skip(one.skip)
			}
			steps, err := readSteps(filepath.Join(folder, one.name+".yaml"))
			if err != nil {
				t.Fatal(err)
			}
			if one.sql != "" {
				s.sql(t.Context(), t, one.sql)
			}
			s.run(t, steps, one.runOptions)
			if c.values != "" {
				prepare(t, "/v1/query "+c.values)
			}
		})
	}
	if c.more != nil {
		c.more(t, s, folder, results)
	}
	prepare(t, c.teardown...)
}
