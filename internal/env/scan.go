package env

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// statement is one KEY=value of a file, with the place of its parts in the file's bytes. godotenv reads the value; the
// scanner finds where statements begin and end, which godotenv does not tell.
type statement struct {
	key  string
	line int // of the key, from 1
	// src[valStart:valEnd] is the value as written: with its quotes, without a comment behind it.
	valStart, valEnd int
	quote            byte // '"', '\'' or 0
	// comment says that text after an unquoted value was cut off as a comment.
	comment bool
}

// fault is a line that cannot be read. Its text never holds a part of the line that may be a value.
type fault struct {
	line       int
	key        string
	text, hint string
}

const quoteHint = "put a value with spaces, # or several lines in quotes: KEY=\"value\"; a backslash directly before " +
	"a quote sign keeps that sign from closing the value"

// scan splits src into statements. A line that cannot be read is reported, and scanning goes on with the next line.
func scan(src []byte) ([]statement, []fault) {
	s := scanner{src: src, line: 1}
	if bytes.HasPrefix(src, []byte(byteOrderMark)) {
		s.pos = len(byteOrderMark)
	}
	for s.skipBlank() {
		s.statement()
	}
	return s.statements, s.faults
}

// byteOrderMark is what some editors put before UTF-8 text.
const byteOrderMark = "\ufeff"

type scanner struct {
	src        []byte
	pos, line  int
	statements []statement
	faults     []fault
}

// skipBlank moves to the next statement, over white space and comments; false is the end of the file.
func (s *scanner) skipBlank() bool {
	for s.pos < len(s.src) {
		r, size := utf8.DecodeRune(s.src[s.pos:])
		switch {
		case r == '#':
			s.moveTo(s.lineEnd(s.pos))
		case unicode.IsSpace(r):
			s.moveTo(s.pos + size)
		default:
			return true
		}
	}
	return false
}

// moveTo moves forward to pos and counts the lines passed.
func (s *scanner) moveTo(pos int) {
	s.line += bytes.Count(s.src[s.pos:pos], []byte{'\n'})
	s.pos = pos
}

// lineEnd is the index of the line feed at or after pos, or the end of the file.
func (s *scanner) lineEnd(pos int) int {
	if i := bytes.IndexByte(s.src[pos:], '\n'); i >= 0 {
		return pos + i
	}
	return len(s.src)
}

// fail reports the line at pos and goes on behind it.
func (s *scanner) fail(key, hint, format string, args ...any) {
	s.faults = append(s.faults, fault{line: s.line, key: key, text: fmt.Sprintf(format, args...), hint: hint})
	s.moveTo(s.lineEnd(s.pos))
}

// statement reads the statement at pos.
func (s *scanner) statement() {
	end := s.lineEnd(s.pos)
	text := string(bytes.TrimSuffix(s.src[s.pos:end], []byte{'\r'}))
	key, rest, found := cutName(text)
	if !found {
		s.fail("", "write KEY=value; a value of several lines needs quotes around it, a comment a # before it",
			"not a KEY=value line")
		return
	}
	if problem := checkName(key); problem != "" {
		if !printableName(key) {
			key = "" // perhaps a piece of a key or certificate that was pasted without quotes
		}
		s.fail(key, "a name has letters, digits and _, and does not begin with a digit", "%s", problem)
		return
	}
	st := statement{key: key, line: s.line}
	after := s.pos + len(text) - len(rest) // behind the = sign
	st.valStart = after + len(rest) - len(strings.TrimLeftFunc(rest, isBlank))
	if st.valStart < end && (s.src[st.valStart] == '"' || s.src[st.valStart] == '\'') {
		s.quoted(st)
		return
	}
	value := text[st.valStart-s.pos:]
	if strings.ContainsRune(value, '\r') {
		s.fail(key, "save the file with ordinary line ends", "carriage return inside the line")
		return
	}
	if i := commentStart(value, st.valStart > after); i >= 0 {
		value, st.comment = value[:i], true
	}
	value = strings.TrimRightFunc(value, isBlank)
	if value == "" {
		st.valStart = after
	}
	st.valEnd = st.valStart + len(value)
	s.statements = append(s.statements, st)
	s.moveTo(end)
}

// quoted reads a quoted value, which may span lines.
func (s *scanner) quoted(st statement) {
	st.quote = s.src[st.valStart]
	for i := st.valStart + 1; i < len(s.src); i++ {
		if s.src[i] != st.quote || s.src[i-1] == '\\' {
			continue
		}
		st.valEnd = i + 1
		break
	}
	if st.valEnd == 0 {
		s.fail(st.key, quoteHint, "unterminated quote")
		return
	}
	end := s.lineEnd(st.valEnd)
	if rest := strings.TrimSpace(string(s.src[st.valEnd:end])); rest != "" && rest[0] != '#' {
		if bytes.IndexByte(s.src[st.valStart:st.valEnd], '\n') >= 0 {
			// The quote that closed this value opens one on a later line: the user forgot one here.
			s.fail(st.key, quoteHint, "unterminated quote")
			return
		}
		s.fail(st.key, quoteHint, "text after the closing quote")
		return
	}
	s.statements = append(s.statements, st)
	s.moveTo(end)
}

// cutName splits a line into the name and what follows the = or : sign.
func cutName(line string) (name, rest string, found bool) {
	if after, ok := strings.CutPrefix(line, "export"); ok {
		if r, _ := utf8.DecodeRuneInString(after); isBlank(r) {
			line = strings.TrimLeftFunc(after, isBlank)
		}
	}
	i := strings.IndexAny(line, "=:")
	if i < 0 {
		return "", "", false
	}
	return strings.TrimRightFunc(line[:i], isBlank), line[i+1:], true
}

// checkName says what is wrong with a variable's name, or "".
func checkName(name string) string {
	if name == "" {
		return "the name before the = sign is missing"
	}
	for i, r := range name {
		switch {
		case r == '_', 'A' <= r && r <= 'Z', 'a' <= r && r <= 'z':
		case i > 0 && (r == '.' || '0' <= r && r <= '9'):
		case isBlank(r):
			return "white space inside the name"
		case i == 0 && '0' <= r && r <= '9':
			return "a name cannot begin with a digit"
		default:
			return fmt.Sprintf("unexpected character %q in the name", r)
		}
	}
	return ""
}

// printableName tells a mistyped name from a line that may be anything.
func printableName(name string) bool {
	if name == "" || len(name) > 40 {
		return false
	}
	for _, r := range name {
		if r != '_' && r != '-' && r != '.' && (r < 'A' || r > 'Z') && (r < '0' || r > '9') {
			return false
		}
	}
	return true
}

// commentStart finds the # that begins a comment behind an unquoted value, or -1. spaced says that white space stands
// before the value, so that a # at its very beginning is a comment too.
func commentStart(value string, spaced bool) int {
	for i, r := range value {
		if r == '#' && (spaced && i == 0 || i > 0 && blankBefore(value, i)) {
			return i
		}
	}
	return -1
}

func blankBefore(text string, i int) bool {
	r, _ := utf8.DecodeLastRuneInString(text[:i])
	return isBlank(r)
}

// isBlank reports white space that does not end a line, as godotenv sees it.
func isBlank(r rune) bool {
	switch r {
	case '\t', '\v', '\f', '\r', ' ', 0x85, 0xA0:
		return true
	}
	return false
}
