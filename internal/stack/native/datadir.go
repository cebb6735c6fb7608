package native

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// outsideRoot holds the databases of projects in folders that the account of Postgres cannot reach, /root for example.
const outsideRoot = "/var/lib/nself"

// pgPlace is where a project's database lives.
type pgPlace struct {
	base    string // the folder around it, for what is being made
	outside bool   // not in the project
	note    string // what the user should know
}

func (p pgPlace) data() string  { return filepath.Join(p.base, "postgres") }
func (p pgPlace) fresh() string { return filepath.Join(p.base, "postgres.new") }
func (p pgPlace) auth() string  { return filepath.Join(p.base, "postgres.auth") }

// placePostgres chooses, and makes, the folder around the database. A database that is in the project stays in use.
func placePostgres(l layout, acc *account) (pgPlace, error) {
	if acc == nil || acc.reaches(l.data()) {
		return pgPlace{base: l.data()}, nil
	}
	id, err := projectID(l)
	if err != nil {
		return pgPlace{}, err
	}
	dir := filepath.Join(outsideRoot, id)
	note := ""
	if owner := ownerOf(dir); owner != "" && owner != l.dir && hasID(owner, id) && !sameDir(owner, l.dir) {
		// This folder is a copy: the original keeps its database.
		if err := os.Remove(filepath.Join(l.root(), "id")); err != nil {
			return pgPlace{}, fmt.Errorf("give the copied project its own id: %w", err)
		}
		if id, err = projectID(l); err != nil {
			return pgPlace{}, err
		}
		dir = filepath.Join(outsideRoot, id)
		note = fmt.Sprintf("this project is a copy of %s and starts with an empty database; ", owner)
	}
	for _, d := range []string{outsideRoot, dir} {
		if err := os.MkdirAll(d, 0o711); err != nil { //nolint:gosec // another account must pass through
			return pgPlace{}, fmt.Errorf("make the database's folder: %w", err)
		}
		if err := os.Chmod(d, 0o711); err != nil { //nolint:gosec // another account must pass through
			return pgPlace{}, fmt.Errorf("make the database's folder: %w", err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "owner"), []byte(l.dir), 0o600); err != nil {
		return pgPlace{}, fmt.Errorf("record whose database it is: %w", err)
	}
	return pgPlace{base: dir, outside: true, note: note + fmt.Sprintf(
		"the database is in %s, as the user %s cannot reach the project's folder", dir, acc.name)}, nil
}

func ownerOf(dir string) string {
	b, err := os.ReadFile(filepath.Join(dir, "owner"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

func hasID(project, id string) bool {
	b, err := os.ReadFile(filepath.Join(layout{project}.root(), "id"))
	return err == nil && string(b) == id
}

// outsideDataDir is the folder outside the project that holds its database; empty when there is none that is its own.
func outsideDataDir(l layout) string {
	b, err := os.ReadFile(filepath.Join(l.root(), "id"))
	if err != nil || len(b) < 16 {
		return ""
	}
	dir := filepath.Join(outsideRoot, filepath.Base(string(b)))
	if owner := ownerOf(dir); owner == "" || (owner != l.dir && hasID(owner, string(b)) && !sameDir(owner, l.dir)) {
		return ""
	}
	return dir
}

// dataVersion is the major version that wrote a database folder; empty when there is no database yet.
func dataVersion(dir string) (string, error) {
	b, err := os.ReadFile(filepath.Join(dir, "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the database's version: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}
