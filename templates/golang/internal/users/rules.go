package users

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nself-org/nself/templates/golang/internal/action"
)

// Lengths in characters. The longest email address is what SMTP can carry (RFC 5321); the longest password keeps hashing
// from becoming a way to burden the service.
const (
	maxEmail    = 254
	maxName     = 100
	maxCompany  = 200
	minPassword = 8
	maxPassword = 128
)

// emailPattern is the one that browsers use for <input type="email">, but for one thing: the domain must have a dot.
var emailPattern = regexp.MustCompile(`^[a-zA-Z0-9.!#$%&'*+/=?^_{|}~` + "`" + `-]{1,64}@` +
	`[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)+$`)

// NormalEmail trims an address and writes it in lower case: one mailbox, one account.
func NormalEmail(email string) string { return strings.ToLower(strings.TrimSpace(email)) }

// NormalText trims optional text; nil when nothing is left.
func NormalText(text *string) *string {
	if text == nil {
		return nil
	}
	trimmed := strings.TrimSpace(*text)
	if trimmed == "" {
		return nil
	}
	return &trimmed
}

// CheckEmail says what is wrong with an address, or returns a zero fault.
func CheckEmail(email string) action.FieldError {
	switch {
	case email == "":
		return action.FieldError{Field: "email", Code: action.CodeRequired, Message: "Email is required"}
	case len(email) > maxEmail:
		return action.FieldError{
			Field: "email", Code: action.CodeLength, Message: fmt.Sprintf("Email must be at most %d characters", maxEmail),
		}
	case !emailPattern.MatchString(email):
		return action.FieldError{Field: "email", Code: action.CodeFormat, Message: "Email must be a valid email address"}
	}
	return action.FieldError{}
}

// CheckPassword says what is wrong with a new password, or returns a zero fault.
func CheckPassword(password string) action.FieldError {
	n := utf8.RuneCountInString(password)
	switch {
	case n == 0:
		return action.FieldError{Field: "password", Code: action.CodeRequired, Message: "Password is required"}
	case n < minPassword:
		return action.FieldError{
			Field: "password", Code: action.CodeLength,
			Message: fmt.Sprintf("Password must be at least %d characters", minPassword),
		}
	case n > maxPassword:
		return action.FieldError{
			Field: "password", Code: action.CodeLength,
			Message: fmt.Sprintf("Password must be at most %d characters", maxPassword),
		}
	}
	return action.FieldError{}
}

// CheckName says what is wrong with a name, or returns a zero fault.
func CheckName(name string) action.FieldError {
	if name == "" {
		return action.FieldError{Field: "name", Code: action.CodeRequired, Message: "Name is required"}
	}
	return checkText("name", "Name", name, maxName)
}

// CheckCompany says what is wrong with the name of a company, or returns a zero fault. Nil is nothing wrong.
func CheckCompany(company *string) action.FieldError {
	if company == nil {
		return action.FieldError{}
	}
	return checkText("company", "Company", *company, maxCompany)
}

// checkText refuses control characters too: Postgres cannot store NUL, and the text ends up in mails.
func checkText(name, label, text string, most int) action.FieldError {
	switch {
	case utf8.RuneCountInString(text) > most:
		return action.FieldError{
			Field: name, Code: action.CodeLength, Message: fmt.Sprintf("%s must be at most %d characters", label, most),
		}
	case strings.ContainsFunc(text, unicode.IsControl):
		return action.FieldError{Field: name, Code: action.CodeFormat, Message: label + " must not contain control characters"}
	}
	return action.FieldError{}
}
