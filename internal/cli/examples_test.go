package cli

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Every command shows an example, and every example is a command line that the program takes: the command exists, so do its
// flags, and it takes that many arguments.
func TestExamples(t *testing.T) {
	t.Parallel()
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Hidden || c.Name() == "help" || c.Name() == "completion" {
			return
		}
		if strings.TrimSpace(c.Example) == "" {
			t.Errorf("%s has no example", c.CommandPath())
		}
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: the short help is %q", c.CommandPath(), c.Short)
		}
		for line := range strings.SplitSeq(c.Example, "\n") {
			tryExample(t, c.CommandPath(), strings.TrimSpace(line))
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(Tree())
}

func tryExample(t *testing.T, path, line string) {
	t.Helper()
	for _, words := range commandLines(line) {
		if len(words) == 0 || words[0] != "nself" {
			continue
		}
		root := Tree() // flags keep what they were set to
		cmd, rest, err := root.Find(words[1:])
		if err != nil || cmd == root {
			t.Errorf("%s: example %q: %v", path, line, err)
			continue
		}
		if err := cmd.ParseFlags(rest); err != nil {
			t.Errorf("%s: example %q: %v", path, line, err)
			continue
		}
		if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
			t.Errorf("%s: example %q: %v", path, line, err)
		}
	}
}

// commandLines cuts a line of a shell into commands and these into words; redirections end a command.
func commandLines(line string) [][]string {
	var out [][]string
	var words []string
	var word strings.Builder
	started := false
	end := func() {
		if started {
			words = append(words, word.String())
		}
		word.Reset()
		started = false
	}
	quote := rune(0)
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, started = r, true
		case r == ' ':
			end()
		case strings.ContainsRune("|&;<>", r):
			end()
			out, words = append(out, words), nil
		case r == '#' && !started:
			end()
			return append(out, words)
		default:
			word.WriteRune(r)
			started = true
		}
	}
	end()
	return append(out, words)
}
