package actions

import (
	"reflect"
	"strings"
	"testing"
)

func TestValidateRegistration(t *testing.T) {
	t.Parallel()
	valid := RegisterUserInput{Email: "test@example.com", Password: "password123", Name: "Test User"}
	email := func(s string) func(*RegisterUserInput) { return func(in *RegisterUserInput) { in.Email = s } }
	pass := func(s string) func(*RegisterUserInput) { return func(in *RegisterUserInput) { in.Password = s } }
	name := func(s string) func(*RegisterUserInput) { return func(in *RegisterUserInput) { in.Name = s } }
	company := func(s string) func(*RegisterUserInput) { return func(in *RegisterUserInput) { in.Company = &s } }
	longEmail := "a@" + strings.Repeat(strings.Repeat("b", 49)+".", 5) + "example"

	for _, tt := range []struct {
		name   string
		change func(*RegisterUserInput)
		want   []string // field, code, message
	}{
		{"valid", func(*RegisterUserInput) {}, nil},
		{"nothing", func(in *RegisterUserInput) { *in = RegisterUserInput{} }, []string{
			"email REQUIRED_FIELD Email is required",
			"password REQUIRED_FIELD Password is required",
			"name REQUIRED_FIELD Name is required",
		}},
		{"blank email", email("  "), []string{"email REQUIRED_FIELD Email is required"}},
		{"no at", email("test.example.com"), []string{"email INVALID_FORMAT Email must be a valid email address"}},
		{"no dot", email("test@example"), []string{"email INVALID_FORMAT Email must be a valid email address"}},
		{"two addresses", email("a@example.com,b@example.com"), []string{
			"email INVALID_FORMAT Email must be a valid email address",
		}},
		{"line break", email("a@example.com\nBcc: b@example.com"), []string{
			"email INVALID_FORMAT Email must be a valid email address",
		}},
		{"plus and capitals", email("Test+Tag@Sub.Example.COM"), nil},
		{"longest email", email(longEmail[:254-3] + "com"), nil},
		{"long email", email(longEmail), []string{"email INVALID_LENGTH Email must be at most 254 characters"}},
		{"short password", pass("1234567"), []string{
			"password INVALID_LENGTH Password must be at least 8 characters",
		}},
		{"shortest password", pass("12345678"), nil},
		{"characters, not bytes", pass("ääää"), []string{"password INVALID_LENGTH Password must be at least 8 characters"}},
		{"long password", pass(strings.Repeat("x", 129)), []string{
			"password INVALID_LENGTH Password must be at most 128 characters",
		}},
		{"blank name", name(" \t"), []string{"name REQUIRED_FIELD Name is required"}},
		{"long name", name(strings.Repeat("x", 101)), []string{"name INVALID_LENGTH Name must be at most 100 characters"}},
		{"longest name", name(strings.Repeat("ä", 100)), nil},
		{"NUL in name", name("a\x00b"), []string{"name INVALID_FORMAT Name must not contain control characters"}},
		{"blank company", company("  "), nil},
		{"long company", company(strings.Repeat("x", 201)), []string{
			"company INVALID_LENGTH Company must be at most 200 characters",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := valid
			tt.change(&in)
			var got []string
			for _, f := range validateRegistration(normaliseRegistration(in)) {
				got = append(got, f.Field+" "+*f.Code+" "+f.Message)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
