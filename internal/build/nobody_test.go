package build

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/nself-org/nself/internal/testneeds"
)

const nobodyID = 65534

func nobody() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobodyID, Gid: nobodyID}}
}

// asNobody gives dir to the user nobody and returns a copy of the test program that this user may run.
func asNobody(t *testing.T, dir string) string {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(p, nobodyID, nobodyID)
	})
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(filepath.Dir(dir), "build.test")
	testneeds.WriteProgram(t, program, data)
	for p := filepath.Dir(dir); p != os.TempDir() && len(p) > 1; p = filepath.Dir(p) { // t.TempDir is for its owner only
		if err := os.Chmod(p, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return program
}

// tContext is the context of the test program when it stands in for nself, where there is no test.
func tContext() context.Context { return context.Background() }
