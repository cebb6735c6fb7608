package storage

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"mime"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/nself-org/nself/templates/golang/internal/action"
)

// downloadTimeout bounds one download.
const downloadTimeout = time.Hour

// Dir keeps files in a folder: <folder>/<id>/<name>.
type Dir struct {
	root   string
	signer *Signer
}

var _ Storage = (*Dir)(nil)

// NewDir makes a Dir. The folder is made when the first file comes.
func NewDir(root string, signer *Signer) *Dir { return &Dir{root: root, signer: signer} }

// Put implements [Storage]: it writes to a temporary file, and renames it when all is on the disk.
func (d *Dir) Put(ctx context.Context, key string, r io.Reader) (err error) {
	if !valid(key) {
		return fmt.Errorf("store %q: the key is not <id>/<name>", key)
	}
	id, name := path.Split(key)
	temp := filepath.Join(d.root, ".tmp-"+rand.Text())
	if err := os.MkdirAll(filepath.Join(d.root, id), 0o700); err != nil {
		return fmt.Errorf("make a folder in STORAGE_DIR: %w", err)
	}
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("make a file in STORAGE_DIR: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("store %s: %w", key, err), os.Remove(temp))
		}
	}()
	if _, err := io.Copy(f, reader{ctx, r}); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(temp, filepath.Join(d.root, id, name))
}

// reader ends when the context does.
type reader struct {
	ctx context.Context //nolint:containedctx // it lives as long as one call
	io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

// Get implements [Storage].
func (d *Dir) Get(_ context.Context, key string) (io.ReadCloser, error) {
	f, err := d.open(key)
	if err != nil { // a nil file in an interface would not be nil
		return nil, err
	}
	return f, nil
}

func (d *Dir) open(key string) (*os.File, error) {
	if !valid(key) {
		return nil, ErrNotFound
	}
	f, err := os.Open(filepath.Join(d.root, filepath.FromSlash(key)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("open a stored file: %w", err)
	}
	return f, nil
}

// Link implements [Storage] with a signed URL of this service.
func (d *Dir) Link(_ context.Context, key string) (string, error) { return d.signer.URL(key), nil }

// handler answers signed links. It is for browsers, so it asks for no secret: the signature proves that the service made
// the link.
func (d *Dir) handler(log *slog.Logger) http.Handler {
	refuse := func(w http.ResponseWriter, r *http.Request, status int, code, message string) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(status)
		body, err := (&action.Error{Code: code, Message: message}).MarshalJSON()
		if err == nil {
			_, err = w.Write(append(body, '\n'))
		}
		if err != nil {
			log.DebugContext(r.Context(), "answer not sent", slog.Any("error", err))
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Cache-Control", "private, no-store")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer") // the address lets in whoever has it
		name := r.PathValue("name")
		key := r.PathValue("id") + "/" + name
		query := r.URL.Query()
		switch err := d.signer.Check(key, query.Get("expires"), query.Get("signature")); {
		case errors.Is(err, errExpired):
			refuse(w, r, http.StatusGone, "EXPIRED", "Link has expired")
			return
		case err != nil:
			refuse(w, r, http.StatusForbidden, action.CodeForbidden, "Link is not valid")
			return
		}
		f, err := d.open(key)
		var info fs.FileInfo
		if err == nil {
			defer f.Close()
			info, err = f.Stat()
		}
		switch {
		case errors.Is(err, ErrNotFound) || err == nil && !info.Mode().IsRegular():
			refuse(w, r, http.StatusNotFound, action.CodeNotFound, "File not found")
		case err != nil:
			log.ErrorContext(r.Context(), "file not read", slog.Any("error", err))
			refuse(w, r, http.StatusInternalServerError, action.CodeInternal, "Internal server error")
		default:
			// A large file over a slow line takes longer than any action may. Where no deadline can be set, there is none.
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(downloadTimeout))
			header.Set("Content-Type", contentType(name))
			header.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
			http.ServeContent(w, r, "", info.ModTime(), f)
		}
	})
}
