package native

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nself-org/nself/internal/errdefs"
	"github.com/nself-org/nself/internal/stack"
	"github.com/nself-org/nself/internal/testneeds"
)

// binariesJar packs programs as the Maven repository has them: a tar.xz inside a zip.
func binariesJar(t *testing.T) []byte {
	t.Helper()
	testneeds.Program(t, "xz")
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"postgres", "initdb", "pg_ctl"} {
		script := fmt.Sprintf("#!/bin/sh\necho '%s (PostgreSQL) 16.9'\nexit 1\n", name)
		if err := os.WriteFile(filepath.Join(dir, "bin", name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	txz, err := exec.Command("tar", "-C", dir, "-cJf", "-", "bin").Output()
	if err != nil {
		t.Fatal(err)
	}
	var jar bytes.Buffer
	z := zip.NewWriter(&jar)
	w, err := z.Create("postgres.txz")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(txz); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return jar.Bytes()
}

func TestFetchPostgres(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Setenv("HOME", t.TempDir())
	}
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	jar := binariesJar(t)
	var requests atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if !strings.HasSuffix(r.URL.Path, ".jar") || !strings.Contains(r.URL.Path, "16.9.0") {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(jar)
	}))
	defer srv.Close()
	var events []stack.Event
	report := func(e stack.Event) { events = append(events, e) }
	got, err := fetchPostgres(t.Context(), srv.URL+"/", "16", nil, report)
	if err != nil {
		t.Fatal(err)
	}
	if i, err := inspect(t.Context(), got.bin); err == nil {
		t.Errorf("inspect: %+v", i) // the stand-in ends with an error
	} else if errors.Is(err, errNoPrograms) {
		t.Errorf("no programs in %s", got.bin)
	}
	if got.version != "16.9" || len(events) != 1 || events[0].Kind != stack.EventBuilding {
		t.Errorf("fetched %+v with events %+v", got, events)
	}
	before := requests.Load()
	if _, err := fetchPostgres(t.Context(), srv.URL, "16", nil, report); err != nil || requests.Load() != before {
		t.Errorf("fetched twice: %v, %d requests more", err, requests.Load()-before)
	}
	if _, err := fetchPostgres(t.Context(), srv.URL, "15", nil, report); !errors.Is(err, errdefs.ErrUnavailable) {
		t.Errorf("a version that is not there: %v, want class unavailable", err)
	}
	if _, err := fetchPostgres(t.Context(), srv.URL, "9", nil, report); !errors.Is(err, errdefs.ErrUnavailable) {
		t.Errorf("a version that nobody has: %v, want class unavailable", err)
	}
}
