// Package reports writes reports about a period as CSV.
package reports

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nself-org/nself/templates/golang/internal/store"
)

// progressEvery is how many rows lie between two words about the progress.
const progressEvery = 1000

// Report is what to report on.
type Report struct {
	Type  string    `json:"report_type"` // USERS or PAYMENTS
	Start time.Time `json:"start"`       // the first moment that counts
	End   time.Time `json:"end"`         // the first moment that does not
}

// source is where a report's rows come from. All columns are read as text.
type source struct {
	table   string
	columns []string
	exprs   []string
}

func (r Report) source() (source, error) {
	created := `to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')`
	switch r.Type {
	case "USERS":
		return source{
			"public.users",
			[]string{"id", "email", "name", "company", "email_verified", "created_at"},
			[]string{"id::text", "email", "name", "coalesce(company, '')", "email_verified::text", created},
		}, nil
	case "PAYMENTS":
		return source{
			"public.payments",
			[]string{"id", "customer_id", "amount", "currency", "status", "description", "created_at"},
			[]string{"id::text", "customer_id::text", "amount::text", "currency", "status", "description", created},
		}, nil
	}
	return source{}, fmt.Errorf("there is no report of type %q", r.Type)
}

// Count returns how many rows the report has.
func (r Report) Count(ctx context.Context, db store.DB) (int, error) {
	src, err := r.source()
	if err != nil {
		return 0, err
	}
	var n int
	if err := db.QueryRow(ctx, "SELECT count(*) FROM "+src.table+" WHERE created_at >= $1 AND created_at < $2",
		r.Start, r.End).Scan(&n); err != nil {
		return 0, fmt.Errorf("count the rows of the report: %w", err)
	}
	return n, nil
}

// Write writes the report row by row: a line with the names of the columns, then the rows from the oldest on. progress
// gets percents; an error of it ends the report.
func (r Report) Write(ctx context.Context, db store.DB, w io.Writer, progress func(percent int) error) error {
	src, err := r.source()
	if err != nil {
		return err
	}
	total, err := r.Count(ctx, db)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, 64<<10)
	if err := line(out, src.columns); err != nil {
		return err
	}
	rows, err := db.Query(ctx, "SELECT "+strings.Join(src.exprs, ", ")+" FROM "+src.table+
		" WHERE created_at >= $1 AND created_at < $2 ORDER BY created_at, id", r.Start, r.End)
	if err != nil {
		return fmt.Errorf("read the rows of the report: %w", err)
	}
	defer rows.Close()
	cells := make([]string, len(src.columns))
	into := make([]any, len(cells))
	for i := range cells {
		into[i] = &cells[i]
	}
	n := 0
	_, err = pgx.ForEachRow(rows, into, func() error {
		if n++; n%progressEvery == 0 {
			if err := progress(min(99, 100*n/max(total, 1))); err != nil {
				return err
			}
		}
		return line(out, cells)
	})
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return out.Flush()
}

// line writes a line of CSV as RFC 4180 has it.
func line(w *bufio.Writer, cells []string) error {
	for i, cell := range cells {
		if i > 0 {
			w.WriteByte(',') //nolint:errcheck // bufio remembers the error for the last write
		}
		w.WriteString(quoted(cell)) //nolint:errcheck // see above
	}
	_, err := w.WriteString("\r\n")
	return err
}

// quoted writes a cell. Spreadsheets take text that begins like a formula for one, so such text gets a quotation mark in
// front that they understand and do not show.
func quoted(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@", rune(cell[0])) {
		cell = "'" + cell
	}
	if strings.ContainsAny(cell, ",\"\r\n") {
		return `"` + strings.ReplaceAll(cell, `"`, `""`) + `"`
	}
	return cell
}

// Estimate is how long a report of so many rows takes, in seconds, generously.
func Estimate(rows int) int {
	const perSecond = 10_000
	return max(1, (rows+perSecond-1)/perSecond)
}

// Day reads a date such as 2026-01-31.
func Day(text string) (time.Time, bool) {
	day, err := time.Parse(time.DateOnly, text)
	return day, err == nil && day.Year() > 0 // there is no year 0
}
