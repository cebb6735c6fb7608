package files

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// Statistics is what result.json says about a CSV file. The first line holds the names of the columns.
type Statistics struct {
	Rows    int      `json:"rows"`
	Columns []Column `json:"columns"`
}

// Column tells about the cells of a column.
type Column struct {
	Name    string   `json:"name"`
	Empty   int      `json:"empty"`
	Numeric int      `json:"numeric"`
	Min     *float64 `json:"min"` // of the numeric cells
	Max     *float64 `json:"max"`
}

var numberPattern = regexp.MustCompile(`^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$`)

// Describe reads a CSV file. It is lenient: lines may have too few cells or too many, and quotation marks may be amiss.
func Describe(r io.Reader) (Statistics, error) {
	buffered := bufio.NewReader(r)
	if start, err := buffered.Peek(3); err == nil && string(start) == "\ufeff" {
		_, _ = buffered.Discard(3) // they have just been read
	}
	in := csv.NewReader(buffered)
	in.FieldsPerRecord, in.LazyQuotes, in.ReuseRecord = -1, true, true
	s := Statistics{Columns: []Column{}}
	header, err := in.Read()
	if errors.Is(err, io.EOF) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("read the first line: %w", err)
	}
	for _, name := range header {
		s.Columns = append(s.Columns, Column{Name: name})
	}
	for {
		cells, err := in.Read()
		if errors.Is(err, io.EOF) {
			return s, nil
		}
		if err != nil {
			return s, fmt.Errorf("read row %d: %w", s.Rows+1, err)
		}
		s.Rows++
		for i := range s.Columns {
			cell := ""
			if i < len(cells) {
				cell = strings.TrimSpace(cells[i])
			}
			s.Columns[i].add(cell)
		}
	}
}

func (c *Column) add(cell string) {
	if cell == "" {
		c.Empty++
		return
	}
	if !numberPattern.MatchString(cell) {
		return
	}
	n, err := strconv.ParseFloat(cell, 64)
	if err != nil {
		return // beyond what a number can be
	}
	c.Numeric++
	if c.Min == nil || n < *c.Min {
		c.Min = &n
	}
	if c.Max == nil || n > *c.Max {
		c.Max = &n
	}
}
