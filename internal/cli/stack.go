package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/nself-org/nself/internal/env"
	"github.com/nself-org/nself/internal/stack"
)

// stackChoice is the --driver flag.
type stackChoice string

// The drivers that can be asked for.
const (
	driverAuto   stackChoice = "auto"
	driverDocker stackChoice = "docker"
	driverNative stackChoice = "native"
)

func (c *stackChoice) addFlag(cmd *cobra.Command) {
	*c = driverAuto
	cmd.Flags().Var(c, "driver", "Run with {auto | docker | native}")
	_ = cmd.RegisterFlagCompletionFunc("driver", cobra.FixedCompletions(
		[]string{string(driverAuto), string(driverDocker), string(driverNative)}, cobra.ShellCompDirectiveNoFileComp))
}

// String returns the driver's name; with Set and Type it makes stackChoice a flag value.
func (c *stackChoice) String() string { return string(*c) }

// Set takes the flag's text.
func (c *stackChoice) Set(text string) error {
	switch choice := stackChoice(text); choice {
	case driverAuto, driverDocker, driverNative:
		*c = choice
		return nil
	}
	return errors.New("the drivers are auto, docker and native") // the flag parser makes it a usage error
}

// Type is shown in --help.
func (c *stackChoice) Type() string { return "driver" }

// openStack is a project with the driver that runs it.
type openStack struct {
	Config *env.Config
	Report *env.Report // the configuration's warnings
	Driver stack.Driver
	// Why tells why this driver was taken, for a person.
	Why string
}

// completeServices completes the names of the project's services.
func (f *Factory) completeServices(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	s, err := f.Stack(cmd.Context(), driverAuto)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	status, err := s.Driver.Status(context.WithoutCancel(cmd.Context()))
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	names := make([]string, len(status.Services))
	for i, service := range status.Services {
		names[i] = service.Name
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
