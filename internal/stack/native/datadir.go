package native

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/nself-org/nself/internal/errdefs"
)

// outsideRoot holds the databases of projects in folders that the account of Postgres cannot reach, /root for example.
const outsideRoot = "/var/lib/nself"

// pgPlace is where a project's database lives.
type pgPlace struct {
	base string // the folder around it, for what is being made
	note string // what the user should know
}

func (p pgPlace) data() string  { return filepath.Join(p.base, "postgres") }
func (p pgPlace) fresh() string { return filepath.Join(p.base, "postgres.new") }
func (p pgPlace) auth() string  { return filepath.Join(p.base, "postgres.auth") }

// placePostgres chooses, and makes, the folder around the database. A database that exists stays in use when the project
// is moved to where the account can, or cannot, reach it.
func placePostgres(l layout, acc *account) (pgPlace, error) {
	inside := pgPlace{base: l.data()}
	if acc == nil {
		return inside, nil
	}
	hasInside, err := hasDatabase(inside)
	if err != nil {
		return pgPlace{}, err
	}
	hasOutside := false
	if dir := outsideDataDir(l); dir != "" {
		if hasOutside, err = hasDatabase(pgPlace{base: dir}); err != nil {
			return pgPlace{}, err
		}
	}
	if acc.reaches(l.data()) && (hasInside || !hasOutside) {
		return inside, nil
	}
	place, err := placeOutside(l, acc)
	if err != nil || !hasInside || hasOutside {
		return place, err
	}
	for _, move := range [][2]string{{inside.auth(), place.auth()}, {inside.data(), place.data()}} {
		if err := os.Rename(move[0], move[1]); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return pgPlace{}, errdefs.As(errdefs.ErrUnavailable, errdefs.WithHint(
				fmt.Errorf("move the database to where the user %s can reach it: %w", acc.name, err),
				fmt.Sprintf("copy %s to %s, keeping its owner", move[0], move[1])))
		}
	}
	return place, nil
}

func hasDatabase(p pgPlace) (bool, error) {
	v, err := dataVersion(p.data())
	return v != "", err
}

// placeOutside makes the folder for a database that cannot be in the project.
func placeOutside(l layout, acc *account) (pgPlace, error) {
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
		note = fmt.Sprintf("this project is a copy of %s and has a database of its own; ", owner)
	}
	for _, d := range []string{outsideRoot, dir} {
		if err := os.MkdirAll(d, 0o711); err != nil {
			return pgPlace{}, fmt.Errorf("make the database's folder: %w", err)
		}
		if err := os.Chmod(d, 0o711); err != nil { //nolint:gosec // another account must pass through
			return pgPlace{}, fmt.Errorf("make the database's folder: %w", err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "owner"), []byte(l.dir), 0o600); err != nil {
		return pgPlace{}, fmt.Errorf("record whose database it is: %w", err)
	}
	return pgPlace{base: dir, note: note + fmt.Sprintf(
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
		return "", errdefs.As(errdefs.ErrUnavailable, errdefs.WithHint(fmt.Errorf("read the database's version: %w", err),
			"another user, perhaps root, has created the database: run nself as that user, or move the data away"))
	}
	return strings.TrimSpace(string(b)), nil
}
