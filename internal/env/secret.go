package env

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
)

// redacted stands for a secret wherever one would be printed.
const redacted = "[redacted]"

// Secret is text that must not be printed. Its String, LogValue and MarshalText give "[redacted]"; Reveal gives the
// text. Keep it in exported fields: fmt reads unexported ones by reflection and asks no method.
type Secret string

// String returns "[redacted]", or "" for an empty secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// Format keeps the secret out of every fmt verb.
func (s Secret) Format(f fmt.State, verb rune) {
	if verb == 'v' && f.Flag('#') {
		_, _ = f.Write([]byte(s.GoString()))
		return
	}
	_, _ = fmt.Fprintf(f, fmt.FormatString(f, printable(verb)), s.String())
}

// printable is verb if a string can be printed with it, else 's'.
func printable(verb rune) rune {
	if strings.ContainsRune("vsq", verb) {
		return verb
	}
	return 's'
}

// LogValue keeps the secret out of structured logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText keeps the secret out of JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// GoString keeps the secret out of %#v.
func (s Secret) GoString() string { return fmt.Sprintf("env.Secret(%q)", s.String()) }

// Reveal returns the text itself, for the one place that must use it.
func (s Secret) Reveal() string { return string(s) }

// Variables are environment variables by name. Any of them may be a secret, so that fmt, slog and JSON give the names
// only.
type Variables map[string]string

// Format prints the names.
func (v Variables) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "%v", sortedKeys(v)) }

// LogValue logs the names.
func (v Variables) LogValue() slog.Value { return slog.AnyValue(sortedKeys(v)) }

// MarshalJSON writes each value as "[redacted]".
func (v Variables) MarshalJSON() ([]byte, error) {
	masked := make(map[string]Secret, len(v))
	for key, text := range v {
		masked[key] = Secret(text)
	}
	return json.Marshal(masked)
}

// secretName reports whether a variable that nself does not know holds a secret, going by its name.
func secretName(key string) bool {
	key = strings.ToUpper(key)
	for _, part := range []string{"SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "TOKEN", "CREDENTIAL", "PRIVATE", "DSN"} {
		if strings.Contains(key, part) {
			return true
		}
	}
	for _, end := range []string{"KEY", "PASS", "PWD", "SALT", "PIN", "KEYS", "AUTH", "WEBHOOK", "WEBHOOK_URL"} {
		if key == end || strings.HasSuffix(key, "_"+end) {
			return true
		}
	}
	return strings.HasSuffix(key, "APIKEY")
}

// secretText reports whether a value looks like a secret whatever its name: a URL with a password, a private key, a
// JSON web token.
func secretText(text string) bool {
	if _, after, ok := strings.Cut(text, "://"); ok {
		authority, _, _ := strings.Cut(after, "/")
		if i := strings.LastIndexByte(authority, '@'); i >= 0 && strings.Contains(authority[:i], ":") ||
			strings.Contains(after, "@") && strings.Contains(after[:strings.LastIndexByte(after, '@')], ":") {
			return true
		}
	}
	return strings.Contains(text, "-----BEGIN") || strings.HasPrefix(text, "eyJ")
}
