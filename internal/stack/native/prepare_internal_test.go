package native

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/stack"
)

// TestSavedWhileCompiling saves a file between the look at the sources and the compiler's. The program is that of the file,
// is known as such, and does not stand for the sources of before when those come back.
func TestSavedWhileCompiling(t *testing.T) {
	t.Parallel()
	l, out := newTestLog(t, maxLogBytes)
	dir := l.function("golang")
	save := func(text string) {
		writeFiles(t, dir, map[string]string{"go.mod": "module svc\n", "main.go": "package main\n\nfunc main() { print(\"" + text + "\") }\n"})
	}
	compiled, meanwhile := 0, ""
	prepare := func() (says string, f *function) {
		g := &goRunner{dir: dir, bin: l.bin(), environ: os.Environ(), out: out, build: func(ctx context.Context, c command) error {
			compiled++
			if meanwhile != "" {
				save(meanwhile)
				meanwhile = ""
			}
			cmd := exec.CommandContext(ctx, c.path, c.args...)
			cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = c.env, c.dir, c.out, c.out
			return cmd.Run()
		}}
		f = &function{sup: &supervisor{lay: l}, rt: env.Runtime{Name: "golang"}, out: out, runner: g}
		if err := f.prepare(t.Context(), func(stack.Event) {}); err != nil {
			t.Fatalf("%v\n%s", err, strings.Join(out.last(), "\n"))
		}
		b, err := exec.CommandContext(t.Context(), f.inv.Path).CombinedOutput()
		if err != nil {
			t.Fatal(err)
		}
		return string(b), f
	}
	save("old")
	meanwhile = "new"
	says, f := prepare()
	if says != "new" || compiled != 2 {
		t.Errorf("the program says %q, compiled %d times", says, compiled)
	}
	if now, err := f.look(); err != nil || f.fingerprint() != now {
		t.Errorf("the program has the fingerprint of sources that are gone, %v", err)
	}
	save("old")
	if says, _ = prepare(); says != "old" {
		t.Errorf("with the old file back, the program says %q", says)
	}
	save("new")
	if says, _ = prepare(); says != "new" || compiled != 3 {
		t.Errorf("the program says %q, compiled %d times: the cache has not had it", says, compiled)
	}
}
