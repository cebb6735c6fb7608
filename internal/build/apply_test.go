package build

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/scaffold"
	"github.com/nself-org/nself/internal/testneeds"
)

// TestMain lets the test program stand in for nself: with NSELF_TEST_DIR it builds that project and does nothing else,
// ends without a word at the rename number NSELF_TEST_KILL, and otherwise prints what went wrong.
func TestMain(m *testing.M) {
	dir := os.Getenv("NSELF_TEST_DIR")
	if dir == "" {
		os.Exit(m.Run())
	}
	left, err := strconv.Atoi(os.Getenv("NSELF_TEST_KILL"))
	if err != nil {
		left = -1
	}
	b := builder{opts: options(dir), fault: func(string) error {
		if left == 0 {
			os.Exit(137)
		}
		left--
		return nil
	}}
	if _, err := b.run(tContext()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// rebuild runs the test program on dir, see TestMain.
func rebuild(t *testing.T, program, dir string, env ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Env = append([]string{"NSELF_TEST_DIR=" + dir}, env...)
	return cmd
}

// TestKilledBuild ends a build at every one of its renames. Every file must be whole, and the next build, of other
// settings than the one that was killed, must finish the job without taking its own files for a user's edits.
func TestKilledBuild(t *testing.T) {
	t.Parallel()
	old := newProject(t)
	build(t, options(old))
	before := tree(t, old)
	change(t, old)
	build(t, options(old))
	after := tree(t, old)

	kills := 0
	for at := 0; ; at++ {
		dir := newProject(t)
		build(t, options(dir))
		change(t, dir)
		var exit *exec.ExitError
		err := rebuild(t, os.Args[0], dir, "NSELF_TEST_KILL="+strconv.Itoa(at)).Run()
		if err == nil {
			break // it had fewer renames
		}
		if !errors.As(err, &exit) || exit.ExitCode() != 137 {
			t.Fatal(err)
		}
		kills++
		for p, text := range tree(t, dir) {
			if p == ".env" || strings.HasPrefix(p, "hasura") || filepath.ToSlash(p) == pendingPath || temporary(p) {
				continue
			}
			if text != before[p] && text != after[p] {
				t.Errorf("killed at rename %d: %s is neither old nor new:\n%s", at, p, text)
			}
		}
		replace(t, dir, ".env", "HASURA_PORT=9090", "HASURA_PORT=9191")
		build(t, options(dir))
		for p := range tree(t, dir) {
			if filepath.ToSlash(p) == pendingPath || temporary(p) {
				t.Errorf("killed at rename %d: %s stays behind", at, p)
			}
		}
		replace(t, dir, ".env", "HASURA_PORT=9191", "HASURA_PORT=9090")
		build(t, options(dir))
		if diff := cmp.Diff(after, tree(t, dir)); diff != "" {
			t.Errorf("killed at rename %d: later builds end elsewhere:\n%s", at, diff)
		}
	}
	if kills < 5 {
		t.Errorf("only %d moments to be killed at", kills)
	}
}

// change makes a build update, create and remove files.
func change(t *testing.T, dir string) {
	t.Helper()
	replace(t, dir, ".env", "HASURA_PORT=8080", "HASURA_PORT=9090")
	replace(t, dir, "hasura/metadata/actions.graphql", "placeOrder", "cancelOrder")
	replace(t, dir, "hasura/metadata/actions.yaml", "placeOrder", "cancelOrder")
}

// temporary reports whether the name is one that renameio gives.
func temporary(p string) bool {
	base := filepath.Base(p)
	return base[0] == '.' && base != strings.TrimRight(base, "0123456789")
}

// TestFullDisk fills a small file system. The build that does not fit changes nothing; with space, the next one works.
func TestFullDisk(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("mounting a small file system needs root")
	}
	mount := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size=256k", "none", mount).CombinedOutput(); err != nil {
		testneeds.Missing(t, "mount: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", mount).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	dir := filepath.Join(mount, "shop")
	if err := os.CopyFS(dir, os.DirFS(newProject(t))); err != nil {
		t.Fatal(err)
	}
	put(t, mount, "ballast", "")
	fill(t, filepath.Join(mount, "ballast"), 60<<10)
	before := tree(t, dir)
	_, err := Run(t.Context(), options(dir))
	if err == nil || !strings.Contains(err.Error(), "no space left on device") || len(errdefs.Hints(err)) == 0 {
		t.Fatalf("on a full disk: %v", err)
	}
	got := tree(t, dir)
	delete(got, filepath.FromSlash(pendingPath))
	if diff := cmp.Diff(before, got); diff != "" {
		t.Errorf("on a full disk, files changed:\n%s", diff)
	}
	if exists(t, dir, "functions") {
		t.Error("empty folders stay behind")
	}
	if err := os.Truncate(filepath.Join(mount, "ballast"), 0); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "mount", "-o", "remount,size=8m", mount).CombinedOutput(); err != nil {
		t.Fatalf("remount: %v: %s", err, out)
	}
	build(t, options(dir))
	if exists(t, dir, pendingPath) {
		t.Error("the record of the failed build stays behind")
	}
}

