package actions

import (
	"strings"

	"github.com/nself-org/nself/templates/golang/internal/action"
	"github.com/nself-org/nself/templates/golang/internal/users"
)

const codeEmailTaken = "EMAIL_ALREADY_REGISTERED"

// normaliseRegistration trims what a person typed and writes the email address in lower case. The password stays as it
// is.
func normaliseRegistration(in RegisterUserInput) RegisterUserInput {
	in.Email = users.NormalEmail(in.Email)
	in.Name = strings.TrimSpace(in.Name)
	in.Company = users.NormalText(in.Company)
	return in
}

// validateRegistration returns every fault of the input, at most one for each field.
func validateRegistration(in RegisterUserInput) []ValidationError {
	checks := []action.FieldError{
		users.CheckEmail(in.Email), users.CheckPassword(in.Password), users.CheckName(in.Name), users.CheckCompany(in.Company),
	}
	var faults []ValidationError
	for i, f := range checks {
		if f.Message != "" {
			faults = append(faults, ValidationError{Field: f.Field, Message: f.Message, Code: &checks[i].Code})
		}
	}
	return faults
}
