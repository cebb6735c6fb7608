package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// What the original nself (0.9.9, bash) takes for the same work, measured on a machine like this one.
const (
	originalFresh     = 1030 * time.Millisecond
	originalUnchanged = 290 * time.Millisecond
)

// runtimes are those of the project that is built.
const runtimes = "golang,nestjs,python"

// memoryDir is a file system in memory, on Linux.
const memoryDir = "/dev/shm"

// build measures nself build where temporary files are, and in memory: how long a disk takes for a hundred and more new
// files says little about nself.
func (b *bench) build() error {
	if err := b.buildIn(os.TempDir()); err != nil {
		return err
	}
	if info, err := os.Stat(memoryDir); err != nil || !info.IsDir() {
		return nil //nolint:nilerr // only Linux has it
	}
	return b.buildIn(memoryDir)
}

// buildIn measures nself build on a project with three runtimes: fresh, unchanged, one key changed. Fresh is a clone that
// has never been built. Nothing is deleted before all is measured: ext4 passes over inodes that were freed within the last
// minutes, and searches long for others.
func (b *bench) buildIn(parent string) error {
	fmt.Printf("nself build, three runtimes, whole process, in %s\n", parent)
	dir, err := os.MkdirTemp(parent, "nself-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	shop := filepath.Join(dir, "shop")
	err = b.all(dir,
		[]string{"init", "shop", "--runtime", runtimes},
		[]string{"-C", shop, "action", "new", "registerUser", "--runtime", "golang"})
	if err != nil {
		return err
	}
	var fresh, unchanged, changed, floor []time.Duration
	files := 0
	for i := range b.runs {
		project := filepath.Join(dir, "clone"+strconv.Itoa(i))
		if err := clone(shop, project); err != nil {
			return err
		}
		for _, m := range []struct {
			into *[]time.Duration
			edit string
		}{{&fresh, ""}, {&unchanged, ""}, {&changed, "HASURA_PORT=18080\n"}} {
			if m.edit != "" {
				if err := appendFile(filepath.Join(project, ".env.local"), m.edit); err != nil {
					return err
				}
			}
			took, err := b.timed(project, "build")
			if err != nil {
				return err
			}
			*m.into = append(*m.into, took)
		}
		took, n, err := createLike(project, filepath.Join(dir, "floor"+strconv.Itoa(i)))
		if err != nil {
			return err
		}
		floor, files = append(floor, took), n
	}
	f, u, c := median(fresh), median(unchanged), median(changed)
	b.limit("fresh", ms(f), "", "%.0f ms", millis(f), 60)
	row("", "", "original "+ms(originalFresh), ratio(f, originalFresh))
	row("", "", fmt.Sprintf("creating %d empty files here %s", files, ms(median(floor))), ratio(f, median(floor)))
	b.limit("unchanged", ms(u), "", "%.0f ms", millis(u), 25)
	row("", "", "original "+ms(originalUnchanged), ratio(u, originalUnchanged))
	row("one key changed", ms(c), "original "+ms(originalFresh), ratio(c, originalFresh))
	return nil
}

// clone copies what git would of a project that has not been built, and the settings of this machine.
func clone(project, to string) error {
	if err := os.CopyFS(filepath.Join(to, "hasura"), os.DirFS(filepath.Join(project, "hasura"))); err != nil {
		return err
	}
	for _, name := range []string{".env", ".env.local", ".gitignore"} {
		data, err := os.ReadFile(filepath.Join(project, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, name), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// createLike creates as many empty files in dir as a build of the project has written, one after another: what the file
// system alone takes.
func createLike(project, dir string) (time.Duration, int, error) {
	files := 1 // docker-compose.yml
	err := filepath.WalkDir(filepath.Join(project, "functions"), func(_ string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files++
		}
		return err
	})
	if err != nil {
		return 0, 0, err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return 0, 0, err
	}
	start := time.Now()
	for i := range files {
		if err := os.WriteFile(filepath.Join(dir, strconv.Itoa(i)), nil, 0o644); err != nil {
			return 0, 0, err
		}
	}
	return time.Since(start), files, nil
}

// up measures the first nself up, warm ones, and down.
func (b *bench) up() error {
	fmt.Println("nself up and down, native driver, Go runtime, registerUser")
	dir, err := os.MkdirTemp("", "nself-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // Postgres runs as another user when this runs as root
		return err
	}
	shop := filepath.Join(dir, "shop")
	err = b.all(dir,
		[]string{"init", "shop", "--runtime", "golang"},
		[]string{"-C", shop, "action", "new", "registerUser", "--runtime", "golang"})
	if err != nil {
		return err
	}
	if err := freePorts(shop); err != nil {
		return err
	}
	if err := b.all(shop, []string{"build"}); err != nil {
		return err
	}
	defer b.all(shop, []string{"down", "--driver", "native", "--volumes"}) //nolint:errcheck // the figures are out by then
	first, err := b.timed(shop, "up", "--driver", "native")
	if err != nil {
		return err
	}
	var warm, down []time.Duration
	for range min(b.runs, 7) {
		took, err := b.timed(shop, "down", "--driver", "native")
		if err != nil {
			return err
		}
		down = append(down, took)
		took, err = b.timed(shop, "up", "--driver", "native")
		if err != nil {
			return err
		}
		warm = append(warm, took)
	}
	b.limit("up, the very first", ms(first), "with initdb and compiling", "%.0f ms", millis(first), 5000)
	b.limit("up, warm", ms(median(warm)), "", "%.0f ms", millis(median(warm)), 1000)
	b.limit("down", ms(median(down)), "", "%.0f ms", millis(median(down)), 2000)
	return nil
}

func ratio(a, b time.Duration) string { return fmt.Sprintf("ratio %.3f", float64(a)/float64(b)) }

// all runs several nself commands in dir.
func (b *bench) all(dir string, commands ...[]string) error {
	for _, args := range commands {
		if _, err := b.timed(dir, args...); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) timed(dir string, args ...string) (time.Duration, error) {
	cmd := exec.Command(b.nself, args...)
	cmd.Dir = dir
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	start := time.Now()
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("nself %s: %w\n%s", strings.Join(args, " "), err, out.Bytes())
	}
	return time.Since(start), nil
}

// freePorts makes the project listen where nothing else does.
func freePorts(project string) error {
	var lines strings.Builder
	for _, key := range []string{"HASURA_PORT", "POSTGRES_PORT", "REDIS_PORT", "MAILPIT_SMTP_PORT", "MAILPIT_UI_PORT", "GOLANG_PORT"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer l.Close()
		fmt.Fprintf(&lines, "%s=%d\n", key, l.Addr().(*net.TCPAddr).Port)
	}
	return appendFile(filepath.Join(project, ".env.local"), lines.String())
}

func appendFile(path, text string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.WriteString(text); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
