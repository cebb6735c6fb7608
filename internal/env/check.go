package env

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/mail"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// check says what is wrong with a value, or "". The text holds no secret.
type check func(text string) (problem string)

const (
	ruleIdentifier = "1 to 63 letters, digits, _ and -"
	ruleJWTType    = "HS256, HS384, HS512, RS256, RS384, RS512, ES256, ES384, ES512 or Ed25519"
)

// checkValue checks a value that is not empty against its key's kind and rule.
func (k *Key) checkValue(text string) (problem, hint string) {
	switch k.Kind {
	case KindBool:
		if _, ok := parseBool(text); !ok {
			return shown(text) + " is neither true nor false", "write true or false"
		}
	case KindPort:
		if n := number(text); n < 1 || n > 65535 {
			hint = "use a number from 1 to 65535"
			if strings.HasPrefix(text, "tcp://") {
				hint += "; Kubernetes sets this name for a service: put enableServiceLinks: false in the pod"
			}
			return shown(text) + " is not a port", hint
		}
	case KindNumber:
		if n := number(text); n < 1 {
			return shown(text) + " is not a whole number above 0", "use a whole number above 0"
		}
	case KindURL:
		if u, err := url.Parse(text); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return "not an http or https URL", "write it like https://example.com"
		}
	case KindImage:
		if problem := checkImage(text); problem != "" {
			return problem, "write it like registry.example.com/name:tag"
		}
	case KindText:
	}
	if k.check != nil {
		if problem := k.check(text); problem != "" {
			return problem, "use " + k.Rule
		}
	}
	return "", ""
}

// shown quotes a value that is not a secret, cut to a length that fits a line.
func shown(text string) string {
	if secretText(text) {
		return "the value"
	}
	const limit = 40
	if runes := []rune(text); len(runes) > limit {
		text = string(runes[:limit]) + "..."
	}
	return strconv.Quote(text)
}

// parseBool reads the words that people use for true and false, in any case.
func parseBool(text string) (value, ok bool) {
	switch strings.ToLower(text) {
	case "1", "yes", "y", "on", "enabled", "true":
		return true, true
	case "0", "no", "n", "off", "disabled", "false":
		return false, true
	}
	return false, false
}

// number reads a decimal number of at most nine digits; -1 is anything else.
func number(text string) int {
	if text == "" || len(text) > 9 {
		return -1
	}
	n := 0
	for _, r := range text {
		if r < '0' || r > '9' {
			return -1
		}
		n = n*10 + int(r-'0')
	}
	return n
}

// normalEnv maps other spellings of the environments to theirs.
func normalEnv(text string) string {
	switch text = strings.ToLower(text); text {
	case "development", "develop", "devel", "local":
		return Dev
	case "stage":
		return Staging
	case "production":
		return Prod
	}
	return text
}

func checkEnvName(text string) string {
	switch normalEnv(text) {
	case Dev, Staging, Prod:
		return ""
	}
	return shown(text) + " is not an environment"
}

func checkLogLevel(text string) string {
	switch strings.ToLower(text) {
	case "debug", "info", "warn", "error":
		return ""
	}
	return shown(text) + " is not a log level"
}

func checkProjectName(text string) string {
	if len(text) < 2 || len(text) > 30 || strings.Trim(text, "-") != text || strings.ContainsFunc(text, notInName) {
		return shown(text) + " cannot name a project"
	}
	return ""
}

func notInName(r rune) bool { return r != '-' && (r < 'a' || r > 'z') && (r < '0' || r > '9') }

// projectNameOf makes a project's name out of its folder's.
func projectNameOf(dir string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(filepath.Base(dir)) {
		switch {
		case !notInName(r) && r != '-':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	name := b.String()
	if len(name) > 30 {
		name = name[:30]
	}
	if name = strings.Trim(name, "-"); len(name) < 2 {
		return "myproject"
	}
	return name
}

func checkIdentifier(text string) string {
	if len(text) > 63 || strings.ContainsFunc(text, func(r rune) bool {
		return r != '_' && r != '-' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	}) {
		return shown(text) + " cannot be used as a name in Postgres"
	}
	return ""
}

func checkHost(text string) string {
	if strings.ContainsAny(text, " \t\r\n/@?#") {
		return shown(text) + " is not a host name"
	}
	return ""
}

func checkImage(text string) string {
	if strings.HasPrefix(text, "-") || strings.Contains(text, "://") || strings.ContainsFunc(text, func(r rune) bool {
		return !strings.ContainsRune("._-/:@", r) && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	}) {
		return shown(text) + " is not the name of an image"
	}
	return ""
}

func checkTag(text string) string {
	if !regexp.MustCompile(`^\w[\w.-]{0,127}$`).MatchString(text) {
		return shown(text) + " is not an image tag"
	}
	return ""
}

func checkAddress(text string) string {
	if _, err := mail.ParseAddress(text); err != nil {
		return shown(text) + " is not a mail address"
	}
	return ""
}

func checkMinioPassword(text string) string {
	if len(text) < 8 {
		return fmt.Sprintf("has %d characters, MinIO wants 8 or more", len(text))
	}
	return ""
}

// checkEncryptionKey takes both alphabets of base64, with padding or without.
func checkEncryptionKey(text string) string {
	plain := strings.NewReplacer("-", "+", "_", "/", "=", "").Replace(text)
	if key, err := base64.RawStdEncoding.DecodeString(plain); err != nil || len(key) != 32 {
		return "is not 32 bytes in base64"
	}
	return ""
}

func checkJWTType(text string) string {
	if _, ok := jwtKeyLength(text); !ok {
		return shown(text) + " is not a type of key"
	}
	return ""
}

// jwtKeyLength is the least number of characters that Hasura takes for a key of this type; 0 for a public key.
func jwtKeyLength(kind string) (length int, ok bool) {
	switch kind {
	case "HS256":
		return 32, true
	case "HS384":
		return 48, true
	case "HS512":
		return 64, true
	case "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "Ed25519":
		return 0, true
	}
	return 0, false
}

// checkJWTSecret checks what Hasura checks when it starts, so that a fault is found before.
func checkJWTSecret(text string) string {
	var secret struct {
		Type   *string `json:"type"`
		Key    *string `json:"key"`
		JWKURL *string `json:"jwk_url"`
	}
	if err := json.Unmarshal([]byte(text), &secret); err != nil || !strings.HasPrefix(strings.TrimSpace(text), "{") {
		return "not a JSON object"
	}
	switch {
	case secret.Key == nil && secret.JWKURL == nil:
		return `the JSON has neither "key" nor "jwk_url"`
	case secret.Key != nil && secret.JWKURL != nil:
		return `the JSON has both "key" and "jwk_url"`
	case secret.JWKURL != nil:
		return ""
	case secret.Type == nil:
		return `the JSON has no "type"`
	}
	return checkJWTKey(*secret.Type, *secret.Key)
}

func checkJWTKey(kind, key string) string {
	length, ok := jwtKeyLength(kind)
	switch {
	case !ok:
		return `the "type" is none that Hasura knows (` + ruleJWTType + ")"
	case len(key) < length:
		return fmt.Sprintf("the key has %d characters, %s wants %d or more", len(key), kind, length)
	case length == 0 && !strings.Contains(key, "-----BEGIN"):
		return "the key of " + kind + " is not a PEM public key or certificate"
	}
	return ""
}
