package native

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nself-org/nself/internal/testneeds"
)

// standbyProcess starts one of the programs in waiting in dir.
func standbyProcess(t *testing.T, dir, program string, args ...string) (orders io.WriteCloser, answers *os.File, wait func() string) {
	t.Helper()
	path := testneeds.Program(t, program)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Dir, cmd.ExtraFiles = dir, []*os.File{write}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	orders, err = cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = write.Close()
	return orders, read, func() string {
		err := cmd.Wait()
		return out.String() + exitText(err)
	}
}

func standbyScript(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("standby", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func writeFiles(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestNodeProgramInWaiting holds that the packages are loaded before the order comes, and the program after it.
func TestNodeProgramInWaiting(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{
		"package.json":                    `{"dependencies": {"early": "1", "missing": "1"}}`,
		"node_modules/early/package.json": `{"main": "index.js"}`,
		"node_modules/early/index.js":     `require('node:fs').writeSync(3, 'early\n');`,
		"dist/main.js":                    `require('early'); require('node:fs').writeSync(3, 'main ' + process.argv.slice(2).length + '\n');`,
	})
	orders, answers, wait := standbyProcess(t, dir, "node", standbyScript(t, "program.cjs"), "dist/main.js")
	line := make([]byte, 64)
	n, err := answers.Read(line)
	if err != nil || string(line[:n]) != "early\n" {
		t.Fatalf("before the order: %q, %v", line[:n], err)
	}
	if _, err := io.WriteString(orders, "serve\n"); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(answers)
	if err != nil || string(rest) != "main 0\n" {
		t.Errorf("after the order: %q, %v", rest, err)
	}
	if out := wait(); !strings.Contains(out, "status 0") {
		t.Errorf("it ended with %s", out)
	}
}

// TestNodeProgramDismissed holds that a process in waiting ends with its supervisor's side of the pipe.
func TestNodeProgramDismissed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"package.json": `{}`, "dist/main.js": `console.log('ran')`})
	orders, _, wait := standbyProcess(t, dir, "node", standbyScript(t, "program.cjs"), "dist/main.js")
	_ = orders.Close()
	if out := wait(); out != "ended by itself with exit status 0" {
		t.Errorf("it ended with %s", out)
	}
}

// TestPythonProgramInWaiting loads good code, and code that does not load.
func TestPythonProgramInWaiting(t *testing.T) {
	t.Parallel()
	const service = `
import importlib, os, sys, traceback
def main(args):
    if args == ["check"]:
        try:
            importlib.import_module("app")
        except Exception:
            traceback.print_exc()
            return 1
        return 0
    print("serving", sys.modules["app"].VALUE, "xml.dom.minidom" in EARLY)
    os.execv(sys.executable, [sys.executable, "-c", "print('another program')"])
EARLY = set(sys.modules)
`
	for name, test := range map[string]struct{ app, want string }{
		"good": {"import xml.dom.minidom\nVALUE = 7\n", "serving 7 True\nanother program\nended by itself with exit status 0"},
		"bad":  {"import xml.dom.minidom\nVALUE = nonsense\n", "name 'nonsense' is not defined"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			writeFiles(t, dir, map[string]string{"service/__init__.py": "", "service/__main__.py": service, "app.py": test.app})
			orders, answers, wait := standbyProcess(t, dir, "python3", "-u", standbyScript(t, "program.py"))
			if _, err := io.WriteString(orders, "load\n"); err != nil {
				t.Fatal(err)
			}
			line := make([]byte, 64)
			if n, _ := answers.Read(line); string(line[:n]) == "ok\n" {
				if _, err := io.WriteString(orders, "serve\n"); err != nil {
					t.Fatal(err)
				}
			}
			if out := wait(); !strings.Contains(out, test.want) {
				t.Errorf("it wrote\n%s\nwant\n%s", out, test.want)
			}
		})
	}
}

// TestCompilerInWaiting builds with a stand-in for the compiler's package, whose faults follow the source.
func TestCompilerInWaiting(t *testing.T) {
	t.Parallel()
	abs := testneeds.NodeModules(t)
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{
		"package.json":  `{}`,
		"tsconfig.json": `{"compilerOptions": {"outDir": "dist", "rootDir": "src", "strict": true, "types": [], "incremental": true, "noEmitOnError": true}, "include": ["src"]}`,
		"src/a.ts":      `export const a: number = 1;`,
		"src/b.ts":      `import { a } from './a'; export const b: number = a;`,
	})
	if err := os.Symlink(abs, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	orders, answers, wait := standbyProcess(t, dir, "node", standbyScript(t, "compile.cjs"), "tsconfig.json")
	replies := json.NewDecoder(answers)
	for _, step := range []struct{ a, fault string }{
		{`export const a: number = 1;`, ""},
		{`export const a: string = 'text';`, "src/b.ts(1,39): error TS2322"},
		{`export const a: = 2;`, "src/a.ts(1,17): error TS1110"},
		{`export const a: number = 2;`, ""},
	} {
		writeFiles(t, dir, map[string]string{"src/a.ts": step.a})
		if _, err := io.WriteString(orders, "build\n"); err != nil {
			t.Fatal(err)
		}
		var reply struct {
			OK   bool
			Text string
		}
		if err := replies.Decode(&reply); err != nil {
			t.Fatalf("%s: %v", step.a, err)
		}
		if reply.OK != (step.fault == "") || !strings.Contains(reply.Text, step.fault) {
			t.Errorf("%s: %+v, want %q", step.a, reply, step.fault)
		}
	}
	b, err := os.ReadFile(filepath.Join(dir, "dist", "a.js"))
	if err != nil || !strings.Contains(string(b), "a = 2") {
		t.Errorf("dist/a.js: %s, %v", b, err)
	}
	_ = orders.Close()
	wait()
}