// fill grows a file until less than room bytes are free.
func fill(t *testing.T, path string, room int) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	page := make([]byte, 4096)
	written := int64(0)
	for {
		n, err := f.Write(page)
		written += int64(n)
		if err != nil {
			break
		}
	}
	if err := f.Truncate(max(0, written-int64(room))); err != nil {
		t.Fatal(err)
	}
}

// TestLinks: whatever a project's files are replaced with, nothing outside the project is read or written.
func TestLinks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		link  string
		class error  // of the build's answer
		text  string // part of its message
	}{
		"folder of services":     {"functions", errdefs.ErrInvalid, "functions is a symbolic link to"},
		"folder of one service":  {"functions/golang", errdefs.ErrInvalid, "functions/golang is a symbolic link to"},
		"folder of environments": {".nself/env", errdefs.ErrInvalid, ".nself/env is a symbolic link to"},
		"state":                  {".nself", errdefs.ErrInvalid, ".nself is a symbolic link to"},
		"generated file":         {"docker-compose.yml", errdefs.ErrDrift, "docker-compose.yml"},
		"manifest":               {".nself/manifest.json", errdefs.ErrInvalid, ".nself/manifest.json is a symbolic link to"},
		"lock":                   {".nself/build.lock", errdefs.ErrInvalid, ".nself/build.lock is a symbolic link to"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, outside := newProject(t), t.TempDir()
			put(t, outside, "precious", "keep me")
			target := outside
			if strings.Contains(filepath.Base(c.link[1:]), ".") {
				target = filepath.Join(outside, "precious")
			}
			put(t, dir, c.link+"/x", "") // its parents
			if err := os.RemoveAll(filepath.Join(dir, c.link)); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(target, filepath.Join(dir, c.link)); err != nil {
				t.Fatal(err)
			}
			before := tree(t, outside)
			_, err := Run(t.Context(), options(dir))
			if err == nil || !errors.Is(err, c.class) || !strings.Contains(err.Error(), c.text) ||
				strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v", err)
			}
			force := options(dir)
			force.Choice = ForceAll
			if _, err := Run(t.Context(), force); (err == nil) != (c.link == "docker-compose.yml") {
				t.Errorf("forced: %v", err)
			}
			if diff := cmp.Diff(before, tree(t, outside)); diff != "" {
				t.Errorf("outside the project:\n%s", diff)
			}
		})
	}
}

// TestManifestLeadsNowhere: a manifest from a stranger cannot make a build remove what lies outside.
func TestManifestLeadsNowhere(t *testing.T) {
	t.Parallel()
	dir := newProject(t)
	build(t, options(dir))
	put(t, filepath.Dir(dir), "precious", "keep me")
	m := ParseManifest([]byte(get(t, dir, manifestPath)))
	for _, p := range []string{"../precious", "link/precious"} {
		e := wrote(p, "keep me")
		m[p] = e
	}
	put(t, dir, manifestPath, string(m.Encode()))
	if err := os.Symlink("..", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), options(dir)); !errors.Is(err, errdefs.ErrInvalid) {
		t.Errorf("error %v", err)
	}
	if get(t, filepath.Dir(dir), "precious") != "keep me" {
		t.Error("it is gone")
	}
}

func TestReadOnlyFile(t *testing.T) {
	t.Parallel()
	dir := newProject(t)
	build(t, options(dir))
	if err := os.Chmod(filepath.Join(dir, "docker-compose.yml"), 0o444); err != nil {
		t.Fatal(err)
	}
	replace(t, dir, ".env", "HASURA_PORT=8080", "HASURA_PORT=9090")
	before := tree(t, dir)
	_, err := Run(t.Context(), options(dir))
	want := "update docker-compose.yml: the file is read-only: permission denied"
	if !errors.Is(err, fs.ErrPermission) || err.Error() != want || len(errdefs.Hints(err)) == 0 {
		t.Errorf("error %v, want %s", err, want)
	}
	if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
		t.Errorf("files changed:\n%s", diff)
	}
}

// TestReadOnlyFolder runs the build as another user, for root may write anywhere.
func TestReadOnlyFolder(t *testing.T) {
	t.Parallel()
	dir := newProject(t)
	build(t, options(dir))
	replace(t, dir, "hasura/metadata/actions.graphql", "item: String!", "item: Int!")
	folder := filepath.Join(dir, "functions/golang/actions")
	if err := os.Chmod(folder, 0o555); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(folder, 0o755) })
	cmd := rebuild(t, os.Args[0], dir)
	if os.Getuid() == 0 {
		cmd = rebuild(t, asNobody(t, dir), dir)
		cmd.SysProcAttr = nobody()
	}
	before := tree(t, dir)
	out, err := cmd.CombinedOutput()
	want := "write functions/golang/actions/types_gen.go: permission denied\n"
	if err == nil || string(out) != want {
		t.Errorf("error %v, output %q, want %q", err, out, want)
	}
	got := tree(t, dir)
	delete(got, filepath.FromSlash(pendingPath))
	if diff := cmp.Diff(before, got); diff != "" {
		t.Errorf("files changed:\n%s", diff)
	}
}

