package ui

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"
)

// AskSecret asks a person for a text that is not shown while it is typed. It must only be called when [Streams.Interactive].
func (s *Streams) AskSecret(question string) (string, error) {
	in, ok := s.In.(*os.File)
	if !ok {
		return "", errors.New("ask: standard input is no terminal")
	}
	s.Notef("%s", question)
	b, err := term.ReadPassword(int(in.Fd()))
	s.Notef("\n")
	if err != nil {
		return "", fmt.Errorf("ask: %w", err)
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}
