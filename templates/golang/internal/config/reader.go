package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net/mail"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// required as a default means that there is none.
const required = "\x00required"

// Reader turns variables into values and collects what is wrong with them.
type Reader struct {
	getenv   func(string) string
	problems []error
}

// NewReader makes a Reader of getenv, usually os.Getenv. An empty variable counts as absent.
func NewReader(getenv func(string) string) *Reader { return &Reader{getenv: getenv} }

// Err joins all problems, one a line, or is nil.
func (r *Reader) Err() error {
	if len(r.problems) == 0 {
		return nil
	}
	return fmt.Errorf("read the environment: %w", errors.Join(r.problems...))
}

// Problem notes that a variable is wrong. The text must not hold a secret value.
func (r *Reader) Problem(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	known := func(p error) bool { return p.Error() == err.Error() }
	if !slices.ContainsFunc(r.problems, known) { // two handlers may read the same variable
		r.problems = append(r.problems, err)
	}
}

// Text returns the variable without the space around it, or fallback.
func (r *Reader) Text(key, fallback string) string {
	if v := strings.TrimSpace(r.getenv(key)); v != "" {
		return v
	}
	return fallback
}

func (r *Reader) secret(keys ...string) Secret {
	for _, key := range keys {
		if v := r.getenv(key); v != "" {
			return Secret(v)
		}
	}
	r.Problem("%s is not set", keys[0])
	return ""
}

// Integer returns the variable as a number from least to most, or fallback.
func (r *Reader) Integer(key string, fallback, least, most int) int {
	v := r.Text(key, "")
	if v == "" {
		return fallback
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < least || n > most {
		r.Problem("%s must be a whole number from %d to %d, got %q", key, least, most, v)
		return fallback
	}
	return n
}

func (r *Reader) level(key string) slog.Level {
	v := r.Text(key, "info")
	var level slog.Level
	if err := level.UnmarshalText([]byte(v)); err != nil {
		r.Problem("%s must be debug, info, warn or error, got %q", key, v)
	}
	return level
}

// URL returns the variable, which must begin with one of the schemes, or fallback. It checks a connection string without ever printing it: it may hold a password.
func (r *Reader) URL(key, fallback string, schemes ...string) string {
	v := r.Text(key, fallback)
	switch v {
	case "":
		return ""
	case required:
		r.Problem("%s is not set", key)
		return ""
	}
	u, err := url.Parse(v)
	if err != nil {
		r.Problem("%s is not a valid URL", key)
		return ""
	}
	if slices.Contains(schemes, u.Scheme) {
		return v
	}
	r.Problem("%s must begin with %s://", key, strings.Join(schemes, ":// or "))
	return ""
}

func (r *Reader) address(key, fallback string) string {
	v := r.Text(key, fallback)
	if _, err := mail.ParseAddress(v); err != nil {
		r.Problem("%s must be an email address, got %q", key, v)
	}
	return v
}
