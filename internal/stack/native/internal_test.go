package native

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
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
	if parts := joined(out); len(parts) != 2 || !slices.Equal(errdefs.Hints(parts[1]), []string{"set B"}) {
		t.Errorf("the parts are %v, want two, each with its hint", parts)
	}
	if encodeError(nil).decode() != nil {
		t.Error("no error became one")
	}
}

func TestCompilerPlacesAreTheProjects(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	w := &lineWriter{rewrite: compilerLine, out: &out}
	for _, part := range []string{"# shop/fun", "ctions\n./main.go:3:1: a\nactions/x.go:4: b\n", "\thave y.go:1\n/abs/z.go:5:1: c\n../lib/l.go:6:1: d"} {
		if _, err := w.Write([]byte(part)); err != nil {
			t.Fatal(err)
		}
	}
	w.flush()
	want := "# shop/functions\nfunctions/golang/main.go:3:1: a\nfunctions/golang/actions/x.go:4: b\n" +
		"\thave y.go:1\n/abs/z.go:5:1: c\nfunctions/lib/l.go:6:1: d"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLastBytesDropsAHalfLine(t *testing.T) {
	t.Parallel()
	var l lastBytes
	_, _ = l.Write([]byte("secret" + strings.Repeat("x", maxPrinted) + "\nFATAL: why\n"))
	if got, want := l.String(), "FATAL: why\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTakeBack(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "PG_VERSION")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	acc := &account{name: "worker", uid: 4711, gid: 4712}
	if err := acc.takeBack(dir); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, file} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if st := info.Sys().(*syscall.Stat_t); st.Uid != acc.uid || st.Gid != acc.gid {
			t.Errorf("%s belongs to %d:%d, want the account", path, st.Uid, st.Gid)
		}
	}
	other := &account{name: "other", uid: 4713, gid: 4713}
	if err := other.takeBack(dir); !errors.Is(err, errdefs.ErrUnavailable) || !strings.Contains(err.Error(), "4711") {
		t.Errorf("the database of another user: error %v, want one that names the user", err)
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

// A collector for traces makes another program of the same sources.
func TestGoTags(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		settings []string
		want     string
	}{
		{nil, ""},
		{[]string{"OTEL_SERVICE_NAME=x", "OTEL_EXPORTER_OTLP_ENDPOINT="}, ""},
		{[]string{"A=b", "OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318"}, "otel"},
		{[]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://localhost:4318/v1/traces"}, "otel"},
	} {
		if got := goTags(tt.settings); got != tt.want {
			t.Errorf("%v: built with %q, want %q", tt.settings, got, tt.want)
		}
	}
	var prints []string
	for _, tags := range []string{"", "otel"} {
		print, err := (&goRunner{dir: t.TempDir(), tags: tags}).Sources(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		prints = append(prints, print)
	}
	if prints[0] == prints[1] {
		t.Error("the program without traces would be taken for the one with them")
	}
}
