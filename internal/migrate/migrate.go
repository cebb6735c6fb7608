// Package migrate applies a project's SQL migrations to Postgres: in order, each once, each in a transaction of its
// own. It reads the Hasura CLI's layout, hasura/migrations/default/<version>_<name>/up.sql, and keeps its record in
// the table nself.schema_migrations.
//
// A migration whose first line is "-- nself: no-transaction" runs statement by statement outside a transaction, which
// CREATE INDEX CONCURRENTLY and its like need. It is the only kind that can fail halfway.
package migrate

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nself-org/nself/internal/errdefs"
)

// Folder is where a project keeps its migrations, relative to the project.
const Folder = "hasura/migrations/default"

// noTransaction is the first line of a migration that cannot run in a transaction.
const noTransaction = "-- nself: no-transaction"

// Migration is one migration on disk.
type Migration struct {
	Version int64
	Name    string
	// File is the up.sql relative to the project, with slashes.
	File string
	SQL  string
	// Checksum identifies the SQL; line endings do not count.
	Checksum      string
	NoTransaction bool
}

// String returns the folder's name, such as 1700000000000_create_users.
func (m Migration) String() string { return strconv.FormatInt(m.Version, 10) + "_" + m.Name }

// State is a migration as a database knows it.
type State struct {
	Migration

	Applied   bool
	AppliedAt time.Time // zero unless applied
	// Changed says that the SQL on disk is not what was applied.
	Changed bool
	// OutOfOrder says that it is not applied although a later one is.
	OutOfOrder bool
	// Missing says that it was applied, but is not on disk any more. SQL and File are empty then.
	Missing bool
}

var folderName = regexp.MustCompile(`^([0-9]+)_(.+)$`)

// List reads the migrations of a project in the order of their versions. A missing folder is an empty one. All faults
// are reported at once, as an error of class [errdefs.ErrInvalid]: a folder without a version, two folders of one
// version, a folder without up.sql, SQL outside a folder, a transaction command in the SQL.
func List(projectDir string) ([]Migration, error) {
	root := filepath.Join(projectDir, filepath.FromSlash(Folder))
	entries, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	var out []Migration
	var faults []error
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		m, err := read(projectDir, e)
		if err != nil {
			faults = append(faults, err)
		} else if m != nil {
			out = append(out, *m)
		}
	}
	slices.SortStableFunc(out, func(a, b Migration) int { return cmp.Compare(a.Version, b.Version) })
	for i := 1; i < len(out); i++ {
		if out[i].Version == out[i-1].Version {
			faults = append(faults, errdefs.WithHint(
				fmt.Errorf("%s: version %d is that of %s too", path.Dir(out[i].File), out[i].Version, path.Dir(out[i-1].File)),
				"give one of the two folders a later version"))
		}
	}
	if len(faults) > 0 {
		return nil, errdefs.As(errdefs.ErrInvalid, errors.Join(faults...))
	}
	return out, nil
}

// read reads one entry of the folder; nil for a file that has nothing to do with migrations.
func read(projectDir string, e fs.DirEntry) (*Migration, error) {
	rel := path.Join(Folder, e.Name())
	info, err := os.Stat(filepath.Join(projectDir, filepath.FromSlash(rel)))
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	if !info.IsDir() {
		if strings.HasSuffix(e.Name(), ".sql") {
			return nil, errdefs.WithHint(fmt.Errorf("%s: SQL outside a migration's folder is never applied", rel),
				"move it to "+Folder+"/<version>_<name>/up.sql")
		}
		return nil, nil
	}
	parts := folderName.FindStringSubmatch(e.Name())
	const nameHint = "name the folder <version>_<name>, such as 1700000000000_create_users"
	if parts == nil {
		return nil, errdefs.WithHint(fmt.Errorf("%s: the folder's name has no version", rel), nameHint)
	}
	version, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil || version == 0 {
		return nil, errdefs.WithHint(fmt.Errorf("%s: %s cannot be a version", rel, parts[1]), nameHint)
	}
	m := &Migration{Version: version, Name: parts[2], File: path.Join(rel, "up.sql")}
	data, err := os.ReadFile(filepath.Join(projectDir, filepath.FromSlash(m.File)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errdefs.WithHint(fmt.Errorf("%s: there is no up.sql", rel), "add it, or remove the folder")
	}
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	m.SQL = strings.TrimPrefix(string(data), "\uFEFF")
	normal := strings.ReplaceAll(m.SQL, "\r\n", "\n")
	sum := sha256.Sum256([]byte(normal))
	m.Checksum = hex.EncodeToString(sum[:])
	first, _, _ := strings.Cut(normal, "\n")
	m.NoTransaction = strings.TrimSpace(first) == noTransaction
	if !m.NoTransaction {
		if err := rejectTransactions(m.File, m.SQL); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// rejectTransactions refuses SQL that would end the transaction it runs in: what follows could not be undone.
func rejectTransactions(file, sql string) error {
	for _, s := range split(sql) {
		switch first := s.firstWord(); first {
		case "BEGIN", "COMMIT", "ROLLBACK", "END", "ABORT", "START":
			if first == "ROLLBACK" && strings.Contains(strings.ToUpper(s.text), " TO ") {
				continue // to a savepoint
			}
			return errdefs.WithHint(
				fmt.Errorf("%s:%d: %s: the migration runs in a transaction of its own", file, s.line, first),
				"remove the transaction's commands, or begin the file with \""+noTransaction+"\"")
		}
	}
	return nil
}
