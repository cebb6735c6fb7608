package env

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// emptyName is never set: a reference to it stands for no text. It ends a double-quoted value whose last character is a
// quote sign, because godotenv strips quote signs at the end.
const emptyName = "NSELF_EMPTY"

// Quote writes value so that a .env file's reader gives back the same text: bare where that is safe, else in single
// quotes, else in double quotes with escapes. It refuses text that an environment variable cannot hold.
func Quote(value string) (string, error) {
	switch {
	case strings.ContainsRune(value, 0):
		return "", errors.New("holds a zero byte, which no environment variable can")
	case !utf8.ValidString(value):
		return "", errors.New("is not UTF-8 text")
	case strings.IndexFunc(value, unsafeBare) < 0:
		return value, nil
	case !strings.ContainsAny(value, "'\r\n") && !strings.HasSuffix(value, `\`):
		return "'" + value + "'", nil
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range value {
		switch r {
		case '\\', '"', '$':
			b.WriteByte('\\')
			b.WriteRune(r)
		case '\n':
			b.WriteString(`\n`)
		case '\r':
			b.WriteString(`\r`)
		default:
			b.WriteRune(r)
		}
	}
	switch value[len(value)-1] {
	case '"':
		b.WriteString("${" + emptyName + "}")
	case '\\':
		b.WriteByte('"') // the first one counts as escaped, and is stripped at the end
	}
	b.WriteByte('"')
	return b.String(), nil
}

// unsafeBare reports characters that make quotes necessary, for us, for a shell or for Compose.
func unsafeBare(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return false
	}
	return !strings.ContainsRune("_./:@%+,=-", r)
}
