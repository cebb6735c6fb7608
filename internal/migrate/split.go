package migrate

import (
	"strings"
	"unicode/utf8"
)

// statement is one SQL statement without its semicolon.
type statement struct {
	text string
	// line is where its first word stands, from 1; offset the place of its text in characters, from 0.
	line, offset int
	words        []string // the first few words, upper case
}

func (s statement) firstWord() string {
	if len(s.words) == 0 {
		return ""
	}
	return s.words[0]
}

// split cuts SQL at its semicolons as psql does: not inside quotes, dollar quotes, comments, brackets, or the BEGIN
// ATOMIC body of a function.
func split(sql string) []statement {
	var out []statement
	s := splitter{sql: sql}
	for s.pos < len(sql) {
		if st := s.next(); len(st.words) > 0 || strings.TrimSpace(stripComments(st.text)) != "" {
			out = append(out, st)
		}
	}
	return out
}

type splitter struct {
	sql string
	pos int
	// lines and runes count what stands before a place; they only move forward, so that large files stay cheap.
	lines, runes counter
}

// counter counts something in the text up to a place that moves forward.
type counter struct{ pos, n int }

func (c *counter) to(sql string, pos int, count func(string) int) int {
	c.n += count(sql[c.pos:pos])
	c.pos = pos
	return c.n
}

// next reads up to the next semicolon of the outermost level.
func (s *splitter) next() statement {
	start := s.pos
	st := statement{offset: s.runes.to(s.sql, start, utf8.RuneCountInString)}
	brackets, atomic := 0, 0
	last := ""
	for s.pos < len(s.sql) {
		at := s.pos
		switch c := s.sql[s.pos]; {
		case s.skipOpaque():
			if c == '$' || c == '\'' || c == '"' {
				s.mark(&st, at)
			}
		case isWordByte(c):
			for s.pos < len(s.sql) && (isWordByte(s.sql[s.pos]) || s.sql[s.pos] == '$') {
				s.pos++
			}
			word := strings.ToUpper(s.sql[at:s.pos])
			s.mark(&st, at)
			if len(st.words) < 3 {
				st.words = append(st.words, word)
			}
			atomic = body(atomic, last, word, st.firstWord() == "CREATE")
			last = word
		case c == ';' && brackets == 0 && atomic == 0:
			s.finish(&st, start, s.pos)
			s.pos++
			return st
		default:
			switch c {
			case '(':
				brackets++
			case ')':
				brackets = max(0, brackets-1)
			}
			if c > ' ' {
				s.mark(&st, at)
			}
			s.pos++
		}
	}
	s.finish(&st, start, len(s.sql))
	return st
}

// body follows the nesting of a function's BEGIN ATOMIC ... END, in which only CASE ... END can nest.
func body(depth int, last, word string, create bool) int {
	switch {
	case word == "ATOMIC" && last == "BEGIN" && create:
		return 1
	case depth > 0 && word == "CASE":
		return depth + 1
	case depth > 0 && word == "END":
		return depth - 1
	}
	return depth
}

// mark notes the line of the statement's first word.
func (s *splitter) mark(st *statement, at int) {
	if st.line == 0 {
		st.line = s.lines.to(s.sql, at, func(t string) int { return strings.Count(t, "\n") }) + 1
	}
}

// finish cuts the statement's text out.
func (s *splitter) finish(st *statement, start, end int) {
	st.text = s.sql[start:end]
	s.mark(st, start)
}

// skipOpaque skips a comment or a quoted text, and says whether there was one.
func (s *splitter) skipOpaque() bool {
	rest := s.sql[s.pos:]
	switch {
	case strings.HasPrefix(rest, "--"):
		s.pos += lineLength(rest)
	case strings.HasPrefix(rest, "/*"):
		s.pos += commentLength(rest)
	case rest[0] == '\'':
		s.pos += quotedLength(rest, s.escapes())
	case rest[0] == '"':
		s.pos += quotedLength(rest, false)
	case rest[0] == '$':
		n := dollarLength(rest)
		if n == 0 {
			return false
		}
		s.pos += n
	default:
		return false
	}
	return true
}

// escapes says whether the quote at the current place is an E'...' string, in which a backslash escapes.
func (s *splitter) escapes() bool {
	if s.pos == 0 || s.sql[s.pos-1] != 'E' && s.sql[s.pos-1] != 'e' {
		return false
	}
	return s.pos == 1 || !isWordByte(s.sql[s.pos-2])
}

func lineLength(s string) int {
	if i := strings.IndexByte(s, '\n'); i >= 0 {
		return i
	}
	return len(s)
}

// commentLength measures a block comment; those of SQL nest.
func commentLength(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch {
		case strings.HasPrefix(s[i:], "/*"):
			depth++
			i++
		case strings.HasPrefix(s[i:], "*/"):
			depth--
			i++
			if depth == 0 {
				return i + 1
			}
		}
	}
	return len(s)
}

// quotedLength measures a quoted text; a doubled quote reads as the end of one and the start of the next, which comes
// to the same.
func quotedLength(s string, backslash bool) int {
	for i := 1; i < len(s); i++ {
		switch {
		case backslash && s[i] == '\\':
			i++
		case s[i] == s[0]:
			return i + 1
		}
	}
	return len(s)
}

// dollarLength measures $tag$ ... $tag$; zero where there is no tag, as in a parameter $1.
func dollarLength(s string) int {
	end := 1
	for end < len(s) && isWordByte(s[end]) {
		end++
	}
	if end >= len(s) || s[end] != '$' || s[1] >= '0' && s[1] <= '9' {
		return 0
	}
	tag := s[:end+1]
	i := strings.Index(s[len(tag):], tag)
	if i < 0 {
		return len(s)
	}
	return len(tag) + i + len(tag)
}

func isWordByte(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c >= 0x80
}

// stripComments removes comments, to see whether anything else is there.
func stripComments(sql string) string {
	var b strings.Builder
	s := splitter{sql: sql}
	for s.pos < len(sql) {
		at := s.pos
		if !s.skipOpaque() {
			b.WriteByte(sql[s.pos])
			s.pos++
		} else if c := sql[at]; c != '-' && c != '/' {
			b.WriteString(sql[at:s.pos])
		}
	}
	return b.String()
}
