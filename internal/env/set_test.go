package env_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/joho/godotenv"

	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/errdefs"
)

func TestSetEditsInPlace(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, before, key, value, after string
		line                            int
	}{
		{"append", "# c\nA=1\n", "B", "2", "# c\nA=1\nB=2\n", 3},
		{"append after a missing line end", "A=1", "B", "2", "A=1\nB=2\n", 2},
		{"append with windows line ends", "A=1\r\nC=3", "B", "2", "A=1\r\nC=3\r\nB=2\r\n", 3},
		{"into an empty file", "", "B", "2", "B=2\n", 1},
		{"after a byte order mark", "\ufeff", "B", "2", "\ufeffB=2\n", 1},
		{"replace", "A=1\n# why\nB=1\nC=3\n", "B", "2", "A=1\n# why\nB=2\nC=3\n", 3},
		{"replace the last of two", "B=0\nB=1\n", "B", "2", "B=0\nB=2\n", 2},
		{"keep export, spaces and comment", "export  B = 'one'  # why\n", "B", "two", "export  B = two  # why\n", 1},
		{"keep yaml style", "B: one\r\n", "B", "two", "B: two\r\n", 1},
		{"replace several lines", "A=1\nB=\"one\ntwo\" # why\nC=3\n", "B", "2", "A=1\nB=2 # why\nC=3\n", 2},
		{"give an empty one a value", "B=\nC=1\n", "B", "x y", "B='x y'\nC=1\n", 1},
		{"give an empty one with a comment a value", "B= # why\n", "B", "2", "B=2 # why\n", 1},
		{"take the value away", "B='x'\n", "B", "", "B=\n", 1},
		{"a commented line is not an assignment", "# B=1\n", "B", "2", "# B=1\nB=2\n", 2},
		{"dollar", "", "B", "pa$W0RD", "B='pa$W0RD'\n", 1},
		{"both quotes", "", "B", `it's "$5"` + "\n", `B="it's \"\$5\"\n"` + "\n", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := project(t)
			path := filepath.Join(dir, ".env")
			if err := os.WriteFile(path, []byte(tt.before), 0o640); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, 0o640); err != nil {
				t.Fatal(err)
			}
			result, err := env.Set(dir, tt.key, tt.value, env.SetOptions{File: ".env", Environ: []string{}})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.after, read(t, path)); diff != "" {
				t.Errorf("file (-want +got):\n%s", diff)
			}
			if result.Line != tt.line || result.Created || !result.Changed {
				t.Errorf("result %+v, want line %d of an existing file", result, tt.line)
			}
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
				t.Errorf("mode is %v, want 0640 (%v)", info.Mode(), err)
			}
		})
	}
}

func TestSetMakesPrivateLocalFile(t *testing.T) {
	t.Parallel()
	dir := project(t)
	result, err := env.Set(dir, "POSTGRES_PASSWORD", "0123456789abcdef", env.SetOptions{Environ: []string{}})
	if err != nil || !result.Created || result.File != ".env.local" {
		t.Fatalf("%+v %v", result, err)
	}
	if info, err := os.Stat(filepath.Join(dir, ".env.local")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode is %v, want 0600 (%v)", info.Mode(), err)
	}
	if result, err = env.Set(dir, "POSTGRES_PASSWORD", "0123456789abcdef", env.SetOptions{Environ: []string{}}); err != nil || result.Changed {
		t.Errorf("the same value again: %+v %v", result, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v %v", entries, err)
	}
}

func TestSetFollowsLink(t *testing.T) {
	t.Parallel()
	dir := project(t, "real", "A=1\n")
	if err := os.Symlink("real", filepath.Join(dir, ".env.local")); err != nil {
		t.Fatal(err)
	}
	if _, err := env.Set(dir, "A", "2", env.SetOptions{Environ: []string{}}); err != nil {
		t.Fatal(err)
	}
	if got := read(t, filepath.Join(dir, "real")); got != "A=2\n" {
		t.Errorf("the file behind the link is %q", got)
	}
}

func TestSetRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, local, key, value string
		opts                    env.SetOptions
		class                   error
		want                    string
	}{
		{"a port", "", "NESTJS_PORT", "x", env.SetOptions{}, errdefs.ErrInvalid, `NESTJS_PORT: "x" is not a port`},
		{"no password", "", "POSTGRES_PASSWORD", "", env.SetOptions{}, errdefs.ErrInvalid, "POSTGRES_PASSWORD: set to no text"},
		{
			"weak in prod", "ENV=prod", "POSTGRES_PASSWORD", "hunter2",
			env.SetOptions{},
			errdefs.ErrInvalid,
			"POSTGRES_PASSWORD: has 7 characters, prod wants 16 or more",
		},
		{"a broken file", "A=\"x\n", "B", "1", env.SetOptions{}, errdefs.ErrInvalid, ".env.local:1: A: unterminated quote"},
		{"zero byte", "", "B", "a\x00hunter2", env.SetOptions{}, errdefs.ErrInvalid, "B: holds a zero byte, which no environment variable can"},
		{"not UTF-8", "", "B", "hunter2\xff", env.SetOptions{}, errdefs.ErrInvalid, "B: is not UTF-8 text"},
		{"a name", "", "A-B", "1", env.SetOptions{}, errdefs.ErrUsage, ""},
		{"another folder", "", "A", "1", env.SetOptions{File: "../.env"}, errdefs.ErrUsage, ""},
		{"another file", "", "A", "1", env.SetOptions{File: "package.json"}, errdefs.ErrUsage, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := project(t, ".env.local", tt.local)
			tt.opts.Environ = []string{}
			_, err := env.Set(dir, tt.key, tt.value, tt.opts)
			if !errors.Is(err, tt.class) || tt.want != "" && err.Error() != tt.want {
				t.Errorf("error is %v, want %q of class %v", err, tt.want, tt.class)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows the value: %v", err)
			}
			if got := read(t, filepath.Join(dir, ".env.local")); got != tt.local {
				t.Errorf("the file has changed to %q", got)
			}
		})
	}
}

