package database

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/nself-org/nself/internal/errdefs"
)

// Header is the first line of a dump that nself writes, a comment of SQL.
type Header struct {
	Project string `json:"project"`
	// Postgres is the server's version, such as 150004.
	Postgres int `json:"postgres"`
	// Migration is the version of the newest migration in the dump; zero without any.
	Migration int64     `json:"migration,omitempty"`
	At        time.Time `json:"at"`
}

const headerStart = "-- nself dump: "

// Line returns the header as a line of SQL.
func (h Header) Line() ([]byte, error) {
	data, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	return append(append([]byte(headerStart), data...), '\n'), nil
}

// Format is how a dump is written.
type Format string

// The formats that can be restored.
const (
	SQL    Format = "sql"
	Custom Format = "custom" // pg_dump -Fc
)

// Dump is what the beginning of a dump says about it.
type Dump struct {
	Format Format
	// Major is the Postgres version it comes from, such as 15; zero where it does not say.
	Major int
	// Header is nself's own line; zero where there is none.
	Header Header
}

// headBytes is how much of a dump is looked at: pg_dump's own comments stand in the first lines.
const headBytes = 64 << 10

var (
	dumpedFrom   = regexp.MustCompile(`(?m)^-- Dumped from database version ([0-9]+)`)
	binaryServer = regexp.MustCompile(`[\x00-\x1f]([0-9]{1,2})\.[0-9]+[^\x00-\x1f]{0,60}[\x00]`)
)

// Read looks at the beginning of a dump and returns what it is, with a reader that still has all of it.
func Read(r io.Reader) (Dump, io.Reader, error) {
	buffered := bufio.NewReaderSize(r, headBytes)
	head, err := buffered.Peek(headBytes)
	if err != nil && !errors.Is(err, io.EOF) {
		return Dump{}, nil, err
	}
	if len(bytes.TrimSpace(head)) == 0 {
		return Dump{}, nil, errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(errors.New("the dump is empty"), "make one with nself db dump FILE"))
	}
	switch {
	case bytes.HasPrefix(head, []byte("PGDMP")):
		d := Dump{Format: Custom}
		if m := binaryServer.FindSubmatch(head[:min(len(head), 512)]); m != nil {
			d.Major, _ = strconv.Atoi(string(m[1])) // digits
		}
		return d, buffered, nil
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return Dump{}, nil, errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(errors.New("the dump is compressed"), "restore it with gunzip -c FILE | nself db restore -"))
	case bytes.IndexByte(head, 0) >= 0:
		return Dump{}, nil, errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(errors.New("the dump is in a format that nself does not know"),
			"make it with nself db dump, or with pg_dump in plain or custom format"))
	}
	d := Dump{Format: SQL}
	first, _, _ := strings.Cut(string(head), "\n")
	if text, ok := strings.CutPrefix(first, headerStart); ok {
		if err := json.Unmarshal([]byte(text), &d.Header); err != nil {
			return d, nil, errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(
				fmt.Errorf("line 1 of the dump, which says where it is from, cannot be read: %w", err), "remove the line to restore it unchecked"))
		}
		d.Major = d.Header.Postgres / 10000
	}
	if m := dumpedFrom.FindSubmatch(head); m != nil {
		d.Major, _ = strconv.Atoi(string(m[1])) // digits
	}
	return d, buffered, nil
}

// Refuse says why a dump cannot be restored: it comes from a newer Postgres, or from a newer state of the project than the
// migrations on disk, the newest of which is given. A nil error means that nothing stands against it.
func (d Dump) Refuse(serverVersion int, newestMigration int64) error {
	server := serverVersion / 10000
	if d.Major > server {
		return errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(fmt.Errorf("the dump comes from Postgres %d, and the server is Postgres %d", d.Major, server),
			"restore it on a server of version "+strconv.Itoa(d.Major)+" or later"))
	}
	if d.Header.Migration > newestMigration {
		return errdefs.As(errdefs.ErrInvalid, errdefs.WithHint(
			fmt.Errorf("the dump has migration %d, which is newer than any of this project's", d.Header.Migration),
			"bring the project's files up to date first"))
	}
	return nil
}
