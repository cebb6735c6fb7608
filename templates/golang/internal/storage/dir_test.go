package storage

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/nself-org/nself/templates/golang/internal/config"
)

const testKey = "0b0b0b0b-0000-4000-8000-000000000001/Größe 1.csv"

func openDir(t *testing.T, ttl time.Duration) (*Dir, *httptest.Server) {
	t.Helper()
	mux := http.NewServeMux()
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	d := NewDir(filepath.Join(t.TempDir(), "files"), NewSigner("secret", srv.URL, ttl))
	mux.Handle("GET "+filesPath+"{id}/{name}", d.handler(slog.New(slog.DiscardHandler)))
	return d, srv
}

func read(t *testing.T, s Storage, key string) string {
	t.Helper()
	f, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func fetch(t *testing.T, url string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(data)
}

func TestDir(t *testing.T) {
	t.Parallel()
	d, _ := openDir(t, time.Minute)
	for _, content := range []string{"first", "second"} {
		if err := d.Put(t.Context(), testKey, strings.NewReader(content)); err != nil {
			t.Fatal(err)
		}
		if got := read(t, d, testKey); got != content {
			t.Errorf("got %q, want %q", got, content)
		}
	}
	if _, err := d.Get(t.Context(), "a/b"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a missing file: %v", err)
	}
}

// A file that could not be written whole is not there, and leaves nothing behind.
func TestDirPutFails(t *testing.T) {
	t.Parallel()
	d, _ := openDir(t, time.Minute)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, put := range map[string]func() error{
		"reader fails": func() error {
			return d.Put(t.Context(), testKey, io.MultiReader(strings.NewReader("half"), iotest.ErrReader(errors.New("gone"))))
		},
		"cancelled": func() error { return d.Put(cancelled, testKey, strings.NewReader("x")) },
	} {
		if err := put(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := d.Get(t.Context(), testKey); !errors.Is(err, ErrNotFound) {
		t.Errorf("the file is there: %v", err)
	}
	entries, err := os.ReadDir(d.root)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".tmp") {
			t.Errorf("%s was left behind", e.Name())
		}
	}
}

func TestDirRefusesKeys(t *testing.T) {
	t.Parallel()
	d, _ := openDir(t, time.Minute)
	for _, key := range []string{
		"", "a", "a/", "/b", "../b", "a/..", "a/.", "./a", "a/b/c", `a/b\c`, `..\a/b`, "a/b\x00", ".tmp-x/b", "../../etc/passwd",
	} {
		if err := d.Put(t.Context(), key, strings.NewReader("x")); err == nil {
			t.Errorf("%q was stored", key)
		}
		if _, err := d.Get(t.Context(), key); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: %v", key, err)
		}
	}
}

func TestLinks(t *testing.T) {
	t.Parallel()
	d, srv := openDir(t, time.Minute)
	if err := d.Put(t.Context(), testKey, strings.NewReader("a,b\r\n")); err != nil {
		t.Fatal(err)
	}
	link, err := d.Link(t.Context(), testKey)
	if err != nil {
		t.Fatal(err)
	}
	resp, body := fetch(t, link) //nolint:bodyclose // fetch has closed it
	if resp.StatusCode != http.StatusOK || body != "a,b\r\n" {
		t.Errorf("%s: got %d %q", link, resp.StatusCode, body)
	}
	for header, want := range map[string]string{
		"Content-Type": "text/csv; charset=utf-8", "X-Content-Type-Options": "nosniff", "Cache-Control": "private, no-store",
		"Content-Disposition": "attachment; filename*=utf-8''Gr%C3%B6%C3%9Fe%201.csv",
	} {
		if got := resp.Header.Get(header); got != want {
			t.Errorf("%s is %q, want %q", header, got, want)
		}
	}

	missing := d.signer.URL("0b0b0b0b-0000-4000-8000-000000000002/x.csv")
	expired := NewSigner("secret", srv.URL, -time.Second).URL(testKey)
	foreign := NewSigner("other secret", srv.URL, time.Minute).URL(testKey)
	page, _, _ := strings.Cut(link, "?")
	for _, tt := range []struct {
		url    string
		status int
		code   string
	}{
		{missing, http.StatusNotFound, "NOT_FOUND"},
		{expired, http.StatusGone, "EXPIRED"},
		{foreign, http.StatusForbidden, "FORBIDDEN"},
		{page, http.StatusForbidden, "FORBIDDEN"},
		{strings.Replace(link, "expires=", "expires=9", 1), http.StatusForbidden, "FORBIDDEN"},
		{strings.Replace(link, "000000000001", "000000000002", 1), http.StatusForbidden, "FORBIDDEN"},
		{strings.Replace(link, "/files/0b0b0b0b-0000-4000-8000-000000000001/", "/files/..%2f/", 1), http.StatusForbidden, "FORBIDDEN"},
	} {
		resp, body := fetch(t, tt.url) //nolint:bodyclose // fetch has closed it
		if resp.StatusCode != tt.status || !strings.Contains(body, `"error_code":"`+tt.code+`"`) {
			t.Errorf("%s: got %d %s, want %d", tt.url, resp.StatusCode, body, tt.status)
		}
	}
}

// The layout and the signature are the same in all function services of a project, so this must not change.
func TestSignature(t *testing.T) {
	t.Parallel()
	s := NewSigner(config.Secret("admin-secret"), "http://localhost:3003", time.Minute)
	const want = "Rmmy7lLruyCJIkNS2gPkkEHHrkaYOowcUAcR8msq_8k"
	if got := s.sign("0b0b0b0b-0000-4000-8000-000000000001/report.csv", "1700000000"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
