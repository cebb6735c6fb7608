package mailcatcher

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/google/uuid"
)

func entryOf(file fs.DirEntry) (*entry, error) {
	id, ok := strings.CutSuffix(file.Name(), mailSuffix)
	if !ok {
		return nil, errors.New("not a mail")
	}
	created, err := createdAt(id)
	if err != nil {
		return nil, err
	}
	info, err := file.Info()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() == 0 {
		return nil, errors.New("not a regular file, or empty")
	}
	return &entry{id: id, size: info.Size(), created: created}, nil
}

// createdAt reads the time of arrival from an id. It also keeps anything that is not an id out of file names.
func createdAt(id string) (time.Time, error) {
	u, err := uuid.Parse(id)
	if err != nil || u.Version() != 7 || u.String() != id {
		return time.Time{}, errors.New("the name is not an id of this store")
	}
	return time.Unix(u.Time().UnixTime()), nil
}

func (s *store) writeTemp(r io.Reader) (name string, size int64, err error) {
	f, err := os.CreateTemp(s.dir, tempPrefix+"*")
	if errors.Is(err, fs.ErrNotExist) { // the folder was removed while we run: the next mail brings it back
		if err := os.MkdirAll(s.dir, 0o700); err != nil {
			return "", 0, err
		}
		f, err = os.CreateTemp(s.dir, tempPrefix+"*")
	}
	if err != nil {
		return "", 0, err
	}
	size, err = io.Copy(f, r)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return "", 0, err
	}
	return f.Name(), size, nil
}

// syncDir makes a rename survive a power failure. Windows cannot sync a folder and does not need to.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

func (s *store) removeFiles(entries []*entry) {
	for _, e := range entries {
		if err := os.Remove(s.path(e.id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			s.log.Warn("mail file not removed", slog.String("id", e.id), slog.Any("error", err))
		}
	}
}

func (s *store) path(id string) string { return filepath.Join(s.dir, id+mailSuffix) }

func startsWith(path string, want []byte) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(f, got); err != nil {
		return fmt.Errorf("damaged: %w", err)
	}
	if !bytes.Equal(got, want) {
		return errors.New("damaged: it does not begin as the mails of this store do")
	}
	return nil
}

// open opens a mail's source. The caller closes it.
func (s *store) open(e *entry) (*os.File, error) {
	f, err := os.Open(s.path(e.id))
	if errors.Is(err, fs.ErrNotExist) {
		s.drop(e, err)
		return nil, errNotFound
	}
	return f, err
}

// load reads and parses a mail.
func (s *store) load(e *entry) (*message, error) {
	if l := s.last.Load(); l != nil && l.id == e.id {
		return l.mail, nil
	}
	s.parsing <- struct{}{}
	defer func() { <-s.parsing }()
	f, err := s.open(e)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw := make([]byte, 0, e.size+1)
	buf := bytes.NewBuffer(raw)
	if _, err := io.Copy(buf, f); err != nil {
		return nil, err
	}
	m := parseMessage(buf.Bytes())
	if m.Date.IsZero() {
		m.Date = e.created
	}
	s.last.Store(&loaded{id: e.id, mail: m})
	return m, nil
}
