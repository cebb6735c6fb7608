package env

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/joho/godotenv"
)

// maxFileBytes bounds one .env file: far more than a person writes, and small enough to read without thought.
const maxFileBytes = 1 << 20

// assignment is one value of one file.
type assignment struct {
	text  string
	line  int   // the last line that sets the key: it wins
	lines []int // all lines that set it, in order
}

// file is one layer of the cascade that comes from a file.
type file struct {
	name       string // relative to the project
	exists     bool
	mode       fs.FileMode
	src        []byte
	statements []statement
	values     map[string]assignment
	order      []string // keys by their first line
	problems   []*Problem
	warnings   []*Warning
}

// readFile reads and scans the file name in dir. A file that is not there is an empty layer.
func readFile(dir, name string) *file {
	f := &file{name: name, values: map[string]assignment{}}
	src, mode, err := readText(filepath.Join(dir, name))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return f
	case err != nil:
		f.exists = true
		problem := &Problem{Pos: Source{Kind: FromFile, File: name}, Text: reason(err)}
		if bad, ok := errors.AsType[*unusable](err); ok {
			problem.Hint = bad.hint
		} else if errors.Is(err, fs.ErrPermission) {
			problem.Hint = "make " + name + " readable for you, or run nself as its owner"
		}
		f.problems = append(f.problems, problem)
		return f
	}
	f.exists, f.mode, f.src = true, mode, src
	var faults []fault
	f.statements, faults = scan(src)
	for _, fault := range faults {
		f.problems = append(f.problems, &Problem{
			Pos: f.at(fault.line), Key: fault.key, Text: fault.text, Hint: fault.hint, syntax: true,
		})
	}
	return f
}

func (f *file) at(line int) Source { return Source{Kind: FromFile, File: f.name, Line: line} }

// unusable is a file that cannot be read as configuration, and what to do.
type unusable struct{ text, hint string }

func (u *unusable) Error() string { return u.text }

// reason is an error's text without the path, which the position already names.
func reason(err error) string {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return "cannot be read: " + pathErr.Err.Error()
	}
	return err.Error()
}

// readText reads a file that must be ordinary, small and UTF-8.
func readText(path string) ([]byte, fs.FileMode, error) {
	info, err := os.Stat(path) // before opening: a pipe would block
	if err != nil {
		return nil, 0, err
	}
	switch {
	case info.IsDir():
		return nil, 0, &unusable{"is a folder, not a file", "remove the folder, or rename it"}
	case !info.Mode().IsRegular():
		return nil, 0, &unusable{"is not an ordinary file", "put a text file with KEY=value lines there"}
	case info.Size() > maxFileBytes:
		return nil, 0, &unusable{
			fmt.Sprintf("has %d bytes, more than the %d that are read", info.Size(), maxFileBytes),
			"keep only KEY=value lines in it",
		}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	src, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, 0, err
	}
	switch {
	case len(src) > maxFileBytes:
		return nil, 0, &unusable{
			fmt.Sprintf("has more than the %d bytes that are read", maxFileBytes),
			"keep only KEY=value lines in it",
		}
	case bytes.HasPrefix(src, []byte{0xff, 0xfe}), bytes.HasPrefix(src, []byte{0xfe, 0xff}):
		return nil, 0, &unusable{"is UTF-16 text, not UTF-8", "save it as UTF-8"}
	case !utf8.Valid(src):
		return nil, 0, &unusable{fmt.Sprintf("is not UTF-8 text (line %d)", invalidLine(src)), "save it as UTF-8"}
	case bytes.IndexByte(src, 0) >= 0:
		return nil, 0, &unusable{"holds a zero byte: it is not a text file", "put a text file with KEY=value lines there"}
	}
	return src, info.Mode().Perm(), nil
}

// invalidLine is the first line that is not UTF-8.
func invalidLine(src []byte) int {
	line := 1
	for len(src) > 0 {
		r, size := utf8.DecodeRune(src)
		if r == utf8.RuneError && size == 1 {
			break
		}
		if r == '\n' {
			line++
		}
		src = src[size:]
	}
	return line
}

