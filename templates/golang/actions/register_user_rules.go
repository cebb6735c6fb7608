package actions

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Codes of registration faults.
const (
	codeRequired   = "REQUIRED_FIELD"
	codeLength     = "INVALID_LENGTH"
	codeFormat     = "INVALID_FORMAT"
	codeEmailTaken = "EMAIL_ALREADY_REGISTERED"
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

// normaliseRegistration trims what a person typed and writes the email address in lower case: one mailbox, one account.
// The password stays as it is.
func normaliseRegistration(in RegisterUserInput) RegisterUserInput {
	in.Email = strings.ToLower(strings.TrimSpace(in.Email))
	in.Name = strings.TrimSpace(in.Name)
	if in.Company != nil {
		if company := strings.TrimSpace(*in.Company); company != "" {
			in.Company = &company
		} else {
			in.Company = nil
		}
	}
	return in
}

// validateRegistration returns every fault of the input, at most one for each field.
func validateRegistration(in RegisterUserInput) []ValidationError {
	var faults []ValidationError
	check := func(field, code, message string) {
		if message != "" {
			faults = append(faults, ValidationError{Field: field, Message: message, Code: &code})
		}
	}
	check(emailFault(in.Email))
	check(passwordFault(in.Password))
	check(textFault("name", "Name", in.Name, maxName, true))
	if in.Company != nil {
		check(textFault("company", "Company", *in.Company, maxCompany, false))
	}
	return faults
}

func emailFault(email string) (field, code, message string) {
	switch {
	case email == "":
		return "email", codeRequired, "Email is required"
	case len(email) > maxEmail:
		return "email", codeLength, fmt.Sprintf("Email must be at most %d characters", maxEmail)
	case !emailPattern.MatchString(email):
		return "email", codeFormat, "Email must be a valid email address"
	}
	return "", "", ""
}

func passwordFault(password string) (field, code, message string) {
	n := utf8.RuneCountInString(password)
	switch {
	case n == 0:
		return "password", codeRequired, "Password is required"
	case n < minPassword:
		return "password", codeLength, fmt.Sprintf("Password must be at least %d characters", minPassword)
	case n > maxPassword:
		return "password", codeLength, fmt.Sprintf("Password must be at most %d characters", maxPassword)
	}
	return "", "", ""
}

// textFault refuses control characters too: Postgres cannot store NUL, and the text ends up in mails.
func textFault(name, label, text string, most int, required bool) (field, code, message string) {
	switch {
	case text == "" && required:
		return name, codeRequired, label + " is required"
	case utf8.RuneCountInString(text) > most:
		return name, codeLength, fmt.Sprintf("%s must be at most %d characters", label, most)
	case strings.ContainsFunc(text, unicode.IsControl):
		return name, codeFormat, label + " must not contain control characters"
	}
	return "", "", ""
}
