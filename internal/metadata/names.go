package metadata

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/nself-org/nself/internal/errdefs"
)

// Kebab turns a GraphQL name into the last part of a handler's path: registerUser becomes register-user.
func Kebab(name string) string { return strings.Join(words(name), "-") }

// Snake turns a GraphQL name into the base of a file name: registerUser becomes register_user.
func Snake(name string) string { return strings.Join(words(name), "_") }

// Pascal turns a GraphQL name into the stem of a type name: registerUser becomes RegisterUser, and syncCRMData
// SyncCrmData.
func Pascal(name string) string {
	var b strings.Builder
	for _, w := range words(name) {
		b.WriteString(strings.ToUpper(w[:1]) + w[1:])
	}
	return b.String()
}

// words splits a name where a word starts: at underscores and other separators, before a capital that follows a small
// letter or digit, and before the last capital of a run that a small letter follows (HTTPServer is http, server).
// Digits stay with what precedes them.
func words(name string) []string {
	var out []string
	runes := []rune(name)
	start := 0
	cut := func(end int) {
		if end > start {
			out = append(out, strings.ToLower(string(runes[start:end])))
		}
		start = end
	}
	for i, r := range runes {
		switch {
		case r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r):
			cut(i)
			start = i + 1
		case unicode.IsUpper(r) && i > start:
			prev := runes[i-1]
			nextLower := i+1 < len(runes) && unicode.IsLower(runes[i+1])
			if !unicode.IsUpper(prev) || nextLower {
				cut(i)
			}
		}
	}
	cut(len(runes))
	return out
}

// reservedNames cannot name an action: GraphQL's literals, and the root types of Hasura's schema.
var reservedNames = []string{"true", "false", "null", "query_root", "mutation_root", "subscription_root"}

// reservedWords cannot be the base of a source file or a name in one of the three languages: Go would read x_test.go
// as a test, and an "index" or "main" is the service's own.
var reservedWords = []string{
	"async", "await", "break", "case", "catch", "chan", "class", "const", "continue", "def", "default", "defer", "del",
	"delete", "do", "elif", "else", "enum", "except", "export", "extends", "fallthrough", "finally", "for", "from", "func",
	"function", "global", "go", "goto", "if", "import", "in", "index", "init", "instanceof", "interface", "is", "lambda",
	"main", "map", "new", "nonlocal", "package", "pass", "raise", "range", "return", "select", "struct", "super", "switch",
	"this", "throw", "try", "type", "typeof", "var", "void", "while", "with", "yield",
}

// goSuffixes are the last words of a file name that make the go command treat it as a test or as one platform's file.
var goSuffixes = []string{
	"test", "aix", "android", "darwin", "dragonfly", "freebsd", "illumos", "ios", "js", "linux", "netbsd", "openbsd",
	"plan9", "solaris", "wasip1", "windows", "unix", "386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le",
	"mipsle", "ppc64", "ppc64le", "riscv64", "s390x", "wasm",
}

// maxNameLength keeps file names and paths far below the limits of file systems.
const maxNameLength = 100

// CheckActionName says whether name can be an action's: a GraphQL name that also makes a path, a file and a type
// name. The error is of class [errdefs.ErrUsage].
func CheckActionName(name string) error {
	fail := func(hint, format string, args ...any) error {
		err := fmt.Errorf("action name %q: %s", name, fmt.Sprintf(format, args...))
		return errdefs.As(errdefs.ErrUsage, errdefs.WithHint(err, hint))
	}
	const example = "use letters and digits, such as registerUser"
	switch {
	case name == "":
		return fail(example, "is empty")
	case strings.ContainsAny(name, `/\`) || strings.Contains(name, ".."):
		return fail(example, "is a path; an action has a GraphQL name")
	case strings.IndexFunc(name, unicode.IsSpace) >= 0:
		return fail(example, "contains a blank")
	case name[0] >= '0' && name[0] <= '9':
		return fail(example, "starts with a digit")
	case !isName(name):
		return fail(example, "may hold only letters, digits and underscores")
	case strings.HasPrefix(name, "__"):
		return fail("drop the underscores", "names that start with two underscores belong to GraphQL itself")
	case slices.Contains(reservedNames, name):
		return fail("choose another name", "is reserved in a GraphQL schema")
	case len(name) > maxNameLength:
		return fail("choose a shorter name", "has %d characters; at most %d are possible", len(name), maxNameLength)
	}
	parts := words(name)
	switch {
	case len(parts) == 0 || parts[0][0] >= '0' && parts[0][0] <= '9':
		return fail(example, "has no letter to name files with")
	case len(parts) == 1 && slices.Contains(reservedWords, parts[0]):
		return fail("add a verb or a noun to it, such as "+name+"Item", "is a reserved word in a handler's language")
	case len(parts) > 1 && slices.Contains(goSuffixes, parts[len(parts)-1]):
		return fail("put another word last", "the Go file %s.go would be built only on some systems, or only for tests",
			Snake(name))
	}
	return nil
}

// Clash returns the first of the existing actions whose files and path would be those of name, though it is another
// action: fooBar and foo_bar both live in foo_bar.go.
func Clash(name string, existing []string) (other string, clashes bool) {
	for _, e := range existing {
		if e != name && Snake(e) == Snake(name) {
			return e, true
		}
	}
	return "", false
}

// isName says whether s is a GraphQL name.
func isName(s string) bool {
	return s != "" && nameLength(s) == len(s)
}

// nameLength is the length of the GraphQL name that s begins with; 0 where it begins with none.
func nameLength(s string) int {
	for i := range len(s) {
		c := s[i]
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return i
		}
	}
	return len(s)
}
