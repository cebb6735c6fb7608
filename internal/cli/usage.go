package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/nself-org/nself/internal/errdefs"
)

// describeUsage makes all commands of the tree say what is wrong with a command line in nself's words.
func describeUsage(root *cobra.Command) {
	root.SetFlagErrorFunc(flagError)
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Args != nil {
			c.Args = describeArgs(c.Args)
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root)
}

// describeArgs names the arguments that a command takes where check refuses those it got. Their values stay out of it, as one
// may be a secret, except where there should be none.
func describeArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		err := check(cmd, args)
		if err == nil || errors.Is(err, errdefs.ErrUsage) {
			return err
		}
		_, takes, any := strings.Cut(cmd.Use, " ")
		if !any {
			return fmt.Errorf("%w: %s takes no arguments, got %q", errdefs.ErrUsage, cmd.CommandPath(), args[0])
		}
		got := strconv.Itoa(len(args)) + " arguments"
		switch len(args) {
		case 0:
			got = "no argument"
		case 1:
			got = "only one argument"
		}
		return fmt.Errorf("%w: %s takes %s, got %s", errdefs.ErrUsage, cmd.CommandPath(), takes, got)
	}
}

// flagError says which flag is wrong and what it takes.
func flagError(cmd *cobra.Command, err error) error {
	if errors.Is(err, pflag.ErrHelp) {
		return err
	}
	if wrong, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return errdefs.As(errdefs.ErrUsage, badFlagValue(wrong))
	}
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok && unknown.GetSpecifiedShortnames() == "" {
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden {
				names = append(names, f.Name)
			}
		})
		if near := nearest(unknown.GetSpecifiedName(), names); near != "" {
			err = errdefs.WithHint(err, "did you mean --"+near+"?")
		}
	}
	return errdefs.As(errdefs.ErrUsage, err)
}

func badFlagValue(err *pflag.InvalidValueError) error {
	flag, value := "--"+err.GetFlag().Name, err.GetValue()
	switch err.GetFlag().Value.Type() {
	case "duration":
		return errdefs.WithHint(fmt.Errorf("%s must be a duration, got %q", flag, value), "write it with its unit, such as 30s or 2m")
	case "int":
		return fmt.Errorf("%s must be a whole number, got %q", flag, value)
	case "bool":
		return fmt.Errorf("%s must be true or false, got %q", flag, value)
	}
	return fmt.Errorf("%s %q: %w", flag, value, err.Unwrap())
}

// unknownSubcommand refuses a word that stands where a subcommand is expected and is none: cobra checks that at the root
// only, and elsewhere prints the help with exit code 0.
func unknownSubcommand(root *cobra.Command, args []string) (*cobra.Command, error) {
	root.InitDefaultCompletionCmd(args...)
	cmd, rest, err := root.Find(args)
	if err != nil || cmd == root || cmd.Runnable() || cmd.ParseFlags(rest) != nil || cmd.Flags().NArg() == 0 {
		return cmd, nil //nolint:nilerr // cobra finds and says the same
	}
	word := cmd.Flags().Arg(0)
	var names []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	hint := "the commands are " + strings.Join(names, ", ")
	if near := nearest(word, names); near != "" {
		hint = "did you mean " + near + "?"
	}
	return cmd, errdefs.WithHint(fmt.Errorf("%w: unknown command %q for %q", errdefs.ErrUsage, word, cmd.CommandPath()), hint)
}

// usageLine is the form of a command line that would do.
func usageLine(cmd *cobra.Command) string {
	if !cmd.Runnable() && cmd.HasAvailableSubCommands() {
		return cmd.CommandPath() + " <command>"
	}
	return cmd.UseLine()
}

// exclusiveFlags is what cobra says of flags that exclude each other.
var exclusiveFlags = regexp.MustCompile(`^if any flags in the group \[.*\] are set none of the others can be; \[(.*)\] were all set$`)

// classifyCobra marks cobra's own complaints as usage, and makes advice of its suggestions.
func classifyCobra(err error) error {
	if !isCobraUsage(err) {
		return err
	}
	if m := exclusiveFlags.FindStringSubmatch(err.Error()); m != nil {
		return errdefs.WithHint(fmt.Errorf("%w: --%s exclude each other", errdefs.ErrUsage,
			strings.Join(strings.Fields(m[1]), " and --")), "give only one of them")
	}
	what, suggestions, found := strings.Cut(err.Error(), "\n\nDid you mean this?\n")
	if !found {
		return errdefs.As(errdefs.ErrUsage, err)
	}
	return errdefs.As(errdefs.ErrUsage, errdefs.WithHint(errors.New(what),
		"did you mean "+strings.Join(strings.Fields(suggestions), " or ")+"?"))
}

// isCobraUsage tells whether cobra itself refused the command line: it gives such errors no type of their own.
func isCobraUsage(err error) bool {
	for _, prefix := range []string{
		"unknown command", "accepts ", "requires at least", "requires at most", "required flag", "if any flags in the group",
	} {
		if strings.HasPrefix(err.Error(), prefix) {
			return true
		}
	}
	return false
}

// inputFault says why a file that the command line names, called what in errors, cannot be read; hint is what to name instead.
func inputFault(what string, err error, hint string) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = fmt.Errorf("%w: %s: there is no such file", errdefs.ErrUsage, what)
	case errors.Is(err, syscall.EISDIR):
		err = fmt.Errorf("%w: %s is a folder, not a file", errdefs.ErrUsage, what)
	default:
		return fmt.Errorf("read %s: %w", what, err)
	}
	return errdefs.WithHint(err, hint)
}