func TestSetTellsWhatShadows(t *testing.T) {
	t.Parallel()
	dir := project(t, ".env.local", "A=1\n")
	result, err := env.Set(dir, "A", "2", env.SetOptions{File: ".env", Environ: []string{}})
	if err != nil || result.ShadowedBy == nil || result.ShadowedBy.String() != ".env.local:1" {
		t.Errorf("%+v %v, want shadowed by .env.local:1", result, err)
	}
	result, err = env.Set(dir, "NESTJS_ENABLE", "1", env.SetOptions{Environ: []string{}})
	if err != nil || result.ShadowedBy != nil || len(result.Warnings) != 1 {
		t.Errorf("%+v %v, want one warning", result, err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// FuzzSetGet: whatever is set is read back, by nself and by godotenv itself, and the rest of the file stays.
func FuzzSetGet(f *testing.F) {
	for _, seed := range []string{
		"", "x", "a b", " a ", "'", `"`, `\`, `"\`, `\"`, `a'\`, `'"`, "'\n\"", "'\n\\", "$A", "'$A", `'\$A`, `'\\$A\`, "#", "a #b", "a\r\nb",
		"\t", "\u00a0x\u0085", "$(id)", "${X:-y}", "`id`", "'\\n", "export A=1", "=", "ü\u2028", "''", `""`, `'""`, `'\"`, `'\\"`,
		"'${NSELF_EMPTY}\"", "'\r\\",
	} {
		f.Add(seed)
	}
	dir := f.TempDir()
	path := filepath.Join(dir, ".env.local")
	f.Fuzz(func(t *testing.T, value string) {
		const before = "# first\nA='1'\nKEY=old # why\nZ=\"2\n3\"\n"
		write(t, path, before)
		_, err := env.Set(dir, "KEY", value, env.SetOptions{Environ: []string{}})
		if err != nil {
			if len(env.Problems(err)) == 1 {
				return // refused: not text
			}
			t.Fatal(err)
		}
		src := read(t, path)
		values, err := godotenv.Unmarshal(strings.Replace(src, " # why\n", "\n", 1))
		if err != nil || values["KEY"] != value || values["A"] != "1" || values["Z"] != "2\n3" {
			t.Fatalf("godotenv reads %q from %q: %v", values["KEY"], src, err)
		}
		cfg, _, _ := env.Load(dir, env.Options{Environ: []string{}})
		if v, _ := cfg.Get("KEY"); v.Text != value || v.Source.Line != 3 {
			t.Fatalf("nself reads %q from %s, want %q", v.Text, v.Source, value)
		}
		if !strings.HasPrefix(src, "# first\nA='1'\nKEY=") || !strings.HasSuffix(src, " # why\nZ=\"2\n3\"\n") {
			t.Fatalf("the rest of the file has changed: %q", src)
		}
	})
}
