package mailcatcher

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

func storedMail(subject, text string) io.Reader {
	return strings.NewReader(headerReturnPath + ": <s@example.com>\r\n" + simpleMail("a@example.com", subject, text))
}

func openTestStore(t *testing.T, dir string, lim limits) *store {
	t.Helper()
	s, err := openStore(dir, lim, testLog(t))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func addMail(t *testing.T, s *store, subject, text string) string {
	t.Helper()
	id, _, err := s.add(storedMail(subject, text))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func ids(s *store) []string {
	entries, _ := s.newestFirst()
	list := make([]string, 0, len(entries))
	for _, e := range entries {
		list = append(list, e.id)
	}
	return list
}

func TestOldestMailsGoFirst(t *testing.T) {
	t.Parallel()
	t.Run("by number", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		s := openTestStore(t, dir, limits{messages: 3, bytes: maxTotalBytes})
		var added []string
		for i := range 5 {
			added = append(added, addMail(t, s, strconv.Itoa(i), ""))
		}
		if got, want := fmt.Sprint(ids(s)), fmt.Sprint([]string{added[4], added[3], added[2]}); got != want {
			t.Errorf("kept %v, want %v", got, want)
		}
		if files, _ := os.ReadDir(dir); len(files) != 3 {
			t.Errorf("%d files", len(files))
		}
		if got := ids(openTestStore(t, dir, limits{messages: 2, bytes: maxTotalBytes})); len(got) != 2 || got[0] != added[4] {
			t.Errorf("opened with a smaller bound: %v", got)
		}
	})
	t.Run("by size", func(t *testing.T) {
		t.Parallel()
		s := openTestStore(t, t.TempDir(), limits{messages: 100, bytes: 25_000})
		for i := range 5 {
			addMail(t, s, strconv.Itoa(i), strings.Repeat("x", 10_000))
		}
		if total, _, size := s.counts(); total != 2 || size > 25_000 {
			t.Errorf("%d mails of %d bytes", total, size)
		}
	})
}

func TestDamagedFilesAreSkipped(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openTestStore(t, dir, limits{messages: 10, bytes: maxTotalBytes})
	good := addMail(t, s, "good", "")
	newID := func() string { return uuid.Must(uuid.NewV7()).String() }
	for name, content := range map[string]string{
		newID() + ".eml":       "",                // empty
		newID() + ".eml":       "\x00\x01garbage", // not one of ours
		newID() + ".eml":       "Ret",             // cut off
		"notes.txt":            "hello",
		"../x.eml":             "",
		"not-an-id.eml":        headerReturnPath + ": <>\r\n",
		tempPrefix + "1234567": "half a mail",
	} {
		if strings.Contains(name, "/") {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, newID()+".eml"), 0o700); err != nil {
		t.Fatal(err)
	}
	s = openTestStore(t, dir, limits{messages: 10, bytes: maxTotalBytes})
	if got := ids(s); len(got) != 1 || got[0] != good {
		t.Errorf("listed %v, want %v", got, good)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, tempPrefix+"*")); len(left) != 0 {
		t.Errorf("half-written mails left: %v", left)
	}
	if _, err := os.Stat(filepath.Join(dir, "notes.txt")); err != nil {
		t.Errorf("a stranger's file was touched: %v", err)
	}
}

func TestAddLeavesNothingOnError(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openTestStore(t, dir, limits{messages: 10, bytes: maxTotalBytes})
	want := errors.New("connection lost")
	_, _, err := s.add(io.MultiReader(storedMail("x", ""), failingReader{want}))
	if !errors.Is(err, want) {
		t.Errorf("got %v", err)
	}
	if files, _ := os.ReadDir(dir); len(files) != 0 || len(ids(s)) != 0 {
		t.Errorf("left: %v, %v", files, ids(s))
	}
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

func TestFolderRemovedWhileRunning(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "mail")
	s := openTestStore(t, dir, limits{messages: 10, bytes: maxTotalBytes})
	gone := addMail(t, s, "gone", "")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	kept := addMail(t, s, "kept", "")
	e, err := s.find(gone)
	if err == nil {
		_, err = s.load(e)
	}
	if !errors.Is(err, errNotFound) {
		t.Errorf("mail without a file: %v", err)
	}
	if got := ids(s); len(got) != 1 || got[0] != kept {
		t.Errorf("listed %v", got)
	}
}

// A warm start has a budget of milliseconds, and the catcher is one of several services.
// It does not run beside other tests, whose load it would measure.
func TestOpenIsFast(t *testing.T) {
	dir := t.TempDir()
	mail, err := io.ReadAll(storedMail("x", strings.Repeat("text ", 4000)))
	if err != nil {
		t.Fatal(err)
	}
	for range 500 {
		name := filepath.Join(dir, uuid.Must(uuid.NewV7()).String()+mailSuffix)
		if err := os.WriteFile(name, mail, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const budget = 10 * time.Millisecond
	best := time.Hour
	for end := time.Now().Add(time.Minute); best > budget && time.Now().Before(end); { // the machine may be busy with something else
		start := time.Now()
		s := openTestStore(t, dir, limits{messages: 500, bytes: maxTotalBytes})
		best = min(best, time.Since(start))
		if len(s.entries) != 500 {
			t.Fatalf("%d mails", len(s.entries))
		}
	}
	t.Logf("opened in %v", best)
	if best > budget {
		t.Errorf("opening 500 mails took %v", best)
	}
}

func TestModes(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "mail")
	s := openTestStore(t, dir, limits{messages: 10, bytes: maxTotalBytes})
	id := addMail(t, s, "private", "")
	for path, want := range map[string]os.FileMode{dir: 0o700, s.path(id): 0o600} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s: mode %v, want %v", path, got, want)
		}
	}
}
