package native

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/errdefs"
)

func TestErrorsCrossTheSocket(t *testing.T) {
	t.Parallel()
	in := errdefs.WithHint(errdefs.As(errdefs.ErrUnavailable, errors.Join(
		errdefs.WithHint(errors.New("port 1 is taken"), "set A"), errdefs.WithHint(errors.New("port 2 is taken"), "set B"))), "outer")
	out := encodeError(in).decode()
	if out.Error() != in.Error() {
		t.Errorf("text is %q, want %q", out, in)
	}
	if !errors.Is(out, errdefs.ErrUnavailable) || errors.Is(out, errdefs.ErrUsage) {
		t.Errorf("classes of %v are lost", out)
	}
	if diff := cmp.Diff([]string{"outer", "set A", "set B"}, errdefs.Hints(out)); diff != "" {
		t.Errorf("hints (-want +got):\n%s", diff)
	}
	if encodeError(nil).decode() != nil {
		t.Error("no error became one")
	}
}

func TestImageMajor(t *testing.T) {
	t.Parallel()
	for image, want := range map[string]string{
		"postgres:17-alpine":                "17",
		"registry.test:5000/pg/postgres:15": "15",
		"postgres:14.3":                     "14",
		"postgres":                          defaultMajor,
		"postgres:latest":                   defaultMajor,
		"postgres:alpine3.20":               defaultMajor,
		"":                                  defaultMajor,
	} {
		if got := imageMajor(image); got != want {
			t.Errorf("imageMajor(%q) = %s, want %s", image, got, want)
		}
	}
}

func TestQuoting(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{`a"b\c`: `"a\"b\\c"`, "é\n": `"\xc3\xa9\x0a"`, "": `""`} {
		if got := quoteRedis(in); got != want {
			t.Errorf("quoteRedis(%q) = %s, want %s", in, got, want)
		}
	}
	for in, want := range map[string]string{`a'b`: `'a''b'`, `a\'b`: `E'a\\''b'`, "": `''`} {
		if got := quoteLiteral(in); got != want {
			t.Errorf("quoteLiteral(%q) = %s, want %s", in, got, want)
		}
	}
}

func TestSourcesOfGoService(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	hash := func() string {
		t.Helper()
		g := &goRunner{dir: filepath.Join(dir, "svc")}
		h, err := g.Sources(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	write("svc/go.mod", "module svc\n\nreplace example.test/lib => ../lib\n")
	write("svc/main.go", "package main\n")
	write("svc/assets/assets.go", "package assets\n\nimport _ \"embed\"\n\n//go:embed page.html\nvar page string\n")
	write("svc/assets/page.html", "one")
	write("lib/lib.go", "package lib\n")
	last := hash()
	for i, c := range []struct {
		file, text string
		counts     bool
	}{
		{"svc/main.go", "package main // changed\n", true},
		{"svc/main_test.go", "package main\n", false},
		{"svc/uploads/photo.jpg", "pixels", false},
		{"svc/.git/HEAD", "ref", false},
		{"svc/assets/page.html", "two", true},
		{"lib/lib.go", "package lib // changed\n", true},
		{"svc/go.sum", "sum", true},
	} {
		write(c.file, c.text)
		now := hash()
		if (now != last) != c.counts {
			t.Errorf("%d: a change of %s: hash changed %v, want %v", i, c.file, now != last, c.counts)
		}
		last = now
	}
}

func TestStalePostmasterFile(t *testing.T) {
	t.Parallel()
	own := strconv.Itoa(os.Getpid())
	parent := strconv.Itoa(os.Getppid())
	for in, want := range map[string]string{
		"":                       "", // removed
		"text\n":                 "",
		"0\n":                    "",
		"999999999\nrest\nkey\n": "999999999\nrest\nkey\n", // for Postgres to judge
		parent + "\nrest\nkey\n": own + "\nrest\nkey\n",    // a stranger
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "postmaster.pid")
		if err := os.WriteFile(path, []byte(in), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := clearPostmaster(dir); err != nil {
			t.Errorf("%q: %v", in, err)
		}
		b, err := os.ReadFile(path)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		if string(b) != want {
			t.Errorf("%q became %q, want %q", in, b, want)
		}
	}
}