// TestChangedMeanwhile: an edit that is saved while a build runs is not lost.
func TestChangedMeanwhile(t *testing.T) {
	t.Parallel()
	dir := newProject(t)
	build(t, options(dir))
	replace(t, dir, ".env", "HASURA_PORT=8080", "HASURA_PORT=9090")
	b := builder{opts: options(dir), fault: func(p string) error {
		if p == "docker-compose.yml" {
			put(t, dir, p, "saved just now")
		}
		return nil
	}}
	_, err := b.run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "docker-compose.yml: another program changed it") {
		t.Errorf("error %v", err)
	}
	if got := get(t, dir, "docker-compose.yml"); got != "saved just now" {
		t.Errorf("the edit is lost: %s", got)
	}
	if _, err := Run(t.Context(), options(dir)); !errors.Is(err, errdefs.ErrDrift) {
		t.Errorf("the next build: %v", err)
	}
}

func TestWriteProject(t *testing.T) {
	t.Parallel()
	files, err := scaffold.Project(scaffold.ProjectInput{Name: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	write := func(t *testing.T, dir string) error {
		t.Helper()
		_, err := WriteProject(t.Context(), dir, files)
		return err
	}
	t.Run("new folders", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(t.TempDir(), "a", "b", "shop")
		if err := write(t, dir); err != nil {
			t.Fatal(err)
		}
		if got := tree(t, dir); len(got) != len(files) || !strings.HasPrefix(got[".env.local"], "-rw-------") {
			t.Errorf("%d files, want %d; .env.local is %.10s", len(got), len(files), got[".env.local"])
		}
		if siblings := tree(t, filepath.Dir(filepath.Dir(dir))); len(siblings) != len(files) {
			t.Error("something stays behind beside it")
		}
	})
	t.Run("a folder with other things", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		put(t, dir, ".gitignore", "*.log")
		put(t, dir, "README.md", "mine")
		put(t, dir, "src/main.c", "mine")
		if err := write(t, dir); err != nil {
			t.Fatal(err)
		}
		if get(t, dir, "README.md") != "mine" || !strings.HasPrefix(get(t, dir, ".gitignore"), "*.log\n\n#") {
			t.Errorf("README.md: %s\n.gitignore: %s", get(t, dir, "README.md"), get(t, dir, ".gitignore"))
		}
	})
	for name, c := range map[string]struct {
		path, text, want string
	}{
		"a project":          {".env", "A=1\nexport PROJECT_NAME = x\n", ".env with PROJECT_NAME"},
		"a Hasura project":   {"hasura/config.yaml", "version: 3", "hasura/"},
		"nself's state":      {".nself/manifest.json", "{}", ".nself/"},
		"a function service": {"functions/golang/main.go", "package main", "functions/golang/"},
		"another .env":       {".env", "A=1\n", ".env"},
		"another .env.local": {".env.local", "A=1\n", ".env.local"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			put(t, dir, c.path, c.text)
			before := tree(t, dir)
			if err := write(t, dir); err == nil || !strings.HasSuffix(err.Error(), ": "+c.want) || len(errdefs.Hints(err)) == 0 {
				t.Errorf("error %v", err)
			}
			if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
				t.Errorf("files changed:\n%s", diff)
			}
		})
	}
	t.Run("a file of that name", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		put(t, dir, "shop", "mine")
		if err := write(t, filepath.Join(dir, "shop")); err == nil {
			t.Error("no error")
		}
	})
}

// TestWriteProjectFails breaks off in the middle: what was there is there, and nothing else.
func TestWriteProjectFails(t *testing.T) {
	t.Parallel()
	files, err := scaffold.Project(scaffold.ProjectInput{Name: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	for _, missing := range []bool{true, false} {
		for at := range files {
			parent := t.TempDir()
			dir := filepath.Join(parent, "a", "shop")
			if !missing {
				put(t, dir, ".gitignore", "*.log")
			}
			before := tree(t, parent)
			left := at
			_, err := creator{fault: func(string) error {
				left--
				if left < 0 {
					return broken
				}
				return nil
			}}.create(t.Context(), dir, files)
			if !errors.Is(err, broken) {
				t.Fatalf("error %v", err)
			}
			if diff := cmp.Diff(before, tree(t, parent)); diff != "" {
				t.Errorf("broken at file %d, folder missing %t:\n%s", at, missing, diff)
			}
			if missing && exists(t, parent, "a") {
				t.Errorf("broken at file %d: the folder stays", at)
			}
		}
	}
}