// decode lets godotenv read the values. A reference such as ${NAME} takes its value from a line above in this file, or
// from weaker, the layers below; one that names nothing is a problem, as godotenv would silently put nothing there.
func (f *file) decode(weaker func(key string) (string, bool)) {
	var text strings.Builder
	seeded := map[string]bool{}
	above := map[string]bool{emptyName: true}
	var good []statement
	for _, st := range f.statements {
		if problem := f.references(st, above, seeded, weaker, &text); problem != nil {
			f.problems = append(f.problems, problem)
			continue
		}
		above[st.key] = true
		good = append(good, st)
	}
	for _, st := range good {
		text.WriteString(st.key)
		text.WriteByte('=')
		text.Write(f.src[st.valStart:st.valEnd])
		text.WriteByte('\n')
	}
	values, err := godotenv.Unmarshal(text.String())
	if err != nil { // the text of godotenv's error quotes the file, secrets and all
		f.problems = append(f.problems, &Problem{
			Pos: Source{Kind: FromFile, File: f.name}, Text: "cannot be parsed", Hint: quoteHint, syntax: true,
		})
		return
	}
	for _, st := range good {
		a, again := f.values[st.key]
		if !again {
			f.order = append(f.order, st.key)
		}
		a.text, a.line = values[st.key], st.line
		a.lines = append(a.lines, st.line)
		f.values[st.key] = a
	}
	f.warnDuplicates()
}

func (f *file) warnDuplicates() {
	for _, key := range f.order {
		a := f.values[key]
		if len(a.lines) == 1 {
			continue
		}
		f.warnings = append(f.warnings, &Warning{
			Pos: f.at(a.line), Key: key,
			Text: fmt.Sprintf("set %d times in this file, also on %s; this last one counts", len(a.lines),
				onLines(a.lines[:len(a.lines)-1])),
			Hint: "remove the other lines",
		})
	}
}

// references checks the $NAME references of a statement and writes the weaker layers' values that they need to seeds.
func (f *file) references(st statement, above, seeded map[string]bool, weaker func(string) (string, bool),
	seeds *strings.Builder,
) *Problem {
	if st.quote == '\'' {
		return nil
	}
	raw := f.src[st.valStart:st.valEnd]
	for i, c := range raw {
		if c != '$' || i > 0 && raw[i-1] == '\\' {
			continue
		}
		ref := parseReference(raw[i+1:])
		if ref.command {
			if ref.name == "" {
				f.warnings = append(f.warnings, &Warning{
					Pos: f.at(st.line), Key: st.key, Text: "$(...) is kept as text: commands are not run",
					Hint: "put the value in single quotes if that is meant",
				})
				continue
			}
			return f.referenceProblem(st, "$("+maskName(st.key, ref.name)+") is neither run nor kept as text")
		}
		switch {
		case ref.name == "", above[ref.name]:
			// nothing to replace, or known
		case seeded[ref.name]:
		default:
			value, ok := weaker(ref.name)
			if !ok {
				return f.referenceProblem(st, "refers to $"+maskName(st.key, ref.name)+
					", which no line above and no weaker file sets")
			}
			seeded[ref.name] = true
			raw, err := Quote(value)
			if err != nil {
				return f.referenceProblem(st, "refers to $"+maskName(st.key, ref.name)+", whose value cannot be used here")
			}
			seeds.WriteString(ref.name + "=" + raw + "\n")
		}
		if ref.name != "" && ref.operator {
			return f.referenceProblem(st,
				"only ${"+maskName(st.key, ref.name)+"} is understood, no default or other operator in it")
		}
	}
	return nil
}

// maskName hides what may be the tail of a password with a dollar sign in it: a real name is a whole word.
func maskName(key, name string) string {
	if !secretName(key) && len(name) > 2 && strings.ContainsRune(name, '_') {
		return name
	}
	return "..."
}

func (f *file) referenceProblem(st statement, text string) *Problem {
	return &Problem{
		Pos: f.at(st.line), Key: st.key, Text: text,
		Hint: "put the value in single quotes to keep a dollar sign as it is, or set the name in a line above",
	}
}

// reference is what follows a dollar sign.
type reference struct {
	name     string
	command  bool // $(
	operator bool // ${NAME with something else than }
}

// parseReference reads a reference as godotenv's pattern does: \$\(?\{?[A-Z0-9_]*\}?
func parseReference(after []byte) reference {
	var ref reference
	if len(after) > 0 && after[0] == '(' {
		ref.command = true
		after = after[1:]
	}
	brace := len(after) > 0 && after[0] == '{'
	if brace {
		after = after[1:]
	}
	n := 0
	for n < len(after) && (after[n] == '_' || 'A' <= after[n] && after[n] <= 'Z' || '0' <= after[n] && after[n] <= '9') {
		n++
	}
	ref.name = string(after[:n])
	ref.operator = brace && (n == len(after) || after[n] != '}')
	return ref
}
